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

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
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
    let start = ContinuousClock.now
    child.send(SIGTERM)
    child.send(SIGINT)
    // Two signals of one kind may become one, and either may come first.
    let outcome = try child.end(within: .seconds(5))
    // After one alone it would wait a second for a reader.
    #expect(ContinuousClock.now - start < .milliseconds(900))
    #expect([130, 143].contains(outcome.code), "\(outcome)")
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
