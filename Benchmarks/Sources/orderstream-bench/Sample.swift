import CCounters
import OrderStreamCore

/// What one run of one job cost.
struct Sample {
  var events: Int64
  var nanoseconds: Int64
  var processorNanoseconds: Int64
  /// Of all threads; 0 where allocations are not counted.
  var allocations: UInt64

  var perSecond: Double { Double(events) * 1e9 / Double(max(1, nanoseconds)) }
  var processorNanosecondsPerEvent: Double { Double(processorNanoseconds) / Double(max(1, events)) }
  var allocationsPerEvent: Double { Double(allocations) / Double(max(1, events)) }

  /// Runs a job that does `events` events and measures it whole.
  static func measure(events: Int64, _ job: () throws -> Void) rethrows -> Sample {
    try measureActive {
      let start = SystemTime().monotonicNanoseconds
      try job()
      return (events, SystemTime().monotonicNanoseconds - start)
    }
  }

  /// Runs a job that says itself how many events it did and how long that took.
  static func measureActive(_ job: () throws -> (events: Int64, nanoseconds: Int64)) rethrows -> Sample {
    let allocations = allocation_counter_process()
    let processor = Usage.processorNanoseconds
    let (events, nanoseconds) = try job()
    return Sample(
      events: events, nanoseconds: nanoseconds,
      processorNanoseconds: Usage.processorNanoseconds - processor,
      allocations: allocation_counter_process() - allocations)
  }
}

extension [Double] {
  /// The middle one, or the mean of the two in the middle; 0 of nothing.
  var median: Double {
    let sorted = sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

extension [Sample] {
  var medianPerSecond: Double { map(\.perSecond).median }
  var medianProcessorNanoseconds: Double { map(\.processorNanosecondsPerEvent).median }
  var medianAllocations: Double { map(\.allocationsPerEvent).median }
}
