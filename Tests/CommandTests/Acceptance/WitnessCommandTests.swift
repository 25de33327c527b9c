import Foundation
import OrderStreamTestSupport
import Testing

/// `audit --follow` with the binary.
@Suite("audit --follow")
struct WitnessCommandTests {
  private static func witness(_ line: String) throws -> JSON { try JSON(line)["witness"] }

  /// Checks that lines came while it watched, and that the last one is the result.
  private static func result(_ outcome: Outcome, location: SourceLocation = #_sourceLocation) throws -> JSON {
    for line in outcome.lines { #expect(Schemas.shared.problems(of: line.utf8) == [], "\(line)") }
    let documents = try outcome.lines.map { try JSON($0) }
    let last = try #require(documents.last, "\(outcome)", sourceLocation: location)
    #expect(documents.dropLast().allSatisfy { $0["complete"].bool == false && $0["orders"] == .null })
    #expect(Int64(documents.count) <= (last["elapsed_ms"].int ?? 0) / 1000 + 2, "at most one a second")
    return last
  }

  @Test("beside producers, members that are killed and rebalances: nothing is taken back", arguments: TestBroker.all)
  func clean(_ broker: TestBroker) throws {
    let stage = try Stage(broker)
    let group = stage.group("inventory")
    let witness = try stage.start("audit", "--follow", "--json", "--group", group, "--junit", "w.xml")
    let producer = try stage.start("produce", "-n", "2000", "--rate", "500/s", "-q")
    var members = try (0..<2).map { _ in try stage.start("inventory", "--follow", "-q") }
    for round in 0..<3 {
      try witness.wait(for: "more events") {
        try Self.witness(witness.lines.last ?? "{}")["output"]["committed"].int ?? 0 > round * 300
      }
      try members.removeFirst().destroy()
      members.append(try stage.start("inventory", "--follow", "-q"))
    }
    #expect(try producer.end().code == 0)
    try witness.wait(for: "all orders") {
      try Self.witness(witness.lines.last ?? "{}")["input"]["committed"].int == 2000
    }
    witness.send(SIGTERM)
    let outcome = try witness.end()
    #expect(outcome.code == 0, "\(outcome)")
    for member in members { try member.destroy() }
    let document = try Self.result(outcome)
    #expect(document["complete"].bool == true && document["orders"].int == 2000, "\(outcome)")
    #expect(document["claims"].elements.allSatisfy { $0["holds"].bool == true }, "\(document["claims"])")
    let seen = document["witness"]
    #expect(seen["compared"].bool == true && seen["input"]["committed"].int == 2000)
    #expect(seen["output"]["committed"].int ?? 0 <= document["inventory_events"].int ?? 0)
    #expect(document["latency_ms"]["count"].int ?? 0 > 0)
    if case .kafka = broker {
      #expect(seen["input"]["uncommitted"].int == 2000 && seen["output"]["aborted_seen"].int == 0)
    } else {
      #expect(seen["input"]["uncommitted"] == .null && seen["output"]["aborted_seen"] == .null)
    }
    #expect(try JUnitCases(stage.text("w.xml")).isGreen)
  }

  @Test("a topic that was replaced is named, in every form of the result")
  func replaced() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "50", "--partitions", "1", "-q")
    let witness = try stage.start(
      "audit", "--follow", "--json", "--report", "w.html", "--junit", "w.xml", "--metrics-file", "w.prom")
    try witness.wait(for: "the orders") {
      try Self.witness(witness.lines.last ?? "{}")["input"]["committed"].int == 50
    }
    try stage.run("delete", "-t", "order-events", "--execute")
    try stage.run("produce", "-n", "20", "--partitions", "1", "-q")
    try witness.wait(for: "the change") {
      try Self.witness(witness.lines.last ?? "{}")["input"]["changed"].int == 20
    }
    witness.send(SIGINT)
    let outcome = try witness.end()
    #expect(outcome.code == 1, "\(outcome)")
    let document = try Self.result(outcome)
    let seen = document["witness"]["input"]
    #expect(seen["changed"].int == 20 && seen["vanished"].int == 30 && seen["made_anew"].int == 1, "\(outcome)")
    #expect(seen["violations"].elements.count == 40)
    #expect(seen["violations"][0]["record"].string == "order-events[0]@0")
    #expect(document["orders"] == .null, "there is no output to audit")
    let broken = document["claims"].elements.filter { $0["holds"].bool == false }.map { $0["claim"].string }
    #expect(broken == ["no offset held two different records", "no record that was seen has gone"])
    #expect(try JUnitCases(stage.text("w.xml")).outcomes["no record that was seen has gone"] == "failure")
    let page = try stage.text("w.html")
    #expect(page.contains("FAILED") && page.contains("order-events[0]@39"))
    let metrics = try Metrics(stage.text("w.prom"))
    #expect(metrics["orderstream_audit_witness_vanished", ["side": "input"]] == 30)
    #expect(metrics["orderstream_audit_success"] == 0)
  }

  @Test("ends after a time, after idling, by a condition, and cut short by --timeout")
  func ends() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "50", "-q")
    let text = try stage.run("audit", "--idle-timeout", "300ms")
    #expect(text.text.contains("  Witness                    nothing was taken back"), "\(text)")
    #expect(text.text.contains("Order records seen         50\n") && !text.text.contains("Aborted"), "\(text)")
    try stage.run("inventory", "-q")
    let timed = try stage.run("audit", "--duration", "300ms")
    #expect(timed.text.contains("Result                     exactly once"), "\(timed)")
    let failed = try stage.run("audit", "--follow", "--fail-if", "witness.input.committed>=50", exits: 1)
    #expect(failed.text.contains("FAILED: witness.input.committed is 50"), "\(failed)")
    let late = try stage.run("audit", "--follow", "--timeout", "500ms", "--json", exits: 75)
    let document = try Self.result(late)
    #expect(document["cut_short"]["by"].string == "--timeout" && document["complete"].bool == false)
    #expect(document["witness"]["compared"].bool == false && document["witness"]["input"]["vanished"] == .null)
    #expect(document["claims"].elements.allSatisfy { $0["holds"] == .null }, "\(document["claims"])")
  }

  @Test("events that nobody has committed yet are pending, and those of a group that is at work too")
  func pending() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "50", "-q")
    try stage.run("inventory", "--max-events", "20", "-q")
    let part = try Self.result(stage.run("audit", "--idle-timeout", "100ms", "--json"))
    #expect(part["pending_orders"].int == 30 && part["lost"].int == 0 && part["group"].string == "inventory")
    try stage.run("audit", "--idle-timeout", "100ms", "--no-group", exits: 1)
  }

  @Test("a topic that is not there is waited for, and nothing is made")
  func missing() throws {
    let stage = try Stage()
    let witness = try stage.start("audit", "--follow", "--json")
    try witness.wait(for: "a word about the topic") { witness.errors.contains("waiting for the topic order-events") }
    witness.send(SIGTERM)
    let outcome = try witness.end()
    #expect(outcome.code == 0 && !stage.hasLog, "\(outcome)")
    let document = try outcome.document
    #expect(document["complete"].bool == true && document["claims"].elements.allSatisfy { $0["holds"] == .null })
    #expect(try stage.run("audit", "--follow", "--duration", "100ms").text.contains("nothing was seen"))
  }

  @Test("what retention has removed is accepted only when asked for")
  func retention() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "50", "--partitions", "1", "-q")
    try stage.run("inventory", "-q")
    let witness = try stage.start("audit", "--follow", "--json", "--accept-loss")
    try witness.wait(for: "the orders") {
      try Self.witness(witness.lines.last ?? "{}")["input"]["committed"].int == 50
    }
    try stage.run("delete", "-t", "order-events", "--before", "+10", "--execute")
    witness.send(SIGTERM)
    let outcome = try witness.end()
    let document = try Self.result(outcome)
    #expect(outcome.code == 0 && document["witness"]["input"]["unverifiable"].int == 10, "\(outcome)")
    let strict = try stage.run("audit", "--idle-timeout", "100ms", exits: 66)
    #expect(strict.errors.contains("cannot verify"))
  }

  @Test("a directory for what was seen that is not there is said before anything is read")
  func noRoom() throws {
    let stage = try Stage()
    let outcome = try stage.run("audit", "--follow", exits: 73, environment: ["TMPDIR": "/nowhere"])
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("TMPDIR"), "\(outcome)")
  }
}
