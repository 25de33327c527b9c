import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

/// Brokers that go, come back, move and are slow, as far as librdkafka's mock cluster can show them.
struct BrokerTroubleTests {
  private func expectAll(_ mock: MockBroker, _ producer: any Producer, _ count: Int64) throws {
    #expect(producer.deliveries.acknowledged == count && producer.deliveries.failed == 0)
    // The mock cluster does not drop what an idempotent producer sends again; see `MockProducerTests`.
    for (partition, values) in try mock.values() {
      let expected = stride(from: Int(partition), to: Int(count), by: 3).map { "v\($0)" }
      #expect(MockProducerTests.firstOccurrences(values) == expected)
    }
  }

  @Test("a broker that is down for a while costs time and nothing else")
  func downAndUp() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    try mock.send(300, by: producer)
    mock.cluster.setDown()
    try mock.send(300, first: 300, by: producer)
    let clock = SystemTime()
    let deadline = Deadline(.seconds(10), clock)
    // Down until the client has noticed.
    while !mock.log.all.contains(where: { $0.text.contains("Disconnected") || $0.text.contains("refused") })
      && !deadline.hasPassed
    { clock.sleep(.milliseconds(5)) }
    mock.cluster.setUp()
    try producer.flush(timeout: .seconds(25))
    producer.close()
    try expectAll(mock, producer, 600)
  }

  @Test("a leader that moves in mid run is followed by the producer and by the reader")
  func leaderMoves() throws {
    let mock = try MockBroker(brokers: 3)
    for partition in Int32(0)..<3 { mock.cluster.setLeader(MockBroker.topic, partition, broker: 1) }
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    try mock.send(300, by: producer)
    try producer.flush(timeout: .seconds(10))
    let reader = try TestConsumer(mock.broker, topic: MockBroker.topic)
    defer { reader.consumer.close() }
    try reader.consumer.assign((0..<3).map { PartitionOffset(partition: $0, offset: 0) })
    try eventually("what was there") {
      try reader.step(timeout: .milliseconds(100))
      return reader.pending.count == 300
    }
    for partition in Int32(0)..<3 { mock.cluster.setLeader(MockBroker.topic, partition, broker: 2 + partition % 2) }
    try mock.send(300, first: 300, by: producer)
    try producer.flush(timeout: .seconds(25))
    producer.close()
    try eventually("the rest", within: .seconds(30)) {
      try reader.step(timeout: .milliseconds(100))
      return Set(reader.pending.compactMap(\.value)).count == 600
    }
    try expectAll(mock, producer, 600)
  }

  @Test("a slow broker delays and does not lose")
  func slow() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    for _ in 0..<3 { mock.cluster.delayNext(.produce, delayMs: 300) }
    try mock.send(300, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    for _ in 0..<3 { mock.cluster.delayNext(.fetch, delayMs: 300) }
    try expectAll(mock, producer, 300)
  }

  @Test("a group whose coordinator moves goes on, and its member reads everything")
  func coordinatorMoves() throws {
    let mock = try MockBroker(brokers: 3)
    mock.cluster.setCoordinator(ofGroup: "g", broker: 1)
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    let member = try mock.broker.consumer(ConsumerOptions(topic: MockBroker.topic, membership: .member(group: "g")))
    defer { member.close() }
    var next: [Int32: Offset] = [:]
    var values: Set<String> = []
    let batch = RecordBatch()
    let deadline = Deadline(.seconds(40), SystemTime())
    func readUntil(_ count: Int) throws {
      while values.count < count && !deadline.hasPassed {
        switch try member.poll(into: batch, timeout: .milliseconds(50)) {
        case .assigned(let partitions):
          try member.assign(partitions.map { PartitionOffset(partition: $0, offset: next[$0] ?? 0) })
        case .revoked, .lost: try member.unassign()
        case .polled:
          for index in 0..<batch.count {
            next[batch[index].partition] = batch[index].offset.next
            if let value = batch[index].value { values.insert(String(decoding: value, as: UTF8.self)) }
          }
        }
      }
    }
    try mock.send(300, by: producer)
    try readUntil(300)
    mock.cluster.setCoordinator(ofGroup: "g", broker: 2)
    try mock.send(300, first: 300, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    try readUntil(600)
    #expect(values.count == 600)
    #expect(try member.committedOffsets([0]) == [nil], "the coordinator answers where it is now")
  }
}
