import GRDB
import OrderStreamCore

/// Looks at the log and changes its topics and groups.
final class EmbeddedAdmin: Admin {
  static let mostPartitions: Int32 = 10_000

  let connection: LogConnection

  init(_ connection: LogConnection) { self.connection = connection }

  func topics(named name: String?) throws(BrokerError) -> [TopicDescription] {
    try connection.read("cannot list the topics") { database in
      try (name.map { try TopicRow.find(database, name: $0).map { [$0] } ?? [] } ?? TopicRow.all(database)).map {
        TopicDescription(
          name: $0.name, partitionCount: $0.partitionCount, isInternal: $0.name.hasPrefix("__"),
          id: String($0.id))
      }
    }
  }

  func watermarks(topic: String) throws(BrokerError) -> [Watermarks] {
    try connection.read("cannot read the watermarks of \(topic)") { database in
      try TopicRow.get(database, name: topic).partitions(database).map {
        Watermarks(low: $0.low, high: $0.high, stable: $0.high)
      }
    }
  }

  func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] {
    let wanted = Set(topics)
    return try connection.read("cannot read watermarks") { database in
      var looks: [String: TopicLook] = [:]
      for topic in try TopicRow.all(database) where wanted.contains(topic.name) {
        looks[topic.name] = TopicLook(
          partitions: try topic.partitions(database).map {
            .seen(Watermarks(low: $0.low, high: $0.high, stable: $0.high))
          })
      }
      return looks
    }
  }

  func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset] {
    try connection.read("cannot find offsets by time in \(topic)") { database in
      let row = try TopicRow.get(database, name: topic)
      let reader = BatchReader(topic: row.id, name: topic)
      return try row.partitions(database).map {
        try reader.firstOffset(database, $0, at: timestampMs)
      }
    }
  }

  func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing {
    try connection.read("cannot list the groups") { database in
      let groups = try name.map { try GroupRow.find(database, name: $0).map { [$0] } ?? [] } ?? GroupRow.all(database)
      // What a group has says which topics are looked at, and each of them once.
      var index = PartitionIndex(database)
      return GroupListing(try groups.map { try describe($0, &index) })
    }
  }

  func readState(
    group name: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
  ) throws(BrokerError) {
    try connection.read("cannot read the state of the group \(name)") { database in
      guard let group = try GroupRow.find(database, name: name) else { return }
      var index = PartitionIndex(database)
      try StateRecords.each(database, group: group.id) { record in
        guard let (topic, row) = try index.find(record.partition) else { return }
        try record.check("\(topic.name)[\(row.number)]")
        body(
          topic.name, StoredState(partition: row.number, key: record.key, value: record.value, origin: .thisTopic))
      }
      try StateRecords.eachOfGoneTopics(database, group: group.id, body)
    }
  }

  func apply(_ change: AdminChange) throws(BrokerError) {
    switch change {
    case .createTopic(let name, let partitions, let replicationFactor, _):
      try createTopic(name, partitions, replicationFactor)
    case .addPartitions(let topic, let total): try addPartitions(topic, total)
    case .deleteTopic(let name): try deleteTopic(name)
    case .deleteGroup(let name): try deleteGroup(name)
    case .deleteRecords(let partition, let before): try deleteRecords(partition, before: before)
    }
  }

  func close() { connection.close() }

  private func describe(_ group: GroupRow, _ index: inout PartitionIndex) throws -> GroupDescription {
    let database = index.database
    var description = GroupDescription(group: group.name, state: "Empty", members: [], committed: [:])
    // Nobody else has groups in a log of this program.
    description.beginsAtEarliest = true
    try CommittedOffsets.each(database, group: group.id) { committed in
      guard let (topic, row) = try index.find(committed.partition) else { return }
      let place = TopicPartition(topic: topic.name, partition: row.number)
      try committed.check("\(place)")
      description.committed[place] = committed.offset
    }
    var isStable = true
    for id in try GroupStore.topics(database, of: group) {
      guard let topic = try index.topic(id) else { continue }
      let state = try GroupStore(group: group, topic: topic.id, topicName: topic.name)
        .load(database, partitions: index.partitions(of: topic))
      isStable = isStable && state.isStable
      for member in state.members where MemberFile.isAlive(member.id, in: connection.directory) {
        let owned = state.slots.filter { $0.owner == member.id }.map {
          TopicPartition(topic: topic.name, partition: $0.number)
        }
        description.members.append(.init(id: member.id, host: member.host, partitions: owned))
      }
    }
    description.members.sort { $0.id < $1.id }
    if !description.members.isEmpty { description.state = isStable ? "Stable" : "PreparingRebalance" }
    return description
  }
}
