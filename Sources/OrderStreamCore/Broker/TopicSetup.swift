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

    public init(partitions: Int32?, replicationFactor: Int16?) {
      self.partitions = partitions
      self.replicationFactor = replicationFactor
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
        remedy: "leave --partitions out to use the topic as it is", recovery: .none)
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
          name: topic, partitions: partitions, replicationFactor: wishes.replicationFactor, recordsOf: source))
    } catch  where error.code == .topicExists {
      // Another process was faster.
      return try partitionCount(of: topic, wishes: wishes, admin: admin) ?? partitions
    }
    return partitions
  }

  /// A topic derived from another (inventory events, dead letters): created with the source's partition count.
  /// - Parameter source: the source, where copies of its records are to go.
  public static func ensureDerived(
    _ topic: String, sourcePartitions: Int32, replicationFactor: Int16?, recordsOf source: String? = nil,
    admin: any Admin
  ) throws(BrokerError) -> Int32 {
    let found = try partitionCount(
      of: topic, wishes: Wishes(partitions: nil, replicationFactor: nil), admin: admin)
    if let found { return found }
    return try ensure(
      topic, wishes: Wishes(partitions: sourcePartitions, replicationFactor: replicationFactor), recordsOf: source,
      admin: admin)
  }
}
