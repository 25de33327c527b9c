import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Certificates: what they say is what the log holds, and every way in which another log differs is found.
@Suite("Certificates")
struct CertificateTests {
  private static let topic = "orders"

  private func onEmbedded<Result>(_ body: (any Broker) throws -> Result) throws -> Result {
    let fixture = EmbeddedFixture()
    return try withExtendedLifetime(fixture) { try body(try fixture.open()) }
  }

  private func ranges(_ broker: any Broker) throws -> [Range<Offset>] {
    let admin = try broker.admin()
    defer { admin.close() }
    return try admin.watermarks(topic: Self.topic).map { $0.low..<$0.high }
  }

  private func pass(_ broker: any Broker, _ expected: Certificate? = nil) throws -> CertificatePass {
    let pass = CertificatePass(topic: Self.topic, expected: expected)
    #expect(try pass.run(ranges(broker), broker: broker, stop: StopFlag(), waits: { _ in }, turned: { _ in }))
    return pass
  }

  private func certificate(_ broker: any Broker) throws -> Certificate {
    let pass = try pass(broker)
    let made = Certificate(
      broker: broker.name, topic: Self.topic, madeMilliseconds: 1_700_000_000_000, version: "1",
      partitions: pass.partitions(try ranges(broker)), summary: pass.summary)
    // What is handed on is the document.
    let text = ByteBuffer()
    made.append(to: text)
    #expect(try Certificate(parsing: text.bytes) == made)
    return made
  }

  /// Records of two partitions: 2100 and 1000, some of them no orders, one a tombstone, one without a key.
  private static let records: [TestRecord] = {
    var records: [TestRecord] = []
    let generator = GeneratedOrders(
      OrderGenerator.Options(
        seed: 7, count: 3100, eventTime: .span(startSeconds: 1_705_314_600, spanNanoseconds: 600_000_000_000)))
    while generator.advance() {
      let order = generator.take(sequence: 0, wallMilliseconds: 0)
      var record = TestRecord(partition: records.count < 2100 ? 0 : 1, value: "")
      (record.key, record.value) = (Array(order.key), Array(order.value))
      records.append(record)
    }
    records[5].value = nil
    records[6].key = nil
    records[7].key = []
    records[8].value = []
    return records
  }()

  private func log(_ broker: any Broker, _ records: [TestRecord]) throws {
    try broker.createTopic(Self.topic, partitions: 2)
    try broker.produce(records, to: Self.topic)
  }

  /// A way in which a log can betray a certificate, and where it is found.
  struct Betrayal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var partition: Int32
    var chunk: Int
    var missing: Int64 = 0
    var apply: @Sendable (inout [TestRecord]) -> Void

