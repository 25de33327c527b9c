import OrderStreamTestSupport
import Testing

@Suite("The report as bytes")
struct ReportBytesTests {
  private static let orders = [
    "--events", "1000", "--seed", "7", "--start-time", "2024-01-15T23:57:30Z", "--span", "4m",
  ]

  /// The report of these orders, to the byte.
  private static let golden = """
    Order metrics
      Total orders               1000
      Failed orders              40
      Failure rate               4.00 %
      Average orders per minute  200.00
      Current orders per minute  125 (2024-01-16 00:01)
      Rejected records           0

    Orders by minute (UTC)
      2024-01-15 23:57     125    10 failed
      2024-01-15 23:58     250     7 failed
      2024-01-15 23:59     250    10 failed
      2024-01-16 00:00     250     9 failed
      2024-01-16 00:01     125     4 failed

    """

  private func report(_ stage: Stage, _ environment: [String: String] = [:]) throws -> [UInt8] {
    #expect(try stage.start(["produce", "-q"] + Self.orders, environment: environment).end().code == 0)
    let outcome = try stage.run("analytics", environment: environment)
    #expect(try outcome.output == stage.bytes("metrics_output.txt"))
    return outcome.output
  }

  @Test func theReportOfASeedIsTheseBytes() throws {
    #expect(String(decoding: try report(Stage()), as: UTF8.self) == Self.golden)
  }

  @Test(arguments: ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Nowhere/Land", ":bad", ""])
  func noTimeZoneChangesIt(zone: String) throws {
    #expect(String(decoding: try report(Stage(), ["TZ": zone]), as: UTF8.self) == Self.golden)
  }

  @Test(arguments: ["C", "POSIX", "en_US.UTF-8", "de_DE.UTF-8", "ar_EG.UTF-8", "tr_TR", "xx"])
  func noLanguageChangesIt(language: String) throws {
    let environment = ["LANG": language, "LC_ALL": language, "LC_NUMERIC": language]
    #expect(String(decoding: try report(Stage(), environment), as: UTF8.self) == Self.golden)
  }

  @Test(arguments: ["1", "3", "16"])
  func partitioningDoesNotChangeIt(partitions: String) throws {
    let stage = try Stage()
    let line = ["produce", "-q", "--partitions", partitions] + Self.orders
    #expect(try stage.start(line).end().code == 0)
    #expect(try stage.run("analytics").text == Self.golden)
    #expect(try stage.json("status")["topics"][0]["partitions"].elements.count == Int(partitions))
  }

  @Test func orderOfArrivalDoesNotChangeIt() throws {
    let lines = try Stage().start(["produce", "--dry-run"] + Self.orders).end().lines
    let stage = try Stage()
    // Two halves in two runs, the second one first, each read by itself.
    for half in [lines[500...], lines[..<500]] {
      try stage.run("produce", "--input", "-", input: half.reversed().joined(separator: "\n"))
      try stage.run("analytics", "-q")
    }
    #expect(try stage.text("metrics_output.txt") == Self.golden)
  }

  @Test func withJSONTheFileIsTextAllTheSame() throws {
    let stage = try Stage()
    _ = try stage.start(["produce", "-q"] + Self.orders).end()
    let document = try stage.json("analytics", "--output", "out.txt")
    #expect(try stage.text("out.txt") == Self.golden)
    #expect(document["orders_by_minute"].members.count == 5)
    #expect(document["orders_by_minute"]["2024-01-16T00:01"].int == 125)
    #expect(document["current_minute"].string == "2024-01-16T00:01")
    #expect(document["current_orders_per_minute"].int == 125)
    #expect(document["average_orders_per_minute"].double == 200)
  }

  @Test func aDashWritesNoFile() throws {
    let stage = try Stage()
    _ = try stage.start(["produce", "-q"] + Self.orders).end()
    #expect(try stage.run("analytics", "--output", "-").text == Self.golden)
    #expect(try stage.files.isEmpty)
  }

  @Test func ratesAreRoundedHalfAwayFromZero() throws {
    let stage = try Stage()
    // 1 of 16 is 6.25 %, and 16 orders in 3 minutes are 5.333 a minute; then 1 of 800 is 0.125 %.
    let sixteen = (0..<16).map { Orders.order(number: $0, failed: $0 == 0, minute: 30 + $0 % 3) }
    try stage.run("produce", "--input", "-", input: sixteen.joined(separator: "\n"))
    let first = try stage.run("analytics").lines
    #expect(first.contains("  Failure rate               6.25 %"))
    #expect(first.contains("  Average orders per minute  5.33"))
    let more = (16..<800).map { Orders.order(number: $0, minute: 30 + $0 % 3) }
    try stage.run("produce", "--input", "-", input: more.joined(separator: "\n"))
    #expect(try stage.run("analytics").lines.contains("  Failure rate               0.13 %"))
  }
}
