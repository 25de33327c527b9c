import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// Small commits are moved to a segment once there are enough of them.
@Suite struct SmallBatchTests {
  private let fixture = LogFixture()
  /// 257 commits of it are worth moving.
  private static let value = String(repeating: "v", count: SmallBatches.worthMoving / 256)

  private var inRows: Int64 {
    get throws { try fixture.integer("SELECT count(*) FROM batch WHERE segment IS NULL") }
  }

  @Test("What one connection has left in rows moves together, and reads the same before and after")
  func moves() throws {
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 2)
    let admin = try broker.admin()
    defer { admin.close() }
    let producer = try broker.producer(topic: "t", pace: .interactive)
    defer { producer.close() }
    var expected: [TestRecord] = []
    func send(_ count: Int) throws {
      for _ in 0..<count {
        let partition = Int32(expected.count % 2)
        let record = TestRecord(
          partition: partition, offset: Offset(expected.count / 2), key: "\(expected.count)",
          value: "\(expected.count) \(Self.value)")
        try record.lend { outgoing throws(BrokerError) in try producer.send(outgoing) }
        try producer.flush(timeout: .seconds(10))
        expected.append(record)
      }
    }
    func check(_ broker: EmbeddedBroker, from offset: Offset = 0) throws {
      let found = try broker.contents(of: "t")
      for partition: Int32 in 0..<2 {
        let right = expected.filter { $0.partition == partition && $0.offset >= offset }
        #expect(found.filter { $0.partition == partition } == right)
      }
    }
    try send(240)
    #expect(try inRows == 240 && fixture.integer("SELECT count(*) FROM segment") == 0)
    try check(broker)
    // What was removed meanwhile is not moved.
    for partition in 0..<2 {
      try admin.apply(.deleteRecords(TopicPartition(topic: "t", partition: Int32(partition)), before: 10))
    }
    try send(60)
    let left = try inRows
    #expect(left < 60, "\(left) in rows")
    #expect(try fixture.integer("SELECT batches FROM segment") == 280 - left)
    #expect(try fixture.integer("SELECT length FROM segment") == fixture.size(fixture.directory.segment(1)))
    #expect(try fixture.integer("SELECT sum(length(payload)) FROM batch WHERE segment IS NOT NULL") == 0)
    for broker in [broker, try fixture.open()] { try check(broker, from: 10) }
  }
}
