import OrderStreamCore
import OrderStreamTestSupport

@testable import OrderStreamKafka

/// A mock cluster, and a broker that is connected to it.
struct MockBroker {
  static let topic = "orders"

  let cluster: MockCluster
  let broker: KafkaBroker
  let log = LogCollector()

  init(
    brokers: Int = 1, partitions: Int32 = 3, properties: [(key: String, value: String)] = [],
    time: any TimeSource = SystemTime(), outages: OutageLimit = .run, stop: StopFlag? = nil
  ) throws {
    cluster = MockCluster(brokers: brokers)
    cluster.createTopic(Self.topic, partitions: partitions)
    broker = try KafkaBroker.connect(
      brokers: cluster.bootstrapServers, properties: properties, outages: outages, stop: stop, log: log,
      time: time)
  }

  /// Sends `count` records with the values `first`… round robin over the topic's partitions.
  func send(_ count: Int, first: Int = 0, by producer: any Producer) throws {
    for number in first..<first + count {
      try Self.lend(key: "k\(number)", value: "v\(number)") { key, value in
        try producer.send(
          OutgoingRecord(
            partition: Int32(number) % producer.partitionCount, timestampMs: 1_700_000_000_000 + Int64(number),
            key: key, value: value))
      }
    }
  }

  /// What a partition-by-partition reading to the ends finds, per partition, in order.
  func values(partitions: Int32 = 3) throws -> [Int32: [String]] {
    let consumer = try broker.consumer(ConsumerOptions(topic: Self.topic, membership: .none))
    defer { consumer.close() }
    try consumer.assign((0..<partitions).map { PartitionOffset(partition: $0, offset: 0) })
    var found: [Int32: [String]] = [:]
    var ended: Set<Int32> = []
    let batch = RecordBatch()
    let clock = SystemTime()
    let deadline = Deadline(.seconds(30), clock)
    while ended.count < Int(partitions) && !deadline.hasPassed {
      _ = try consumer.poll(into: batch, timeout: .milliseconds(200))
      for index in 0..<batch.count {
        let record = batch[index]
        found[record.partition, default: []].append(
          record.value.map { String(decoding: $0, as: UTF8.self) } ?? "(tombstone)")
      }
      for end in batch.ends { ended.insert(end.partition) }
    }
    return found
  }

  static func lend<Failure: Error>(
    key: String?, value: String?, _ body: (UnsafeRawBufferPointer?, UnsafeRawBufferPointer?) throws(Failure) -> Void
  ) throws(Failure) {
    let keyBytes = ByteBuffer()
    let valueBytes = ByteBuffer()
    if let key { keyBytes.append(key) }
    if let value { valueBytes.append(value) }
    try body(key == nil ? nil : keyBytes.bytes, value == nil ? nil : valueBytes.bytes)
  }
}

/// A clock by which a second passes in a tenth of one.
struct FastTime: TimeSource {
  private let time = SystemTime()

  var wallMilliseconds: Int64 { time.wallMilliseconds }
  var monotonicNanoseconds: Int64 { time.monotonicNanoseconds * 10 }
  func sleep(_ duration: Duration) { time.sleep(duration / 10) }
}
