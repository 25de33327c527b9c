import OrderStreamTestSupport
import Testing

/// `--fail-if` with the binary: a gate for CI without a wrapper.
@Suite("--fail-if")
struct FailIfTests {
  /// - Parameter line: its words, with one blank between them.
  @discardableResult
  private func run(
    _ line: String, exits code: Int32 = 0, environment: [String: String] = [:], in stage: Stage,
    location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    let outcome = try stage.start(line.split(separator: " ").map(String.init), environment: environment).end()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    return outcome
  }

  @Test("a run that comes to a limit exits with 1, and says which value met which limit")
  func produce() throws {
    let stage = try Stage()
    let fine = try run("produce -n 300 --fail-if acknowledged<300 --fail-if failed_deliveries>0", in: stage)
    #expect(!fine.text.contains("FAILED"))
    let failed = try run("produce -n 300 --fail-if acknowledged>=300 --fail-if nosuch>1", exits: 1, in: stage)
    #expect(
      failed.text.contains("  Result                     FAILED: acknowledged is 300 (--fail-if acknowledged>=300)\n"))
    #expect(failed.text.contains("FAILED: the document has no nosuch (--fail-if nosuch>1)\n"))
    let json = try run("produce -n 3 --json --fail-if acknowledged==3", exits: 1, in: stage).document
    #expect(json["failed_conditions"][0]["condition"].string == "acknowledged==3")
    #expect(json["failed_conditions"][0]["value"].int == 3 && json["failed_conditions"][0]["limit"].int == 3)
    #expect(
      json["claims"][0]["claim"].string == "every event was acknowledged" && json["claims"][0]["holds"].bool == true)
    #expect(json["claims"][1]["holds"].bool == false)
  }

  @Test("every command with a document takes it, and what is not known fails")
  func commands() throws {
    let stage = try Stage()
    try run("produce -n 100", in: stage)
    try run("inventory --fail-if orders<100", in: stage)
    try run("inventory --fail-if orders<100", exits: 1, in: stage)
    try run("analytics --fail-if total_orders<100 --fail-if failure_rate_percent>90%", in: stage)
    try run("analytics --fail-if total_orders==100", exits: 1, in: stage)
    #expect(try !stage.text("metrics_output.txt").contains("FAILED"), "the file depends on the records alone")
    try run("audit --fail-if orders<100", in: stage)
    try run("audit --fail-if orders==100", exits: 1, in: stage)
    try run("replay --fail-if initial.total_orders==100", exits: 1, in: stage)
    try run("replay --fail-if first_difference>0", exits: 1, in: stage)
    try run("status --fail-if lag>0", in: stage)
    try run("status -g nosuch --fail-if lag>0", exits: 1, in: stage)
    try run("produce -n 10 --first-order 1000", in: stage)
    try run("status -g inventory --fail-if lag>=10", exits: 1, in: stage)
    try run("status --fail-if groups.inventory.lag>9", exits: 1, in: stage)
    try run("status --fail-if groups.inventory.lag>10", in: stage)
    try run("delete -t order-events --fail-if records>100", exits: 1, in: stage)
    try run("lag-demo -n 20 --consumer-delay 0 --fail-if produced==20", exits: 1, in: stage)
    try run("produce -n 1 --fail-if acknowledged=1", exits: 64, in: stage)
  }

  @Test("the first breach ends a run that is followed", arguments: ["analytics", "inventory"])
  func follow(_ command: String) throws {
    let stage = try Stage()
    try run("produce -n 50", in: stage)
    let key = command == "analytics" ? "total_orders" : "orders"
    let json = try run("\(command) --follow --json --fail-if \(key)>=50 --fail-if nosuch>1", exits: 1, in: stage)
    let last = try JSON(String(try #require(json.text.split(separator: "\n").last)))
    #expect(last["failed_conditions"][0]["value"].int == 50 && last["failed_conditions"][1]["key"].string == "nosuch")
    if command == "analytics" {
      // What was there before the run counts too.
      let again = try run("analytics --follow --fail-if total_orders>=50 --fail-if nosuch>1", exits: 1, in: stage)
      #expect(again.text.contains("FAILED: total_orders is 50 ") && again.errors.contains("has no nosuch while"))
    }
    let text = try run("\(command) -g other --follow --fail-if \(key)>=50", exits: 1, in: stage)
    #expect(text.text.contains("FAILED: \(key) is 50 "))
  }

  @Test("a watch ends when a lag is too high")
  func watch() throws {
    let stage = try Stage()
    try run("produce -n 50", in: stage)
    try run("analytics -n 10", in: stage)
    let watch = try run("status --watch=100ms --fail-if groups.analytics.lag>=40", exits: 1, in: stage)
    #expect(watch.text.contains("FAILED: groups.analytics.lag is 40 "))
    let unknown = try run("status --watch=100ms --timeout 400ms --fail-if groups.nosuch.lag>1", exits: 75, in: stage)
    #expect(unknown.text.contains("FAILED: the document has no groups.nosuch.lag "))
  }

  @Test("a run that is followed fails when it is too far behind in time", arguments: ["analytics", "inventory"])
  func lagInTime(_ command: String) throws {
    let stage = try Stage()
    try run("produce -n 50", in: stage)
    let json = try run("\(command) --follow --json --fail-if lag_seconds>=0", exits: 1, in: stage)
    let documents = try json.text.split(separator: "\n").map { try JSON(String($0)) }
    #expect(documents.last?["failed_conditions"][0]["key"].string == "lag_seconds")
    // It has read all there is.
    try run("\(command) --idle-timeout 100ms --fail-if lag_seconds>0", in: stage)
    let text = try run("\(command) --idle-timeout 100ms --fail-if lag_seconds<=0", exits: 1, in: stage)
    #expect(text.text.contains("FAILED: lag_seconds is 0.0 "))
  }

  @Test("a document says what was run, without secrets")
  func facts() throws {
    let stage = try Stage()
    let line = "produce -n 1 --json -X sasl.password=hunter2 -Xssl.key.password=hunter2 -X client.id=me"
    let outcome = try run(line, environment: ["ORDERSTREAM_COLOR": "never"], in: stage)
    #expect(!outcome.text.contains("hunter2"))
    let facts = try outcome.document["run"]
    let words = "orderstream \(line)".replacing("hunter2", with: "***").split(separator: " ").map(String.init)
    #expect(facts["command"] == .array(words.map(JSON.string)))
    #expect(facts["environment"] == .object(["ORDERSTREAM_COLOR": .string("never")]))
    #expect(facts["version"].string?.isEmpty == false && facts["started_at"].string?.hasSuffix("Z") == true)
  }
}
