import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite("inventory")
struct InventoryTests {
  @Test("The guarantee stands in every output, and a group keeps it", arguments: TestBroker.all)
  func guarantee(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "200", "-q")
    let weak = try stage.start(
      ["inventory", "--guarantee", "at-least-once", "--idle-timeout", "300ms", "--json", "--report", "run.html"]).end()
    #expect(weak.code == 0 && weak.lines.allSatisfy { $0.contains(#""guarantee":"at-least-once""#) }, "\(weak)")
    #expect(try stage.text("run.html").contains("<dt>Guarantee</dt><dd>at-least-once</dd>"))
    #expect(try stage.json("audit", "--no-group")["orders"].int == 200)
    let refused = try stage.run("inventory", exits: 78)
    #expect(refused.errorLines.count == 1 && refused.errors.contains("--guarantee"), "\(refused)")
    let own = try stage.run("inventory", "-g", stage.group("exact"), "--progress", "plain")
    #expect(own.text.contains("Guarantee                  exactly-once"))
    let mixed = try stage.run("inventory", "-g", stage.group("exact"), "--guarantee", "at-most-once", exits: 78)
    #expect(mixed.errorLines.count == 1 && mixed.errors.contains("another --group"), "\(mixed)")
  }

  @Test func anEventIsExactlyOfItsShapeAndNamesItsSource() throws {
    let stage = try Stage()
    let order = """
      {"event_type":"OrderPlaced","order_id":"order_000001","user_id":"user_1","items":[\
      {"item_id":"burger","quantity":2,"price":10.0},{"item_id":"fries \\"XL\\" é","quantity":1,"price":4.25}],\
      "total_amount":24.25,"status":"failed","timestamp":"2024-01-15T10:30:00.5+02:00"}
      """
    try stage.run("produce", "--input", "-", "--partitions", "1", input: order)
    let document = try stage.json("inventory")
    #expect(document["released"].int == 2 && document["reserved"].int == 0 && document["orders"].int == 1)
    let frame = #"{"event_type":"InventoryEvent","order_id":"order_000001","item_id":"#
    let rest = #","action":"release","timestamp":"2024-01-15T10:30:00.5+02:00"}"#
    #expect(
      try stage.run("tail", "-t", "inventory-events", "--raw").lines == [
        frame + #""burger","quantity":2"# + rest, frame + #""fries \"XL\" é","quantity":1"# + rest,
      ])
    let records = try stage.run("tail", "-t", "inventory-events").lines.map { try JSON($0) }
    #expect(records.map { $0["key"].string } == ["order_000001", "order_000001"])
    #expect(
      records.map { $0["headers"] }
        == (0...1).map { line in
          JSON.array([.array([.string("source"), .string("order-events/0/0/\(line)")])])
        })
  }

  @Test func aFollowerWithVShowsWhatItEmitsOnceItIsCommitted() throws {
    let stage = try Stage()
    try stage.run("produce", "-q", "-n", "3", "--partitions", "1")
    try stage.run("produce", "-q", "--input", "-", exits: 65, input: #"{"a":1}"# + "\n" + Orders.order(number: 9))
    let outcome = try stage.run("inventory", "-v", "--idle-timeout", "300ms", "--json")
    let expected = try stage.run("tail", "inventory-events").lines.map { line in
      let value = try JSON(line)["value"]
      let status = value["action"].string == "reserve" ? "placed" : "failed"
      return "\(value["order_id"].string ?? "") \(status) → \(value["action"].string ?? "") "
        + "\(value["item_id"].string ?? "") × \(value["quantity"].int ?? 0)"
    }
    let shown = outcome.errors.split(separator: "\n").map(String.init).filter { $0.contains(" → ") }
    #expect(shown == expected && shown.count >= 4, "\(outcome)")
    // Neither without -v nor for a run that ends at the end.
    #expect(!(try stage.run("inventory", "-g", "b", "-v").errors.contains("→")))
    #expect(!(try stage.run("inventory", "-g", "c", "--idle-timeout", "100ms").errors.contains("→")))
  }

  @Test func ofManyAtMostTwentyASecondAreShownAndTheRestIsCounted() throws {
    let stage = try Stage()
    let items = try stage.json("produce", "-n", "2000", "--seed", "3")
    #expect(items["acknowledged"].int == 2000)
    let start = ContinuousClock.now
    let outcome = try stage.run("inventory", "-v", "--idle-timeout", "300ms", "--json")
    let seconds = Int((ContinuousClock.now - start).components.seconds) + 1
    let lines = outcome.errors.split(separator: "\n")
    let shown = lines.filter { $0.contains(" → ") }.count
    let left = lines.compactMap { line in
      line.hasPrefix("… and ") ? Int(line.split(separator: " ")[2]) : nil
    }.reduce(0, +)
    #expect(shown >= 20 && shown <= 20 * (seconds + 1), "\(outcome)")
    #expect(try shown + left == outcome.lines.last.map { try JSON($0)["items"].int }, "\(outcome)")
  }

  /// A poison record of each kind that only another client can write, with a key that is no text.
  private static let poison: [(code: String, value: [UInt8]?)] = [
    ("tombstone", nil), ("empty-value", []), ("invalid-utf8", [0x7b, 0xff, 0x7d]),
    ("nesting", [UInt8](repeating: 0x5b, count: 900_000)), ("encoding", [0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
    ("not-an-object", Array("[1]".utf8)), ("missing-field", Array("{}".utf8)), ("trailing-bytes", Array("{} x".utf8)),
    ("not-json", Array("\u{1b}[31m".utf8)), ("too-long", [UInt8](repeating: 0x20, count: 1_000_001)),
  ]

  private func poisoned() throws -> (stage: Stage, records: [TestRecord]) {
    let stage = try Stage()
    try stage.run("produce", "--events", "20", "--partitions", "2", "-q")
    var records = Self.poison.enumerated().map { number, poison in
      var record = TestRecord(
        partition: Int32(number % 2), key: nil, value: nil, headers: [.init("trace", [0, 0xff]), .init("source", nil)])
      record.key = number == 0 ? nil : [0xfe, UInt8(number), 0]
      record.value = poison.value
      return record
    }
    let log = try EmbeddedLog.open(stage.log)
    try log.produce(records, to: "order-events")
    try stage.run("produce", "--events", "20", "-q")
    let ends = try log.contents(of: "order-events")
    for index in records.indices {
      let found = ends.first { $0.key == records[index].key && $0.value == records[index].value }
      records[index].offset = try #require(found).offset
    }
    return (stage, records)
  }

  @Test func poisonIsCopiedByteForByteWithHeadersThatSayWhyAndWhereFrom() throws {
    let (stage, records) = try poisoned()
    let document = try stage.json("inventory", "-g", "g")
    #expect(document["orders"].int == 40 && document["rejected"].int == records.count)
    let letters = try EmbeddedLog.open(stage.log).contents(of: "order-events.dlq")
    #expect(letters.count == records.count)
    for (record, poison) in zip(records, Self.poison) {
      let source = "order-events/\(record.partition)/\(record.offset)"
      let letter = try #require(
        letters.first { $0.headers.contains(.init("source", Array(source.utf8))) }, "\(poison.code)")
      #expect(letter.partition == record.partition && letter.key == record.key && letter.value == record.value)
      #expect(Array(letter.headers.prefix(2)) == record.headers)
      let added = letter.headers.dropFirst(2).map { header in
        (String(decoding: header.name, as: UTF8.self), String(decoding: header.value ?? [], as: UTF8.self))
      }
      #expect(added.map(\.0) == ["error-code", "error-message", "source", "source-group"])
      #expect(added[0].1 == poison.code && !added[1].1.isEmpty && added[2].1 == source && added[3].1 == "g")
    }
    // Once only, and the audit counts them as rejected.
    #expect(try stage.json("inventory", "-g", "g")["rejected"].int == 0)
    let audit = try stage.json("audit")
    #expect(audit["rejected"].int == records.count && audit["orders"].int == 40)
    #expect(try stage.json("analytics")["rejected"].int == records.count)
  }

  @Test func deadLettersShowInTailInTheEncodingThatKeepsThem() throws {
    let (stage, _) = try poisoned()
    try stage.run("inventory", "-q")
    let lines = try stage.run("tail", "-t", "order-events.dlq").lines
    #expect(lines.count == Self.poison.count)
    var encodings: [String: String] = [:]
    for line in lines {
      let letter = try JSON(line)
      let code = letter["headers"].elements.first { $0[0].string == "error-code" }?[1].string
      encodings[try #require(code)] = letter["encoding"].string
      if code == "invalid-utf8" { #expect(letter["value"].string == "e/99") }
      if code == "missing-field" { #expect(letter["value"] == .object([:])) }
      if code == "tombstone" { #expect(letter["value"] == .null && letter["key"] == .null) }
    }
    #expect(encodings["tombstone"] == "tombstone" && encodings["empty-value"] == "text")
    #expect(encodings["invalid-utf8"] == "base64" && encodings["not-an-object"] == "json")
    #expect(encodings["not-json"] == "text")
  }

  @Test func skipCountsPoisonAndWritesNoDeadLetters() throws {
    let (stage, records) = try poisoned()
    let document = try stage.json("inventory", "--on-error", "skip")
    #expect(document["orders"].int == 40 && document["rejected"].int == records.count)
    #expect(try stage.json("status", "-t", "order-events.dlq")["topics"] == .array([]))
    #expect(try stage.json("audit")["rejected"].int == records.count)
  }

  @Test func failStopsAndTheRestIsDoneByALaterRun() throws {
    let (stage, records) = try poisoned()
    let outcome = try stage.run("inventory", "--on-error", "fail", exits: 65)
    #expect(outcome.errorLines.count == 1, "\(outcome)")
    #expect(records.contains { outcome.errors.contains("order-events[\($0.partition)]@\($0.offset)") }, "\(outcome)")
    try stage.run("inventory", "-q")
    #expect(try stage.json("audit")["orders"].int == 40)
  }

  @Test func theOutputTopicMayBeChosenAndGetsTheSourcesPartitions() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "--partitions", "4", "-t", "in", "-q")
    try stage.run("inventory", "-t", "in", "--output-topic", "out", "-q")
    let status = try stage.json("status", "-t", "out")
    #expect(status["topics"][0]["partitions"].elements.count == 4)
    #expect(try stage.json("audit", "-t", "in", "--output-topic", "out")["orders"].int == 50)
    #expect(try stage.json("status")["topics"].elements.compactMap { $0["name"].string } == ["in", "in.dlq", "out"])
  }

  @Test func sourceOrderIsKeptWithinAPartition() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "500", "-q")
    try stage.run("inventory", "-q")
    for partition in 0..<6 {
      func keys(_ topic: String) throws -> [String] {
        var keys: [String] = []
        for line in try stage.run("tail", "-t", topic).lines where line.contains("\"partition\":\(partition),") {
          let key = String(Orders.field("key", of: line))
          if keys.last != key { keys.append(key) }
        }
        return keys
      }
      #expect(try keys("order-events") == keys("inventory-events"))
    }
  }

  @Test func anOrderSeenTwiceCountsTwice() throws {
    let stage = try Stage()
    let order = Orders.order(number: 1)
    try stage.run("produce", "--input", "-", input: "\(order)\n\(order)")
    #expect(try stage.json("inventory")["items"].int == 2)
    #expect(try stage.json("audit")["items"].int == 2)
    #expect(try stage.json("analytics")["total_orders"].int == 2)
  }
}
