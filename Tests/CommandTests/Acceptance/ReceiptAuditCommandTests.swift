import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// `audit --receipt` with the binary: what it says, and with which exit code.
@Suite("audit --receipt")
struct ReceiptAuditCommandTests {
  private static let orders = ["produce", "-n", "300", "--seed", "7", "--first-order", "1", "-q"]

  /// The receipt of the orders of a stage, a chunk for each partition.
  private func receipt(_ stage: Stage, topic: String = "order-events", run: String = "0123456789abcdef") throws
    -> String
  {
    let records = try EmbeddedLog.open(stage.log).contents(of: "order-events").sorted { $0.offset < $1.offset }
    var lines = [
      ReceiptLine.head(
        Receipt.Head(
          run: run, broker: "b", topic: topic, topicID: nil, partitionCount: 6, startedMilliseconds: 1_700_000_000_000,
          version: "1", acks: "all", source: .orders(.init(seed: 7, count: 300))))
    ]
    for partition in 0..<6 as Range<Int32> {
      let own = records.filter { $0.partition == partition }
      let hash = RecordHash()
      for record in own {
        record.key?.withUnsafeBytes { key in record.value?.withUnsafeBytes { hash.add(key: key, value: $0) } }
      }
      let numbers = own.compactMap { $0.key?.withUnsafeBytes { OrderNumber.parse($0) } }
      lines.append(
        .chunk(
          Receipt.Chunk(
            partition: partition, number: 0, offsets: [0...Offset(own.count - 1)],
            orders: numbers[0]...numbers[numbers.count - 1], digest: hash.finish())))
    }
    var tail = Receipt.Tail(isComplete: true, endedMilliseconds: 1_700_000_001_000)
    tail.acknowledged = Int64(records.count)
    lines.append(.tail(tail))
    let text = ByteBuffer()
    for line in lines { line.append(to: text) }
    return String(decoding: text.bytes, as: UTF8.self)
  }

  @Test("orders, events and receipts are proved together, and receipts alone where there is no output")
  func clean() throws {
    let stage = try Stage()
    try stage.start(Self.orders).end()
    try stage.write("r", try receipt(stage))
    let alone = try stage.run("audit", "--receipt", "r", "--json")
    #expect(alone.errors.contains("so only the receipts are checked"))
    let document = try alone.document
    #expect(document["acknowledged"].int == 300 && document["lost"] == .null && document["orders"] == .null)
    #expect(document["claims"].elements.allSatisfy { $0["holds"].bool == true })
    #expect(document["receipts"][0]["file"].string == "r" && document["receipts"][0]["complete"].bool == true)
    #expect(document["receipts"][0]["partitions"].elements.map { $0["records"].int ?? 0 }.reduce(0, +) == 300)
    #expect(
      try stage.run("audit", "--receipt", "r").text.contains("all 300 acknowledged records are on the log, each once"))
    try stage.run("audit", exits: 66)
    try stage.run("inventory")
    // A run that was killed before its head was written.
    try stage.write("empty", "")
    #expect(try stage.run("audit", "--receipt", "empty", "--receipt", "r").errors.contains("note: empty is empty"))
    #expect(try stage.run("audit", "--receipt", "empty", "--receipt", "empty", exits: 65).errors.contains("no receipt"))
    let whole = try stage.json("audit", "--receipt", "r", "--dlq")
    #expect(whole["orders"].int == 300 && whole["lost"].int == 0 && whole["dead_letters"].int == 0)
    #expect(whole["acknowledged_missing"].int == 0 && whole["unreceipted"].int == 0)
    // What others add is counted, and no violation.
    try stage.run("produce", "-n", "10", "--first-order", "500", "-q")
    try stage.run("inventory")
    #expect(try stage.json("audit", "--receipt", "r")["unreceipted"].int == 10)
  }

  @Test("a log that lost acknowledged orders is told in every form, order by order")
  func betrayed() throws {
    let stage = try Stage()
    try stage.start(Self.orders).end()
    let text = try receipt(stage)
    // The same command again on a new log, one order short.
    try stage.run("delete", "-t", "order-events", "--execute", "-q")
    try stage.run("produce", "-n", "299", "--seed", "7", "--first-order", "1", "-q")
    try stage.write("r", text)
    let outcome = try stage.run(
      "audit", "--receipt", "r", "--junit", "j", "--metrics-file", "m", "--report", "p.html", "--json", exits: 1)
    let document = try outcome.document
    #expect(document["acknowledged_missing"].int == 1)
    let missing = document["violations"].elements.first { $0["verdict"].string == "acknowledged_missing" }
    #expect(missing?["expected"].string == "order_000300" && missing?["chunk"].int == 0)
    #expect(missing?["run"].string == "0123456789abcdef" && missing?["output"] == .null)
    #expect(try JUnitCases(stage.text("j")).outcomes["every acknowledged record is on the log"] == "failure")
    #expect(try Metrics(stage.text("m"))["orderstream_audit_acknowledged_missing"] == 1)
    #expect(try stage.text("p.html").contains("order_000300") && stage.text("p.html").contains("<h2>Receipts</h2>"))
    let page = try stage.run("audit", "--receipt", "r", exits: 1).text
    #expect(page.contains("acknowledged_missing: source ") && page.contains("Chunks of the receipts that differ"))
    #expect(page.contains("Acknowledged, missing      1\n"))
  }

  @Test("what retention has removed is 66, unless that is accepted")
  func retention() throws {
    let stage = try Stage()
    try stage.start(Self.orders).end()
    try stage.write("r", try receipt(stage))
    try stage.run("delete", "-t", "order-events", "--before", "+5", "--execute", "-q")
    let document = try stage.json("audit", "--receipt", "r", exits: 66)
    #expect(document["unverifiable"].int == 30 && document["acknowledged_missing"].int == 0)
    try stage.run("audit", "--receipt", "r", "--accept-loss")
  }

  @Test("a file that is no receipt, of another topic, torn or missing is told apart")
  func files() throws {
    let stage = try Stage()
    try stage.start(Self.orders).end()
    let text = try receipt(stage)
    try stage.run("audit", "--receipt", "none", exits: 66)
    for (name, content, words) in [
      ("empty", "", "it has no receipt"), ("foreign", "{\"a\":1}\n", "line 1"),
      ("other", try receipt(stage, topic: "x"), "of x"),
      ("contradiction", text.replacing("\"acknowledged\":300", with: "\"acknowledged\":301"), "line 8"),
    ] {
      try stage.write(name, content)
      let outcome = try stage.run("audit", "--receipt", name, exits: 65)
      #expect(outcome.errors.contains(words) && outcome.text.isEmpty, "\(outcome)")
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    try stage.write("torn", lines.prefix(7).joined(separator: "\n") + "\n" + lines[7].prefix(20))
    let torn = try stage.run("audit", "--receipt", "torn", "--json")
    #expect(torn.errors.contains("it was killed, or goes on"))
    #expect(
      try torn.document["receipts"][0]["complete"].bool == false && torn.document["receipts"][0]["failed"] == .null)
    // Several runs and files, one of another topic, one given twice.
    try stage.write("both", try receipt(stage, topic: "x", run: "1111111111111111") + text)
    let both = try stage.run("audit", "--receipt", "both", "--receipt", "both", "--json")
    #expect(both.errors.contains("and are left out") && both.errors.contains("is checked once"))
    #expect(try both.document["receipts"].elements.count == 1)
  }
}
