import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite("produce --input")
struct InputTests {
  @Test(arguments: TestBroker.all)
  func badLinesAreNamedByNumberAndTheRestGoesThroughVerbatim(broker: TestBroker) throws {
    let stage = try Stage(broker)
    let good = [Orders.strange[0], Orders.strange[1], Orders.order(number: 9)]
    try stage.write(
      "in.jsonl", [good[0], "{\"event_type\":1}", "", good[1], "nonsense", good[2]].joined(separator: "\n"))
    let outcome = try stage.run("produce", "--input", "in.jsonl", "--partitions", "1", "--json", exits: 65)
    #expect(outcome.errorLines.count == 2)
    #expect(outcome.errorLines.first?.contains("line 2 of in.jsonl") == true, "\(outcome)")
    #expect(outcome.errorLines.last?.contains("line 5 of in.jsonl") == true, "\(outcome)")
    #expect(outcome.errorLines.last?.contains("not-json") == true, "\(outcome)")
    let document = try outcome.document
    #expect(document["acknowledged"].int == 3 && document["rejected"].int == 2 && document["requested"].int == 5)
    #expect(try stage.run("tail", "--raw").lines == good)
  }

  @Test func carriageReturnsBlankLinesAndAMissingLastLineFeedAreForgiven() throws {
    let stage = try Stage()
    let orders = (1...3).map { Orders.order(number: $0) }
    let text = "\r\n" + orders[0] + "\r\n   \t\n" + orders[1] + "\n\n\n" + orders[2]
    let document = try stage.run("produce", "--input", "-", "--partitions", "1", "--json", input: text).document
    #expect(document["acknowledged"].int == 3 && document["requested"].int == 3)
    #expect(try stage.run("tail", "--raw").lines == orders)
  }

  @Test func theKeyIsTheOrderIDAsItReads() throws {
    let stage = try Stage()
    let line = Orders.order(number: 1).replacing("order_000001", with: #"\u00e9\"\\ order"#)
    try stage.run("produce", "--input", "-", input: line)
    let record = try JSON(try #require(try stage.run("tail").lines.first))
    #expect(record["key"].string == #"é"\ order"#)
    #expect(record["value"]["order_id"] == record["key"])
  }

  @Test func aLineOfThreeMegabytesIsRefusedInWords() throws {
    let stage = try Stage()
    let long = Orders.order(number: 1).replacing("user_1", with: String(repeating: "u", count: 3_000_000))
    let outcome = try stage.run(
      "produce", "--input", "-", "--json", exits: 65,
      input: [Orders.order(number: 2), long, Orders.order(number: 3)].joined(separator: "\n"))
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("line 2 of stdin"), "\(outcome)")
    #expect(outcome.errors.contains("too-long"))
    #expect(try outcome.document["acknowledged"].int == 2)
  }

  @Test(arguments: [(0, 0), (1, 65)])
  func theLimitIsOneMegabyteToTheByte(excess: Int, code: Int32) throws {
    let stage = try Stage()
    let frame = Orders.order(number: 1).replacing("user_1", with: "").utf8.count
    let line = Orders.order(number: 1).replacing(
      "user_1", with: String(repeating: "u", count: 1_000_000 - frame + excess))
    try stage.run("produce", "--input", "-", exits: code, input: line + "\r\n")
    #expect(try stage.run("tail", "--raw").lines == (code == 0 ? [line] : []))
  }

  @Test(arguments: ["", "\n", "\r\n\n \n"])
  func emptyInputIsNoError(text: String) throws {
    let stage = try Stage()
    let document = try stage.run("produce", "--input", "-", "--json", input: text).document
    #expect(document["requested"].int == 0 && document["acknowledged"].int == 0)
    #expect(try stage.run("tail").output.isEmpty)
  }

  @Test func emptyInputIsSaid() throws {
    let stage = try Stage()
    #expect(try stage.run("produce", "--input", "-", input: "").errors.contains("nothing to publish: stdin is empty"))
    #expect(try stage.run("produce", "--input", "-", input: "\n \n").errors.contains("stdin has only blank lines"))
  }

  @Test func aByteOrderMarkAtTheStartIsSkippedAndNowhereElse() throws {
    let stage = try Stage()
    let orders = (1...2).map { Orders.order(number: $0) }
    let outcome = try stage.run(
      "produce", "--input", "-", "--partitions", "1", exits: 65,
      input: "\u{FEFF}\(orders[0])\n\(orders[1])\n\u{FEFF}\(orders[1])")
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("line 3 of stdin"), "\(outcome)")
    #expect(try stage.run("tail", "--raw").lines == orders)
  }

