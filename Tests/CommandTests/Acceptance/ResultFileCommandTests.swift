import Foundation
import OrderStreamTestSupport
import Testing

/// `--csv`, `--metrics-file` and `--junit` with the binary.
@Suite("Files of a result")
struct ResultFileCommandTests {
  /// - Parameter line: its words, with one blank between them.
  @discardableResult
  private func run(
    _ line: String, exits code: Int32 = 0, in stage: Stage, location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    let outcome = try stage.start(line.split(separator: " ").map(String.init)).end()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    return outcome
  }

  @Test("every command writes the files that it has, and they say what its document says")
  func commands() throws {
    let stage = try Stage()
    try run("produce -n 300 --csv p.csv --metrics-file p.prom --junit p.xml", in: stage)
    #expect(try Metrics(stage.text("p.prom"))["orderstream_produce_acknowledged", ["topic": "order-events"]] == 300)
    #expect(try JUnitCases(stage.text("p.xml")).outcomes["every event was acknowledged"] == "passed")
    #expect(try Table.rows(stage.text("p.csv"))[0] == ["le_ms", "count", "cumulative_count"])
    try run("inventory --csv i.csv --metrics-file i.prom", in: stage)
    let inventory = try Metrics(stage.text("i.prom"))
    #expect(inventory["orderstream_inventory_orders", ["topic": "order-events", "group": "inventory"]] == 300)
    try run("analytics --csv a.csv --metrics-file a.prom", in: stage)
    #expect(try Table.rows(stage.text("a.csv")).dropFirst().compactMap { Int($0[1]) }.reduce(0, +) == 300)
    #expect(try Metrics(stage.text("a.prom"))["orderstream_analytics_success"] == 1)
    try run("audit --metrics-file au.prom --junit au.xml", in: stage)
    #expect(try JUnitCases(stage.text("au.xml")).isGreen)
    try run("replay --metrics-file r.prom --junit r.xml", in: stage)
    #expect(try Metrics(stage.text("r.prom"))["orderstream_replay_total_orders", ["pass": "initial"]] == 300)
    #expect(try JUnitCases(stage.text("r.xml")).outcomes["the replay gives the same bytes"] == "passed")
    try run("lag-demo -n 30 --consumer-delay 1ms --csv l.csv --metrics-file l.prom --junit l.xml", in: stage)
    #expect(try Table.rows(stage.text("l.csv")).last?.dropFirst().prefix(3) == ["30", "30", "0"])
    #expect(try Metrics(stage.text("l.prom"))["orderstream_lag_demo_consumed"] == 30)
    #expect(try JUnitCases(stage.text("l.xml")).outcomes["the lag drained"] == "passed")
    try run("produce -n 20", in: stage)
    try run("status --csv s.csv --metrics-file s.prom", in: stage)
    #expect(try Metrics(stage.text("s.prom"))["kafka_consumergroup_group_sum_lag", ["group": "analytics"]] == 20)
    #expect(try Table.rows(stage.text("s.csv")).count == 1 + 2 * 6)
  }

  @Test("what a command claims wrongly is a failure, and a condition of --fail-if too")
  func failures() throws {
    let stage = try Stage()
    try run("produce -n 20", in: stage)
    try run("inventory", in: stage)
    try run("produce -n 5", in: stage)
    try run("audit --no-group --metrics-file m --junit j --fail-if orders>20", exits: 1, in: stage)
    let outcomes = try JUnitCases(stage.text("j")).outcomes
    #expect(outcomes["no item is lost"] == "failure" && outcomes["not orders>20"] == "failure")
    #expect(outcomes["the run is complete"] == "passed")
    #expect(try Metrics(stage.text("m"))["orderstream_audit_success"] == 0)
    try run("replay --group inventory --junit j", in: stage)
    #expect(try JUnitCases(stage.text("j")).outcomes == ["the run is complete": "skipped"])
  }

  @Test("a run without a result says so in the files of an earlier one")
  func errors() throws {
    let stage = try Stage()
    try run("produce -n 20 --junit j --metrics-file m", in: stage)
    #expect(try JUnitCases(stage.text("j")).isGreen)
    try run("produce -b 127.0.0.1:1 --junit j --metrics-file m", exits: 69, in: stage)
    let cases = try JUnitCases(stage.text("j")).cases
    #expect(cases.map(\.outcome) == ["error"] && cases[0].message?.contains("cannot reach a broker") == true)
    #expect(try Metrics(stage.text("m"))["orderstream_produce_success", ["topic": "order-events"]] == 0)
    // Its document is whole, and the exit code is not 0: nothing that was found is wrong, but not all was looked at.
    try run("inventory", in: stage)
    try run("delete -t order-events --before +5 --execute", in: stage)
    try run("audit --no-group --junit j --metrics-file m", exits: 66, in: stage)
    let outcomes = try JUnitCases(stage.text("j")).outcomes
    #expect(outcomes["the run is complete"] == "error" && outcomes["every item can be verified"] == "skipped")
    #expect(try Metrics(stage.text("m"))["orderstream_audit_success"] == 0)
    try run("audit --no-group --accept-loss --junit j --metrics-file m", in: stage)
    #expect(try JUnitCases(stage.text("j")).isGreen && Metrics(stage.text("m"))["orderstream_audit_success"] == 1)
  }

