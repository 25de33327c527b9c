import OrderStreamThreads
import Synchronization

/// Decodes the orders of a long run of records on two threads and keeps what metrics need of each. Decoding is nearly all
/// that metrics cost, and it knows nothing of the order of records; counting, which does, stays with the caller.
///
/// Not `Sendable`: used by one thread, which lends a batch to the other one for as long as a call takes.
final class OrderScan {
  /// What metrics need of one record, in eight bytes.
  struct Outcome {
    private let code: Int64

    private static let poison = Int64.min

    /// - Parameter value: with padding behind it, as in a batch.
    @inline(__always)
    fileprivate init(_ value: UnsafeRawBufferPointer?, _ decoder: OrderDecoder) {
      code = decoder.decode(value) == nil ? decoder.order.minute << 1 | (decoder.order.isFailed ? 1 : 0) : Self.poison
    }

    /// No order: why, the decoder says when it is asked again.
    var isPoison: Bool { code == Self.poison }
    /// As in `DecodedOrder`.
    var minute: Int64 { code >> 1 }
    var isFailed: Bool { code & 1 == 1 }
  }

  /// Fewer are decoded before another thread is awake.
  static let leastRecords = 2048
  /// Records that a thread takes at a time, so that both end together, whatever else their cores have to do.
  private static let stride = 256

  /// The records in hand, for both threads.
  private final class Work {
    var values: RecordBatch.Values?
    var range = 0..<0
    /// Of the first record of `range` and those behind it.
    var outcomes = UnsafeMutableBufferPointer<Outcome>.allocate(capacity: 0)
    /// The first record that no thread has taken.
    let next = Atomic<Int>(0)

    deinit { outcomes.deallocate() }

    func decode(_ decoder: OrderDecoder) {
      guard let values, let first = outcomes.baseAddress else { return }
      let range = range
      while true {
        let start = next.add(OrderScan.stride, ordering: .relaxed).oldValue
        if start >= range.upperBound { return }
        for index in start..<min(range.upperBound, start + OrderScan.stride) {
          (first + index - range.lowerBound).initialize(to: Outcome(values[index], decoder))
        }
      }
    }
  }

  private let work: Work
  private let thread: SecondThread
  private let decoder = OrderDecoder()

  /// `nil` where there is no second core or no room for a thread.
  init?() {
    let work = Work()
    let second = OrderDecoder()
    guard let thread = SecondThread({ work.decode(second) }) else { return nil }
    (self.work, self.thread) = (work, thread)
  }

  /// What the records of `range` are, from its first one on; valid until the next call.
  func outcomes(_ batch: RecordBatch, _ range: Range<Int>) -> UnsafePointer<Outcome> {
    if work.outcomes.count < range.count {
      work.outcomes.deallocate()
      work.outcomes = .allocate(capacity: range.count)
    }
    batch.withValues { values in
      (work.values, work.range) = (values, range)
      work.next.store(range.lowerBound, ordering: .relaxed)
      thread.run { work.decode(decoder) }
      work.values = nil
    }
    return UnsafePointer(work.outcomes.baseAddress!)
  }
}
