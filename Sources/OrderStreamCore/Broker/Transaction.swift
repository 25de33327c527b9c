/// Outputs, state and offsets that become visible together or not at all. One transaction is open at a time; it begins
/// with the first call after creation, commit or abort.
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

  /// Begins to make everything durable, with the next offset to read of each partition named, and returns while that goes
  /// on. Until `finishCommit` has told how it ended, only that and `close` may be called.
  /// - Throws: what makes the commit impossible at once; then none of it is committed.
  func startCommit(_ offsets: [PartitionOffset]) throws(BrokerError)

  /// Waits up to `timeout` for the commit that was started; false when it is still under way. When it returns true, all
  /// of it is durable; when it throws `requiresAbort`, none of it is. After a retriable error everything is still there,
  /// and the commit may be started again.
  /// - Throws: `fenced` (requires abort) when a partition no longer belongs to this member.
  func finishCommit(timeout: Duration) throws(BrokerError) -> Bool

  /// Drops everything since the last commit.
  func abort() throws(BrokerError)

  /// A record of the first output that a commit of this object has made durable; `nil` where the back end does not learn
  /// the offsets of what it writes, or gives topics an id.
  var outputMark: RecordMark? { get }

  /// Bytes of outputs and state since the last commit, so that the caller can commit before they grow large.
  var pendingBytes: Int { get }

  /// Waits a few seconds at most for a commit that is under way, aborts what is open and frees everything. A commit that
  /// takes longer ends by itself, as a whole or not at all. Idempotent.
  func close()
}

extension Transaction {
  public var outputMark: RecordMark? { nil }

  public func takes(_ record: OutgoingRecord, on output: Int) -> Bool { true }

  /// Starts a commit and waits until it has ended.
  public func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    try startCommit(offsets)
    while try !finishCommit(timeout: .seconds(1)) {}
  }
}