  @Test("a run that is killed, or that a signal ends, leaves no green file")
  func killed() throws {
    let stage = try Stage()
    try run("produce -n 20 --junit j", in: stage)
    for signal in [SIGKILL, SIGTERM] {
      let child = try stage.start("produce", "-n", "1000", "--rate", "1/s", "--junit", "j")
      try child.wait(for: "the file of a run that goes on") { try !JUnitCases(stage.text("j")).isGreen }
      #expect(try JUnitCases(stage.text("j")).cases[0].message?.hasPrefix("the run is not over") == true)
      try child.wait(for: "signals to be handled") { stage.handlesSignals(child) }
      child.send(signal)
      try child.end()
      #expect(try !JUnitCases(stage.text("j")).isGreen)
    }
    #expect(
      try JUnitCases(stage.text("j")).cases[0].message == "the run ended with exit code 143: cut short by SIGTERM")
  }

  @Test(
    "metrics are renewed while a run is followed, and say at its end that it is over",
    arguments: ["analytics", "inventory"])
  func follow(_ command: String) throws {
    let stage = try Stage()
    try run("produce -n 20", in: stage)
    let child = try stage.start(command, "--follow", "--metrics-file", "m", "--csv", "c")
    let name = "orderstream_\(command)_\(command == "analytics" ? "total_orders" : "orders")"
    func value(_ name: String) throws -> Double? { try Metrics((try? stage.text("m")) ?? "")[name] }
    try child.wait(for: "20 orders in the file") { try value(name) == 20 }
    #expect(try value("orderstream_\(command)_running") == 1 && value("orderstream_\(command)_success") == nil)
    #expect(try value("orderstream_\(command)_last_run_timestamp_seconds") != nil)
    try run("produce -n 30", in: stage)
    try child.wait(for: "50 orders in the file") { try value(name) == 50 }
    child.send(SIGINT)
    #expect(try child.end().code == 0)
    #expect(try value("orderstream_\(command)_running") == 0 && value("orderstream_\(command)_success") == 1)
    #expect(try Table.rows(stage.text("c")).count >= 1)
  }

  @Test("the metrics and the table of a watch are those of its last look")
  func watch() throws {
    let stage = try Stage()
    try run("produce -n 20", in: stage)
    try run("analytics -n 5", in: stage)
    let child = try stage.start("status", "--watch=100ms", "--metrics-file", "m", "--csv", "c")
    try child.wait(for: "the file") { try Metrics((try? stage.text("m")) ?? "")["orderstream_status_running"] == 1 }
    child.send(SIGINT)
    #expect(try child.end().code == 0)
    let metrics = try Metrics(stage.text("m"))
    #expect(metrics["orderstream_status_success"] == 1 && metrics["orderstream_status_running"] == 0)
    #expect(metrics["kafka_consumergroup_group_sum_lag"] == 15)
    #expect(try Table.rows(stage.text("c")).count == 7)
    try run("status --watch=100ms --metrics-file m --fail-if lag>=15", exits: 1, in: stage)
    #expect(try Metrics(stage.text("m"))["orderstream_status_success"] == 0)
  }

  @Test(
    "a path that cannot be used is refused before anything is done",
    arguments: [
      ("produce --csv -", 64, "stdout has the result"), ("produce --junit x --csv ./x", 64, "the file of --csv too"),
      ("analytics --csv metrics_output.txt", 64, "the file of --output too"),
      ("replay --junit metrics_initial.txt", 64, "the file of replay too"),
      ("produce --csv x --dry-run", 64, "a dry run has no result"), ("produce --csv ''", 73, "cannot create"),
      ("produce --metrics-file no/such/m", 73, "cannot create no/such/m"), ("produce --junit .", 73, "cannot create"),
      ("audit --csv x", 64, "--csv"), ("inventory --junit x", 64, "--junit"), ("delete --junit x", 64, "--junit"),
      ("tail --csv x", 64, "--csv"),
    ] as [(String, Int32, String)])
  func paths(_ line: String, _ code: Int32, _ words: String) throws {
    let stage = try Stage()
    let outcome = try run(line.replacing("''", with: "no/"), exits: code, in: stage)
    #expect(outcome.errors.contains(words), "\(outcome)")
    #expect(try !stage.hasLog && stage.files.isEmpty)
  }

  @Test("two names of one file are one file")
  func names() throws {
    let stage = try Stage()
    try FileManager.default.createDirectory(atPath: "\(stage.work)/d", withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(atPath: "\(stage.work)/link", withDestinationPath: "d/x")
    try stage.write("in", Orders.order(number: 1) + "\n")
    for line in ["produce --csv d/x --junit link", "produce --csv d/../d/x --junit \(stage.work)/d/x"] {
      try run(line, exits: 64, in: stage)
    }
    try run("produce --input in --csv d/../in", exits: 64, in: stage)
    #expect(try stage.text("in").hasSuffix("}\n") && !stage.hasLog)
    try run("produce -n 1 --csv /dev/null --junit /dev/null", in: stage)
  }
}