  @Test func twentyBadLinesAreNamedAndTheOthersCounted() throws {
    let stage = try Stage()
    let lines = (1...30).map { "bad \($0)" } + [Orders.order(number: 1)] + (31...500).map { "bad \($0)" }
    let outcome = try stage.run("produce", "--input", "-", "--json", exits: 65, input: lines.joined(separator: "\n"))
    #expect(outcome.errorLines.count == 21, "\(outcome)")
    #expect(outcome.errorLines.last?.contains("480 more lines of stdin are not orders") == true, "\(outcome)")
    #expect(try outcome.document["rejected"].int == 500)
  }

  @Test func ofAnInputWithoutAnOrderAmongItsFirstHundredLinesNothingIsPublished() throws {
    let stage = try Stage()
    let bad = (1...100).map { "bad \($0)" }
    let refused = try stage.run(
      "produce", "--input", "-", exits: 65, input: (bad + [Orders.order(number: 1)]).joined(separator: "\n"))
    #expect(refused.errorLines.count == 1 && refused.output.isEmpty, "\(refused)")
    #expect(refused.errors.contains("none of its first 100 lines is an order"), "\(refused)")
    try stage.run("tail", exits: 66)
    let taken = try stage.run(
      "produce", "--input", "-", "--json", exits: 65,
      input: (bad.dropFirst() + [Orders.order(number: 1)]).joined(separator: "\n\n"))
    #expect(try taken.document["acknowledged"].int == 1 && taken.document["rejected"].int == 99)
  }

  @Test(arguments: [
    ("[\(Orders.order(number: 1))]", "a JSON array", "jq -c '.[]' in"),
    ("{\n  \"event_type\": \"OrderPlaced\"\n}\n", "JSON over several lines", "jq -c . in"),
    ("order_id,status\no1,placed\n", "a CSV file", "mlr --icsv --ojsonl cat in"),
  ])
  func anotherKindOfFileIsNamedWithTheCommandThatMakesLinesOfIt(text: String, kind: String, command: String) throws {
    let stage = try Stage()
    try stage.write("in", text)
    let outcome = try stage.run("produce", "--input", "in", exits: 65)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("in is \(kind); "), "\(outcome)")
    #expect(outcome.errors.contains("\(command) | orderstream produce --input -"), "\(outcome)")
  }

  @Test func linesComeOverAPipeWhileItIsOpen() throws {
    let stage = try Stage()
    let pipe = try PipeEnds()
    let child = try stage.start(["produce", "--input", "-", "--rate", "1000/s", "--json"], input: pipe.read)
    close(pipe.read)
    for number in 1...3 { send(Orders.order(number: number) + "\n", pipe.write) }
    try child.wait(for: "the first orders on the log") { try stage.hasLog && count(stage) == 3 }
    send(Orders.order(number: 4), pipe.write)
    close(pipe.write)
    let outcome = try child.end()
    #expect(outcome.code == 0, "\(outcome)")
    #expect(try outcome.document["acknowledged"].int == 4)
    #expect(try count(stage) == 4)
  }

  @Test func aSignalEndsTheWaitForAPipe() throws {
    let stage = try Stage()
    let pipe = try PipeEnds()
    defer { close(pipe.write) }
    let child = try stage.start(["produce", "--input", "-", "--rate", "1000/s", "--json"], input: pipe.read)
    close(pipe.read)
    send(Orders.order(number: 1) + "\n", pipe.write)
    try child.wait(for: "the first order on the log") { try stage.hasLog && count(stage) == 1 }
    child.send(SIGTERM)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == 143, "\(outcome)")
    #expect(try outcome.document["acknowledged"].int == 1)
  }

  @Test func aDryRunChecksTheLinesAndPrintsTheGoodOnes() throws {
    let stage = try Stage()
    let order = Orders.order(number: 1)
    let outcome = try stage.run("produce", "--input", "-", "--dry-run", exits: 65, input: "[]\n\(order)\n")
    #expect(outcome.lines == [order] && outcome.errorLines.count == 1 && !stage.hasLog)
  }

  @Test func aHundredMegabytesInOneLineNeedNoMemory() throws {
    let stage = try Stage()
    let pipe = try PipeEnds()
    let child = try stage.start(
      ["produce", "--input", "-", "--json"], input: pipe.read, prelude: "ulimit -v 1500000")
    close(pipe.read)
    let piece = String(repeating: "x", count: 1 << 20)
    for _ in 0..<100 { send(piece, pipe.write) }
    send("\n" + Orders.order(number: 1) + "\n", pipe.write)
    close(pipe.write)
    let outcome = try child.end()
    #expect(outcome.code == 65, "\(outcome)")
    #expect(try outcome.document["acknowledged"].int == 1)
  }

  private func count(_ stage: Stage) throws -> Int {
    let outcome = try stage.start(["tail", "--raw", "-q"]).end()
    return outcome.code == 0 ? outcome.lines.count : 0
  }

  private func send(_ text: String, _ descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
