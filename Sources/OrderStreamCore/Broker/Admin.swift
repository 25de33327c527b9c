/// Looks at a broker and changes its topics and groups. Used by one thread.
public protocol Admin: AnyObject {
  /// The topic of that name, or all of them, sorted by name. An unknown name is an empty list.
  func topics(named name: String?) throws(BrokerError) -> [TopicDescription]

  /// The borders of every partition of a topic, by partition number.
  /// - Throws: `unknownTopic`.
  func watermarks(topic: String) throws(BrokerError) -> [Watermarks]

  /// What can be seen of these topics within `limit`: a partition that does not answer delays no other, and says why. A
  /// topic that is gone is missing.
  func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook]

  /// For every partition of a topic, the first offset whose record timestamp is at or after `timestampMs`
  /// (milliseconds since 1970 UTC); the high watermark where there is none.
  func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset]

  /// The group of that name, or all of them, sorted by name, those of other programs too, as far as brokers tell within
  /// `limit`. An unknown name is an empty list.
  func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing

  /// Every committed state record of a group, with the name of its source topic, in no particular order. Of a topic that
  /// is gone there is at least the position of each partition. A group without state has none.
  /// - Parameter limit: How long brokers that do not answer are waited for, without a word; `nil`: as long as the run waits.
  func readState(
    group: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
  ) throws(BrokerError)

  /// Changes topics or groups; when it returns, the change can be seen.
  /// - Throws: `topicExists`, `unknownTopic`, `groupActive`, `unauthorized`, …
  func apply(_ change: AdminChange) throws(BrokerError)

  /// Frees everything. Idempotent.
  func close()
}

extension Admin {
  public func topic(_ name: String) throws(BrokerError) -> TopicDescription? { try topics(named: name).first }

  /// How long a question about groups that must be answered may take.
  private static var groupLimit: Duration { .seconds(10) }

  /// As `groupListing`, for callers that need all of them.
  /// - Throws: when groups may be missing.
  public func groups(named name: String?) throws(BrokerError) -> [GroupDescription] {
    let listing = try groupListing(named: name, within: Self.groupLimit)
    if let failure = listing.failure { throw failure }
    return listing.groups
  }

  /// - Throws: when its committed offsets cannot be read. Its members may be unknown.
  public func group(_ name: String) throws(BrokerError) -> GroupDescription? {
    let found = try groups(named: name).first
    if let failure = found?.committedFailure { throw failure }
    return found
  }

  /// The borders of the first `count` partitions, for callers that learnt the number before: the topic may have grown
  /// since then, and brokers learn of that one after the other.
  /// - Throws: `unknownTopic`; `busy` when the broker asked now knows fewer partitions.
  public func watermarks(topic: String, partitions count: Int) throws(BrokerError) -> [Watermarks] {
    let found = try watermarks(topic: topic)
    guard found.count >= count else {
      throw BrokerError(
        .busy, "cannot read \(topic)", why: "a broker knows \(found.count) of its \(count) partitions so far",
        remedy: "try again", recovery: .retry)
    }
    return Array(found.prefix(count))
  }
}

public enum AdminChange: Hashable, Sendable {
  /// `replicationFactor` `nil` means the broker's default; the embedded log takes none or 1. The topic takes copies of
  /// whatever `recordsOf` takes, with some headers more; the embedded log has one limit for all.
  case createTopic(name: String, partitions: Int32, replicationFactor: Int16?, recordsOf: String? = nil)
  /// Raises the number of partitions to `total`.
  case addPartitions(topic: String, total: Int32)
  /// Removes the topic with its records. Groups keep their offsets in it only if the broker does so.
  case deleteTopic(String)
  /// Removes a group with its offsets and its state. An unknown group is no error.
  case deleteGroup(String)
  /// Removes records below `before`: the low watermark becomes it (what retention does).
  case deleteRecords(TopicPartition, before: Offset)
}

public struct TopicDescription: Hashable, Sendable {
  public var name: String
  public var partitionCount: Int32
  /// Bookkeeping of a broker or of this program (`__*`, state topics): hidden unless asked for.
  public var isInternal: Bool
  /// The group whose state it holds, where a broker keeps state in topics.
  public var stateOf: String?
  /// What no other topic ever has, not even a later one of the same name; `nil` where the broker does not tell.
  public var id: String?

  public init(
    name: String, partitionCount: Int32, isInternal: Bool, stateOf: String? = nil, id: String? = nil
  ) {
    self.name = name
    self.partitionCount = partitionCount
    self.isInternal = isInternal
    self.stateOf = stateOf
    self.id = id
  }
}

/// What a look at one partition brought.
public enum PartitionLook: Hashable, Sendable {
  case seen(Watermarks)
  /// It could not be asked, and why, in words: `it has no leader`.
  case unseen(reason: String)

  public var watermarks: Watermarks? {
    if case .seen(let marks) = self { marks } else { nil }
  }

  public var reason: String? {
    if case .unseen(let reason) = self { reason } else { nil }
  }
}

/// What a look at a topic that is there brought.
public struct TopicLook: Hashable, Sendable {
  /// By partition number.
  public var partitions: [PartitionLook]
  /// Why nobody tells which partitions the topic has, in words; `nil` when they are known.
  public var reason: String?

  public init(partitions: [PartitionLook], reason: String? = nil) {
    self.partitions = partitions
    self.reason = reason
  }
}