    init(
      _ name: String, _ partition: Int32, chunk: Int, missing: Int64 = 0,
      _ apply: @escaping @Sendable (inout [TestRecord]) -> Void
    ) {
      (testDescription, self.partition, self.chunk, self.missing, self.apply) = (name, partition, chunk, missing, apply)
    }
  }

  static let betrayals = [
    Betrayal("the first record is missing", 0, chunk: 0, missing: 1) { $0.remove(at: 0) },
    Betrayal("one in the middle is missing", 0, chunk: 1, missing: 1) { $0.remove(at: 1500) },
    Betrayal("the last one is missing", 0, chunk: 2, missing: 1) { $0.remove(at: 2099) },
    Betrayal("the last whole chunk is missing", 1, chunk: 0, missing: 1000) { $0.removeLast(1000) },
    Betrayal("one byte of a value differs", 0, chunk: 0) { $0[999].value?[3] ^= 1 },
    Betrayal("one byte of a key differs", 0, chunk: 2) { $0[2099].key?[3] ^= 1 },
    Betrayal("two records are swapped", 0, chunk: 1) { $0.swapAt(1000, 1001) },
    Betrayal("one is there twice", 1, chunk: 0) { $0.insert($0[2500], at: 2500) },
    Betrayal("the tail was written anew", 0, chunk: 2) { records in
      for index in 2050..<2100 { records[index].value = Array("another order \(index)".utf8) }
    },
    Betrayal("an empty value is a tombstone", 0, chunk: 0) { $0[8].value = nil },
    Betrayal("a tombstone is an empty value", 0, chunk: 0) { $0[5].value = [] },
    Betrayal("an empty key is none", 0, chunk: 0) { $0[7].key = nil },
    Betrayal("no key is an empty one", 0, chunk: 0) { $0[6].key = [] },
    Betrayal("a byte went from the key to the value", 0, chunk: 1) { records in
      guard let last = records[1200].key?.removeLast() else { return }
      records[1200].value?.insert(last, at: 0)
    },
  ]

  @Test("The same records are the same on any log, whatever came after them", arguments: BackEnd.all)
  func same(_ backEnd: BackEnd) throws {
    let made = try onEmbedded { broker in
      try log(broker, Self.records)
      return try certificate(broker)
    }
    #expect(made.partitions.map(\.records) == [2100, 1000] && made.partitions.map(\.chunks.count) == [3, 1])
    #expect(made.totalOrders == 3098 && made.rejected == 2)
    try backEnd.run { _, broker in
      try log(broker, Self.records)
      for more in [[], [TestRecord(partition: 1, value: "later"), TestRecord(partition: 0, value: "later")]] {
        try broker.produce(more, to: Self.topic)
        let pass = try pass(broker, made)
        #expect(pass.differences.isEmpty && pass.recordsRead == 3100)
        #expect(Certificate.digest(of: pass.summary) == made.report)
      }
      let again = try certificate(broker)
      #expect(again.partitions[0].chunks.prefix(2) == made.partitions[0].chunks.prefix(2))
      #expect(again.partitions[1].chunks.first == made.partitions[1].chunks.first)
    }
  }

  @Test("Every way in which a log can differ is found, with its place", arguments: BackEnd.all, betrayals)
  func betrayed(_ backEnd: BackEnd, _ betrayal: Betrayal) throws {
    let made = try onEmbedded { broker in
      try log(broker, Self.records)
      return try certificate(broker)
    }
    var records = Self.records
    betrayal.apply(&records)
    try backEnd.run { _, broker in
      try log(broker, records)
      let found = try pass(broker, made).differences
      #expect(found.map(\.partition) == [betrayal.partition] && found.first?.chunk == betrayal.chunk, "\(found)")
      #expect(found.first?.missing == betrayal.missing)
    }
  }

  @Test("Gaps in offsets, as transactions leave them, are no difference", arguments: BackEnd.all)
  func gaps(_ backEnd: BackEnd) throws {
    let made = try onEmbedded { broker in
      try log(broker, Self.records)
      return try certificate(broker)
    }
    try backEnd.run { _, broker in
      try broker.createTopic(Self.topic, partitions: 2)
      try broker.createTopic("source", partitions: 1)
      let member = try TestConsumer(broker, topic: "source", group: "g", outputs: [Self.topic])
      defer { member.close() }
      // Each transaction of Kafka takes an offset more in every partition that it writes to.
      for start in stride(from: 0, to: Self.records.count, by: 310) {
        try broker.produce([TestRecord(value: "x")], to: "source")
        #expect(try TestConsumer.pump([member]) { !member.pending.isEmpty })
        for record in Self.records[start..<start + 310] { try member.send(record) }
        try member.commit()
      }
      #expect(try pass(broker, made).differences.isEmpty)
    }
  }

  @Test("A file that is no certificate, or contradicts itself, is refused in words")
  func malformed() throws {
    let text = try onEmbedded { broker in
      try log(broker, Self.records)
      let text = ByteBuffer()
      try certificate(broker).append(to: text)
      return String(decoding: text.bytes, as: UTF8.self)
    }
    let changes = [
      (text, "{}"), ("certificate/1", "certificate/2"), ("sha256\",\"chunk", "md5\",\"chunk"),
      ("\"chunk_records\":1000", "\"chunk_records\":10"), ("\"records\":2100", "\"records\":3100"),
      ("\"end\":2100", "\"end\":1"), ("\"partition\":1", "\"partition\":2"), ("\"made_at\":\"2", "\"made_at\":\"x"),
      ("\"topic\":\"orders\"", "\"topic\":1"), ("chunks\":[\"", "chunks\":[\"0"), ("\"low\":0", "\"low\":-1"),
    ]
    for (old, new) in changes {
      let buffer = ByteBuffer()
      buffer.append(text.replacing(old, with: new))
      #expect(throws: MalformedDocument.self, "\(old.prefix(30)) to \(new)") {
        try Certificate(parsing: buffer.bytes)
      }
    }
  }
}
