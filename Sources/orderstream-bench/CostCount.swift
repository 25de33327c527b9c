import CAllocationCounter
import OrderStreamCore

/// The regression gate's side of the work: one loop, so that an instruction counter outside sees nothing but it and the
/// start of the process. Two runs with different numbers of events give the cost of one event.
enum CostCount {
  /// Prints `<job> <events> <allocations>`.
  static func run(_ job: String, events: Int64) throws {
    let loops = Loops(ReadyOrders())
    let work: (Int64) throws -> Void
    switch job {
    case "encode": work = { loops.encode($0) }
    case "decode": work = loops.decode
    case "metrics": work = loops.decodeAndCount
    case "inventory": work = loops.project
    default: throw BenchError("there is no loop \(job)")
    }
    // Buffers grow to their size before anything is counted.
    try work(Int64(ReadyOrders.count))
    let before = allocation_counter_thread()
    try work(events)
    print(job, events, allocation_counter_is_active() ? String(allocation_counter_thread() - before) : "unknown")
  }
}
