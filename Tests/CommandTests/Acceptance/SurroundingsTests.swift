import Foundation
import OrderStreamTestSupport
import Testing

/// Terminals, environments and paths: what is around a command.
@Suite("Surroundings")
struct SurroundingsTests {
  private static let escape = "\u{1b}"

  @Test func onATerminalEachRunBeginsWithItsBrokerAndHowToChooseAnother() throws {
    let stage = try Stage()
    let terminal = try PseudoTerminal()
    let outcome = try stage.start(["produce", "--events", "5"], errors: terminal).end()
    #expect(outcome.code == 0 && outcome.lines.first == "Produced to order-events", "\(outcome)")
    #expect(!outcome.text.contains(Self.escape), "stdout is no terminal, so nothing is coloured there")
    let text = terminal.model.text
    #expect(text.contains(stage.log) && text.contains("--brokers") && terminal.model.overruns == 0, "\(text)")

    let quiet = try PseudoTerminal()
    #expect(try stage.start(["produce", "--events", "5", "-q"], errors: quiet).end().code == 0)
    #expect(quiet.bytes.isEmpty, "\(quiet.text)")
  }

  @Test func valuesCannotCommandATerminal() throws {
    let stage = try Stage()
    let nasty = Orders.order(number: 1).replacing("user_1", with: "\u{202e}evil\u{9b}31m")
    try stage.run("produce", "--input", "-", input: nasty)
    for line in [["tail"], ["tail", "--raw"]] {
      let terminal = try PseudoTerminal()
      #expect(try stage.start(line, output: .terminal(terminal), errors: terminal).end().code == 0)
      let shown = terminal.text
      #expect(shown.contains("evil") && !shown.contains("\u{202e}") && !shown.contains("\u{9b}"), "\(shown)")
    }
    #expect(try stage.run("tail", "--raw").lines == [nasty], "elsewhere the bytes stay as they are")
  }

  @Test func colorIsForTerminalsUnlessItIsAskedFor() throws {
    let stage = try Stage()
    #expect(try stage.run("nonsense", exits: 64).errors.contains(Self.escape) == false)
    #expect(
      try stage.run("produce", "--events", "x", exits: 64, environment: ["ORDERSTREAM_COLOR": "always"]).errors.isEmpty
        == false)
    let terminal = try PseudoTerminal()
    let line = ["analytics", "--color", "never"]
    #expect(try stage.start(line, errors: terminal).end().code == 66)
    #expect(!terminal.text.contains(Self.escape + "[3"), "\(terminal.text)")
    let colored = try stage.run("analytics", "--color", "always", exits: 66)
    #expect(colored.errors.contains(Self.escape + "["), "\(colored)")
  }

  @Test func aLongRunShowsProgressOnStderrOnly() throws {
    let stage = try Stage()
    let slow = ["produce", "--events", "130", "--rate", "100/s"]
    let plain = try stage.start(slow).end()
    #expect(plain.errors.contains("produce: "), "\(plain)")
    #expect(plain.lines.first == "Produced to order-events")
    let none = try stage.start(slow + ["--progress", "none"]).end()
    #expect(none.errors.isEmpty, "\(none)")
  }

  @Test func withoutXDGDataHomeTheLogIsInTheHomeDirectory() throws {
    let stage = try Stage()
    let outcome = try stage.run("produce", "--events", "1", "--json", environment: ["XDG_DATA_HOME": ""])
    let home = (stage.work as NSString).deletingLastPathComponent + "/home/.local/share/orderstream"
    #expect(try outcome.document["broker"].string == "embedded:\(home)")
    #expect(FileManager.default.fileExists(atPath: home))
  }

  @Test func withoutAHomeItIsAClearError() throws {
    let stage = try Stage()
    let outcome = try stage.run("produce", "--events", "1", exits: 78, environment: ["XDG_DATA_HOME": "", "HOME": ""])
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("--brokers"), "\(outcome)")
  }

  @Test(arguments: ["relative/log", "./a b/ü", "-dash", "a:b", "quote'\"$HOME"])
  func oddDirectoriesWork(directory: String) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "3", "-q", "-b", "embedded:\(directory)")
    #expect(try stage.json("analytics", "--brokers=embedded:\(directory)", "--output=-")["total_orders"].int == 3)
    #expect(!stage.hasLog)
  }

  @Test func aLogMayBeCopied() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    try stage.run("analytics", "-q")
    try FileManager.default.copyItem(atPath: stage.log, toPath: stage.work + "/copy")
    let copy = try stage.json("analytics", "-b", "embedded:copy", "--output", "-")
    #expect(copy["processed"].int == 0 && copy["total_orders"].int == 50)
  }

  @Test func aReportKeepsASymbolicLinkAndTheModeOfItsFile() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "5", "-q")
    try stage.write("real.txt", "old")
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: stage.work + "/real.txt")
    try FileManager.default.createSymbolicLink(
      atPath: stage.work + "/metrics_output.txt", withDestinationPath: "real.txt")
    let outcome = try stage.run("analytics")
    #expect(try stage.bytes("real.txt") == outcome.output)
    #expect(try stage.mode("real.txt") == 0o640)
    #expect(try stage.files == ["metrics_output.txt", "real.txt"])
    try stage.run("analytics", "-q", "--output", "/dev/null")
  }

  @Test func severalProducersAtOnceLoseNothing() throws {
    let stage = try Stage()
    let children = try (0..<4).map { number in
      try stage.start("produce", "--events", "1000", "--first-order", "\(number * 1000 + 1)", "--json")
    }
    for child in children {
      let outcome = try child.end()
      #expect(outcome.code == 0, "\(outcome)")
    }
    let values = try stage.run("tail", "--raw").lines
    #expect(values.count == 4000 && Set(values.map { Orders.field("order_id", of: $0) }).count == 4000)
  }
}
