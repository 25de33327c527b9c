import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// Long reads, behind which the next one has begun before it is asked for.
@Suite struct ReadAheadTests {
  private let fixture = LogFixture()
  private let batch = RecordBatch(recordLimit: 3000)
  private static let perPartition: Int64 = 10_000

  /// A topic `t` of two partitions with 10 000 records each, and a reader at its start.
  private func reader() throws -> (EmbeddedBroker, any Consumer) {
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 2)
    try broker.produce(2 * Int(Self.perPartition), to: "t", partitions: 2)
    let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
    try consumer.assign([PartitionOffset(partition: 0, offset: 0), PartitionOffset(partition: 1, offset: 0)])
    return (broker, consumer)
  }

  /// Polls until both ends have come, and expects every record from `next` on once, in order.
  private func readToEnds(_ consumer: any Consumer, from start: [Offset], to end: Offset = perPartition) throws {
    var next = start
    while next != [end, end] {
      #expect(try consumer.poll(into: batch, timeout: .seconds(5)) == .polled)
      try #require(!batch.isEmpty || !batch.ends.isEmpty)
      try check(&next)
    }
  }

  private func check(_ next: inout [Offset]) throws {
    #expect(batch.count <= batch.recordLimit)
    for index in 0..<batch.count {
      let record = batch[index]
      try #require(record.offset == next[Int(record.partition)])
      next[Int(record.partition)] += 1
    }
  }

  @Test("Every record comes once and in order")
  func order() throws {
    let (broker, consumer) = try reader()
    defer { consumer.close() }
    try readToEnds(consumer, from: [0, 0])
    // What comes after an end is read as well.
    try broker.produce(20_000, to: "t", partitions: 2)
    try readToEnds(consumer, from: [10_000, 10_000], to: 20_000)
    #expect(((consumer as? EmbeddedConsumer)?.ahead?.taken ?? 0) > 5)
  }

  @Test("After a seek nothing comes from before it")
  func seek() throws {
    let (_, consumer) = try reader()
    defer { consumer.close() }
    var next: [Offset] = [0, 0]
    for _ in 0..<2 {
      _ = try consumer.poll(into: batch, timeout: .seconds(5))
      try check(&next)
    }
    try consumer.assign([PartitionOffset(partition: 0, offset: 17), PartitionOffset(partition: 1, offset: 9000)])
    try readToEnds(consumer, from: [17, 9000])
  }

  @Test("A caller that wants fewer records gets fewer")
  func smallerBatch() throws {
    let (_, consumer) = try reader()
    defer { consumer.close() }
    var next: [Offset] = [0, 0]
    for limit in [3000, 50, 3000, 1] {
      batch.recordLimit = limit
      _ = try consumer.poll(into: batch, timeout: .seconds(5))
      #expect(!batch.isEmpty)
      try check(&next)
    }
    batch.recordLimit = 3000
    try readToEnds(consumer, from: next)
  }

  @Test("Records before damage are handed over, then the error")
  func damage() throws {
    let (_, consumer) = try reader()
    consumer.close()
    let base = try #require(fixture.bases(partition: 1).first { $0 >= 6000 })
    try fixture.edit("UPDATE batch SET crc = crc + 1 WHERE id = (1 << 40) + \(base)")
    let again = try fixture.open().consumer(ConsumerOptions(topic: "t", membership: .none))
    defer { again.close() }
    try again.assign([PartitionOffset(partition: 0, offset: 0)])
    var next: [Offset] = [0, 0]
    let error = #expect(throws: BrokerError.self) {
      while true {
        _ = try again.poll(into: batch, timeout: .seconds(5))
        try check(&next)
      }
    }
    #expect(error?.code == .damaged && error?.description.contains("t[0]@\(base)") == true)
    #expect(next == [base, 0])
  }

  @Test("Records that are removed behind a read are named when they are asked for")
  func removed() throws {
    let (broker, consumer) = try reader()
    defer { consumer.close() }
    var next: [Offset] = [0, 0]
    _ = try consumer.poll(into: batch, timeout: .seconds(5))
    try check(&next)
    try broker.change(.deleteRecords(TopicPartition(topic: "t", partition: 0), before: 9990))
    let error = #expect(throws: BrokerError.self) { try readToEnds(consumer, from: next) }
    #expect(error?.code == .offsetOutOfRange)
  }
}
