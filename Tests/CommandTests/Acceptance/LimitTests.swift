import Foundation
import OrderStreamTestSupport
import Testing

/// Sizes at and beyond the limits, in little memory; clocks; text that would command a terminal.
@Suite("Limits, clocks and terminals")
struct LimitTests {
  /// Address space for a debug build, whose code alone takes much of it.
  private static let memory = "ulimit -v 1500000"

  @Test("Keys of 440 kB go through every command in bounded memory")
  func longKeys() throws {
    let stage = try Stage()
    let id = String(repeating: "k", count: 440_000)
    let lines = (0..<20).map { Orders.order(number: 1).replacing("order_000001", with: "\($0)\(id)") }
    try stage.write("in.jsonl", lines.joined(separator: "\n"))
    try stage.run("produce", "--input", "in.jsonl", "--partitions", "1", "-q", prelude: Self.memory)
    try stage.run("inventory", "-q", prelude: Self.memory)
    let audit = try stage.run("audit", "--json", prelude: Self.memory).document
    #expect(audit["orders"].int == 20 && audit["inventory_events"].int == 20 && audit["lost"].int == 0)
    #expect(try stage.run("analytics", "--json", prelude: Self.memory).document["total_orders"].int == 20)
    #expect(try stage.run("tail", "--raw", prelude: Self.memory).lines == lines)
  }

  @Test("A record at the limit of the log goes through, and one byte more is refused in words", arguments: [0, 1])
  func limit(excess: Int) throws {
    let stage = try Stage()
    let frame = Orders.order(number: 1).replacing("user_1", with: "").utf8.count
    let line = Orders.order(number: 1)
      .replacing("user_1", with: String(repeating: "u", count: 1_000_000 - frame + excess))
    let outcome = try stage.run(
      "produce", "--input", "-", "--json", exits: excess == 0 ? 0 : 65, input: line, prelude: Self.memory)
    #expect(try outcome.document["acknowledged"].int == 1 - excess)
    #expect(outcome.errorLines.count == excess && (excess == 0 || outcome.errors.contains("too-long")), "\(outcome)")
    guard excess == 0 else { return }
    try stage.run("inventory", "-q", prelude: Self.memory)
    #expect(try stage.json("audit")["inventory_events"].int == 1)
  }

  @Test("An order whose events would be too large is poison for every command alike")
  func tooCostly() throws {
    let stage = try Stage()
    let costly = [Orders.heavy(idLength: 100_000, items: 100), Orders.heavy(idLength: 450_000, items: 1)]
    let lines = [Orders.order(number: 1)] + costly + [Orders.heavy(idLength: 4000, items: 300)]
    let outcome = try stage.run(
      "produce", "--input", "-", "--partitions", "1", "--json", exits: 65, input: lines.joined(separator: "\n"))
    #expect(try outcome.document["acknowledged"].int == 2 && outcome.document["rejected"].int == 2)
    #expect(outcome.errorLines.filter { $0.contains("order-too-costly") }.count == 2, "\(outcome)")
    // Other programs know no such limit.
    try EmbeddedLog.open(stage.log).produce(costly.map { TestRecord(value: $0) }, to: "order-events")
    let inventory = try stage.run("inventory", "--json", prelude: Self.memory).document
    #expect(inventory["orders"].int == 2 && inventory["items"].int == 301 && inventory["rejected"].int == 2)
    let audit = try stage.json("audit")
    #expect(audit["rejected"].int == 2 && audit["inventory_events"].int == 301)
    let metrics = try stage.json("analytics")
    #expect(metrics["total_orders"].int == 2 && metrics["rejected"].int == 2)
    #expect(try stage.json("replay")["match"].bool == true)
  }

  @Test(
    "Time zones and daylight saving change no byte", arguments: ["Asia/Kathmandu", "Europe/Berlin", "XXX+23:59", ""])
  func zones(zone: String) throws {
    let stage = try Stage()
    let produce = [
      "produce", "--dry-run", "--events", "300", "--seed", "7", "--start-time", "2024-03-31T00:30:00", "--span", "3h",
    ]
    let expected = try stage.start(produce).end()
    let zoned = try stage.start(produce, environment: ["TZ": zone]).end()
    #expect(zoned.code == 0 && zoned.output == expected.output)
    try stage.write("in.jsonl", expected.output)
    try stage.run("produce", "--input", "in.jsonl", "-q", environment: ["TZ": zone])
    let report = try stage.run("analytics", "--output", "-", environment: ["TZ": zone])
    #expect(try report.output == stage.run("analytics", "-g", "utc", "--output", "-").output)
    #expect(report.lines.contains { $0.contains("2024-03-31 02:30") }, "an hour that Berlin does not have")
    let from = try stage.start(["tail", "--from", "2099-01-01T00:00:00", "--raw"], environment: ["TZ": zone]).end()
    #expect(from.code == 0 && from.output.isEmpty)
  }

  private static let nasty = "\u{202e}\u{1b}]0;evil\u{7}\u{9b}31m\r"

  @Test("Names and values from outside cannot command a terminal, in results and in errors")
  func terminal() throws {
    let stage = try Stage()
    let escaped = #"\u202e\u001b]0;evil\u0007\u009b31m\r"#
    try stage.write("in.jsonl", Orders.order(number: 1).replacing("order_000001", with: escaped))
    try stage.run("produce", "--input", "in.jsonl", "-q")
    try EmbeddedLog.open(stage.log).produce([TestRecord(key: Self.nasty, value: Self.nasty)], to: "order-events")
    let lines: [[String]] = [
      ["tail"], ["tail", "--raw"], ["inventory"], ["audit"], ["inventory", "--on-error", "fail", "-g", "g"],
      ["produce", "--input", "no\(Self.nasty)file"], ["analytics", "--output", "/no/\(Self.nasty)"],
      ["status", "-t", Self.nasty], ["--\(Self.nasty)"], ["status", "-b", "embedded:/dev/null/\(Self.nasty)"],
    ]
    for line in lines {
      let terminal = try PseudoTerminal()
      try stage.start(line, output: .terminal(terminal), errors: terminal, environment: ["NO_COLOR": "1"]).end()
      let shown = terminal.text
      #expect(!shown.isEmpty, "\(line)")
      for forbidden in ["\u{202e}", "\u{1b}]", "\u{7}", "\u{9b}"] {
        #expect(!shown.contains(forbidden), "\(line): \(shown.debugDescription)")
      }
    }
  }
}
