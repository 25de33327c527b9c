import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct DeadLetterTests {
  private static func order(_ change: (inout String) -> Void = { _ in }) -> [UInt8] {
    var text =
      #"{"event_type":"OrderPlaced","order_id":"o","user_id":"u","items":[{"item_id":"i","quantity":1,"price":1}],"#
      + #""total_amount":1,"status":"placed","timestamp":"2024-01-15T10:30:00"}"#
    change(&text)
    return Array(text.utf8)
  }

  private static func order(_ part: String, _ other: String) -> [UInt8] { order { $0.replace(part, with: other) } }

  /// A value of every kind, by its code. `nil` is a tombstone.
  static let kinds: [String: [UInt8]?] = [
    "tombstone": nil, "empty-value": [], "too-long": [UInt8](repeating: 0x20, count: 1_000_001),
    "encoding": [0xEF, 0xBB, 0xBF] + order(), "invalid-utf8": [0x7B, 0xFF, 0x7D], "not-json": Array("{".utf8),
    "lone-surrogate": order("\"u\"", #""\ud800""#), "number-range": order(":1,\"status", ":1e999,\"status"),
    "nesting": [UInt8](repeating: UInt8(ascii: "["), count: 600), "trailing-bytes": order() + Array("x".utf8),
    "not-an-object": Array("[]".utf8), "duplicate-field": order("\"user_id\"", "\"status\""),
    "missing-field": order("\"user_id\"", "\"user\""), "wrong-type": order("\"u\"", "1"),
    "unknown-event-type": order("Placed\"", "Gone\""), "unknown-status": order("\"placed\"", "\"lost\""),
    "empty-order-id": order("\"o\"", "\"\""),
    "no-items": order { text in
      text = text.replacing(#"[{"item_id":"i","quantity":1,"price":1}]"#, with: "[]")
    },
    "negative-amount": order("\"price\":1", "\"price\":-1"), "empty-item-id": order("\"i\"", "\"\""),
    "quantity": order("\"quantity\":1", "\"quantity\":1.5"), "timestamp": order("10:30:00", "24:30:00"),
    "order-too-costly": order("\"o\"", "\"\(String(repeating: "o", count: 450_000))\""),
  ]

  private static let headers = [TestRecord.Header("binary", [0, 255, 10]), TestRecord.Header("none", nil)]

  private static func records(partition: Int32) -> [TestRecord] {
    kinds.sorted { $0.key < $1.key }.map { code, value in
      var record = TestRecord(partition: partition, key: code, value: nil, headers: headers)
      record.value = value
      return record
    }
  }

  /// What a letter holds of its record: partition, key, value and the record's own headers.
  private static func originals(_ letters: [TestRecord]) -> [TestRecord] {
    letters.map { letter in
      var original = TestRecord(partition: letter.partition, value: nil, headers: Array(letter.headers.dropLast(4)))
      (original.key, original.value) = (letter.key, letter.value)
      return original
    }
  }

  private static func code(_ letter: TestRecord) -> String {
    letter.headers.first { $0.name == Array("error-code".utf8) }.map { String(decoding: $0.value ?? [], as: UTF8.self) }
      ?? ""
  }

  @Test(
    "Poison of every kind, everywhere: processed and dead-lettered are the log, byte for byte", arguments: BackEnd.all)
  func everywhere(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 2)
      try Run.createOutputs(orders)
      var poison: [TestRecord] = []
      // At the head, in the middle, and at the tail.
      for first in [1, 31, 0] as [Int64] {
        for partition in 0..<2 as Range<Int32> {
          try broker.produce(Self.records(partition: partition), to: Orders.topic)
          poison += Self.records(partition: partition)
        }
        if first > 0 { try orders.produce(30, firstOrder: first) }
      }
      let result = try Run(orders).inventory()
      #expect(result.counts.rejected == poison.count && result.counts.orders == 60)
      #expect(result.run.records == Int64(poison.count) + 60)
      let letters = try broker.contents(of: Run.deadLetters)
      for partition in 0..<2 as Range<Int32> {
        let expected = poison.filter { $0.partition == partition }
        let found = Self.originals(letters.filter { $0.partition == partition })
        #expect(found.map(\.key) == expected.map(\.key) && found.map(\.value) == expected.map(\.value))
        #expect(found.map(\.headers) == expected.map(\.headers))
      }
      for letter in letters { #expect(Self.code(letter) == String(decoding: letter.key ?? [], as: UTF8.self)) }
      #expect(try broker.audit().isClean)
    }
  }

  @Test("A log that is all poison is read to its end", arguments: BackEnd.all)
  func nothingElse(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try Run.createOutputs(orders)
      for _ in 0..<10 { try broker.produce(Self.records(partition: 0), to: Orders.topic) }
      let count = Int64(Self.kinds.count * 10)
      let result = try Run(orders).inventory()
      #expect(result.run.records == count && result.counts.rejected == count && result.counts.orders == 0)
      #expect(try broker.contents(of: Run.deadLetters).count == Int(count))
      #expect(try Run(orders).analytics(group: "metrics").summary.rejected == count)
    }
  }

  @Test("A record as large as the log takes has no room for the letter's headers: its start and its digest go through")
  func truncated() throws {
    // On Kafka the limits are the topics' own, and not set through the ports.
    try #require(BackEnd.all.first).run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try Run.createOutputs(orders)
      try orders.produce(20)
      // A record has 20 bytes besides.
      let value = String(repeating: "x", count: (16 << 20) - 20)
      try broker.produce([TestRecord(value: value)], to: Orders.topic)
      let result = try Run(orders).with { $0.partitions = 1 }.inventory()
      #expect(result.counts.orders == 20 && result.counts.rejected == 1 && result.counts.truncatedDeadLetters == 1)
      let letter = try #require(try broker.contents(of: Run.deadLetters).first)
      #expect(letter.value?.count == 1024 && Self.code(letter) == "too-long")
      #expect(letter.headers.count == 6)
    }
  }

  @Test("A dead letter that cannot be written stops the run before its record", arguments: BackEnd.all)
  func unwritable(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try Run.createOutputs(orders)
      try orders.produce(250)
      try broker.produce([TestRecord(value: "poison")], to: Orders.topic)
      try orders.produce(50, firstOrder: 251)
      let plan = FaultPlan(failingOutput: InventoryProjection.Output.deadLetters)
      for _ in 0..<2 {
        let error = pipelineError { _ = try Run(orders, on: FaultBroker(broker, plan)).inventory() }
        guard case .broker(let cause) = error, cause.code == .io else {
          Issue.record("the run must stop: \(String(describing: error))")
          return
        }
        #expect(try #require(try orders.committed()[0]) <= 250)
        #expect(try broker.contents(of: Run.deadLetters).isEmpty)
      }
      let rest = try Run(orders).inventory()
      #expect(rest.counts.rejected == 1)
      #expect(try broker.contents(of: Run.deadLetters).count == 1)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 300)
    }
  }
}

extension Orders {
  /// What the group of the runs has committed.
  fileprivate func committed() throws -> [Offset?] {
    let admin = try broker.admin()
    defer { admin.close() }
    let group = try admin.group("g")
    return (0..<partitions).map { group?.committed[TopicPartition(topic: Self.topic, partition: $0)] }
  }
}

extension Run {
  fileprivate func analytics(group: String) throws -> AnalyticsResult { try with { $0.group = group }.analytics() }
}
