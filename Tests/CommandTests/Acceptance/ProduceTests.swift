import OrderStreamTestSupport
import Testing

@Suite("produce")
struct ProduceTests {
  private func ids(_ stage: Stage) throws -> [String] {
    try stage.run("tail", "--raw").lines.map { String(Orders.field("order_id", of: $0)) }.sorted()
  }

  @Test func numberingContinues() throws {
    let stage = try Stage()
    for _ in 0..<3 { try stage.run("produce", "--events", "10", "-q") }
    #expect(try ids(stage) == (1...30).map { "order_0000" + ($0 < 10 ? "0\($0)" : "\($0)") })
  }

  @Test(
    "What nobody has acknowledged is not called so, and what was sent arrives", arguments: TestBroker.all,
    ["all", "1", "0"])
  func acks(broker: TestBroker, acks: String) throws {
    let stage = try Stage(broker)
    let document = try stage.json("produce", "--events", "500", "--acks", acks)
    #expect(document["acks"].string == acks && document["sent"].int == 500)
    #expect(document["acknowledged"].int == (acks == "0" ? 0 : 500) && document["failed_deliveries"].int == 0)
    #expect(document["complete"].bool == true && document["latency_ms"]["count"].int == (acks == "0" ? 0 : 500))
    #expect(document["partitions"].members.values.reduce(0) { $0 + ($1.int ?? 0) } == document["acknowledged"].int)
    let claim = ["all": "every event was acknowledged", "1": "every event was acknowledged by its leader"][acks]
    #expect(document["claims"][0]["claim"].string == claim ?? "every event was sent, none was acknowledged")
    #expect(document["claims"][0]["holds"].bool == true)
    try eventually("the events") { try stage.run("tail", "--raw").lines.count == 500 }
    try stage.write("lines", (1...5).map { Orders.order(number: $0) }.joined(separator: "\n"))
    let lines = try stage.json("produce", "--input", "lines", "--acks", acks)
    #expect(lines["requested"].int == 5 && lines["sent"].int == 5 && lines["complete"].bool == true)
    let page = try stage.run("produce", "--events", "5", "--acks", acks, "--report", "run.html", "--junit", "run.xml")
    #expect(page.text.contains("Acks ") == (acks != "all"))
    #expect(try stage.text("run.html").contains("<dt>Acks</dt><dd>\(acks)</dd>"))
    #expect(try stage.text("run.xml").contains("none was acknowledged") == (acks == "0"))
  }

  @Test func numberingContinuesAfterTheHighestNumberAlsoWhenItWasChosen() throws {
    let stage = try Stage()
    #expect(try stage.json("produce", "--events", "2", "--first-order", "999999")["first_order"].int == 999_999)
    #expect(try stage.json("produce", "--events", "1")["first_order"].int == 1_000_001)
    #expect(try ids(stage) == ["order_1000000", "order_1000001", "order_999999"])
  }

  @Test func numberingContinuesAfterTheSumOfTheEndsWhenKeysHaveNoNumbers() throws {
    let stage = try Stage()
    let lines = (0..<5).map { Orders.order(number: $0).replacing("order_00000\($0)", with: "x\($0)") }
    try stage.run("produce", "--input", "-", input: lines.joined(separator: "\n"))
    #expect(try stage.json("produce", "--events", "1")["first_order"].int == 6)
  }

  @Test func aDryRunPrintsWhatLandsOnTheLogAndOpensNoBroker() throws {
    let stage = try Stage()
    let line = [
      "produce", "--events", "500", "--seed", "99", "--start-time", "2024-02-28T23:59:00Z", "--rate", "max",
      "--users", "7", "--failure-rate", "0.5", "--first-order", "77",
    ]
    let dry = try stage.start(line + ["--dry-run"]).end()
    #expect(dry.code == 0 && dry.errors.isEmpty && !stage.hasLog)
    #expect(try stage.start(line + ["-q", "--partitions", "1"]).end().code == 0)
    #expect(try stage.run("tail", "--raw").output == dry.output)
    #expect(dry.lines.first?.contains(#""order_id":"order_000077""#) == true)
  }

