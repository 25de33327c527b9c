import OrderStreamCore
import OrderStreamThreads
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The members of a scenario's group that this process runs, a thread each.
final class ScenarioMembers {
  /// What a thread tells: how many partitions its member has.
  private final class Place: Sendable {
    let partitions = Atomic<Int>(-1)
  }

  private struct Member {
    let place: Place
    let thread: BackgroundThread<CommandError?>
  }

  let orders: ScenarioMember.Orders
  private let name: String
  private let broker: any Broker
  private let context: CommandContext
  private var members: [Member] = []

  init(_ orders: ScenarioMember.Orders, name: String, broker: any Broker, _ context: CommandContext) {
    self.orders = orders
    self.name = name
    self.broker = broker
    self.context = context
  }

  /// Starts one more.
  func add() throws(CommandError) {
    let place = Place()
    do throws(NoRoomForThread) {
      let thread = try BackgroundThread { [orders, name, broker, context] () -> CommandError? in
        Self.run(orders, name, broker, context) { member in
          place.partitions.store(member.partitionCount ?? -1, ordering: .relaxed)
        }
      }
      members.append(Member(place: place, thread: thread))
    } catch {
      throw Self.noRoom(error)
    }
  }

  static func noRoom(_ error: NoRoomForThread) -> CommandError {
    CommandError(.temporary, "cannot run lag-demo", why: error.description, remedy: NoRoomForThread.remedy)
  }

  /// Works until its orders say stop.
  /// - Returns: why it could not go on; the run is asked to stop then.
  static func run(
    _ orders: ScenarioMember.Orders, _ name: String, _ broker: any Broker, _ context: CommandContext,
    _ turned: (ScenarioMember) -> Void
  ) -> CommandError? {
    do {
      let member = try ScenarioMember(
        topic: name, group: name, broker: broker, orders: orders, time: SystemTime(stop: orders.stop))
      defer { member.close() }
      try member.run(turned)
      return nil
    } catch {
      if orders.stop.isRequested { return nil }
      context.stop.request()
      return CommandError(error)
    }
  }

  var count: Int { members.count }

  /// Partitions that they have together; `nil` while one of them is between two assignments.
  var partitions: Int? {
    let held = members.map { $0.place.partitions.load(ordering: .relaxed) }
    return held.contains { $0 < 0 } ? nil : held.reduce(0, +)
  }

  /// - Returns: why members could not go on.
  func end() -> [CommandError] {
    orders.stop.request()
    return members.compactMap { $0.thread.join() }
  }
}

/// A member that comes and goes: each time the group shares its partitions out anew.
final class ScenarioVisitor {
  private let stop = StopFlag()
  private let thread: BackgroundThread<CommandError?>

  init(_ plan: ScenarioPlan, name: String, broker: any Broker, _ context: CommandContext) throws(CommandError) {
    do throws(NoRoomForThread) {
      thread = try BackgroundThread { [stop] () -> CommandError? in
        let time = SystemTime(stop: stop)
        while !stop.isRequested && !context.stop.isRequested {
          if let failure = Self.visit(plan, name, broker, context, stop, time) { return failure }
          time.sleep(plan.churn)
        }
        return nil
      }
    } catch {
      throw ScenarioMembers.noRoom(error)
    }
  }

  private static func visit(
    _ plan: ScenarioPlan, _ name: String, _ broker: any Broker, _ context: CommandContext, _ stop: StopFlag,
    _ time: SystemTime
  ) -> CommandError? {
    var wishes = ScenarioMember.Orders.Wishes()
    wishes.perSecond = plan.capacity
    wishes.preparation = plan.preparation
    let orders = ScenarioMember.Orders(wishes)
    var leavesAt: Int64?
    return ScenarioMembers.run(orders, name, broker, context) { member in
      let now = time.monotonicNanoseconds
      if member.partitionCount != nil, leavesAt == nil { leavesAt = now + plan.churn.nanoseconds }
      if stop.isRequested || leavesAt.map({ now >= $0 }) == true { orders.stop.request() }
    }
  }

  func end() -> CommandError? {
    stop.request()
    return thread.join()
  }
}

/// Another producer, which has a transaction open in every partition.
final class ScenarioTransaction {
  /// Transactions belong to a group; it is one that reads nothing.
  static func group(of name: String) -> String { "\(name)-writer" }

  private let consumer: any Consumer
  private let transaction: any Transaction

  init(_ plan: ScenarioPlan, name: String, broker: any Broker, _ context: CommandContext) throws {
    consumer = try broker.consumer(ConsumerOptions(topic: name, membership: .sole(group: Self.group(of: name))))
    do {
      transaction = try broker.transaction(for: consumer, outputs: [name])
      var generator = OrderGenerator(OrderGenerator.Options(seed: plan.seed, firstOrder: 1 << 40, count: .max / 2))
      let value = ByteBuffer()
      for partition in 0..<plan.partitions {
        let wall = context.time.wallMilliseconds
        let order = generator.next(wallMilliseconds: wall, into: value)
        try transaction.send(
          OutgoingRecord(partition: partition, timestampMs: wall, key: order.key(in: value), value: value.bytes), to: 0)
      }
    } catch {
      consumer.close()
      throw error
    }
  }

  /// Ends it, as one whose producer gives up.
  func end() throws(BrokerError) { try transaction.abort() }

  func close() {
    transaction.close()
    consumer.close()
  }
}

/// What a process does that `lag-demo` has started as a member of its group.
struct LagMemberCommand {
  let options: LagMemberOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    let broker = try context.openBroker(to: .write, outages: .none)
    var wishes = ScenarioMember.Orders.Wishes()
    wishes.perSecond = Double(options.perSecond)
    let orders = ScenarioMember.Orders(wishes)
    // Who has started this process holds the other end of its stdin, and never writes.
    let parent = BackgroundThread<Void>.endingByItself {
      var byte: UInt8 = 0
      while read(0, &byte, 1) > 0 || errno == EINTR {}
      orders.stop.request()
    }
    let failure = ScenarioMembers.run(orders, options.name, broker, context) { [stop = context.stop] _ in
      if stop.isRequested { orders.stop.request() }
    }
    withExtendedLifetime(parent) {}
    if let failure { throw failure }
    return .success
  }
}
