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

/// Hears what a `PipelineLoop` does, on the loop's thread, between batches. For progress, live reports and notes.
public protocol PipelineObserver: AnyObject {
  func pipelineAssigned(_ partitions: [Int32])
  /// - Parameter records: records committed by this run so far.
  func pipelineCommitted(records: Int64, loop: PipelineLoop)
  /// Once a turn of the loop, also when nothing came: a few times a second at least.
  func pipelineTurned(loop: PipelineLoop)
  func pipelineWaits(_ wait: PipelineWait)
  /// A transaction was aborted; its records are read again.
  func pipelineAborted(_ error: BrokerError)
  /// The records `from` to `to` − 1 were removed before the group read them, and the loss is accepted.
  func pipelineLost(_ partition: TopicPartition, from: Offset, to: Offset)
}

extension PipelineObserver {
  public func pipelineAssigned(_ partitions: [Int32]) {}
  public func pipelineCommitted(records: Int64, loop: PipelineLoop) {}
  public func pipelineTurned(loop: PipelineLoop) {}
  public func pipelineWaits(_ wait: PipelineWait) {}
  public func pipelineAborted(_ error: BrokerError) {}
  public func pipelineLost(_ partition: TopicPartition, from: Offset, to: Offset) {}
}

/// Hears nothing.
public final class SilentObserver: PipelineObserver {
  public init() {}
}

/// What a bounded run is waiting for.
public enum PipelineWait: Hashable, Sendable, CustomStringConvertible {
  /// Records below the frozen ends of these partitions belong to open transactions.
  case openTransactions([Int32])
  /// Records of a partition from this offset on belong to an open transaction.
  case openTransaction(TopicPartition, Offset)
  /// This member is done; others have not committed up to the frozen ends yet.
  case otherMembers
  /// The group has not assigned partitions to this member.
  case assignment
  /// A commit cannot be made yet, and why.
  case commit(String)
  /// The broker fails in a way that passes by itself, and how.
  case broker(String)

  public var description: String {
    switch self {
    case .openTransactions(let partitions):
      let list = partitions.map(String.init).joined(separator: ", ")
      return "waiting for an open transaction in partition \(list) to end"
    case .openTransaction(let partition, let offset):
      return "waiting for the open transaction at \(Coordinates(partition, offset: offset)) to end"
    case .otherMembers:
      return "waiting for the other members of the group to commit their partitions"
    case .assignment:
      return "waiting for the group to assign partitions; a member that died or was stopped may have to time out first"
    case .commit(let why):
      return "waiting to commit: \(why)"
    case .broker(let error):
      return "waiting for the broker: \(error)"
    }
  }
}
