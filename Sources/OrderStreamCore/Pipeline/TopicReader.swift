/// Reads ranges of a topic's partitions without a group, and waits for open transactions inside them. Made for ranges
/// that follow each other in one partition: reading on costs no seek, and nothing is read twice.
final class TopicReader {
  /// A range that begins at most this far ahead is reached by reading on.
  private static let skipLimit: Offset = 50_000

  /// How long one poll waits, and after how many that brought nothing a wait is told of: about a second.
  private static let pollTimeout = Duration.milliseconds(100)
  private static let quietPolls = 10

  private let topic: String
  private let consumer: any Consumer
  private let batch = RecordBatch()
  private let stop: StopFlag
  /// Hears once of each partition in which an open transaction has hidden records for about a second.
  private let waits: (PipelineWait) -> Void
  private var reported: Set<Int32> = []
  private var partition: Int32?
  /// Everything below it has been handed out or passed over.
  private var position: Offset = 0
  /// The next record of `batch` to hand out.
  private var index = 0
  /// Where the partition ended behind the records of `batch`; passed once they are handed out.
  private var reachedEnd: Offset?
  /// The end that was passed last, to tell a partition that ends from one that is slow.
  private var passedEnd: Offset?
  /// Polls since something came last.
  private var emptyPolls = 0

  init(
    topic: String, broker: any Broker, stop: StopFlag, waits: @escaping (PipelineWait) -> Void
  ) throws(BrokerError) {
    self.topic = topic
    self.stop = stop
    self.waits = waits
    consumer = try broker.consumer(ConsumerOptions(topic: topic, membership: .none))
  }

  func close() { consumer.close() }

  /// Visits the records of a range of one partition, in offset order.
  /// - Returns: `false` when a stop was requested before the end.
  func read(
    _ partition: Int32, _ range: Range<Offset>, _ visit: (RecordBatch.View) throws(BrokerError) -> Void
  ) throws(BrokerError) -> Bool {
    if range.isEmpty { return true }
    try seek(partition, range.lowerBound)
    while position < range.upperBound {
      guard index < batch.count else {
        if stop.isRequested { return false }
        try refill(partition, below: range.upperBound)
        continue
      }
      let record = batch[index]
      // What lies beyond is for the next range.
      if record.offset >= range.upperBound { return true }
      index += 1
      position = record.offset.next
      if record.offset >= range.lowerBound { try visit(record) }
    }
    return true
  }

  private func seek(_ partition: Int32, _ offset: Offset) throws(BrokerError) {
    if partition == self.partition, offset >= position, offset - position <= Self.skipLimit { return }
    batch.removeAll()
    index = 0
    reachedEnd = nil
    passedEnd = nil
    emptyPolls = 0
    self.partition = partition
    position = offset
    try consumer.assign([PartitionOffset(partition: partition, offset: offset)])
  }

  /// Passes the end that the last poll has reached, or polls.
  private func refill(_ partition: Int32, below bound: Offset) throws(BrokerError) {
    if let end = reachedEnd {
      reachedEnd = nil
      position = max(position, end)
      passedEnd = position
      if position >= bound { return }
    }
    _ = try consumer.poll(into: batch, timeout: Self.pollTimeout)
    index = 0
    emptyPolls = batch.isEmpty && batch.ends.isEmpty ? emptyPolls + 1 : 0
    // What ends below the bound and does not go on is hidden.
    if emptyPolls == Self.quietPolls, passedEnd == position, reported.insert(partition).inserted {
      waits(.openTransaction(TopicPartition(topic: topic, partition: partition), position))
    }
    guard let end = batch.ends.last(where: { $0.partition == partition }) else { return }
    // Records of the same poll lie below the end and are handed out first.
    reachedEnd = end.offset
  }
}
