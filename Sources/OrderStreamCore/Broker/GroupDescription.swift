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
