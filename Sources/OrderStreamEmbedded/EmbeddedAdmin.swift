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
      let reader = BatchReader(row, connection)
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
    case .createTopic(let name, let partitions, let replicationFactor, _, _):
      try createTopic(name, partitions, replicationFactor)
    case .addPartitions(let topic, let total): try addPartitions(topic, total)
    case .deleteTopic(let name): try deleteTopic(name)
    case .deleteGroup(let name): try deleteGroup(name)
    case .deleteRecords(let partition, let before): try deleteRecords(partition, before: before)
    }
  }

  func close() { connection.close() }

  private func isAlive(_ member: String) -> Bool {
    MemberFile.isAlive(member, in: connection.directory, connection.time)
  }

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
      for member in state.members where isAlive(member.id) {
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

// MARK: - Changes

extension EmbeddedAdmin {
  /// Stored batches that one transaction removes, so that it holds the write lock for milliseconds.
  private static let batchesPerSlice: Int64 = 32

  func createTopic(_ name: String, _ partitions: Int32, _ replicationFactor: Int16?) throws(BrokerError) {
    let what = "cannot create the topic \(name)"
    try Names.checkTopic(name)
    try Self.checkPartitions(partitions, what)
    if let replicationFactor, replicationFactor != 1 {
      throw BrokerError(
        .unsupported, what, why: "the embedded log keeps one copy and \(replicationFactor) were asked for",
        remedy: "write --replication-factor 1, or name a cluster with --brokers", recovery: .none)
    }
    try connection.write(what) { scope in
      if try TopicRow.find(scope.database, name: name) != nil {
        throw BrokerError(.topicExists, what, why: "it exists", recovery: .none)
      }
      var topic = try TopicRow.insert(scope, name: name)
      for number in 0..<partitions { try PartitionRow.insert(scope, topic: topic.id, number: number) }
      topic.partitionCount = partitions
      try topic.save(scope)
      Failpoint.reach("topic/made")
    }
  }

  func addPartitions(_ name: String, _ total: Int32) throws(BrokerError) {
    let what = "cannot add partitions to \(name)"
    try Self.checkPartitions(total, what)
    try connection.write(what) { scope in
      var topic = try TopicRow.get(scope.database, name: name)
      guard total >= topic.partitionCount else {
        throw BrokerError(
          .configuration, what, why: "it has \(topic.partitionCount) and partitions are never removed",
          recovery: .none)
      }
      if total == topic.partitionCount { return }
      for number in topic.partitionCount..<total {
        try PartitionRow.insert(scope, topic: topic.id, number: number)
      }
      topic.partitionCount = total
      try topic.save(scope)
      for group in try GroupRow.all(scope.database) {
        let store = GroupStore(group: group, topic: topic.id, topicName: name)
        // Loading for a change takes the new partitions in.
        if try store.generation(scope.database) != nil { try store.change(scope) { _ in } }
      }
    }
  }

  func deleteTopic(_ name: String) throws(BrokerError) {
    let what = "cannot delete the topic \(name)"
    try connection.write(what) { scope in
      let topic = try TopicRow.get(scope.database, name: name)
      let rows = try topic.partitions(scope.database)
      for group in try GroupRow.all(scope.database) {
        try GroupStore(group: group, topic: topic.id, topicName: name).erase(scope)
      }
      try scope.run(
        "DELETE FROM committed WHERE partition IN (SELECT id FROM partition WHERE topic = ?)", [.integer(topic.id)])
      try StateRecords.keepPositions(scope, of: topic)
      try scope.run("DELETE FROM partition WHERE topic = ?", [.integer(topic.id)])
      try scope.run("DELETE FROM topic WHERE id = ?", [.integer(topic.id)])
      scope.removedPartitions = rows.map(\.id)
    }
    Failpoint.reach("topic/before-orphans")
    try removeOrphans(what)
  }

  func deleteGroup(_ name: String) throws(BrokerError) {
    let what = "cannot delete the group \(name)"
    try connection.write(what) { scope in
      guard let group = try GroupRow.find(scope.database, name: name) else { return }
      var dead: [String] = []
      for id in try GroupStore.topics(scope.database, of: group) {
        guard let topic = try TopicRow.find(scope.database, id: id) else { continue }
        let store = GroupStore(group: group, topic: topic.id, topicName: topic.name)
        let members = try store.members(scope.database)
        if let alive = members.first(where: { isAlive($0.id) }) {
          throw BrokerError(
            .groupActive, what, why: "its member \(alive.id) on \(alive.host) is active",
            remedy: "stop it, then try again", recovery: .retry)
        }
        dead += members.map(\.id)
        try store.erase(scope)
      }
      try scope.run("DELETE FROM committed WHERE consumer_group = ?", [.integer(group.id)])
      try scope.run("DELETE FROM state WHERE consumer_group = ?", [.integer(group.id)])
      try scope.run("DELETE FROM consumer_group WHERE id = ?", [.integer(group.id)])
      for id in dead { MemberFile.remove(id, in: connection.directory) }
    }
  }

  func deleteRecords(_ partition: TopicPartition, before: Offset) throws(BrokerError) {
    let what = "cannot delete records of \(partition)"
    let row = try connection.write(what) { scope in
      let topic = try TopicRow.get(scope.database, name: partition.topic)
      let rows = try topic.partitions(scope.database)
      guard rows.indices.contains(Int(partition.partition)) else {
        throw BrokerError(.unknownPartition, what, why: "the topic has \(rows.count) partitions", recovery: .none)
      }
      var row = rows[Int(partition.partition)]
      guard before <= row.high else {
        throw BrokerError(.offsetOutOfRange, what, why: "the partition ends at \(row.high)", recovery: .none)
      }
      row.low = max(row.low, before)
      try row.save(scope)
      return row
    }
    // Whole batches below the low watermark; the one that holds it stays.
    try removeBatches(
      what, from: LogSchema.batchID(partition: row.id, base: 0),
      to: LogSchema.batchID(partition: row.id, base: row.low), endingBy: row.low)
  }

  /// Removes the batches of partitions that are gone, those of an earlier attempt that was cut short too.
  private func removeOrphans(_ what: String) throws(BrokerError) {
    var next: Int64 = 0
    while true {
      let found = try connection.read(what) { database -> (from: Int64, to: Int64, isOrphan: Bool)? in
        guard let id = try Query.integer(database, "SELECT min(id) FROM batch WHERE id >= ?", [.integer(next)]) else {
          return nil
        }
        let partition = id >> LogSchema.offsetBits
        // Partitions that are gone most often lie side by side; those that are made meanwhile have higher row ids than any
        // that there was.
        let living = try Query.integer(
          database,
          """
          SELECT coalesce(
            (SELECT min(id) FROM partition WHERE id >= ?1), (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'partition'))
          """, [.integer(partition)])
        let to = living == partition ? partition + 1 : max(living ?? 0, partition + 1)
        return (
          LogSchema.batchID(partition: partition, base: 0), LogSchema.batchID(partition: to, base: 0),
          living != partition
        )
      }
      guard let found else { return }
      next = found.to
      if found.isOrphan { try removeBatches(what, from: found.from, to: found.to, endingBy: LogSchema.offsetLimit) }
    }
  }

  /// Removes batches with ids from `from` to below `to` that end at or below the offset `end`, slice by slice, and the
  /// segments that hold nothing more.
  private func removeBatches(_ what: String, from: Int64, to: Int64, endingBy end: Offset) throws(BrokerError) {
    var next: Int64? = from
    while let first = next {
      Failpoint.reach("batches/before-slice")
      next = try connection.write(what) { scope in
        var last: Int64?
        var bySegment: [Int64: Int64] = [:]
        try Query.run(
          scope.database,
          """
          SELECT id, segment FROM batch WHERE id >= ?1 AND id < ?2 AND (id & ?3) + count <= ?4 ORDER BY id LIMIT ?5
          """,
          [
            .integer(first), .integer(to), .integer(LogSchema.offsetLimit - 1), .integer(end),
            .integer(Self.batchesPerSlice),
          ]
        ) { query in
          last = query.integer(0)
          if !query.isNull(1) { bySegment[query.integer(1), default: 0] += 1 }
        }
        guard let last else { return nil }
        // Of one partition those below `last` end before it, and of partitions that are gone all go.
        try scope.run("DELETE FROM batch WHERE id >= ? AND id <= ?", [.integer(first), .integer(last)])
        for (segment, batches) in bySegment.sorted(by: { $0.key < $1.key }) {
          try SegmentRow.release(scope, segment, batches: batches)
        }
        return last + 1
      }
    }
    try removeStrays(what)
  }

  /// Removes the files of segments that no row names: what a kill between a commit and the removal leaves. Like all of them
  /// they go behind a commit (see `SegmentFiles`).
  private func removeStrays(_ what: String) throws(BrokerError) {
    let files = connection.segments.found()
    if files.isEmpty { return }
    try connection.write(what) { scope in
      let named = Set(try SegmentRow.all(scope.database).map(\.id))
      scope.removedSegments = files.filter { !named.contains($0) }
      if !scope.removedSegments.isEmpty { scope.change = try ChangeCounter.advance(scope) }
    }
  }

  private static func checkPartitions(_ count: Int32, _ what: String) throws(BrokerError) {
    guard (1...mostPartitions).contains(count) else {
      throw BrokerError(
        .configuration, what, why: "a topic has 1 to \(mostPartitions) partitions and \(count) were asked for",
        recovery: .none)
    }
  }
}

/// Refuses names that `BrokerName` does not take.
enum Names {
  static func checkTopic(_ name: String) throws(BrokerError) {
    if !BrokerName.isValid(name) { throw refused(.invalidTopic, "topic", name) }
  }

  static func checkGroup(_ name: String) throws(BrokerError) {
    if !BrokerName.isValid(name) { throw refused(.configuration, "group", name) }
  }

  private static func refused(_ code: BrokerError.Code, _ kind: String, _ name: String) -> BrokerError {
    BrokerError(
      code, "cannot use the \(kind) \(name.debugDescription)",
      why: BrokerName.rule, recovery: .none)
  }
}
