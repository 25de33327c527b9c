/// Reads ranges of a topic without a group, and waits for open transactions inside them.
final class TopicReader {
  private let consumer: any Consumer
  private let batch = RecordBatch()
  private let topic: String
  private let stop: StopFlag
  /// Hears once of each partition in which an open transaction hides records.
  private let waits: (PipelineWait) -> Void
  private var reported: Set<Int32> = []

  init(
    topic: String, broker: any Broker, stop: StopFlag, waits: @escaping (PipelineWait) -> Void
  ) throws(BrokerError) {
    self.topic = topic
    self.stop = stop
    self.waits = waits
    consumer = try broker.consumer(ConsumerOptions(topic: topic, membership: .none))
  }

  func close() { consumer.close() }

  /// Visits the records of these ranges (by partition number, empty ones are skipped), each partition in offset order.
  /// Returns early, with `false`, when a stop is requested.
  func read(
    _ ranges: [Range<Offset>], _ visit: (RecordBatch.View) throws(BrokerError) -> Void
  ) throws(BrokerError) -> Bool {
    var open = ranges.enumerated().filter { !$0.element.isEmpty }.map(\.offset)
    guard !open.isEmpty else { return true }
    try consumer.assign(open.map { PartitionOffset(partition: Int32($0), offset: ranges[$0].lowerBound) })
    var positions = ranges.map(\.lowerBound)
    while !open.isEmpty {
      if stop.isRequested { return false }
      _ = try consumer.poll(into: batch, timeout: .milliseconds(100))
      for index in 0..<batch.count {
        let record = batch[index]
        let number = Int(record.partition)
        guard number < ranges.count, record.offset >= positions[number] else { continue }
        positions[number] = record.offset.next
        if ranges[number].contains(record.offset) { try visit(record) }
      }
      for end in batch.ends where Int(end.partition) < ranges.count {
        let number = Int(end.partition)
        positions[number] = max(positions[number], end.offset)
        if end.offset < ranges[number].upperBound, reported.insert(end.partition).inserted {
          waits(.openTransactions([end.partition]))
        }
      }
      open.removeAll { positions[$0] >= ranges[$0].upperBound }
    }
    return true
  }
}
