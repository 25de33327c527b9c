import CCounters
import OrderStreamCore

/// The regression gate's side of the work: what one event costs in instructions and allocations, which does not depend
/// on the clock nor on who else uses the machine.
struct CostCount {
  static let jobs = ["encode", "publish", "decode", "metrics", "inventory"]
  /// Events of the smaller run; the larger one has twice as many, and the difference is what counts.
  private static let events: Int64 = 20

  /// `nil` where the system does not let a process trace another one.
  let instructionsPerEvent: Int64?
  /// `nil` where allocations are not counted. For a whole batch of `ReadyOrders.count` events.
  let allocationsPerBatch: UInt64?

  /// - Throws: when there is no such loop.
  init(_ job: String) throws {
    let loops = Loops(ReadyOrders())
    let work = try Self.work(job, loops)
    // Buffers grow to their size before anything is counted.
    try work(Int64(ReadyOrders.count))
    let before = allocation_counter_thread()
    try work(Int64(ReadyOrders.count))
    allocationsPerBatch = allocation_counter_is_active() ? allocation_counter_thread() - before : nil
    let few = Self.instructions(Self.events, work)
    let many = Self.instructions(2 * Self.events, work)
    instructionsPerEvent = few > 0 && many > few ? (many - few) / Self.events : nil
  }

  private static func work(_ job: String, _ loops: Loops) throws -> (Int64) throws -> Void {
    switch job {
    case "encode": { loops.encode($0) }
    case "publish": { try loops.publish($0) }
    case "decode": { try loops.decode($0) }
    case "metrics": { try loops.decodeAndCount($0, threads: 1) }
    case "inventory": { try loops.project($0) }
    default: throw BenchError("there is no loop \(job); there are \(jobs.joined(separator: ", "))")
    }
  }

  private final class Body {
    let run: () throws -> Void
    init(_ run: @escaping () throws -> Void) { self.run = run }
  }

  private static func instructions(_ events: Int64, _ work: @escaping (Int64) throws -> Void) -> Int64 {
    let body = Body { try work(events) }
    return withExtendedLifetime(body) {
      instruction_counter_run(
        { context in
          guard let context else { return }
          try? Unmanaged<Body>.fromOpaque(context).takeUnretainedValue().run()
        }, Unmanaged.passUnretained(body).toOpaque())
    }
  }
}
