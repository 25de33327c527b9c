import OrderStreamCore
import OrderStreamThreads

/// Sends records to one topic of the log: the caller's thread fills a queue, a thread of its own writes and commits.
/// A record counts as acknowledged after the commit that made it durable, never before.
final class EmbeddedProducer: Producer {
  let partitionCount: Int32
  private let queue: ProducerQueue
  private let topic: TopicRow
  private var isClosed = false
  /// Calls of `send` so far.
  private var calls: Int64 = 0

  init(
    _ connection: LogConnection, topic name: String, pace: ProducerPace, reports: RecordReports.Detail
  ) throws(BrokerError) {
    topic = try connection.read("cannot produce to \(name)") { try TopicRow.get($0, name: name) }
    partitionCount = topic.partitionCount
    queue = ProducerQueue(
      partitionCount: topic.partitionCount, limits: ProducerLimits(pace), tellsOfAll: reports == .all)
    let writer = ProducerWriter(connection, topic: topic, queue: queue)
    do { _ = try BackgroundThread { writer.run() } } catch {
      connection.close()
      // Nobody waits for a writer that never began.
      isClosed = true
      throw BrokerError(
        .io, "cannot produce to \(name)", why: error.description, remedy: NoRoomForThread.remedy, recovery: .fatal)
    }
  }

  deinit { close() }

  var deliveries: DeliveryCounts { queue.deliveries }

  func takeReports() -> RecordReports { queue.takeReports() }

  func send(_ record: OutgoingRecord) throws(BrokerError) {
    defer { calls += 1 }
    guard record.partition >= 0 && record.partition < partitionCount else {
      throw BrokerError(
        .unknownPartition, "cannot append to \(topic.name)[\(record.partition)]",
        why: "the topic has \(partitionCount) partitions", recovery: .none)
    }
    let byteCount = RecordChunk.byteCount(of: record)
    guard byteCount <= RecordChunk.largestRecordBytes else {
      throw BrokerError(
        .recordTooLarge, "cannot append to \(topic.name)[\(record.partition)]",
        why: "the record has \(byteCount) bytes and the log takes \(RecordChunk.largestRecordBytes)", recovery: .none)
    }
    try queue.add(record, byteCount: byteCount, sequence: calls)
  }

  func flush(timeout: Duration) throws(BrokerError) {
    let (deadline, overflow) = MachineClock.nanoseconds.addingReportingOverflow(timeout.nanoseconds)
    try queue.flush(until: overflow ? .max : deadline)
  }

  func close() {
    if isClosed { return }
    isClosed = true
    queue.close()
  }
}
