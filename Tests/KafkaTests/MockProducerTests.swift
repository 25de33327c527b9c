import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamKafka

struct MockProducerTests {
  private func expectCounts(_ producer: any Producer, acknowledged: Int64, failed: Int64) {
    let deliveries = producer.deliveries
    #expect(deliveries.acknowledged == acknowledged)
    #expect(deliveries.failed == failed)
    #expect(deliveries.acknowledgedByPartition.reduce(0, +) == acknowledged)
  }

  static func firstOccurrences(_ values: [String]) -> [String] {
    var seen: Set<String> = []
    return values.filter { seen.insert($0).inserted }
  }

  @Test("every record is acknowledged once and read back in order")
  func roundTrip() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    try mock.send(3000, by: producer)
    try producer.flush(timeout: .seconds(10))
    producer.close()
    expectCounts(producer, acknowledged: 3000, failed: 0)
    #expect(producer.deliveries.acknowledgedByPartition == [1000, 1000, 1000])
    let values = try mock.values()
    #expect(values[1] == stride(from: 1, to: 3000, by: 3).map { "v\($0)" })
    #expect(values.values.map(\.count) == [1000, 1000, 1000])
  }

  @Test("reports are counted while the sender does nothing")
  func slowSender() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    defer { producer.close() }
    try mock.send(3, by: producer)
    let deadline = Deadline(.seconds(10), SystemTime())
    while producer.deliveries.acknowledged < 3 && !deadline.hasPassed { SystemTime().sleep(.milliseconds(2)) }
    #expect(producer.deliveries.acknowledged == 3)
  }

  @Test("a topic that may not be written names the right that is missing, also for a record that is refused at once")
  func forbidden() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    defer { producer.close() }
    let refused = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
    mock.cluster.failNext(.produce, with: Array(repeating: refused, count: 100))
    var refusal: BrokerError?
    try eventually("a refusal") {
      do { try mock.send(1, by: producer) } catch { refusal = error as? BrokerError }
      return refusal != nil
    }
    #expect(refusal?.code == .unauthorized)
    #expect(refusal?.why.contains("no right to WRITE topic \(MockBroker.topic)") == true)
  }

  @Test("requests that are refused, lost, or whose answer is lost lose no record and keep the order")
  func faults() throws {
    let mock = try MockBroker(properties: [("socket.timeout.ms", "1000"), ("retry.backoff.ms", "20")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    mock.cluster.failNext(.produce, with: [RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT])
    try mock.send(300, by: producer)
    try producer.flush(timeout: .seconds(20))
    mock.cluster.delayNext(.produce, delayMs: 1500)
    try mock.send(300, first: 300, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    expectCounts(producer, acknowledged: 600, failed: 0)
    let values = try mock.values()
    // The mock cluster of 2.0.2 looks at sequence numbers of transactional producers only, so a request that is sent again
    // after its answer was lost stands twice here; a broker drops the second one. First occurrences tell the order.
    #expect(values.values.map { Self.firstOccurrences($0).count } == [200, 200, 200])
    #expect(Self.firstOccurrences(values[2] ?? []) == stride(from: 2, to: 600, by: 3).map { "v\($0)" })
  }

  @Test("a fatal error of the idempotent producer loses nothing and keeps the order")
  func fatal() throws {
    let mock = try MockBroker(properties: [("linger.ms", "200")])
    let producer = try #require(
      try mock.broker.producer(topic: MockBroker.topic, pace: .bulk) as? KafkaProducer)
    try mock.send(900, by: producer)
    producer.raiseFatalError()
    try mock.send(900, first: 900, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    expectCounts(producer, acknowledged: 1800, failed: 0)
    #expect(producer.deliveries.possiblyDuplicated <= 900)
    #expect(try mock.values()[0] == stride(from: 0, to: 1800, by: 3).map { "v\($0)" })
    #expect(mock.log.all.contains { $0.level == .warning && $0.text.contains("another one takes over") })
  }

  @Test(
    "each acknowledged record has one latency, also when it is sent again or waits for room, and a failed one has none")
  func latency() throws {
    let mock = try MockBroker(
      properties: [("linger.ms", "20"), ("queue.buffering.max.messages", "100"), ("message.timeout.ms", "1500")])
    let latency = AcknowledgementLatency(from: .fullSpeed, time: SystemTime())
    let producer = try #require(
      try mock.broker.producer(topic: MockBroker.topic, pace: .bulk, reports: .refusals, latency: latency)
        as? KafkaProducer)
    func count() -> Int64 {
      let figures = latency.figures
      return figures.isParted ? figures.all.count + figures.firstSecond.count : figures.all.count
    }
    let start = SystemTime().monotonicNanoseconds
    try mock.send(250, by: producer)
    producer.raiseFatalError()
    try mock.send(250, first: 250, by: producer)
    try producer.flush(timeout: .seconds(20))
    #expect(producer.deliveries.acknowledged == 500 && count() == 500)
    let run = (SystemTime().monotonicNanoseconds - start) / 1000
    #expect(latency.figures.all.p50 > 0 && latency.figures.all.max <= run)
    mock.cluster.setDown()
    try mock.send(50, first: 500, by: producer)
    #expect(throws: BrokerError.self) { try producer.flush(timeout: .seconds(10)) }
    producer.close()
    #expect(producer.deliveries.failed == 50 && count() == 500)
  }

  @Test("when no broker is left, records fail in time, the sum stays right and sending ends")
  func brokerGone() throws {
    let mock = try MockBroker(properties: [("message.timeout.ms", "1500")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive)
    try mock.send(30, by: producer)
    try producer.flush(timeout: .seconds(10))
    mock.cluster.setDown()
    try mock.send(60, first: 30, by: producer)
    let error = #expect(throws: BrokerError.self) { try producer.flush(timeout: .seconds(10)) }
    #expect(error?.code == .deliveryFailed)
    #expect(throws: BrokerError.self) { try mock.send(1, first: 90, by: producer) }
    producer.close()
    expectCounts(producer, acknowledged: 30, failed: 60)
  }

  @Test("closing gives up what is queued and counts it as failed")
  func closeWithQueue() throws {
    let mock = try MockBroker(properties: [("linger.ms", "20000")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    try mock.send(100, by: producer)
    producer.close()
    producer.close()
    let deliveries = producer.deliveries
    #expect(deliveries.acknowledged + deliveries.failed == 100)
    #expect(throws: BrokerError.self) { try mock.send(1, by: producer) }
  }

  @Test("a full queue makes the sender wait, not fail")
  func backPressure() throws {
    let mock = try MockBroker(properties: [("queue.buffering.max.messages", "100")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    try mock.send(5000, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    expectCounts(producer, acknowledged: 5000, failed: 0)
  }

  @Test("of a batch that the broker refuses only the record to blame fails, and it is named")
  func refusedBatch() throws {
    let mock = try MockBroker(partitions: 1, properties: [("linger.ms", "200")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    // The batch, and then the first of its records alone.
    mock.cluster.failNext(.produce, with: [RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE])
    try mock.send(10, by: producer)
    try producer.flush(timeout: .seconds(20))
    let reports = producer.takeReports()
    #expect(reports.refused.map(\.sequence) == [0] && reports.refused.first?.error.code == .recordTooLarge)
    producer.close()
    expectCounts(producer, acknowledged: 9, failed: 1)
    #expect(producer.deliveries.refused == 1 && producer.deliveries.reordered == 0)
    #expect(try mock.values(partitions: 1)[0] == (1..<10).map { "v\($0)" })
  }

  @Test("records that were sent again behind later ones are counted")
  func reordered() throws {
    let mock = try MockBroker(partitions: 1, properties: [("linger.ms", "200")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    mock.cluster.failNext(.produce, with: [RD_KAFKA_RESP_ERR_INVALID_RECORD])
    try mock.send(5, by: producer)
    // Long enough for the refusal, which the next call of send answers.
    SystemTime().sleep(.milliseconds(700))
    try mock.send(5, first: 5, by: producer)
    try producer.flush(timeout: .seconds(20))
    producer.close()
    expectCounts(producer, acknowledged: 10, failed: 0)
    let values = try mock.values(partitions: 1)[0] ?? []
    #expect(values.sorted() == (0..<10).map { "v\($0)" })
    let behind = (0..<5).filter { first in
      values.firstIndex(of: "v\(first)")! > (values.firstIndex { $0 > "v4" } ?? values.count)
    }
    // The order of acknowledgements, which come from two clients, may make it more.
    #expect(producer.deliveries.reordered >= Int64(behind.count) && producer.deliveries.reordered <= 5, "\(values)")
  }

  @Test("every record that was sent is told of once, acknowledged or failed")
  func allReports() throws {
    let mock = try MockBroker(properties: [("message.timeout.ms", "1500")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .interactive, reports: .all)
    try mock.send(30, by: producer)
    try producer.flush(timeout: .seconds(10))
    mock.cluster.setDown()
    try mock.send(60, first: 30, by: producer)
    #expect(throws: BrokerError.self) { try producer.flush(timeout: .seconds(10)) }
    producer.close()
    let reports = producer.takeReports()
    #expect(reports.acknowledged.sorted() == Array(0..<30))
    #expect(reports.failed.sorted() == Array(30..<90))
  }

  @Test("a record that is too large or for no partition is refused, and the producer goes on")
  func refused() throws {
    let mock = try MockBroker()
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    func code(_ partition: Int32, _ size: Int) -> BrokerError.Code? {
      do {
        try MockBroker.lend(key: "k", value: String(repeating: "x", count: size)) { key, value throws(BrokerError) in
          try producer.send(OutgoingRecord(partition: partition, timestampMs: 1, key: key, value: value))
        }
        return nil
      } catch { return error.code }
    }
    #expect(code(0, 2_000_000) == .recordTooLarge)
    #expect(code(3, 1) == .unknownPartition)
    #expect(code(-1, 1) == .unknownPartition)
    #expect(code(0, 1) == nil)
    try producer.flush(timeout: .seconds(10))
    producer.close()
    expectCounts(producer, acknowledged: 1, failed: 0)
  }
}
