/// What a group's state says of the topics that the group has read, for commands that look at it from outside. State that
/// is damaged says nothing: the group's own next run names it.
public struct StoredGroup {
  private let group: String
  private var found: [String: StoredPositions] = [:]

  public init(group: String, admin: any Admin) throws(BrokerError) {
    self.group = group
    var found: [String: StoredPositions] = [:]
    try admin.readState(group: group) { topic, stored in
      found[topic, default: StoredPositions(topic: topic, group: group, kind: nil)].take(stored)
    }
    self.found = found
  }

  /// The topics that it has state of.
  public var topics: Set<String> { Set(found.keys) }

  /// The topics that the group has written for the orders of a topic; empty also in state of 0.1.0, which does not say.
  public func outputs(for topic: String) -> Set<String> {
    Set((found[topic]?.positions ?? [:]).values.compactMap { $0.proof?.output?.topic })
  }

  /// Whether the state speaks of an earlier topic of this name, which is there now.
  public func isOfEarlierTopic(
    _ topic: TopicDescription, committed: [TopicPartition: Offset], broker: any Broker, admin: any Admin,
    stop: StopFlag
  ) throws(BrokerError) -> Bool {
    guard let positions = found[topic.name]?.positions, !positions.isEmpty else { return false }
    let identity = TopicIdentity(topic: topic.name, id: topic.id, broker: broker, admin: admin, stop: stop)
    let watermarks = try admin.watermarks(topic: topic.name)
    for (partition, position) in positions.sorted(by: { $0.key < $1.key }) {
      // Partitions are never taken away from a topic.
      guard watermarks.indices.contains(Int(partition)) else { return true }
      let verdict = try identity.verdict(
        partition, position, committed: committed[TopicPartition(topic: topic.name, partition: partition)],
        watermarks: watermarks[Int(partition)])
      if verdict == .madeAnew { return true }
    }
    return false
  }
}
