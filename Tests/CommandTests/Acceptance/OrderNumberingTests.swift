import OrderStreamTestSupport
import Testing

/// Numbers of generated orders: a run without `--first-order` uses none that a finished run has used.
@Suite("Order numbers")
struct OrderNumberingTests {
  /// Runs before the last one, which takes its own numbers.
  static let histories: [[[String]]] = [
    [["--events", "5", "--first-order", "20"], ["--events", "14", "--first-order", "1"]],
    [["--events", "1", "--first-order", "5000"], ["--events", "300", "--first-order", "1"], ["--events", "3"]],
    [["--events", "40", "--first-order", "900", "--partitions", "1"], ["--events", "4", "--first-order", "7"]],
    [["--input", "in"], ["--events", "9", "--first-order", "1"]],
    [["--events", "9", "--first-order", "1"], ["--input", "in"], ["--events", "30", "--first-order", "100"]],
    [["--events", "0"]],
  ]

  @Test(arguments: TestBroker.all, histories)
  func noNumberOfAFinishedRunIsUsedAgain(broker: TestBroker, history: [[String]]) throws {
    let stage = try Stage(broker)
    let template = Orders.order(number: 1)
    try stage.write(
      "in", [777_777, 3, 12].map { template.replacing("order_000001", with: "order_\($0)") }.joined(separator: "\n"))
    for line in history { try stage.start(["produce", "-q"] + line).end() }
    let before = Set(try ids(stage))
    for _ in 0..<3 { try stage.run("produce", "-q", "--events", "25") }
    let all = try ids(stage)
    let new = all.filter { !before.contains($0) }
    #expect(new.count == 75 && Set(new).count == 75, "\(all.count) orders, \(before.count) before")
  }

  @Test func theLastOrderOfARunTellsTheNextOneSoThatNothingIsReadAgain() throws {
    let stage = try Stage()
    try stage.run("produce", "-q", "--events", "5", "--first-order", "20", "--partitions", "2")
    try stage.run("produce", "-q", "--events", "14", "--first-order", "1")
    let headers = try stage.run("tail").lines.compactMap { line in
      let headers = try JSON(line)["headers"].elements
      return headers.isEmpty ? nil : headers.map { "\($0[0].string ?? "")=\($0[1].string ?? "")" }.joined()
    }
    #expect(headers.sorted() == ["order-numbers=19/25", "order-numbers=5/25"])
    #expect(try stage.json("produce", "--events", "1")["first_order"].int == 25)
  }

  private func ids(_ stage: Stage) throws -> [String] {
    try stage.run("tail", "--raw").lines.map { String(Orders.field("order_id", of: $0)) }
  }
}
