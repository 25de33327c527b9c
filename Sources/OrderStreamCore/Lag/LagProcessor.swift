import Synchronization

/// The processor of `lag-demo`: notes which orders were consumed, once they are committed.
public final class LagProcessor: Processor {
  public let stateKind = StateKind.lag
  private let recorder: LagRecorder
  private var pending: [Int64] = []

  public init(recorder: LagRecorder) { self.recorder = recorder }

  public func restore(partition: Int32, _ record: StateRecord) throws(PipelineError) {}

  public func apply(
    _ batch: RecordBatch, _ range: Range<Int>, to transaction: any Transaction, until pendingBytes: Int
  ) throws(PipelineError) -> Int {
    for index in range { pending.append(batch[index].key.flatMap(OrderNumber.parse) ?? -1) }
    return range.upperBound
  }

  public func saveState(partition: Int32, to writer: StateWriter) throws(PipelineError) {
    try writer.put(.position) { _ in }
  }

  public func committed() {
    recorder.commit(pending)
    pending.removeAll(keepingCapacity: true)
  }

  public func forgetAll() { pending.removeAll(keepingCapacity: true) }
}

/// What the consumers of `lag-demo` saw, in committed transactions, order by order. Shared by their threads.
public final class LagRecorder: Sendable {
  private struct Seen {
    /// By number − first number.
    var isSeen: [Bool]
    /// Records seen, also those that are none of the orders produced here.
    var committed: Int64 = 0
  }

  private let firstOrder: Int64
  private let seen: Mutex<Seen>

  /// - Parameter count: orders `firstOrder`, `firstOrder + 1`, … that will be produced.
  public init(firstOrder: Int64, count: Int) {
    self.firstOrder = firstOrder
    seen = Mutex(Seen(isSeen: Array(repeating: false, count: count)))
  }

  /// Takes in the orders of one committed transaction.
  func commit(_ numbers: [Int64]) {
    seen.withLock { seen in
      for number in numbers {
        let index = number - firstOrder
        seen.committed += 1
        if index >= 0 && index < seen.isSeen.count {
          seen.isSeen[Int(index)] = true
        }
      }
    }
  }

  /// Records consumed so far.
  public var consumed: Int64 { seen.withLock { $0.committed } }

  /// Orders that were produced and passed by the committed offsets and yet never seen, and times that an order, or a
  /// stranger, was seen too often.
  /// - Parameter lag: records that are not consumed yet; they are not lost.
  public func verdict(produced: Int64, lag: Int64) -> (lost: Int64, duplicated: Int64) {
    seen.withLock { seen in
      let distinct = seen.isSeen.reduce(Int64(0)) { $0 + ($1 ? 1 : 0) }
      return (max(0, produced - lag - distinct), seen.committed - distinct)
    }
  }
}
