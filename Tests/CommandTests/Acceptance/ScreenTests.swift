import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What a person sees: each command draws on a terminal's screen, at two sizes.
@Suite("The screen")
struct ScreenTests {
  static let sizes = [[80, 24], [200, 50]]

  private static func terminal(_ size: [Int]) throws -> PseudoTerminal {
    try PseudoTerminal(columns: size[0], rows: size[1])
  }

  /// A shell's terminal, in the middle of somebody's work.
  private static func expectWhole(_ terminal: PseudoTerminal, location: SourceLocation = #_sourceLocation) {
    let model = terminal.model
    #expect(model.unknown.isEmpty && model.overruns == 0, "\(model.unknown)\n\(model.text)", sourceLocation: location)
    #expect(!model.isAlternate && model.cursorIsVisible && model.wraps, "\(model.text)", sourceLocation: location)
    #expect(model.scrollBack.isEmpty, "\(model.scrollBack.joined(separator: "\n"))", sourceLocation: location)
  }

  private static func expectView(_ terminal: PseudoTerminal, location: SourceLocation = #_sourceLocation) {
    let model = terminal.model
    #expect(model.unknown.isEmpty && model.overruns == 0, "\(model.unknown)\n\(model.text)", sourceLocation: location)
    #expect(model.isAlternate && !model.cursorIsVisible, "\(model.text)", sourceLocation: location)
    #expect(model.scrollBack.isEmpty, "\(model.scrollBack.joined(separator: "\n"))", sourceLocation: location)
  }

  private static func dayOfOrders(_ stage: Stage, count: Int = 5000) throws {
    try stage.run(
      "produce", "--events", "\(count)", "--seed", "7", "--start-time", "2024-01-15T00:00:00Z", "--span", "24h", "-q")
  }

