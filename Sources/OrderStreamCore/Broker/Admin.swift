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

  /// The cluster as a whole; `nil` where there is none.
  func cluster(within limit: Duration) throws(BrokerError) -> ClusterDescription?

  /// The values of these settings of a topic, of those that it has; `nil` where topics have none.
  func settings(_ names: [String], of topic: String, within limit: Duration) throws(BrokerError) -> [String: String]?

  /// Frees everything. Idempotent.
  func close()
}

/// Who the brokers of a cluster are.
public struct ClusterDescription: Hashable, Sendable {
  public struct Node: Hashable, Sendable {
    public var id: Int32
    /// `host:port`.
    public var address: String

    public init(id: Int32, address: String) {
      self.id = id
      self.address = address
    }
  }

  /// `nil` where the cluster does not tell.
  public var id: String?
  /// Sorted by id.
  public var brokers: [Node]

  public init(id: String?, brokers: [Node]) {
    self.id = id
    self.brokers = brokers
  }
}

extension Admin {
  public func cluster(within limit: Duration) throws(BrokerError) -> ClusterDescription? { nil }

  public func settings(
    _ names: [String], of topic: String, within limit: Duration
  ) throws(BrokerError) -> [String: String]? { nil }

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
  /// whatever `recordsOf` takes, with some headers more; the embedded log has one limit for all. `settings` are the
  /// broker's configuration of the topic, which the embedded log has none of.
  case createTopic(
    name: String, partitions: Int32, replicationFactor: Int16?, recordsOf: String? = nil,
    settings: [String: String] = [:])
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

/// The brokers, by their ids, that have a partition.
public struct PartitionPlacement: Hashable, Sendable {
  /// `nil` when it has none.
  public var leader: Int32?
  public var replicas: [Int32]
  public var inSync: [Int32]

  public init(leader: Int32?, replicas: [Int32], inSync: [Int32]) {
    self.leader = leader
    self.replicas = replicas
    self.inSync = inSync
  }

  public var isUnderReplicated: Bool { inSync.count < replicas.count }
}

/// What a look at a topic that is there brought.
public struct TopicLook: Hashable, Sendable {
  /// By partition number.
  public var partitions: [PartitionLook]
  /// Why nobody tells which partitions the topic has, in words; `nil` when they are known.
  public var reason: String?
  /// Where each partition lies, by partition number; empty where partitions have no replicas.
  public var placements: [PartitionPlacement]

  public init(partitions: [PartitionLook], reason: String? = nil, placements: [PartitionPlacement] = []) {
    self.partitions = partitions
    self.reason = reason
    self.placements = placements
  }
}

/// Groups, as far as brokers told.
public struct GroupListing: Hashable, Sendable {
  /// Sorted by name.
  public var groups: [GroupDescription]
  /// Why groups may be missing; `nil` when these are all.
  public var failure: BrokerError?

  public init(_ groups: [GroupDescription], failure: BrokerError? = nil) {
    self.groups = groups
    self.failure = failure
  }
}

public struct GroupDescription: Hashable, Sendable {
  public struct Member: Hashable, Sendable {
    public var id: String
    public var host: String
    public var partitions: [TopicPartition]
    /// Whether it is a process of this program, as far as it says.
    public var isOfThisProgram: Bool

    public init(id: String, host: String, partitions: [TopicPartition], isOfThisProgram: Bool = true) {
      self.id = id
      self.host = host
      self.partitions = partitions
      self.isOfThisProgram = isOfThisProgram
    }
  }

  /// The state of a group that nobody describes.
  public static let unknownState = "Unknown"

  public var group: String
  /// As Kafka names them: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead`; or `unknownState`.
  public var state: String
  /// Sorted by id; empty when `membersFailure` says why they are not known.
  public var members: [Member]
  /// Next offset to read of every partition in which something was committed; empty when `committedFailure` says why
  /// that is not known.
  public var committed: [TopicPartition: Offset]
  /// Why state and members are not known: there may be any number of them.
  public var membersFailure: BrokerError?
  public var committedFailure: BrokerError?
  /// Whether the group reads from the earliest record where it has committed nothing: a group of this program.
  public var beginsAtEarliest = false
  /// By topic, why what was committed says nothing about it, in words: it was made anew since the group read it.
  public var doubts: [String: String] = [:]

