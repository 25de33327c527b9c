import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

/// What a receipt says of records whose way was not straight.
@Suite struct MockReceiptTests {
  private func producer(
    _ mock: MockBroker, _ recorder: ReceiptRecorder, _ pace: ProducerPace = .bulk
  ) throws -> KafkaProducer {
    try #require(
      try mock.broker.producer(topic: MockBroker.topic, pace: pace, observer: recorder) as? KafkaProducer)
  }

  private func recorder(partitions: Int32, firstOrder: Int64 = 1) -> ReceiptRecorder {
    ReceiptRecorder(
      ReceiptText.head(partitions: partitions, .orders(.init(seed: 1, firstOrder: firstOrder, count: 10_000))))
  }

  @Test("what is sent again after a fatal error is acknowledged once, where it lies")
  func fatal() throws {
    let mock = try MockBroker(properties: [("linger.ms", "200")])
    let recorder = recorder(partitions: 3)
    let producer = try producer(mock, recorder)
    try mock.send(900, by: producer)
    producer.raiseFatalError()
    try mock.send(900, first: 900, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    let receipt = try recorder.receipt(sent: 1800)
    #expect(receipt.acknowledged == 1800 && receipt.tail?.isComplete == true)
    #expect(receipt.tail?.withoutOffset == 0 && receipt.tail?.failed == 0)
    try ReceiptText.expect(receipt, holdsIn: mock.broker.contents(of: MockBroker.topic))
  }

  @Test("of a batch of duplicates that the broker dropped no record has an offset, though librdkafka counts from −1")
  func duplicate() throws {
    let mock = try MockBroker(partitions: 1, properties: [("linger.ms", "5000")])
    let recorder = recorder(partitions: 1)
    let producer = try producer(mock, recorder)
    mock.cluster.failNext(.produce, with: [RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER])
    try mock.send(3, by: producer)
    try producer.flush(timeout: .seconds(20))
    try mock.send(2, first: 3, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    let receipt = try recorder.receipt(sent: 5)
    #expect(receipt.acknowledged == 5 && receipt.tail?.withoutOffset == 3)
    #expect(receipt.partitions[0].withoutOffset.map(\.key) == ["k0", "k1", "k2"])
    #expect(receipt.partitions[0].chunks.map(\.orders) == [4...5])
    try ReceiptText.expect(receipt, holdsIn: mock.broker.contents(of: MockBroker.topic))
  }

  @Test("of a batch that is refused the record to blame has failed, and the others are acknowledged where they lie")
  func refusedBatch() throws {
    let mock = try MockBroker(partitions: 1, properties: [("linger.ms", "5000")])
    let recorder = recorder(partitions: 1, firstOrder: 100)
    let producer = try producer(mock, recorder)
    mock.cluster.failNext(.produce, with: [RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE])
    try mock.send(5, by: producer)
    try producer.flush(timeout: .seconds(20))
    try mock.send(5, first: 5, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    let receipt = try recorder.receipt(sent: 10)
    let tail = try #require(receipt.tail)
    #expect(tail.acknowledged == 9 && tail.failed == 1 && tail.failedOrders == [100...100] && tail.isComplete)
    try ReceiptText.expect(receipt, holdsIn: mock.broker.contents(of: MockBroker.topic))
  }

  @Test("what times out may be on the log, and what never left is not")
  func timedOut() throws {
    let mock = try MockBroker(properties: [("message.timeout.ms", "1500")])
    let recorder = recorder(partitions: 3)
    let producer = try producer(mock, recorder, .interactive)
    try mock.send(30, by: producer)
    try producer.flush(timeout: .seconds(10))
    mock.cluster.setDown()
    try mock.send(60, first: 30, by: producer)
    #expect(throws: BrokerError.self) { try producer.flush(timeout: .seconds(10)) }
    producer.close()
    let tail = try #require(try recorder.receipt(sent: 90).tail)
    #expect(tail.acknowledged == 30 && tail.failed + tail.unknown == 60)
    #expect(tail.unknown == producer.deliveries.uncertain && tail.isComplete == (tail.unknown == 0))
    #expect(tail.failedOrders.isEmpty == (tail.failed == 0))
    #expect((tail.failedOrders + tail.unknownOrders).map(\.count).reduce(0, +) == 60)
  }
}
