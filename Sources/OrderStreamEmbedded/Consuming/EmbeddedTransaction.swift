import OrderStreamCore

/// Outputs, state and offsets of one consumer, kept in memory until one SQLite transaction writes them all.
///
/// Used by one thread at a time. A commit may run beside polls of the consumer: it has a connection of its own, and of the
/// consumer and its member it reads only what no poll changes while partitions are assigned.
final class EmbeddedTransaction: Transaction {
  private struct StateKey: Hashable {
    var partition: Int32
    var key: [UInt8]
  }

  private struct Output {
    let topic: TopicRow
    /// In the order in which they were begun; one partition's chunks are in its records' order.
    var chunks: [RecordChunk] = []
    /// Where in `chunks` each partition's last one is, −1 for none.
    var last: [Int]

    init(_ topic: TopicRow) {
      self.topic = topic
      last = Array(repeating: -1, count: Int(topic.partitionCount))
    }
  }

  private let connection: LogConnection
  private let consumer: EmbeddedConsumer
  private let member: GroupMember
  // Touched for every record, by nothing that calls back (docs/performance.md).
  @exclusivity(unchecked) private var outputs: [Output]
  private var state: [StateKey: [UInt8]?] = [:]
  private var spare = ChunkPool()
  @exclusivity(unchecked) private(set) var pendingBytes = 0

  /// - Parameter connection: Its own, so that the consumer can read beside a commit.
  init(_ connection: LogConnection, _ consumer: EmbeddedConsumer, outputs: [String]) throws(BrokerError) {
    guard let member = consumer.member else { preconditionFailure("a transaction needs a consumer with a group") }
    self.connection = connection
    self.consumer = consumer
    self.member = member
    self.outputs = try connection.read("cannot open the outputs") { database in
      try outputs.map { Output(try TopicRow.get(database, name: $0)) }
    }
  }

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    let topic = outputs[output].topic
    guard record.partition >= 0 && record.partition < topic.partitionCount else {
      throw BrokerError(
        .unknownPartition, "cannot append to \(topic.name)[\(record.partition)]",
        why: "the topic has \(topic.partitionCount) partitions", recovery: .none)
    }
    let byteCount = RecordChunk.byteCount(of: record)
    guard byteCount <= RecordChunk.largestRecordBytes else {
      throw BrokerError(
        .recordTooLarge, "cannot append to \(topic.name)[\(record.partition)]",
        why: "the record has \(byteCount) bytes and the log takes \(RecordChunk.largestRecordBytes)", recovery: .none)
    }
    chunk(output, Int(record.partition), byteCount).append(record, byteCount: byteCount)
    pendingBytes += byteCount
  }

  func takes(_ record: OutgoingRecord, on output: Int) -> Bool {
    RecordChunk.byteCount(of: record) <= RecordChunk.largestRecordBytes
  }

  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    state[StateKey(partition: partition, key: Array(key))] = .some(value.map(Array.init))
    pendingBytes += key.count + (value?.count ?? 0)
  }

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    try write(offsets, as: member.identity)
    reset()
  }

  private func write(_ offsets: [PartitionOffset], as identity: GroupMember.Identity) throws(BrokerError) {
    let group = member.store.group.id
    let topic = consumer.hasEarlierState ? consumer.topic.name : nil
    try connection.write("cannot commit to the group \(member.store.group.name)") { scope in
      let rows = try member.owned(scope, Set(offsets.map(\.partition) + state.keys.map(\.partition)), as: identity)
      for output in outputs where !output.chunks.isEmpty {
        try BatchAppender.append(output.chunks, topic: output.topic.name, id: output.topic.id, scope)
      }
      if let topic, !state.isEmpty { try StateRecords.forgetEarlierTopic(scope, group: group, topic: topic) }
      for (key, value) in state {
        try key.key.withUnsafeBytes { keyBytes in
          guard let value else {
            return try StateRecords.put(scope, group: group, partition: rows[key.partition]!, key: keyBytes, value: nil)
          }
          try value.withUnsafeBytes { valueBytes in
            try StateRecords.put(
              scope, group: group, partition: rows[key.partition]!, key: keyBytes, value: valueBytes)
          }
        }
      }
      for offset in offsets {
        try CommittedOffsets.put(scope, group: group, partition: rows[offset.partition]!, offset.offset)
      }
    }
  }

  func abort() throws(BrokerError) { reset() }

  func close() {
    reset()
    spare.removeAll()
    connection.closeWithoutLock()
  }

  private func chunk(_ output: Int, _ partition: Int, _ byteCount: Int) -> RecordChunk {
    let last = outputs[output].last[partition]
    if last >= 0 && outputs[output].chunks[last].takes(byteCount) { return outputs[output].chunks[last] }
    let chunk = spare.take(Int32(partition))
    outputs[output].last[partition] = outputs[output].chunks.count
    outputs[output].chunks.append(chunk)
    return chunk
  }

  private func reset() {
    for index in outputs.indices {
      for chunk in outputs[index].chunks {
        outputs[index].last[Int(chunk.partition)] = -1
        spare.put(chunk)
      }
      outputs[index].chunks.removeAll(keepingCapacity: true)
    }
    state.removeAll(keepingCapacity: true)
    pendingBytes = 0
  }
}

extension GroupMember {
  /// The row ids of the partitions that this member owns, by number, after a check that all that is committed is among
  /// them. Ownership is what is stored, never what the clock says.
  /// - Throws: `fenced`.
  func owned(_ scope: WriteScope, _ needed: Set<Int32>, as identity: Identity) throws -> [Int32: Int64] {
    let isMember = try store.members(scope.database).contains { $0.id == identity.id }
    var rows: [Int32: Int64] = [:]
    for number in needed {
      let found = try PartitionRow.find(scope.database, topic: store.topic, number: number, name: store.topicName)
      if let row = found, try store.owns(scope.database, row, identity.id, generation: identity.generation) {
        rows[number] = row.id
      }
    }
    if !isMember || rows.count < needed.count {
      let gone = needed.filter { rows[$0] == nil }.sorted().map { "\(store.topicName)[\($0)]" }
      throw BrokerError(
        .fenced, "cannot commit to the group \(store.group.name)",
        why: gone.isEmpty
          ? "this member was taken for dead and replaced"
          : "\(gone.joined(separator: ", ")) no longer belong(s) to this member",
        remedy: "nothing of this transaction was kept", recovery: .abort)
    }
    return rows
  }
}
