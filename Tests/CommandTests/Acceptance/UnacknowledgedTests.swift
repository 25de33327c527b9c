import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What `produce --input` says and keeps when not every line is acknowledged.
@Suite("produce --input --unacknowledged")
struct UnacknowledgedTests {
  @Test(arguments: TestBroker.all)
  func whatASignalKeepsFromTheLogIsInTheFileAndCompletesTheJob(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "0")
    let input = try stage.run("produce", "--dry-run", "--events", "6000", "--seed", "3").text
    try stage.write("in", input)
    let child = try stage.start(
      "produce", "--input", "in", "--rate", "1000/s", "--unacknowledged", "rest", "--json")
    try child.wait(for: "orders on the log") { try stage.start("tail", "--raw", "-q").end().lines.count > 300 }
    child.send(SIGINT)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == 130, "\(outcome)")
    let document = try outcome.document
    let acknowledged = try #require(document["acknowledged"].int)
    #expect(document["requested"].int == 6000 && document["complete"].bool == false)
    #expect(
      outcome.errors.contains("\(acknowledged) of 6000 lines are on the log, the others are in rest"), "\(outcome)")
    #expect(try stage.text("rest").split(separator: "\n").count == 6000 - acknowledged)
    // The file may be its own heir, and is empty once all is done.
    try stage.run("produce", "--input", "rest", "--unacknowledged", "rest", "-q")
    #expect(try stage.text("rest").isEmpty)
    #expect(try stage.run("tail", "--raw").lines.sorted() == input.split(separator: "\n").map(String.init).sorted())
  }

  @Test func whatAPipeBroughtSoFarIsKeptAndItsOpenEndIsSaid() throws {
    let stage = try Stage()
    let orders = (1...9).map { Orders.order(number: $0) }
    let pipe = try PipeEnds()
    let child = try stage.start(
      ["produce", "--input", "-", "--rate", "1/s", "--unacknowledged", "rest"], input: pipe.read)
    close(pipe.read)
    let lines = Array(orders.joined(separator: "\n").utf8)
    #expect(lines.withUnsafeBytes { write(pipe.write, $0.baseAddress, $0.count) } == lines.count)
    try child.wait(for: "the first order on the log") {
      try stage.hasLog && stage.start("tail", "--raw", "-q").end().lines.count >= 1
    }
    child.send(SIGTERM)
    let outcome = try child.end(within: .seconds(5))
    close(pipe.write)
    #expect(outcome.code == 143 && outcome.errors.contains("stdin was not read to its end"), "\(outcome)")
    let found = try stage.run("tail", "--raw").lines + stage.text("rest").split(separator: "\n").map(String.init)
    #expect(found.sorted() == orders)
  }

  @Test func withoutTheOptionTheNoteNamesIt() throws {
    let stage = try Stage()
    try stage.write("in", try stage.run("produce", "--dry-run", "--events", "3000").text)
    let child = try stage.start("produce", "--input", "in", "--rate", "500/s")
    try child.wait(for: "an order") { try stage.hasLog && !stage.start("tail", "-q").end().lines.isEmpty }
    child.send(SIGINT)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.errors.contains("would publish them twice: with --unacknowledged <file>"), "\(outcome)")
    #expect(outcome.lines.last?.contains("cut short by SIGINT after") == true && outcome.text.contains(" of 3000\n"))
  }

  @Test(
    "Without the option, lines that were read from a pipe and are not on the log are counted: nobody can read them again"
  )
  func aPipeWithoutTheOption() throws {
    let stage = try Stage()
    let pipe = try PipeEnds()
    let child = try stage.start(["produce", "--input", "-", "--rate", "0.01/s", "--json"], input: pipe.read)
    close(pipe.read)
    // The first is sent at once. The second is in hand at the signal, the third is only read.
    let lines = Array((1...3).map { Orders.order(number: $0) + "\n" }.joined().utf8)
    #expect(lines.withUnsafeBytes { write(pipe.write, $0.baseAddress, $0.count) } == lines.count)
    try child.wait(for: "the first order on the log") {
      try stage.hasLog && stage.start("tail", "--raw", "-q").end().lines.count >= 1
    }
    child.send(SIGINT)
    let outcome = try child.end(within: .seconds(5))
    close(pipe.write)
    let document = try outcome.document
    #expect(outcome.code == 130 && document["requested"].int == 3 && document["acknowledged"].int == 1, "\(outcome)")
    let told = "; 2 more were read from stdin, which cannot be read again: with --unacknowledged"
    #expect(outcome.errors.contains(told), "\(outcome)")
  }

  @Test("An error before the first line is sent keeps all lines in the file, and without one counts those of a pipe")
  func anErrorBeforeTheFirstLine() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "0", "--partitions", "2")
    let input = (1...3).map { Orders.order(number: $0) + "\n" }.joined()
    try stage.write("rest", "of an earlier run")
    func run(_ options: String...) throws -> Outcome {
      let pipe = try PipeEnds()
      defer { close(pipe.read) }
      let bytes = Array(input.utf8)
      #expect(bytes.withUnsafeBytes { write(pipe.write, $0.baseAddress, $0.count) } == bytes.count)
      close(pipe.write)
      let outcome = try stage.start(["produce", "--input", "-", "--partitions", "3"] + options, input: pipe.read).end()
      #expect(outcome.code == 78, "\(outcome)")
      return outcome
    }
    let kept = try run("--unacknowledged", "rest")
    #expect(try stage.text("rest") == input)
    #expect(kept.errors.contains("all are in rest: publish them with --input rest"), "\(kept)")
    let lost = try run()
    #expect(lost.errors.contains("3 lines were read from stdin, which cannot be read again"), "\(lost)")
  }

  @Test func itsPlaceIsCheckedFirstAndItIsForInputAlone() throws {
    let stage = try Stage()
    try stage.write("in", Orders.order(number: 1))
    #expect(try stage.run("produce", "--input", "in", "--unacknowledged", "no/dir", exits: 73).errorLines.count == 1)
    #expect(!stage.hasLog)
    for line in [
      ["produce", "--unacknowledged", "x"], ["produce", "--input", "in", "--unacknowledged", "-"],
      ["produce", "--input", "in", "--dry-run", "--unacknowledged", "x"],
    ] { #expect(try stage.start(line).end().code == 64) }
    #expect(!stage.hasLog)
  }

  @Test func aClosedStdinIsAMissingInput() throws {
    let stage = try Stage()
    let outcome = try stage.run("produce", "--input", "-", exits: 66, prelude: "exec 0<&-")
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("stdin: it is closed"), "\(outcome)")
    #expect(!stage.hasLog)
  }
}
