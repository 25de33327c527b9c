import OrderStreamCore
import OrderStreamTestSupport

/// Records of one run of `produce`, and what its receipt says of them.
struct ReceiptLog: Sendable {
  /// Whose records they are.
  enum Kind: Sendable, CaseIterable {
    /// Generated, with event times that depend on their numbers alone, or on the wall clock.
    case stepped, wallClock
    /// Lines of somebody else.
    case input
  }

  static let topic = "orders"
  static let partitions: Int32 = 2
  /// So that a few records have several chunks.
  static let chunkRecords = 50

  let kind: Kind
  let options: OrderGenerator.Options
  /// By partition, in order; offsets count from 0.
  var records: [TestRecord]
  var run: String

  /// - Parameters:
  ///   - count: orders that are on the log.
  ///   - more: orders that the run would have made besides.
  init(_ kind: Kind, count: Int64 = 320, more: Int64 = 0, seed: UInt64 = 7, run: String = "0123456789abcdef") {
    self.kind = kind
    self.run = run
    options = OrderGenerator.Options(
      seed: seed, count: count + more,
      eventTime: kind == .wallClock ? .wallClock : .stepped(startSeconds: 1_705_314_600, perSecond: 3))
    records = Self.orders(options, 0..<count)
  }

  /// The orders of these indexes.
  static func orders(_ options: OrderGenerator.Options, _ indexes: Range<Int64>) -> [TestRecord] {
    let generator = GeneratedOrders(options)
    var records: [TestRecord] = []
    for index in 0..<indexes.upperBound {
      _ = generator.advance()
      let order = generator.take(sequence: index, wallMilliseconds: 1_705_314_600_000 + index * 400)
      guard indexes.contains(index) else { continue }
      let partition = Partitioner.partition(key: order.key, count: partitions)
      var record = TestRecord(partition: partition, value: "")
      (record.key, record.value) = (Array(order.key), Array(order.value))
      records.append(record)
    }
    return placed(records)
  }

  /// The records by partition, with the offsets that a log without gaps gives them.
  static func placed(_ records: [TestRecord]) -> [TestRecord] {
    var ends = Array(repeating: Offset(0), count: Int(partitions))
    var placed = records
    placed = placed.filter { $0.partition == 0 } + placed.filter { $0.partition == 1 }
    for index in placed.indices {
      placed[index].offset = ends[Int(placed[index].partition)]
      ends[Int(placed[index].partition)] += 1
    }
    return placed
  }

  /// How many there are in partition 0.
  var count: Int { records.count { $0.partition == 0 } }

  /// The id of a record of partition 0.
  func id(_ index: Int) -> String { String(decoding: records[index].key ?? [], as: UTF8.self) }

  var receipt: Receipt { receipt(of: records) }

  /// What the receipt says when these records, with these offsets, were acknowledged.
  func receipt(of records: [TestRecord], topicID: String? = nil) -> Receipt {
    var receipt = Receipt(
      Receipt.Head(
        run: run, broker: "b", topic: Self.topic, topicID: topicID, partitionCount: Self.partitions,
        startedMilliseconds: 1_700_000_000_000, version: "1", acks: "all",
        source: kind == .input ? .input(name: "orders.jsonl", isExact: false) : .orders(options)))
    for partition in 0..<Self.partitions {
      let own = records.filter { $0.partition == partition }
      for start in stride(from: 0, to: own.count, by: Self.chunkRecords) {
        let chunk = Array(own[start..<min(start + Self.chunkRecords, own.count)])
        let numbers = chunk.compactMap { $0.key?.withUnsafeBytes { OrderNumber.parse($0) } }
        receipt.partitions[Int(partition)].chunks.append(
          Receipt.Chunk(
            partition: partition, number: Int64(start / Self.chunkRecords), offsets: Self.ranges(chunk.map(\.offset)),
            orders: kind == .input ? nil : numbers[0]...numbers[numbers.count - 1], digest: Self.digest(chunk)))
      }
    }
    var tail = Receipt.Tail(isComplete: true, endedMilliseconds: 1_700_000_001_000)
    tail.acknowledged = receipt.acknowledged
    receipt.tail = tail
    return receipt
  }

  private static func ranges(_ offsets: [Offset]) -> [ClosedRange<Offset>] {
    var ranges: [ClosedRange<Offset>] = []
    for offset in offsets {
      if let last = ranges.last, last.upperBound + 1 == offset {
        ranges[ranges.count - 1] = last.lowerBound...offset
      } else {
        ranges.append(offset...offset)
      }
    }
    return ranges
  }

  static func digest(_ records: [TestRecord]) -> Digest {
    let hash = RecordHash()
    for record in records {
      (record.key ?? []).withUnsafeBytes { key in
        (record.value ?? []).withUnsafeBytes { value in
          hash.add(key: record.key == nil ? nil : key, value: record.value == nil ? nil : value)
        }
      }
    }
    return hash.finish()
  }
}

extension Broker {
  /// Makes the topic with these records.
  func makeLog(_ records: [TestRecord]) throws(BrokerError) {
    try createTopic(ReceiptLog.topic, partitions: ReceiptLog.partitions)
    try produce(records, to: ReceiptLog.topic)
  }

  /// What the topic says of receipts.
  func check(_ receipts: Receipt...) throws -> AuditFindings {
    let admin = try admin()
    defer { admin.close() }
    let check = try ReceiptCheck(
      topic: ReceiptLog.topic, receipts.map { ReceiptOfFile(file: "r", receipt: $0) }, broker: self, admin: admin,
      stop: StopFlag(), waits: { _ in }, progress: { _, _ in })
    guard try check.run() else { preconditionFailure("nobody asked this check to stop") }
    var findings = AuditFindings()
    check.add(to: &findings)
    return findings
  }
}