  public init(group: String, state: String, members: [Member], committed: [TopicPartition: Offset]) {
    self.group = group
    self.state = state
    self.members = members
    self.committed = committed
  }

  /// A group of which only the name is known.
  public init(unknown group: String, membersFailure: BrokerError) {
    self.init(group: group, state: Self.unknownState, members: [], committed: [:])
    self.membersFailure = membersFailure
  }

  public var membersKnown: Bool { membersFailure == nil }

  /// Partitions in which the group has committed something, or that a member has.
  public var usedPartitions: Set<TopicPartition> { Set(committed.keys).union(members.flatMap(\.partitions)) }

  /// Why the committed offsets say nothing about a topic, in words; `nil` when they count.
  func doubt(about topic: String) -> String? {
    if let committedFailure { return "the committed offsets are not known: \(committedFailure.why)" }
    return doubts[topic]
  }
}

/// Finds or makes the topics of a run.
public enum TopicSetup {
  /// Partitions of a topic that must be created, when nothing else is asked for.
  public static let defaultPartitions: Int32 = 6

  /// What the user asked for, for topics that must be created.
  public struct Wishes: Sendable {
    /// `nil` when not named: an existing topic is used as it is.
    public var partitions: Int32?
    /// `nil`: the broker's default.
    public var replicationFactor: Int16?
    /// The broker's configuration of the topic.
    public var settings: [String: String]

    public init(partitions: Int32?, replicationFactor: Int16?, settings: [String: String] = [:]) {
      self.partitions = partitions
      self.replicationFactor = replicationFactor
      self.settings = settings
    }
  }

  /// The partition count of an existing topic; `nil` when there is none.
  /// - Throws: `configuration` when `partitions` was asked for and differs.
  public static func partitionCount(
    of topic: String, wishes: Wishes, admin: any Admin
  ) throws(BrokerError) -> Int32? {
    guard let found = try admin.topic(topic) else { return nil }
    if let wanted = wishes.partitions, wanted != found.partitionCount {
      throw BrokerError(
        .configuration, "cannot use topic \(topic)",
        why: "its number of partitions is \(found.partitionCount) and --partitions asks for \(wanted)",
        remedy: "write --partitions \(found.partitionCount), or name another topic", recovery: .none)
    }
    return found.partitionCount
  }

  /// The partition count of a topic, created when it is missing.
  /// - Parameter source: the topic whose records a new one must take.
  public static func ensure(
    _ topic: String, wishes: Wishes, recordsOf source: String? = nil, admin: any Admin
  ) throws(BrokerError) -> Int32 {
    if let count = try partitionCount(of: topic, wishes: wishes, admin: admin) { return count }
    let partitions = wishes.partitions ?? defaultPartitions
    do {
      try admin.apply(
        .createTopic(
          name: topic, partitions: partitions, replicationFactor: wishes.replicationFactor, recordsOf: source,
          settings: wishes.settings))
    } catch  where error.code == .topicExists {
      // Another process was faster.
      return try partitionCount(of: topic, wishes: wishes, admin: admin) ?? partitions
    } catch {
      var refusal = error
      if error.code == .configuration, !wishes.settings.isEmpty, error.remedy.isEmpty {
        refusal.remedy = "check --topic-config \(wishes.settings.keys.sorted().joined(separator: ", "))"
      }
      throw refusal
    }
    return partitions
  }

  /// A topic derived from another (inventory events, dead letters): created with the source's partition count.
  /// - Parameters:
  ///   - wishes: for a new one, but for the partitions.
  ///   - source: the source, where copies of its records are to go.
  public static func ensureDerived(
    _ topic: String, sourcePartitions: Int32, wishes: Wishes, recordsOf source: String? = nil, admin: any Admin
  ) throws(BrokerError) -> Int32 {
    let found = try partitionCount(
      of: topic, wishes: Wishes(partitions: nil, replicationFactor: nil), admin: admin)
    if let found { return found }
    var wishes = wishes
    wishes.partitions = sourcePartitions
    return try ensure(topic, wishes: wishes, recordsOf: source, admin: admin)
  }
}
