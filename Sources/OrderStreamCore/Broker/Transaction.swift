/// What a run promises of the outputs of each record that it reads.
public enum Guarantee: String, Hashable, Sendable, CaseIterable {
  /// Outputs, state and offsets in one transaction.
  case exactlyOnce = "exactly-once"
  /// Without a transaction: the outputs are on the log before the offsets are committed, so a run that dies between the
  /// two writes them again.
  case atLeastOnce = "at-least-once"
  /// Without a transaction: the offsets are committed before the outputs are sent, so a run that dies between the two
  /// never writes them.
  case atMostOnce = "at-most-once"
}

/// Outputs, state and offsets that become visible together or not at all. One transaction is open at a time; it begins
/// with the first call after creation, commit or abort. Used by one thread at a time, which need not be the consumer's.
/// With a weaker `Guarantee` it is `TwoStepCommit`, which says what is different.
///
/// An error with `requiresAbort` is answered with `abort()` and then reading again from the committed offsets.
public protocol Transaction: AnyObject {
  /// Adds a record to an output topic, named by its index in `Broker.transaction(for:outputs:)`.
  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError)

  /// Whether an output takes a record of this size, as far as that is known before it is sent.
  func takes(_ record: OutgoingRecord, on output: Int) -> Bool

  /// Sets one state record of the group for a source partition; `value` `nil` removes it. The last write to a key wins.
  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError)

  /// Makes everything durable, with the next offset to read of each partition named. Blocks until that is done or refused,
  /// as long as disks and brokers take, so it may be called on a thread of its own: until it has returned nothing else of
  /// the transaction is called, and of the consumer only `poll`.
  ///
  /// When it returns all of it is durable; when it throws `requiresAbort` none of it is. After a retriable error everything
  /// is still there, and the commit may be tried again.
  /// - Throws: `fenced` (requires abort) when a partition no longer belongs to this member.
  func commit(_ offsets: [PartitionOffset]) throws(BrokerError)

  /// Drops everything since the last commit.
  func abort() throws(BrokerError)

  /// A record of the first output that a commit of this object has made durable; `nil` where the back end does not learn
  /// the offsets of what it writes, or gives topics an id.
  var outputMark: RecordMark? { get }

  /// Bytes of outputs and state since the last commit, so that the caller can commit before they grow large.
  var pendingBytes: Int { get }

  /// Aborts what is open and frees everything, within a few seconds; also after the consumer was closed. Idempotent.
  func close()
}

extension Transaction {
  public var outputMark: RecordMark? { nil }

  public func takes(_ record: OutgoingRecord, on output: Int) -> Bool { true }
}
