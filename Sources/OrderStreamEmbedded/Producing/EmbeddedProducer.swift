import OrderStreamCore
import OrderStreamThreads

/// Sends records to one topic of the log: the caller's thread fills a queue, a thread of its own writes and commits.
/// A record counts as acknowledged after the commit that made it durable, never before; the log has one copy, so
/// `Acks.leader` says the same as `all`. With `Acks.none` it counts as sent when it is queued.
final class EmbeddedProducer: Producer {
  let partitionCount: Int32
  private let queue: ProducerQueue
  private let topic: TopicRow
  private var isClosed = false
  /// Calls of `send` so far.
  private var calls: Int64 = 0

  init(_ connection: LogConnection, _ options: ProducerOptions) throws(BrokerError) {
    let name = options.topic
    topic = try connection.read("cannot produce to \(name)") { try TopicRow.get($0, name: name) }
    partitionCount = topic.partitionCount
    let latency = options.acks == .none ? nil : options.latency
    queue = ProducerQueue(
      partitionCount: topic.partitionCount, limits: ProducerLimits(options.pace), acks: options.acks,
      tellsOfAll: options.reports == .all, latency: latency, observer: options.observer, connection.time)
    let writer = ProducerWriter(connection, topic: topic, queue: queue, latency: latency)
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

  func flush(timeout: Duration) throws(BrokerError) { try queue.flush(within: timeout) }

  func close() {
    if isClosed { return }
    isClosed = true
    queue.close()
  }
}

/// The writing half of a producer.
final class ProducerWriter: @unchecked Sendable {
  // After the thread that runs `run` has started, nobody else touches the connection or the budget.
  private let connection: LogConnection
  private let topic: TopicRow
  private let queue: ProducerQueue
  private let latency: AcknowledgementLatency?
  private var budget = FlushBudget()

  init(_ connection: LogConnection, topic: TopicRow, queue: ProducerQueue, latency: AcknowledgementLatency?) {
    self.latency = latency
    self.connection = connection
    self.topic = topic
    self.queue = queue
  }

  /// Writes until the queue ends or a write fails, then closes the connection.
  func run() {
    while let chunks = queue.take(byteLimit: budget.bytes) {
      do throws(BrokerError) {
        Failpoint.reach("producer/before-write")
        try write(chunks)
        Failpoint.reach("producer/before-acknowledge")
        // Before they count as acknowledged, so that whoever has waited for that finds their latencies.
        latency?.acknowledge(chunks.lazy.map(\.sent), at: connection.time.monotonicNanoseconds)
        queue.acknowledge(chunks)
        Failpoint.reach("producer/after-acknowledge")
      } catch {
        queue.fail(chunks, error)
      }
    }
    connection.close()
    queue.endWriter()
  }

  private func write(_ chunks: [RecordChunk]) throws(BrokerError) {
    var start: Int64 = 0
    try connection.write("cannot append to \(topic.name)") { scope in
      start = connection.time.monotonicNanoseconds
      try BatchAppender.append(chunks, topic: topic.name, id: topic.id, scope)
    }
    let lasted = connection.time.monotonicNanoseconds - start
    budget.learn(used: chunks.reduce(0) { $0 + $1.bytes.count }, nanoseconds: lasted)
  }
}

/// How many bytes one transaction of a producer may hold so that the write lock is free again after 50 ms. Learnt from
/// what the last ones took, because disks differ by orders of magnitude.
struct FlushBudget {
  static let least = 256 << 10
  static let most = 4 << 20
  private static let longestMilliseconds = 40
  private static let shortMilliseconds = 20

  private(set) var bytes = most

  /// - Parameter nanoseconds: how long a transaction of `used` bytes held the write lock.
  mutating func learn(used: Int, nanoseconds: Int64) {
    let milliseconds = nanoseconds / 1_000_000
    if milliseconds > Self.longestMilliseconds {
      bytes = max(Self.least, bytes / 2)
    } else if milliseconds < Self.shortMilliseconds && used > bytes / 2 {
      bytes = min(Self.most, bytes * 2)
    }
  }
}
