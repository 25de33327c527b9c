import CRdKafka
import OrderStreamCore

/// Reads a group's state topic: keeps the latest record of each key in memory and reads on from where it was. One thread.
///
/// "Committed" means below the high watermark that was there when the reading began: an open transaction in front of it
/// is waited for, because it may hold the last state of a partition that this member has just taken over.
final class StateReader {
  /// The latest records of one state partition: key → value.
  private struct Partition {
    var position: Offset = 0
    var records: [[UInt8]: [UInt8]] = [:]
  }

  private let group: String
  private let topic: String
  private let stateTopic: String
  private let context: KafkaContext
  private var partitions: [Int32: Partition] = [:]
  private var source: RecordSource?
  private let batch = RecordBatch(recordLimit: 1000, byteLimit: 4 << 20)

  init(group: String, topic: String, context: KafkaContext) {
    self.group = group
    self.topic = topic
    self.context = context
    stateTopic = KafkaWords.stateTopic(of: group)
  }

  /// - Parameters:
  ///   - waiting: Whether open transactions in front of the high watermark are waited for.
  ///   - settle: Sees to a transaction that stays open; returns when it has ended.
  func read(
    _ wanted: [Int32], waiting: Bool, settle: (() throws(BrokerError) -> Void)? = nil,
    _ body: (_ partition: Int32, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
  ) throws(BrokerError) {
    guard let found = try context.describe(stateTopic) else { return }
    let there = wanted.filter { $0 < Int32(found.partitions.count) }
    try catchUp(there, waiting: waiting, settle)
    for partition in there {
      let prefix = KafkaWords.stateKeyPrefix(topic: topic, partition: partition)
      for (key, value) in partitions[partition]?.records ?? [:] where key.starts(with: prefix) {
        key.withUnsafeBytes { keyBytes in
          let own = UnsafeRawBufferPointer(rebasing: keyBytes[prefix.count...])
          value.withUnsafeBytes { body(partition, own, $0) }
        }
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
    let settled = Deadline(KafkaConsumer.settleAfter, context.time)
    while !targets.isEmpty {
      batch.removeAll()
      try source.fill(batch, timeout: .milliseconds(100))
      for index in 0..<batch.count { apply(batch[index]) }
      for end in batch.ends {
        partitions[end.partition]!.position = end.offset
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

  private func apply(_ record: RecordBatch.View) {
    partitions[record.partition]!.position = record.offset.next
    guard let key = record.key else { return }
    partitions[record.partition]!.records[Array(key)] = record.value.map { Array($0) }
  }

  private func makeSource() throws(BrokerError) -> RecordSource {
    let client = try context.factory.client(.reader())
    _ = try? client.metadata(stateTopic, .seconds(5))
    return RecordSource(client, topic: stateTopic, group: nil, context: context)
  }
}
