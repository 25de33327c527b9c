import OrderStreamCore

/// Reads a group's state topic: keeps the latest record of each key in memory and reads on from where it was. One thread.
///
/// "Committed" means below the high watermark that was there when the reading began: an open transaction in front of it
/// is waited for, because it may hold the last state of a partition that this member has just taken over.
final class StateReader {
  private struct Stored {
    var value: [UInt8]
    var timestampMs: Int64
  }

  /// The latest records of one state partition, by key.
  private struct Partition {
    var position: Offset = 0
    var records: [[UInt8]: Stored] = [:]
  }

  private let group: String
  private let stateTopic: String
  private let context: KafkaContext
  private var partitions: [Int32: Partition] = [:]
  private var source: RecordSource?
  private let batch = RecordBatch(recordLimit: 1000, byteLimit: 4 << 20)

  init(group: String, context: KafkaContext) {
    self.group = group
    self.context = context
    stateTopic = StateTopic.name(of: group)
  }

  /// Visits the records of source partitions of one topic.
  /// - Parameters:
  ///   - waiting: Whether open transactions in front of the high watermark are waited for.
  ///   - settle: Ends a transaction that stays open; returns when it has ended.
  func read(
    _ topic: String, _ wanted: [Int32], waiting: Bool, settle: (() throws(BrokerError) -> Void)? = nil,
    _ body: (StoredState) -> Void
  ) throws(BrokerError) {
    guard let found = try context.describe(stateTopic) else { return }
    let there = wanted.filter { $0 < Int32(found.partitions.count) }
    try catchUp(there, waiting: waiting, settle)
    for partition in there {
      let prefix = StateTopic.keyPrefix(topic: topic, partition: partition)
      for (key, stored) in partitions[partition]?.records ?? [:] where key.starts(with: prefix) {
        Self.lend(key, from: prefix.count, stored, partition, body)
      }
    }
  }

  /// Visits the records of every topic that the group has state of.
  func readAll(_ body: (_ topic: String, StoredState) -> Void) throws(BrokerError) {
    guard let found = try context.describe(stateTopic) else { return }
    let all = found.partitions.map(\.number)
    try catchUp(all, waiting: false, nil)
    for partition in all {
      for (key, stored) in partitions[partition]?.records ?? [:] {
        guard let (topic, source, start) = StateTopic.parseKey(key) else { continue }
        Self.lend(key, from: start, stored, source) { body(topic, $0) }
      }
    }
  }

  private static func lend(
    _ key: [UInt8], from start: Int, _ stored: Stored, _ partition: Int32, _ body: (StoredState) -> Void
  ) {
    key.withUnsafeBytes { key in
      stored.value.withUnsafeBytes { value in
        body(
          StoredState(
            partition: partition, key: UnsafeRawBufferPointer(rebasing: key[start...]), value: value,
            timestampMs: stored.timestampMs))
      }
    }
  }

  /// Reads each partition to the high watermark of this moment, or to the last stable offset.
  private func catchUp(
    _ wanted: [Int32], waiting: Bool, _ settle: (() throws(BrokerError) -> Void)?
  ) throws(BrokerError) {
    let source = if let source { source } else { try makeSource() }
    self.source = source
    let starts = try context.starts(stateTopic, wanted)
    // The reader's own client is read_committed, so its ends are last stable offsets.
    let ends = try context.ends(stateTopic, wanted, client: waiting ? nil : source.client)
    var targets: [Int32: Offset] = [:]
    for (index, partition) in wanted.enumerated() {
      var view = partitions[partition] ?? Partition()
      // A topic that was deleted and made again, or records that were removed.
      if view.position < starts[index] || view.position > ends[index] { view = Partition(position: starts[index]) }
      partitions[partition] = view
      if view.position < ends[index] { targets[partition] = ends[index] }
    }
    if targets.isEmpty { return }
    try source.assign(targets.keys.sorted().map { PartitionOffset(partition: $0, offset: partitions[$0]!.position) })
    do throws(BrokerError) { try follow(source, targets, settle) } catch {
      // It would go on fetching.
      self.source = nil
      throw error
    }
    try source.unassign()
  }

  private func follow(
    _ source: RecordSource, _ targets: [Int32: Offset], _ settle: (() throws(BrokerError) -> Void)?
  ) throws(BrokerError) {
    var targets = targets
    // At an end below its target; before that brokers are waited for, which is the source's business.
    var hidden: Set<Int32> = []
    var wait: OpenTransactionWait?
    let settled = Deadline(OpenTransactionWait.settleAfter, context.time)
    while !targets.isEmpty {
      batch.removeAll()
      try source.fill(batch, timeout: .milliseconds(100))
      // Not beyond the target: it stands between transactions, and what comes behind it may be half of one.
      for index in 0..<batch.count { apply(batch[index], below: targets[batch[index].partition] ?? 0) }
      for end in batch.ends {
        partitions[end.partition]!.position = max(partitions[end.partition]!.position, end.offset)
        hidden.insert(end.partition)
      }
      targets = targets.filter { partitions[$0.key]!.position < $0.value }
      if targets.isEmpty { return }
      guard targets.keys.allSatisfy(hidden.contains) else {
        if context.outages.hasStopped { throw context.stopped("cannot read the state of \(group)") }
        continue
      }
      if settled.hasPassed { try settle?() }
      wait = wait ?? OpenTransactionWait("cannot read the state of \(group)", context)
      try wait?.pause(.zero) {
        targets.keys.sorted().map {
          Coordinates(TopicPartition(topic: stateTopic, partition: $0), offset: partitions[$0]!.position)
        }
      }
    }
  }

  private func apply(_ record: RecordBatch.View, below target: Offset) {
    guard record.offset < target else {
      partitions[record.partition]!.position = max(partitions[record.partition]!.position, target)
      return
    }
    partitions[record.partition]!.position = record.offset.next
    guard let key = record.key else { return }
    partitions[record.partition]!.records[Array(key)] = record.value.map {
      Stored(value: Array($0), timestampMs: record.timestampMs)
    }
  }

  private func makeSource() throws(BrokerError) -> RecordSource {
    let client = try context.factory.client(.reader())
    _ = try? client.metadata(stateTopic, .seconds(5))
    return RecordSource(client, topic: stateTopic, group: nil, context: context)
  }
}
