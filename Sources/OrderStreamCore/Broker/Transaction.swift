/// Outputs, state and offsets that become visible together or not at all. One transaction is open at a time; it begins
/// with the first call after creation, commit or abort.
///
/// An error with `requiresAbort` is answered with `abort()` and then reading again from the committed offsets.
public protocol Transaction: AnyObject {
  /// Adds a record to an output topic, named by its index in `Broker.transaction(for:outputs:)`.
  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError)

  /// Sets one state record of the group for a source partition; `value` `nil` removes it. The last write to a key wins.
  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError)

  /// Makes everything durable with the next offset to read of each partition named. When it returns, all of it is
  /// committed; when it throws `requiresAbort`, none of it is.
  /// - Throws: `fenced` (requires abort) when a partition no longer belongs to this member.
  func commit(_ offsets: [PartitionOffset]) throws(BrokerError)

  /// Drops everything since the last commit.
  func abort() throws(BrokerError)

  /// Bytes of outputs and state since the last commit, so that the caller can commit before they grow large.
  var pendingBytes: Int { get }

  /// Aborts what is open and frees everything. Idempotent.
  func close()
}
