import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

/// Metrics are a function of the log alone: computed again and again, each time by other members, in other batches and
/// interleavings, with rebalances and kills, they are the same to the byte.
@Suite("Replays do not depend on how they ran")
struct ReplayIndependenceTests {
  /// On a cluster a member takes seconds to join, and the heir of a dead one waits for its session to end.
  private static func rounds(_ backEnd: BackEnd) -> Int { backEnd.differs(by: .sessions) ? 20 : 200 }
  private static let orders: Int64 = 300
  private static let partitions: Int32 = 6
  private static let topic = "orders"
  /// Rounds that run side by side.
  private static let workers = 4
  /// One of so many rounds begins with a process that is killed.
  private static let childStride = 20
  /// SHA-256 of the report: the orders are generated, so it is the same on every machine.
  private static let digest = "d652d38f97d535ec047c7b9ace7e2d43c2d275cb4564245d782ea8a7eb68a064"

  @Test(
    "Recomputed with random batches, members, rebalances and kills, a report has one digest", arguments: BackEnd.all)
  func digest(_ backEnd: BackEnd) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    let failures = Failures()
    let next = Atomic<Int>(0)
    try backEnd.run { fixture, broker in
      let ends = try Self.produce(broker)
      let runs = (0..<Self.workers).map { _ in
        BackgroundRun {
          while true {
            let round = next.add(1, ordering: .relaxed).oldValue
            guard round < Self.rounds(backEnd) else { return }
            failures.catching { try Round(round, seed: seed, fixture, ends).run(expecting: Self.digest) }
          }
        }
      }
      for run in runs { try run.join(within: .seconds(600)) }
    }
    #expect(failures.all.isEmpty, "seed \(seed): \(failures.all.prefix(3).joined(separator: "\n"))")
  }

  /// Orders of five hours with bad records among them.
  /// - Returns: the ends of the partitions.
  private static func produce(_ broker: any Broker) throws -> [Offset] {
    try broker.createTopic(topic, partitions: partitions)
    let producer = try broker.producer(topic: topic, pace: .bulk)
    defer { producer.close() }
    let options = OrderGenerator.Options(
      seed: 15, failureRate: 0.2, count: orders,
      eventTime: .span(startSeconds: 1_705_314_600, spanNanoseconds: 5 * 3600 * 1_000_000_000))
    var publisher = OrderPublisher(
      GeneratedOrders(options), producer: producer, schedule: nil, time: SystemTime(), stop: StopFlag())
    try publisher.run { _ in }
    let bad = (0..<12).map { TestRecord(partition: Int32($0) % partitions, value: "no order \($0)") }
    try broker.produce(bad, to: topic)
    let admin = try broker.admin()
    defer { admin.close() }
    return try admin.watermarks(topic: topic).map(\.high)
  }

  // MARK: - One computation

  /// A member of a round.
  private struct Member: Sendable {
    enum End: Sendable {
      /// With the group.
      case atEnds
      /// After so many records.
      case leaves(Int64)
      case dies(MortalBroker.Death)
    }

    /// Records that the group has committed before it joins, unless the others have ended before that.
    var joinsAt: Int64 = 0
    var end = End.atEnds
    var batchRecords: Int
    var commitRecords: Int
    var commitInterval: Duration
    var readsBesideCommits: Bool
    /// The longest pause between two turns, microseconds.
    var pause: UInt64

    init(_ random: inout SeededRandom) {
      batchRecords = 1 + Int(random.below(random.below(3) == 0 ? 5 : 200))
      commitRecords = 5 + Int(random.below(random.below(3) == 0 ? 20 : 300))
      commitInterval = .milliseconds(Int(random.below(20)))
      readsBesideCommits = random.below(2) == 0
      pause = random.below(3) == 0 ? 1 + random.below(1500) : 0
    }
  }

  /// One group that reads the whole log: some members that join, leave and die at random, then one that does the rest.
  private final class Round: Sendable {
    private let number: Int
    private let seed: UInt64
    private let fixture: any BrokerFixture
    private let ends: [Offset]
    private let group: String
    private let members: [Member]
    private let last: Member
    /// Whether the group is reset at the end and everything computed once more.
    private let replays: Bool
    /// After how many milliseconds the process is killed that comes first; `nil` without one.
    private let childLife: UInt64?
    private let committed = Atomic<Int64>(0)
    private let active = Atomic<Int>(0)
    private let started = Atomic<Int>(0)

    init(_ number: Int, seed: UInt64, _ fixture: any BrokerFixture, _ ends: [Offset]) {
      self.number = number
      self.seed = seed
      self.fixture = fixture
      self.ends = ends
      group = "g\(number)"
      var random = SeededRandom(seed: seed, index: UInt64(number))
      let limit = UInt64(orders)
      members = (0..<Int(1 + random.below(4))).map { index in
        var member = Member(&random)
        if index > 0 { member.joinsAt = Int64(random.below(limit)) }
        switch random.below(5) {
        case 0: member.end = .leaves(1 + Int64(random.below(limit / 2)))
        case 1: member.end = .dies(.atPoll(Int(random.below(40))))
        case 2: member.end = .dies(.beforeCommit(Int(random.below(8))))
        case 3: member.end = .dies(.afterCommit(Int(random.below(8))))
        default: break
        }
        return member
      }
      last = Member(&random)
      replays = random.below(3) == 0
      childLife = number % childStride == 0 ? 20 + random.below(150) : nil
    }

    func run(expecting digest: String) throws {
      do {
        if let childLife { try killAProcess(after: childLife) }
        let runs = members.map { member in BackgroundRun { try self.run(member) } }
        // Heirs of the dead may wait for sessions to end, one after the other.
        var found = try runs.map { try $0.join(within: .seconds(180)) }
        found.append(try run(last))
        if replays { found.append(try replay()) }
        for report in found.compactMap({ $0 }) where report.digest != digest {
          throw HarnessError("the digest is \(report.digest) of\n\(report.text.prefix(400))")
        }
      } catch {
        throw HarnessError("seed \(seed), round \(number): \(error)\n\(members)")
      }
    }

    private struct Report: Sendable {
      var digest: String
      var text: String
    }

    /// - Returns: the group's report; `nil` of a member that left or died before the end.
    private func run(_ member: Member, resets: Bool = false) throws -> Report? {
      waitToJoin(member)
      active.add(1, ordering: .relaxed)
      started.add(1, ordering: .relaxed)
      defer { active.subtract(1, ordering: .relaxed) }
      var death: MortalBroker.Death?
      if case .dies(let planned) = member.end { death = planned }
      let broker = MortalBroker(try fixture.open(), dies: death)
      let stop = StopFlag()
      let pauses = Mutex(SeededRandom(seed: seed, index: UInt64(member.batchRecords)))
      let seen = Atomic<Int64>(0)
      let events = PipelineEvents { [self] events, _ in
        let now = events.committed
        committed.add(now - seen.exchange(now, ordering: .relaxed), ordering: .relaxed)
        if case .leaves(let after) = member.end, now >= after { stop.request() }
        if member.pause > 0 { usleep(UInt32(pauses.withLock { $0.below(member.pause) })) }
      }
      let metrics = OrderMetrics(topic: topic, onPoison: .skip)
      let loop: PipelineLoop
      do {
        loop = try PipelineLoop(
          settings(member, resets: resets), broker: broker, processor: metrics, time: SystemTime(), stop: stop,
          observer: events)
      } catch {
        broker.bury(fixture.kill)
        throw error
      }
      defer {
        broker.bury(fixture.kill)
        loop.close()
      }
      do {
        let run = try loop.run()
        guard run.end == .reachedEnds else { return nil }
      } catch {
        if broker.isDead { return nil }
        throw error
      }
      let text = ByteBuffer()
      MetricsReport(try loop.groupSummary(of: metrics), processed: 0).appendText(to: text)
      return Report(
        digest: Digest(of: text.bytes).description, text: String(decoding: text.bytes, as: UTF8.self))
    }

    private func settings(_ member: Member, resets: Bool) -> PipelineLoop.Settings {
      var settings = PipelineLoop.Settings(
        consumer: ConsumerOptions(topic: topic, membership: .member(group: group)), partitionCount: partitions,
        bound: .ends(ends))
      settings.batchRecords = member.batchRecords
      settings.commitRecords = member.commitRecords
      settings.commitInterval = member.commitInterval
      settings.commitsWhileReading = member.readsBesideCommits
      settings.resetsGroup = resets
      return settings
    }

    private func waitToJoin(_ member: Member) {
      _ = PipelineEvents.wait(within: .seconds(30)) {
        committed.load(ordering: .relaxed) >= member.joinsAt
          || started.load(ordering: .relaxed) > 0 && active.load(ordering: .relaxed) == 0
      }
    }

    /// A cluster counts dead members until their sessions end.
    private func replay() throws -> Report? {
      var report: Report?
      var failure: (any Error)?
      _ = try PipelineEvents.wait {
        do {
          report = try run(last, resets: true)
          return true
        } catch PipelineError.groupActive {
          failure = PipelineError.groupActive(group: group)
          return false
        }
      }
      if report == nil, let failure { throw failure }
      return report
    }

    /// A process of its own computes the same, until SIGKILL ends it.
    private func killAProcess(after milliseconds: UInt64) throws {
      let stage = try Stage()
      var place = ["-t", topic, "-g", group]
      if let embedded = fixture as? EmbeddedFixture { place += ["-b", "embedded:\(embedded.path)"] }
      if let kafka = fixture as? KafkaFixture, case .kafka(let servers)? = TestBroker.all.last {
        place = ["-t", kafka.prefix + topic, "-g", kafka.prefix + group, "-b", servers]
      }
      let child = try stage.start(["analytics", "-q"] + place)
      usleep(UInt32(milliseconds * 1000))
      try child.destroy()
    }
  }
}