  @Test func everyRecordIsKeyedByItsOrderAndLiesWhereJavaWouldPutIt() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "200", "-q")
    let records = try stage.run("tail").lines.map { try JSON($0) }
    #expect(records.allSatisfy { $0["key"] == $0["value"]["order_id"] })
    for number in 1...200 {
      let key = "order_" + String(repeating: "0", count: 6 - String(number).count) + String(number)
      let record = try #require(records.first { $0["key"].string == key })
      #expect(record["partition"].int == Murmur2.partition(of: key, count: 6), "\(key)")
    }
  }

  @Test func theRateIsKept() throws {
    let stage = try Stage()
    let start = ContinuousClock.now
    let document = try stage.json("produce", "--events", "100", "--rate", "200/s")
    let elapsed = ContinuousClock.now - start
    #expect(document["acknowledged"].int == 100)
    #expect(elapsed >= .milliseconds(480), "100 events at 200 a second end after 495 ms")
    #expect(elapsed < .seconds(10), "a busy machine is forgiven, a wrong pace is not")
    #expect(try #require(document["active_ms"].int) >= 480)
  }

  @Test func eventTimeAdvancesByTheRate() throws {
    let lines = try Stage().start([
      "produce", "--dry-run", "--events", "5", "--rate", "2/s", "--start-time", "2024-01-15T10:30:00+02:00",
    ]).end().lines
    #expect(
      lines.map { Orders.field("timestamp", of: $0).suffix(8) } == [
        "08:30:00", "08:30:00", "08:30:01", "08:30:01", "08:30:02",
      ])
  }

  @Test func theMenuIsExactToTheCent() throws {
    let lines = try Stage().start(["produce", "--dry-run", "--events", "300"]).end().lines
    #expect(lines.count == 300)
    for line in lines {
      let order = try JSON(line)
      let items = order["items"].elements
      #expect((1...4).contains(items.count))
      let cents = items.map { Int(($0["price"].double! * 100).rounded()) * $0["quantity"].int! }.reduce(0, +)
      #expect(Int((order["total_amount"].double! * 100).rounded()) == cents, "\(line)")
      #expect(["placed", "failed"].contains(order["status"].string))
    }
  }

  @Test(arguments: [("0", 0), ("1", 200)])
  func theFailureRateIsKeptAtItsBorders(rate: String, failed: Int) throws {
    let stage = try Stage()
    #expect(try stage.json("produce", "--events", "200", "--failure-rate", rate)["failed_orders"].int == failed)
    #expect(try stage.json("analytics")["failed_orders"].int == failed)
  }

  @Test func anExistingTopicIsUsedAsItIsAndOnlyAnotherNumberIsAnError() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "5", "--partitions", "3", "-q")
    try stage.run("produce", "--events", "5", "-q")
    try stage.run("produce", "--events", "5", "-q", "--partitions", "3")
    let refused = try stage.run("produce", "--events", "5", "--partitions", "4", exits: 78)
    #expect(refused.output.isEmpty && refused.errorLines.count == 1)
    try stage.run("analytics", "--partitions", "2", exits: 78)
    #expect(try stage.json("status")["topics"][0]["partitions"].elements.count == 3)
    try stage.run("inventory", "-q")
    let derived = try stage.json("status", "--topic", "inventory-events")["topics"][0]
    #expect(derived["partitions"].elements.count == 3)
  }

  @Test func theLogBelongsToItsOwnerAlone() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "1", "-b", "embedded:deep/er/log", "-q")
    #expect(try stage.mode("deep/er/log") == 0o700)
    // A log that nobody has open may be moved.
    try stage.move("deep/er/log", to: "moved")
    #expect(try stage.json("analytics", "-b", "embedded:moved")["total_orders"].int == 1)
  }
}

/// Kafka's hash, from its Java source, written a second time.
private enum Murmur2 {
  static func partition(of key: String, count: Int32) -> Int {
    let bytes = Array(key.utf8)
    var hash = UInt32(0x9747_b28c) ^ UInt32(bytes.count)
    var rest = bytes[...]
    while rest.count >= 4 {
      var word = rest.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } &* 0x5bd1_e995
      word = (word ^ (word >> 24)) &* 0x5bd1_e995
      hash = (hash &* 0x5bd1_e995) ^ word
      rest = rest.dropFirst(4)
    }
    if !rest.isEmpty {
      hash = (hash ^ rest.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }) &* 0x5bd1_e995
    }
    hash = (hash ^ (hash >> 13)) &* 0x5bd1_e995
    hash ^= hash >> 15
    return Int(hash & 0x7fff_ffff) % Int(count)
  }
}
