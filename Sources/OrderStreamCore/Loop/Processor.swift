/// What a command does with records. `PipelineLoop` owns polling, transactions, offsets and the order of calls; a
/// processor is pure: bytes in, outputs and state out, tested without a broker.
///
/// Everything that no commit covers is undone by `forgetAll`, which the loop follows with `restore` calls.
public protocol Processor: AnyObject {
  /// Marks the state records of this job, so that another job never continues from them.
  var stateKind: StateKind { get }

  /// Takes one state record of a partition back in. Called only after `forgetAll`.
  func restore(partition: Int32, _ record: StateRecord) throws(PipelineError)

  /// Applies the records `range` of `batch`, in order, all valid positions of the current assignment; none of them once the
  /// transaction has `pendingBytes`, so that large outputs are committed in parts.
  /// - Returns: the first record that was not applied, or the end of the range.
  func apply(
    _ batch: RecordBatch, _ range: Range<Int>, to transaction: any Transaction, until pendingBytes: Int
  ) throws(PipelineError) -> Int

  /// Writes what changed in this partition since the last call, the position last.
  func saveState(partition: Int32, to writer: StateWriter) throws(PipelineError)

  /// Records written to the first output for this partition since its first record, restored ones included.
  func outputEvents(of partition: Int32) -> Int64

  /// Everything that was saved is durable: with `commitsWhileReading` not what was applied since, else everything
  /// that was applied.
  func committed()

  /// Forgets everything that is not committed, and all partitions: they are restored, or belong to others.
  func forgetAll()
}

extension Processor {
  /// Applies all of a range.
  public func apply(
    _ batch: RecordBatch, _ range: Range<Int>, to transaction: any Transaction
  ) throws(PipelineError) {
    _ = try apply(batch, range, to: transaction, until: .max)
  }

  /// Jobs that only read write none.
  public func outputEvents(of partition: Int32) -> Int64 { 0 }
}