  @Test(arguments: sizes)
  func aDayOfMetricsIsOneScreenWithTheSummaryLast(size: [Int]) throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage)
    let terminal = try Self.terminal(size)
    #expect(try stage.start(["analytics"], output: .terminal(terminal), errors: terminal).end().code == 0)
    Self.expectWhole(terminal)
    let model = terminal.model
    #expect(model.text.hasSuffix("  Rejected records           0") && model.text.contains("█"), "\(model.text)")
    #expect(model.text.contains(size[1] == 24 ? "Orders by 3 hours" : "Orders by hour"), "\(model.text)")
    #expect(model.styles(of: "█") == ["36"] && model.styles(of: "Order metrics") == ["1"])
    // The whole table is in the file, in a pipe, and where CI is set.
    let piped = try stage.run("analytics")
    #expect(piped.lines.count > 1000 && !piped.text.contains("█") && piped.errors.isEmpty)
    #expect(try stage.bytes("metrics_output.txt") == piped.output)
    guard size[1] == 24 else { return }
    let other = try Self.terminal(size)
    let line = ["analytics", "--color", "never"]
    try stage.start(line, output: .terminal(other), errors: other, environment: ["CI": "1"]).end()
    #expect(other.text.replacing("\r\n", with: "\n").hasSuffix(piped.text), "\(other.model.text)")
  }

  @Test(arguments: sizes)
  func aLiveViewFitsTheScreenAfterEveryResizeAndLeavesOneFrameBehind(size: [Int]) throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage)
    let terminal = try Self.terminal(size)
    let child = try stage.start(["analytics", "--follow"], output: .terminal(terminal), errors: terminal)
    try child.wait(for: "the view") { terminal.model.text.contains("Total orders               5000") }
    Self.expectView(terminal)
    #expect(terminal.model.text.hasSuffix("Ctrl-C ends the run."), "\(terminal.model.text)")
    for (columns, rows) in [(100, 40), (40, 12), (size[0], size[1])] {
      try terminal.resize(columns: columns, rows: rows)
      let last = terminal.model.lines
      try child.wait(for: "another frame") {
        terminal.model.lines != last && terminal.model.text.hasSuffix("Ctrl-C ends the run.")
      }
      Self.expectView(terminal)
    }
    try Self.dayOfOrders(stage, count: 10)
    try child.wait(for: "ten more") { terminal.model.text.contains("Total orders               5010") }
    child.send(SIGINT)
    #expect(try child.end().code == 0)
    Self.expectWhole(terminal)
    #expect(terminal.model.text.components(separatedBy: "Order metrics").count == 2, "\(terminal.model.text)")
    #expect(
      terminal.model.text.contains("  Rejected records           0\n  Latency, ms ("), "\(terminal.model.text)")
  }

  @Test func ctrlZGivesTheTerminalBackAndForegroundTakesItAgain() throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage, count: 10)
    let terminal = try Self.terminal(Self.sizes[0])
    let child = try stage.start(["analytics", "--follow"], output: .terminal(terminal), errors: terminal)
    for _ in 0..<2 {
      try child.wait(for: "the view") { terminal.model.isAlternate && terminal.model.text.contains("Total orders") }
      child.send(SIGTSTP)
      try child.wait(for: "the stop") { child.isStopped && !terminal.model.isAlternate }
      Self.expectWhole(terminal)
      child.send(SIGCONT)
    }
    try child.wait(for: "the view") { terminal.model.isAlternate && terminal.model.text.contains("Total orders") }
    Self.expectView(terminal)
    child.send(SIGTERM)
    #expect(try child.end().code == 0)
    Self.expectWhole(terminal)
  }

  private static let views = [
    ["analytics", "--follow"], ["inventory", "--follow"], ["audit", "--follow"], ["status", "--watch", "100ms"],
    ["lag-demo", "--events", "5000", "--rate", "100/s"],
  ]

  @Test(arguments: views, sizes)
  func eachViewSurvivesAResizeAndCtrlZAndEndsWithCtrlC(line: [String], size: [Int]) throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage, count: 100)
    // What is waited for is told at the foot of a view.
    if line[0] == "audit" { try stage.run("inventory", "-q") }
    let terminal = try Self.terminal(size)
    let child = try stage.start(line, output: .terminal(terminal), errors: terminal)
    func expectFrame(_ what: String) throws {
      try child.wait(for: what) {
        terminal.model.isAlternate && terminal.model.text.hasSuffix("Ctrl-C ends the run.")
      }
      Self.expectView(terminal)
    }
    try expectFrame("the view")
    try terminal.resize(columns: size[0] + 20, rows: size[1] + 6)
    try expectFrame("the larger view")
    child.send(SIGTSTP)
    try child.wait(for: "the stop") { child.isStopped && !terminal.model.isAlternate }
    Self.expectWhole(terminal)
    child.send(SIGCONT)
    try expectFrame("the view again")
    child.send(SIGINT)
    #expect(try child.end().code == (line[0] == "lag-demo" ? 130 : 0))
    Self.expectWhole(terminal)
    #expect(!terminal.model.text.contains("Ctrl-C"), "\(terminal.model.text)")
  }

  /// A second request to stop, a crash, and Ctrl-\.
  @Test(arguments: [SIGSEGV, SIGQUIT, SIGHUP])
  func everyWayOutPutsTheTerminalInOrder(signal: Int32) throws {
    let stage = try Stage()
    let terminal = try Self.terminal(Self.sizes[0])
    let line = ["lag-demo", "--events", "5000"]
    let child = try stage.start(line, output: .terminal(terminal), errors: terminal)
    try child.wait(for: "the view") { terminal.model.isAlternate }
    child.send(signal)
    if signal == SIGHUP { child.send(signal) }
    _ = try child.end()
    #expect(!terminal.model.isAlternate && terminal.model.cursorIsVisible && terminal.model.wraps)
  }

  @Test(arguments: sizes)
  func lagDemoShowsTheLagWhileItRunsAndTheVerdictLast(size: [Int]) throws {
    let stage = try Stage()
    let terminal = try Self.terminal(size)
    let line = ["lag-demo", "--events", "150", "--rate", "max"]
    let child = try stage.start(line, output: .terminal(terminal), errors: terminal)
    try child.wait(for: "a falling lag") { terminal.model.isAlternate && terminal.model.text.contains("0.5 s") }
    Self.expectView(terminal)
    #expect(
      terminal.model.text.contains("Lag over time") && terminal.model.text.contains("█"), "\(terminal.model.text)")
    #expect(try child.end().code == 0)
    Self.expectWhole(terminal)
    let lines = terminal.model.text.split(separator: "\n")
    #expect(lines.last?.contains("lag drained, every event was seen exactly once") == true, "\(terminal.model.text)")
    #expect(terminal.model.styles(of: "lag drained") == ["32"])
  }

  @Test func aLagThatDoesNotDrainIsAFailureWithItsReason() throws {
    let stage = try Stage()
    let terminal = try Self.terminal(Self.sizes[0])
    let line = ["lag-demo", "--events", "100", "--rate", "max", "--drain-timeout", "300ms"]
    #expect(try stage.start(line, output: .terminal(terminal), errors: terminal).end().code == 1)
    Self.expectWhole(terminal)
    let text = terminal.model.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(text.contains("FAILED: lag was still ") && text.hasSuffix("when --drain-timeout (300 ms) ended"), "\(text)")
    #expect(terminal.model.styles(of: "FAILED: lag") == ["1;31"], "\(text)")
  }

  @Test func withoutUTF8ThereIsOnlyASCIIAndWithoutColourThereIsNone() throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage, count: 2000)
    let terminal = try Self.terminal(Self.sizes[0])
    let environment = ["LANG": "C", "NO_COLOR": "1"]
    #expect(
      try stage.start(["analytics"], output: .terminal(terminal), errors: terminal, environment: environment).end().code
        == 0)
    #expect(terminal.bytes.allSatisfy { $0 < 0x80 } && terminal.model.text.contains("##"), "\(terminal.model.text)")
    #expect(!terminal.text.contains("\u{1b}"))
    let colored = try stage.run("analytics", "--color", "always", "--output", "-")
    #expect(colored.text.contains("\u{1b}[1mOrder metrics\u{1b}[0m"))
    let forced = try stage.run("analytics", "--output", "-", environment: ["CLICOLOR_FORCE": "1"])
    #expect(forced.output == colored.output)
  }

  @Test func progressIsOneLineWithABarThatGoesForTheResult() throws {
    let stage = try Stage()
    let terminal = try Self.terminal(Self.sizes[0])
    let line = ["produce", "--events", "250", "--rate", "100/s"]
    let child = try stage.start(line, output: .terminal(terminal), errors: terminal)
    try child.wait(for: "a bar") { terminal.model.text.contains(" of 250 ") }
    let shown = terminal.model.lines.first { $0.contains(" of 250 ") } ?? ""
    #expect(shown.hasPrefix("produce  █") && shown.contains(" % ") && shown.contains("/s"), "\(shown)")
    #expect(try child.end().code == 0)
    Self.expectWhole(terminal)
    #expect(!terminal.model.text.contains("of 250"), "\(terminal.model.text)")
  }

  @Test func aWatchedStatusFollowsTheLag() throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage, count: 100)
    try stage.run("analytics", "-q")
    let terminal = try Self.terminal(Self.sizes[0])
    let child = try stage.start(["status", "--watch", "100ms"], output: .terminal(terminal), errors: terminal)
    try child.wait(for: "the view") { terminal.model.isAlternate && terminal.model.text.contains("lag 0") }
    Self.expectView(terminal)
    #expect(terminal.model.styles(of: "lag 0") == ["32"])
    try Self.dayOfOrders(stage, count: 7)
    try child.wait(for: "a lag") { terminal.model.text.contains("lag 7") }
    #expect(terminal.model.styles(of: "lag 7") == ["33"] && terminal.model.text.contains("107 records"))
    child.send(SIGINT)
    #expect(try child.end().code == 0)
    Self.expectWhole(terminal)
    #expect(terminal.model.text.contains("lag 7"), "\(terminal.model.text)")
  }

  @Test func inventoryShowsWhatItCountsWhileItFollows() throws {
    let stage = try Stage()
    try Self.dayOfOrders(stage, count: 100)
    let terminal = try Self.terminal(Self.sizes[0])
    let child = try stage.start(["inventory", "--follow"], output: .terminal(terminal), errors: terminal)
    try child.wait(for: "the view") { terminal.model.isAlternate && terminal.model.text.contains("100 records") }
    Self.expectView(terminal)
    child.send(SIGINT)
    #expect(try child.end().code == 0)
    Self.expectWhole(terminal)
    #expect(terminal.model.text.contains("Orders                     100"), "\(terminal.model.text)")
  }
}
