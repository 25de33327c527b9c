import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// What a producer tells of each record, on every back end.
@Suite struct ReceiptContractTests {
  private static func send(_ records: [TestRecord], by producer: any Producer) throws {
    for record in records { try record.lend { outgoing throws(BrokerError) in try producer.send(outgoing) } }
  }

  @Test("Each acknowledged record is told of once, with its offset and bytes", arguments: BackEnd.all)
  func acknowledged(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      // Of somebody else, so that offsets and sequences are not the same.
      try broker.produce(50, to: "t", partitions: 3)
      let recorder = ReceiptRecorder(ReceiptText.head(partitions: 3))
      let producer = try broker.producer(topic: "t", pace: .bulk, observer: recorder)
      defer { producer.close() }
      var records = (0..<4000).map { TestRecord(partition: Int32($0) % 3, key: "k\($0)", value: "value \($0)") }
      (records[7].key, records[8].value, records[9].key, records[10].value) = (nil, nil, [], [])
      records[11].headers = [.init("a", [1, 2, 3])]
      try Self.send(Array(records[..<2000]), by: producer)
      try producer.flush(timeout: .seconds(20))
      let lines = ByteBuffer()
      #expect(recorder.takeLines(into: lines) == 2000)
      try ReceiptText.expect(#require(try ReceiptText.parse(lines.bytes).first), holdsIn: broker.contents(of: "t"))
      try Self.send(Array(records[2000...]), by: producer)
      try producer.flush(timeout: .seconds(20))
      producer.close()
      recorder.end(sent: 4000, at: 0)
      #expect(recorder.takeLines(into: lines) == 4000)
      let receipt = try #require(try ReceiptText.parse(lines.bytes).first)
      try ReceiptText.expect(receipt, holdsIn: broker.contents(of: "t"))
      #expect(receipt.acknowledged == 4000 && receipt.tail?.isComplete == true && receipt.tail?.failed == 0)
      // Whole ones but for the last of each partition.
      #expect(receipt.partitions.map { $0.chunks.map(\.records) } == [[1000, 334], [1000, 333], [1000, 333]])
      #expect(receipt.partitions.flatMap(\.chunks).allSatisfy { $0.orders == nil && $0.offsets.count == 1 })
    }
  }

  @Test("Records that are given up when the producer is closed are failed or unknown", arguments: BackEnd.all)
  func closed(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      let recorder = ReceiptRecorder(
        ReceiptText.head(partitions: 2, .orders(.init(seed: 1, firstOrder: 5, count: 500))))
      let producer = try broker.producer(topic: "t", pace: .bulk, observer: recorder)
      try Self.send(
        (0..<500).map { TestRecord(partition: Int32($0) % 2, key: "k\($0)", value: "v\($0)") }, by: producer)
      producer.close()
      let receipt = try recorder.receipt(sent: 500)
      let (tail, counts) = (try #require(receipt.tail), producer.deliveries)
      #expect(tail.acknowledged == counts.acknowledged && tail.failed + tail.unknown == counts.failed)
      #expect(tail.unknown == counts.uncertain && tail.isComplete == (tail.unknown == 0))
      let numbers = (tail.failedOrders + tail.unknownOrders).map(\.count).reduce(0, +)
      #expect(numbers == Int(tail.failed + tail.unknown))
      #expect((tail.failedOrders + tail.unknownOrders).allSatisfy { $0.lowerBound >= 5 && $0.upperBound < 505 })
      try ReceiptText.expect(receipt, holdsIn: broker.contents(of: "t"))
    }
  }

  @Test("An order that is too large for the broker has failed, and is named", arguments: BackEnd.all)
  func refused(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      let recorder = ReceiptRecorder(ReceiptText.head(partitions: 2, .orders(.init(seed: 1, firstOrder: 7, count: 3))))
      let producer = try broker.producer(topic: "t", pace: .bulk, observer: recorder)
      defer { producer.close() }
      let source = LargeOrder(backEnd.largestRecord)
      var publisher = OrderPublisher(
        source, producer: producer, schedule: nil, time: SystemTime(), stop: StopFlag(), observer: recorder)
      try publisher.run { _ in }
      producer.close()
      let receipt = try recorder.receipt(sent: publisher.sent)
      #expect(receipt.tail?.failedOrders == [8...8] && receipt.acknowledged == 2 && receipt.tail?.isComplete == true)
    }
  }
}

/// Three orders, of which the second is larger than a broker takes.
private final class LargeOrder: OrderSource {
  private let value: ByteBuffer
  private let large: Int
  private var sent = 0

  init(_ largest: Int) {
    large = largest + 1
    value = ByteBuffer(capacity: large)
  }

  let mayKeepWaiting = false

  func advance() -> Bool { sent < 3 }

  func take(sequence: Int64, wallMilliseconds: Int64) -> SourceOrder {
    sent += 1
    value.removeAll()
    value.append(String(repeating: "x", count: sent == 2 ? large : 10))
    return SourceOrder(
      key: value.bytes.isEmpty ? value.bytes : UnsafeRawBufferPointer(rebasing: value.bytes[..<3]), value: value.bytes,
      isFailed: false)
  }

  func note(_ reports: RecordReports) {}
}

extension BackEnd {
  /// A record with so many bytes and no more may be taken.
  fileprivate var largestRecord: Int { 17 << 20 }
}
