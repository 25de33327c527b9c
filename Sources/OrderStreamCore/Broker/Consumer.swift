/// Reads one topic in batches, on one thread that polls and closes.
///
/// Isolation is "read committed" unless `ConsumerOptions.isolation` says otherwise: records of open or aborted transactions
/// are never seen, and `RecordBatch.ends` passes control records.
///
/// The journey of an assignment: `poll` returns `.assigned(partitions)`; the caller reads `committed` and `readState`
/// and answers with `assign(positions)`. `poll` returns `.revoked`; the caller commits what it has in hand and answers
/// with `unassign()`. `.lost` means that the partitions already belong to somebody else: the caller aborts, then answers
/// with `unassign()`. Until it is answered, `poll` returns the same event again. Assignments are eager: each one names
/// all partitions of this member (perhaps none) and follows an `unassign`.
public protocol Consumer: AnyObject {
  /// Empties `batch`, then waits up to `timeout` for records, ends of partitions or a change of assignment, and fills
  /// the batch up to its limits. Returns early when there is something. Records of one partition come in offset order, each
  /// once, and neither records nor ends come of a partition or from before a position that `assign` has not named: what was
  /// fetched before is dropped by the consumer, and its caller does not look again.
  /// - Throws: `damaged` with coordinates when the log is altered; `offsetOutOfRange` when the position is gone.
  func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent

  /// Reads on from exactly these positions, and from no other partition; the batch of an earlier poll is the caller's to drop. Answers `.assigned`; also moves the positions
  /// (seek) of the current assignment after an abort; without a group it is how a consumer starts.
  func assign(_ positions: [PartitionOffset]) throws(BrokerError)

  /// Gives all partitions back. Answers `.revoked` and `.lost`.
  func unassign() throws(BrokerError)

  /// What the group has committed, `nil` where that is nothing; any partitions, owned or not.
  func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?]

  /// Every committed state record of the group for these source partitions of the topic, in no particular order; any
  /// partitions, owned or not.
  func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError)

  /// Leaves the group so that its partitions are free at once. Idempotent, never blocks longer than 5 s.
  func close()
}

extension Consumer {
  /// The next offsets to read that the group has committed, for callers that do not ask who did.
  public func committedOffsets(_ partitions: [Int32]) throws(BrokerError) -> [Offset?] {
    try committed(partitions).map { $0?.offset }
  }
}

/// What a group has committed for one partition.
public struct CommittedOffset: Hashable, Sendable {
  /// The next offset to read.
  public var offset: Offset
  /// Who committed it: the identity of a member of this program; `nil` for another program, and for 0.1.0 on Kafka.
  public var committer: String?
  /// The latest timestamp of the transaction that committed it, milliseconds since 1970 UTC, where that stands beside it.
  public var committedMs: Int64?

  public init(_ offset: Offset, committer: String?, committedMs: Int64? = nil) {
    self.offset = offset
    self.committer = committer
    self.committedMs = committedMs
  }
}

/// A state record as a back end keeps it. Pointers are valid during the call that hands it over.
public struct StoredState {
  /// Of the source topic.
  public var partition: Int32
  public var key: UnsafeRawBufferPointer
  public var value: UnsafeRawBufferPointer
  /// When it was written, milliseconds since 1970 UTC; `nil` where the back end does not keep that.
  public var timestampMs: Int64?
  public var origin: Origin

  /// What the back end knows of the topic that it was written for, of all those that have had this name.
  public enum Origin: Hashable, Sendable {
    case unknown, thisTopic, earlierTopic
  }

  public init(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, timestampMs: Int64? = nil,
    origin: Origin = .unknown
  ) {
    self.partition = partition
    self.key = key
    self.value = value
    self.timestampMs = timestampMs
    self.origin = origin
  }
}

/// What a poll brought.
public enum ConsumerEvent: Hashable, Sendable {
  /// The batch holds what came; nothing came when it has neither records nor ends.
  case polled
  case assigned([Int32])
  /// Partitions go to another member; the current transaction can still be committed.
  case revoked
  /// Partitions are gone already; the current transaction must be aborted.
  case lost
}

/// What a reader sees of transactions.
public enum Isolation: String, CaseIterable, Sendable {
  /// Records of committed transactions, and those that were written without one.
  case committed
  /// Also those of open and aborted transactions, up to the high watermark.
  case uncommitted
}

/// Who a consumer is.
public struct ConsumerOptions: Hashable, Sendable {
  public enum Membership: Hashable, Sendable {
    /// No group: the caller assigns positions; `committed`, `readState` and transactions are programmer errors.
    case none
    /// A group that nobody else uses (`replay`, `lag-demo`): all partitions at once, no waiting for others.
    case sole(group: String)
    /// A member that shares the group's partitions with the other members.
    case member(group: String)
  }

  public var topic: String
  public var membership: Membership
  /// The stable name of a `member`, under which it has its place again after a restart on any machine; `nil`: the back end
  /// finds one. A second member of that name is refused while the first one lives (`groupActive`).
  public var instance: String?
  /// Whether the caller looks at headers; if not, the batch may lack them, which saves a client library's work.
  public var readsHeaders: Bool
  /// What a consumer without a group sees of transactions; of one with a group it is `committed`.
  public var isolation = Isolation.committed
  /// Whether records that come again, or behind a later one, are dropped. Without that a consumer without a group hands over
  /// what its client library gives it, for who wants to know; it is assigned once then.
  public var dropsRepeats = true

  public init(topic: String, membership: Membership, readsHeaders: Bool = true) {
    self.topic = topic
    self.membership = membership
    self.readsHeaders = readsHeaders
  }

  public var group: String? {
    switch membership {
    case .none: nil
    case .sole(let group), .member(let group): group
    }
  }
}
