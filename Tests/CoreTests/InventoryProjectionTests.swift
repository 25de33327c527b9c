import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite struct InventoryProjectionTests {
  private struct FixedTime: TimeSource {
    var monotonicNanoseconds: Int64 { 0 }
    var wallMilliseconds: Int64 { 1_705_314_600_123 }
    func sleep(_ duration: Duration) {}
  }

  private func projection(_ onPoison: InventoryProjection.OnPoison, partitions: Int32 = 3) -> InventoryProjection {
    InventoryProjection(
      InventoryProjection.Settings(topic: "in", group: "the group", onPoison: onPoison, outputPartitions: partitions),
      time: FixedTime())
  }

  private let order = OrderText.with {
    $0.items =
      #"[{"item_id":"a","quantity":1,"price":1},{"item_id":"b","quantity":2.0,"price":1},"#
      + #"{"item_id":"a","quantity":3,"price":1}]"#
  }

  private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

  @Test("Each item becomes one event, in item order, keyed by the order, with its source")
  func items() throws {
    let projection = projection(.deadLetter)
    let transaction = RecordingTransaction()
    let failed = OrderText.with {
      $0.orderID = #""\u006frder""#
      $0.status = #""failed""#
    }
    let records = batch([
      TestRecord(partition: 2, offset: 7, key: "another key", value: order),
      TestRecord(partition: 1, offset: 900, value: failed),
    ])
    try projection.apply(records, 0..<2, to: transaction)
    #expect(transaction.sent.map(\.output) == Array(repeating: InventoryProjection.Output.inventory, count: 4))
    let events = transaction.sent.map(\.record)
    #expect(events.map { text($0.key) } == ["order_000001", "order_000001", "order_000001", "order"])
    #expect(
      events.map { text($0.headers[0].value) } == ["in/2/7/0", "in/2/7/1", "in/2/7/2", "in/1/900/0"])
    #expect(events.allSatisfy { $0.headers.count == 1 && text($0.headers[0].name) == "source" })
    #expect(events.allSatisfy { $0.timestampMs == 1_705_314_600_123 })
    for (event, (item, quantity)) in zip(events, [("a", 1), ("b", 2), ("a", 3)]) {
      #expect(
        event.text
          == #"{"event_type":"InventoryEvent","order_id":"order_000001","item_id":"\#(item)","quantity":\#(quantity),"#
          + #""action":"reserve","timestamp":"2024-01-15T10:30:00"}"#)
    }
    #expect(events[3].text?.contains(#""action":"release""#) == true)
    for event in events {
      #expect(event.partition == event.key!.withUnsafeBytes { Partitioner.partition(key: $0, count: 3) })
    }
    #expect(projection.committedCounts == InventoryProjection.Counts())
    projection.committed()
    #expect(
      projection.committedCounts
        == InventoryProjection.Counts(orders: 2, items: 4, reserved: 3, released: 1, rejected: 0))
  }

  @Test("A dead letter is the record byte for byte, with four headers more, in the same partition")
  func deadLetter() throws {
    let projection = projection(.deadLetter)
    let headers = [
      TestRecord.Header("source", Array("mine".utf8)), TestRecord.Header("binary", [0, 255, 254, 10]),
      TestRecord.Header("null", nil), TestRecord.Header("", []),
    ]
    var binary = TestRecord(partition: 5, offset: 12, timestampMs: 1, value: nil, headers: headers)
    binary.key = [0, 1, 255]
    binary.value = [0xFF, 0xFE, 0]
    let poison = [
      binary, TestRecord(partition: 0, offset: 0, value: nil), TestRecord(partition: 1, offset: 3, key: "", value: ""),
    ]
    let transaction = RecordingTransaction()
    let records = batch(poison)
    try projection.apply(records, 0..<3, to: transaction)
    #expect(transaction.sent.map(\.output) == Array(repeating: InventoryProjection.Output.deadLetters, count: 3))
    let letters = transaction.sent.map(\.record)
    for (letter, record) in zip(letters, poison) {
      #expect(letter.key == record.key && letter.value == record.value && letter.partition == record.partition)
      #expect(Array(letter.headers.dropLast(4)) == record.headers)
      #expect(
        letter.headers.suffix(4).map { text($0.name) } == ["error-code", "error-message", "source", "source-group"])
      #expect(
        text(letter.headers[letter.headers.count - 2].value) == "in/\(record.partition)/\(record.offset)")
      #expect(text(letter.headers.last?.value) == "the group")
    }
    #expect(letters.map { text($0.headers[$0.headers.count - 4].value) } == ["encoding", "tombstone", "empty-value"])
    projection.committed()
    #expect(projection.committedCounts.rejected == 3 && projection.committedCounts.orders == 0)
  }

  private func named(_ headers: [TestRecord.Header]) -> [String: String] {
    Dictionary(headers.map { (text($0.name) ?? "", text($0.value) ?? "") }) { $1 }
  }

  @Test("Of a record that is too large for the output the letter has the start, the size and the digest")
  func truncatedDeadLetter() throws {
    let projection = projection(.deadLetter)
    let own = [TestRecord.Header("mine", Array("yes".utf8))]
    var large = TestRecord(
      partition: 2, offset: 9, key: "key", value: String(repeating: "x", count: 5000), headers: own)
    var short = TestRecord(partition: 2, offset: 10, key: "key", value: "not json", headers: own)
    short.key = [UInt8](repeating: UInt8(ascii: "k"), count: 5000)
    let transaction = RecordingTransaction()
    transaction.largestRecord = 3000
    try projection.apply(batch([large, short, TestRecord(value: "{")]), 0..<3, to: transaction)
    let letters = transaction.sent.map(\.record)
    #expect(letters.count == 3 && letters[0].key == large.key && letters[0].partition == 2)
    #expect(letters[0].value == Array(large.value!.prefix(1024)))
    #expect(letters[0].headers.first == own[0])
    let headers = named(letters[0].headers)
    #expect(headers["error-code"] == "not-json" && headers["source"] == "in/2/9" && headers["original-size"] == "5000")
    // sha256sum's.
    #expect(
      headers["original-sha256"] == "c59d3c0480cc2d71d8f646e735e92da65450311eec46e81a5db8c7e6e8a92054")
    // Where the key is what is too large it is cut too, and the record's own headers are left out.
    #expect(letters[1].value == short.value && letters[1].key == Array(short.key!.prefix(1024)))
    let cut = named(letters[1].headers)
    #expect(cut["mine"] == nil && cut["source"] == "in/2/10" && cut["original-key-size"] == "5000")
    #expect(cut["original-size"] == "8")
    #expect(cut["original-sha256"] == "7ccfa1fbf3940e6f0c0375d87c0f9235a50514e14cb427bdfaf5077987b26ccf")
    #expect(letters[2].value == Array("{".utf8) && named(letters[2].headers)["original-size"] == nil)
    projection.committed()
    #expect(projection.committedCounts.rejected == 3 && projection.committedCounts.truncatedDeadLetters == 2)
    large.value = nil
    transaction.largestRecord = 0
    try projection.apply(batch([large]), 0..<1, to: transaction)
    #expect(transaction.sent.last?.record.value == nil && transaction.sent.last?.record.headers.count == 5)
  }

  @Test("Poison is skipped and counted, or stops with its coordinates")
  func skipAndFail() throws {
    let records = batch([
      TestRecord(partition: 1, offset: 4, value: order), TestRecord(partition: 1, offset: 5, value: "{}"),
      TestRecord(partition: 1, offset: 6, value: order),
    ])
    let skipping = projection(.skip)
    let transaction = RecordingTransaction()
    try skipping.apply(records, 0..<3, to: transaction)
    skipping.committed()
    #expect(transaction.sent.count == 6)
    #expect(
      skipping.committedCounts
        == InventoryProjection.Counts(orders: 2, items: 6, reserved: 6, released: 0, rejected: 1))
    let failing = projection(.fail)
    let error = #expect(throws: PipelineError.self) { try failing.apply(records, 0..<3, to: RecordingTransaction()) }
    #expect(error?.description.contains("in[1]@5") == true && error?.description.contains("missing-field") == true)
  }

  @Test("Only what was committed is counted, and a broker's error comes through")
  func counts() throws {
    let projection = projection(.deadLetter)
    let transaction = RecordingTransaction()
    let records = batch([TestRecord(value: order), TestRecord(offset: 1, value: "x")])
    try projection.apply(records, 0..<2, to: transaction)
    projection.forgetAll()
    projection.committed()
    #expect(projection.committedCounts == InventoryProjection.Counts())
    transaction.failure = BrokerError(.recordTooLarge, "cannot append", why: "too large", recovery: .none)
    for range in [0..<1, 1..<2] {
      let error = #expect(throws: PipelineError.self) { try projection.apply(records, range, to: transaction) }
      #expect(error?.description == "cannot append: too large")
    }
  }

  @Test("The state is the position alone, with the topics that it speaks of")
  func state() throws {
    let transaction = RecordingTransaction()
    var writer = StateWriter(
      transaction: transaction, partition: 2, nextOffset: 258, kind: .inventory, ledger: StateLedger(),
      key: ByteBuffer(), value: ByteBuffer())
    writer.source = TopicMark(record: RecordMark(partition: 2, offset: 257, fingerprint: 7))
    writer.output = StateProof.Output(topic: "out", mark: TopicMark(id: "12"), events: 3)
    try projection(.skip).saveState(partition: 2, to: writer)
    let key = Array("position".utf8)
    let value = try #require(transaction.state[2]?[key])
    #expect(transaction.state.count == 1 && transaction.state[2]?.count == 1)
    #expect(value.prefix(10) == [2, 1, 2, 1, 0, 0, 0, 0, 0, 0])
    try key.withUnsafeBytes { key in
      try value.withUnsafeBytes { value in
        let record = try StateRecord(key: key, value: value, kind: .inventory)
        #expect(record.nextOffset == 258 && record.payload.isEmpty)
        #expect(record.proof?.source == writer.source && record.proof?.output == writer.output)
        #expect(record.proof?.records == 0)
      }
    }
  }
}
