import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite("Signals and pipes of child processes")
struct SignalTests {
  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func produceCutShortSaysWhatWasAcknowledged(signal: Int32, code: Int32) throws {
    let stage = try Stage()
    let child = try stage.start("produce", "--events", "100000", "--rate", "500/s", "--json")
    try child.wait(for: "orders on the log") { try stage.hasLog && stage.start("tail", "-q").end().lines.count > 10 }
    child.send(signal)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == code, "\(outcome)")
    let acknowledged = try #require(try outcome.document["acknowledged"].int)
    #expect(acknowledged < 100_000)
    #expect(try stage.run("tail", "--raw").lines.count == acknowledged)
  }

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func aLineThatASignalCutsShortIsNoPoison(signal: Int32, code: Int32) throws {
    let stage = try Stage()
    let order = try stage.run("produce", "--dry-run", "--events", "1").output
    let pipe = try PipeEnds()
    let child = try stage.start(["produce", "--input", "-", "--json"], input: pipe.read)
    close(pipe.read)
    let lines = Array(order) + Array("bad\n".utf8) + Array(order.dropLast(20))
    let written = lines.withUnsafeBytes { write(pipe.write, $0.baseAddress, $0.count) }
    #expect(written > 0)
    try child.wait(for: "the first lines") { child.errors.contains("line 2") }
    child.send(signal)
    let outcome = try child.end(within: .seconds(5))
    close(pipe.write)
    // The bad line would be 65 in a whole run.
    #expect(try outcome.code == code && outcome.document["rejected"].int == 1, "\(outcome)")
    #expect(try outcome.document["acknowledged"].int == 1 && outcome.errorLines.count == 1, "\(outcome)")
  }

  @Test func aPipeThatNobodyWritesToEndsAtOnceWithASignal() throws {
    let stage = try Stage()
    #expect(mkfifo("\(stage.work)/pipe", 0o600) == 0)
    let child = try stage.start("produce", "--input", "pipe", "--json")
    try child.wait(for: "its handlers") { stage.handlesSignals(child) }
    child.send(SIGINT)
    // Before the 4.7 s after which a signal ends a run that hangs, which has another message.
    let outcome = try child.end(within: .seconds(4))
    #expect(
      outcome.code == 130 && outcome.errors.contains("cannot read pipe: nobody has opened this pipe"), "\(outcome)")
  }

  @Test func aPipeIsReadOnceSomebodyWritesToIt() throws {
    let stage = try Stage()
    #expect(mkfifo("\(stage.work)/pipe", 0o600) == 0)
    let child = try stage.start("produce", "--input", "pipe", "--json")
    try child.wait(for: "its handlers") { stage.handlesSignals(child) }
    try stage.write("in", try stage.run("produce", "--dry-run", "--events", "20").text)
    try stage.append("in", to: "pipe")
    #expect(try child.end().document["acknowledged"].int == 20)
  }

  @Test func aReportForAPipeThatNobodyReadsIsPrintedAndEndsAtOnceWithASignal() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "30", "-q")
    #expect(mkfifo("\(stage.work)/pipe", 0o600) == 0)
    let child = try stage.start("analytics", "--output", "pipe", "--json")
    try child.wait(for: "its commit") { try stage.json("status", "-g", "analytics")["groups"][0]["lag"].int == 0 }
    child.send(SIGTERM)
    let outcome = try child.end(within: .seconds(1))
    #expect(outcome.code == 143 && outcome.errors.contains("cannot write pipe: nobody reads this pipe"), "\(outcome)")
    #expect(try outcome.document["total_orders"].int == 30)
  }

  @Test func aHangUpThatWasToBeIgnoredIsIgnored() throws {
    let stage = try Stage()
    // As nohup starts it.
    let child = try stage.start(
      ["produce", "--events", "60", "--rate", "300/s", "--json"], prelude: "trap '' HUP")
    try child.wait(for: "the log") { stage.hasLog }
    child.send(SIGHUP)
    let outcome = try child.end(within: .seconds(10))
    #expect(try outcome.code == 0 && outcome.document["acknowledged"].int == 60, "\(outcome)")
  }

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] as [(Int32, Int32)])
  func aBoundedRunCutShortCommitsWhatItCounts(signal: Int32, code: Int32) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "40000", "-q")
    let child = try stage.start("inventory", "--json")
    try child.wait(for: "its first commit") {
      try stage.json("status", "-t", "inventory-events")["topics"][0]["partitions"].elements.contains {
        ($0["high"].int ?? 0) > 0
      }
    }
    child.send(signal)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == code && outcome.errorLines.isEmpty, "\(outcome)")
    let document = try outcome.document
    let orders = try #require(document["orders"].int)
    #expect(0 < orders && orders < 40_000)
    let events = try stage.run("tail", "-t", "inventory-events", "--raw").output
    #expect(events.count { $0 == 0x0A } == document["items"].int)
    #expect(try stage.json("inventory")["orders"].int == 40_000 - orders)
    #expect(try stage.json("audit")["orders"].int == 40_000)
  }

  /// A run of `seconds` or so that a signal cuts short, text on stdout, 1500 events behind it or before it.
  static let cut: [[String]] = [
    ["produce", "--events", "3000", "--rate", "500/s"],
    ["produce", "--events", "3000", "--rate", "500/s", "--json"],
    ["analytics", "-g", "a"], ["analytics", "-g", "a", "--json"], ["inventory"], ["inventory", "--json"],
    ["audit"], ["audit", "--json"], ["replay"], ["replay", "--json"],
    ["lag-demo", "--events", "3000"], ["lag-demo", "--events", "3000", "--json"],
  ]

  @Test(arguments: cut)
  func aRunThatWasCutShortSaysAfterHowMuchOfWhat(line: [String]) throws {
    let stage = try Stage()
    let isBounded = !["produce", "lag-demo"].contains(line[0])
    if isBounded { try stage.run("produce", "--events", "300000", "-q") }
    if line[0] == "audit" { try stage.run("inventory", "-q") }
    let child = try stage.start(line + ["--progress", "plain"])
    if isBounded {
      // The work takes a second or more.
      usleep(300_000)
    } else {
      try child.wait(for: "orders on the log") {
        try stage.json("status")["topics"][0]["partitions"].elements.contains { ($0["high"].int ?? 0) > 20 }
      }
    }
    child.send(SIGINT)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == 130, "\(outcome)")
    if line.contains("--json") {
      #expect(try outcome.document["complete"].bool == false, "\(outcome)")
      if line[0] == "produce" {
        let document = try outcome.document
        #expect(document["requested"].int == 3000 && document["failed_deliveries"].int == 0, "\(outcome)")
      }
    } else {
      let last = try #require(outcome.lines.last)
      let found = last.firstMatch(
        of: /^  Result                     cut short by SIGINT after ([0-9]+)( of ([0-9]+))?(: .*)?$/)
      #expect(found != nil, "\(outcome)")
      if line[0] == "produce" || line[0] == "lag-demo" { #expect(found?.3 == "3000", "\(last)") }
      // A signal that comes before the assignment finds nothing to tell of.
      if let total = found?.3, ["analytics", "inventory"].contains(line[0]) { #expect(total == "300000", "\(last)") }
    }
    if line[0] == "analytics" {
      let text = try stage.text("metrics_output.txt")
      #expect(text.hasSuffix("\n"))
      #expect(text.split(separator: "\n").last?.hasPrefix("  Result                     cut short by SIGINT") == true)
      // The next run goes on, and its report is whole.
      let whole = try stage.run("analytics", "-g", "a").text
      #expect(whole.contains("Total orders               300000") && !whole.contains("Result"), "\(whole)")
      #expect(try stage.text("metrics_output.txt") == whole)
    }
  }

  @Test func aRunThatEndedByItselfIsComplete() throws {
    let stage = try Stage()
    for line in [
      ["produce", "--events", "40"], ["inventory"], ["analytics"], ["analytics", "-g", "b", "--max-events", "7"],
      ["replay"], ["replay", "-g", "analytics"], ["audit"], ["status"],
      ["lag-demo", "--events", "20", "--rate", "max", "--consumer-delay", "1ms"],
      ["analytics", "--follow", "--idle-timeout", "100ms"],
    ] {
      let outcome = try stage.start(line + ["--json"]).end()
      #expect(try outcome.code == 0 && JSON(outcome.lines.last!)["complete"].bool == true, "\(outcome)")
    }
  }

  @Test func anErrorAfterWorkCutsARunShortToo() throws {
    let stage = try Stage()
    try stage.write("in", (0..<9).map { Orders.order(number: $0) }.joined(separator: "\n"))
    try stage.run("produce", "--partitions", "1", "--input", "in", "-q")
    try stage.run("inventory", "-q")
    for (line, done) in [(["inventory", "-t", "inventory-events", "--output-topic", "o"], 0)] {
      let failing = line + ["--on-error", "fail"]
      let outcome = try stage.start(failing + ["-g", "x"]).end()
      #expect(outcome.code == 65, "\(outcome)")
      #expect(
        outcome.lines.last == "  Result                     cut short by an error (65) after \(done) of 9", "\(outcome)"
      )
      #expect(try stage.start(failing + ["-g", "y", "--json"]).end().document["complete"].bool == false)
    }
  }

  @Test(arguments: [SIGINT, SIGTERM], ["analytics", "inventory", "tail"])
  func followEndsOnASignalWithZeroAndATrueSummary(signal: Int32, command: String) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "500", "-q")
    let child = try stage.start([command, "--follow"] + (command == "tail" ? [] : ["--json"]))
    try child.wait(for: "its first output") { !child.lines.isEmpty }
    if command != "tail" {
      try eventually("no lag") { try stage.json("status")["groups"][0]["lag"].int == 0 }
    } else {
      try child.wait(for: "all of it") { child.lines.count == 500 }
    }
    child.send(signal)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == 0 && outcome.errorLines.isEmpty, "\(outcome)")
    if command != "tail" {
      // Only the last line tells of a run that is over.
      for (number, line) in outcome.lines.enumerated() {
        #expect(try JSON(line)["complete"].bool == (number == outcome.lines.count - 1), "\(outcome)")
      }
    }
    if command == "analytics" { #expect(try JSON(outcome.lines.last!)["processed"].int == 500) }
    if command == "inventory" { #expect(try JSON(outcome.lines.last!)["orders"].int == 500) }
    if command == "tail" { #expect(outcome.lines.count == 500) }
  }

  @Test func theSecondSignalEndsItAtOnce() throws {
    let stage = try Stage()
    let pipe = try PipeEnds()
    // A full pipe that nobody reads holds the child in the middle of its work.
    let child = try stage.start(
      ["produce", "--dry-run", "--events", "1000000"], output: .descriptor(pipe.write))
    var entry = pollfd(fd: pipe.read, events: Int16(POLLIN), revents: 0)
    try child.wait(for: "its first bytes") { poll(&entry, 1, 0) > 0 }
    child.send(SIGTERM)
    child.send(SIGINT)
    // Two signals of one kind may become one, and either may come first.
    let outcome = try child.end(within: .seconds(5))
    #expect([130, 143].contains(outcome.code), "\(outcome)")
    // After one alone it would wait for a reader, and then say that nobody reads.
    #expect(outcome.errorLines.isEmpty, "\(outcome)")
    close(pipe.read)
    close(pipe.write)
  }

  @Test(
    arguments: [
      ["produce", "--dry-run", "--events", "100000"], ["tail"], ["tail", "--raw"], ["tail", "--follow"],
      ["analytics", "--output", "-"], ["help", "produce"], ["completions", "bash"], ["status", "--json"], ["--version"],
      ["analytics", "--follow", "--json"], ["produce", "--events", "10"],
    ])
  func aClosedPipeIsQuiet(line: [String]) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "3000", "-q")
    let pipe = try PipeEnds()
    close(pipe.read)
    let child = try stage.start(line, output: .descriptor(pipe.write))
    close(pipe.write)
    let outcome = try child.end()
    #expect(outcome.code == 141 && outcome.errors.isEmpty, "\(outcome)")
  }

  @Test(arguments: [["produce", "--dry-run", "--events", "100000"], ["tail"]])
  func aReaderThatTakesOneLineAndGoesIsNoError(line: [String]) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "5000", "-q")
    let pipe = try PipeEnds()
    let child = try stage.start(line, output: .descriptor(pipe.write))
    close(pipe.write)
    var buffer = [UInt8](repeating: 0, count: 4096)
    #expect(read(pipe.read, &buffer, buffer.count) > 0)
    close(pipe.read)
    let outcome = try child.end()
    #expect(outcome.code == 141 && outcome.errors.isEmpty, "\(outcome)")
  }

  @Test func aClosedStdoutIsQuietToo() throws {
    let stage = try Stage()
    let outcome = try stage.start(["produce", "--events", "3"], output: .closed).end()
    #expect(outcome.code == 141 && outcome.errors.isEmpty, "\(outcome)")
    #expect(try stage.run("tail").lines.count == 3)
  }

  @Test func whatAClosedPipeCutShortCanBeGoneOnWith() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "2000", "-q")
    let pipe = try PipeEnds()
    close(pipe.read)
    let child = try stage.start(["inventory", "--follow", "--json"], output: .descriptor(pipe.write))
    close(pipe.write)
    #expect(try child.end().code == 141)
    try stage.run("inventory", "-q")
    #expect(try stage.json("audit")["orders"].int == 2000)
  }
}
