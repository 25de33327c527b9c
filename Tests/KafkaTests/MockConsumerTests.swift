import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

struct MockConsumerTests {
  @Test("fetching goes on after errors and lost requests")
  func fetchFaults() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    try mock.send(600, by: producer)
    try producer.flush(timeout: .seconds(10))
    producer.close()
    mock.cluster.failNext(
      .fetch,
      with: [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_UNKNOWN])
    #expect(try mock.values().values.reduce(0) { $0 + $1.count } == 600)
  }

  @Test("a reader whose brokers are gone ends in words, also when librdkafka says nothing", arguments: [false, true])
  func brokersGone(atEnd: Bool) throws {
    let mock = try MockBroker(partitions: 1, time: FastTime())
    try mock.broker.produce([TestRecord(key: "k", value: "v")], to: MockBroker.topic)
    let reader = try TestConsumer(mock.broker, topic: MockBroker.topic)
    defer { reader.consumer.close() }
    try reader.consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    if atEnd {
      try eventually("the record") {
        try reader.step(timeout: .milliseconds(100)); return !reader.ends.isEmpty
      }
    }
    mock.cluster.setDown()
    let error = #expect(throws: BrokerError.self) {
      try eventually("the end", within: .seconds(20)) {
        try reader.step(timeout: .milliseconds(100)); return false
      }
    }
    #expect(error?.code == .unreachable && error?.recovery == .fatal)
  }

  @Test("messages that nobody has taken out of the buffer do not outlive their client")
  func droppedBuffer() throws {
    let mock = try MockBroker(partitions: 1)
    let records = (0..<100).map { TestRecord(key: "k\($0)", value: "value") }
    try mock.broker.produce(records, to: MockBroker.topic)
    let consumer = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .none))
    try consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    // Less than what librdkafka hands over at a time.
    let batch = RecordBatch(recordLimit: 1000, byteLimit: 50)
    while batch.isEmpty { _ = try consumer.poll(into: batch, timeout: .seconds(5)) }
    #expect(batch.count < 100)
    // As after an error: without closing.
    KafkaBroker.kill(consumer)
    #expect(!mock.log.all.contains { $0.text.contains("left behind") })
  }

  @Test("a member that was fenced by itself gives back what it had and joins again")
  func fencedByItself() throws {
    let mock = try MockBroker()
    // The mock cluster answers no admin requests.
    mock.cluster.createTopic("orderstream-g-state", partitions: 3)
    let member = try TestConsumer(mock.broker, topic: MockBroker.topic, group: "g")
    defer { member.consumer.close() }
    try eventually("partitions") {
      try member.step(timeout: .milliseconds(100)); return member.assigned?.count == 3
    }
    try #require(member.consumer as? KafkaConsumer).raiseFencing()
    try eventually("the loss") {
      try member.step(timeout: .milliseconds(100)); return member.assigned == nil
    }
    #expect(member.events.last == .lost)
    // The mock cluster knows no static members: the old one has to time out.
    try eventually("partitions again", within: .seconds(30)) {
      try member.step(timeout: .milliseconds(100))
      return member.assigned?.count == 3
    }
    try mock.broker.produce([TestRecord(key: "k", value: "v")], to: MockBroker.topic)
    try eventually("a record") {
      try member.step(timeout: .milliseconds(100)); return member.pending.count == 1
    }
  }

  @Test("headers, tombstones and empty values are told apart")
  func bytes() throws {
    let mock = try MockBroker(partitions: 1)
    var written = TestRecord(timestampMs: 1_700_000_000_123, key: "", value: "")
    written.headers = [.init("source", [1, 0, 2]), .init("empty", []), .init("none", nil)]
    let tombstone = TestRecord(timestampMs: 1_700_000_000_124, key: nil, value: nil)
    try mock.broker.produce([written, tombstone], to: MockBroker.topic)
    var read: [TestRecord] = []
    let consumer = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .none))
    defer { consumer.close() }
    try consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    let batch = RecordBatch()
    while read.count < 2 {
      _ = try consumer.poll(into: batch, timeout: .seconds(5))
      for index in 0..<batch.count { read.append(TestRecord(batch[index])) }
    }
    for index in read.indices { read[index].offset = 0 }
    #expect(read == [written, tombstone])
  }

  @Test("two members share the partitions, and a member that leaves frees its own")
  func members() throws {
    let mock = try MockBroker(partitions: 4)
    let members = try (0..<2).map { _ in
      try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .member(group: "g")))
    }
    var assigned: [[Int32]?] = [nil, nil]
    let batch = RecordBatch()
    func step(_ index: Int) throws {
      switch try members[index].poll(into: batch, timeout: .milliseconds(10)) {
      case .assigned(let partitions):
        try members[index].assign(partitions.map { PartitionOffset(partition: $0, offset: 0) })
        assigned[index] = partitions
      case .revoked, .lost:
        try members[index].unassign()
        assigned[index] = nil
      case .polled: break
      }
    }
    let deadline = Deadline(.seconds(30), SystemTime())
    while !assigned.allSatisfy({ $0?.count == 2 }) && !deadline.hasPassed { for index in 0..<2 { try step(index) } }
    #expect(Set(assigned.flatMap { $0 ?? [] }) == [0, 1, 2, 3])
    members[0].close()
    while assigned[1]?.count != 4 && !deadline.hasPassed { try step(1) }
    #expect(assigned[1] == [0, 1, 2, 3])
    members[1].close()
  }

  @Test("an event is offered again until it is answered")
  func unanswered() throws {
    let mock = try MockBroker()
    let consumer = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .sole(group: "g")))
    defer { consumer.close() }
    let batch = RecordBatch()
    for _ in 0..<3 { #expect(try consumer.poll(into: batch, timeout: .zero) == .assigned([0, 1, 2])) }
    #expect(try consumer.committedOffsets([0, 2]) == [nil, nil])
    try consumer.assign([])
    #expect(try consumer.poll(into: batch, timeout: .zero) == .polled)
  }

  @Test("closing takes no longer than 5 s, also when the cluster is gone")
  func closeWithoutCluster() throws {
    let mock = try MockBroker()
    let consumer = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .member(group: "g")))
    let batch = RecordBatch()
    while try consumer.poll(into: batch, timeout: .seconds(1)) == .polled {}
    try consumer.assign([])
    mock.cluster.setDown()
    let start = ContinuousClock().now
    consumer.close()
    consumer.close()
    #expect(ContinuousClock().now - start < .seconds(5))
  }
}
