import OrderStreamTestSupport
import Testing

/// `--report` and `report` with the binary.
@Suite("Pages")
struct PageTests {
  /// Runs a command with `--json --report`, and `report` on what it printed; they give the same bytes.
  /// - Parameter line: its words, with one blank between them.
  private func expectOnePage(
    _ line: String, exits code: Int32 = 0, _ words: String..., in stage: Stage,
    location: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try stage.start(line.split(separator: " ").map(String.init) + ["--json", "--report", "page.html"])
      .end()
    #expect(outcome.code == code, "\(outcome)", sourceLocation: location)
    try stage.write("doc.json", outcome.text)
    try stage.run("report", "doc.json", "-q", "-o", "again.html", location: location)
    let page = try stage.text("page.html")
    #expect(try stage.text("again.html") == page, sourceLocation: location)
    for word in words { #expect(page.contains(word), "\(word)", sourceLocation: location) }
  }

  @Test("--report and a later report of the document give the same bytes, for every command")
  func samePage() throws {
    let stage = try Stage()
    try expectOnePage(
      "produce -n 300 --start-time 2024-01-15T10:30:00Z --span 3m", "passed", "every event was acknowledged", in: stage)
    try expectOnePage("inventory", "nothing claimed", "Items", in: stage)
    try expectOnePage("analytics --output -", "Orders by minute", "2024-01-15 10:32", in: stage)
    try expectOnePage("analytics --idle-timeout 50ms --output - -g other", "Orders by minute", in: stage)
    try expectOnePage("audit", "passed", "no item is lost", in: stage)
    try expectOnePage("replay", "the replay gives the same bytes", "Orders by minute, both passes", in: stage)
    try expectOnePage(
      "lag-demo -n 30 --consumer-delay 1ms --sample-interval 5ms", "the lag drained", "Lag over time", in: stage)
    try expectOnePage("produce -n 10 --fail-if acknowledged>=10", exits: 1, "FAILED", "acknowledged is 10", in: stage)
    try expectOnePage("audit", exits: 1, "FAILED", "has committed everything", in: stage)
    // Others have a document too.
    for command in ["status -v", "delete -t order-events"] {
      let outcome = try stage.start(command.split(separator: " ").map(String.init) + ["--json"]).end()
      try stage.write("doc.json", outcome.text)
      let page = try stage.run("report", "doc.json", "-o", "-")
      #expect(page.text.hasPrefix("<!DOCTYPE html>\n") && page.text.contains("nothing claimed") && page.errors.isEmpty)
    }
  }

  @Test("the page of a run that was cut short says so")
  func cutShort() throws {
    let stage = try Stage()
    try stage.run("produce", "--rate", "100/s", "--timeout", "400ms", "--report", "page.html", exits: 75)
    let page = try stage.text("page.html")
    #expect(page.contains("<strong>cut short</strong>") && page.contains("ended before it was done, by "))
    #expect(page.contains("Events a second by partition"))
  }

  @Test("the page of a run that an error left without a result says which")
  func error() throws {
    let stage = try Stage()
    let outcome = try stage.run("audit", "--report", "page.html", exits: 66)
    let page = try stage.text("page.html")
    #expect(page.contains("<strong>FAILED</strong>") && page.contains("It ended with an error, and has no result: "))
    #expect(outcome.errors.contains("there is no such topic") && page.contains("there is no such topic"))
  }

  @Test("a page that cannot be written is refused before a broker is opened")
  func refusedEarly() throws {
    let stage = try Stage()
    #expect(
      try stage.run("produce", "-n", "1", "--report", "missing/page.html", exits: 73).errors.contains(
        "missing/page.html"))
    try stage.run("produce", "-n", "1", "--report", "-", exits: 64)
    try stage.run("produce", "-n", "1", "--report", "", exits: 64)
    try stage.run("status", "--report", "page.html", exits: 64)
    try stage.run("analytics", "--report", "metrics_output.txt", exits: 64)
    try stage.run("analytics", "-o", "a", "--report", "a", exits: 64)
    #expect(!stage.hasLog)
  }

  @Test("several files, lines of a job, stdin and a list are one page")
  func several() throws {
    let stage = try Stage()
    let produce = try stage.run("produce", "-n", "50", "--json").text
    let lines = try stage.run("inventory", "--idle-timeout", "50ms", "--json").text
    let audit = try stage.run("audit", "--json").text
    let follow = try stage.run("analytics", "--idle-timeout", "50ms", "--json").text
    try stage.write("all.json", produce + "\n" + lines + audit + follow)
    try stage.write("audit.json", audit)
    let page = try stage.run("report", "all.json", "-", "-o", "-", input: audit).text
    #expect(page.contains("<p>5 runs: 3 passed, 2 without a claim.</p>"))
    #expect(page.contains("id=\"run-5\"") && !page.contains("id=\"run-6\""))
    // A job appends what runs beside each other print, line by line.
    func line(_ elapsed: Int, _ rest: String) -> String {
      #"{"schema":"orderstream.inventory/1","broker":"b","topic":"t","elapsed_ms":\#(elapsed),\#(rest)}"# + "\n"
    }
    let ongoing = [
      line(5, #""complete":false"#), line(8, #""complete":false"#), line(9, #""complete":true,"claims":[]"#),
    ]
    try stage.write("mixed.json", ongoing[0] + produce + ongoing[1] + audit + ongoing[2])
    let mixed = try stage.run("report", "mixed.json", "-o", "-").text
    #expect(mixed.contains("<p>3 runs: 2 passed, 1 without a claim.</p>"))
    try stage.write("list.json", "[\n\(produce),\n\(audit)]\n")
    let list = try stage.run("report", "list.json")
    #expect(list.errors.contains("report.html has the page of 2 runs"))
    #expect(try stage.text("report.html").contains("<p>2 runs: 2 passed.</p>"))
    // Of a run that was followed the last document counts, final or not.
    let first = "\(lines.split(separator: "\n")[0])\n"
    #expect(!first.contains("\"claims\""))
    try stage.write("live.json", first + first)
    let live = try stage.run("report", "live.json", "-o", "-").text
    #expect(live.contains("<h1>orderstream inventory</h1>") && live.contains("cut short"))
  }

  @Test("what is no document is named with its file and line")
  func foreign() throws {
    let stage = try Stage()
    let produce = try stage.run("produce", "-n", "5", "--json").text
    let tail = try stage.run("tail", "order-events", "--max-events", "1").text
    try stage.write("good.json", produce)
    try stage.write("tail.json", tail)
    try stage.write("text.json", produce + "Produced to order-events\n")
    try stage.write("later.json", produce + "\r\n" + tail)
    try stage.write("empty.json", "\n")
    for (file, place) in [
      ("tail.json", "tail.json:"), ("text.json", "text.json:2: it is not JSON"),
      ("later.json", "later.json:3: it is JSON"),
      ("empty.json", "empty.json: it is empty"),
    ] {
      let outcome = try stage.run("report", "good.json", file, exits: 65)
      #expect(outcome.errors.contains(place) && outcome.errors.contains("--json"), "\(outcome)")
    }
    for (text, why) in [
      (#"{"schema":"orderstream.produce/9"}"#, "is not known to this version"),
      (#"{"schema":"orderstream.nosuch/1"}"#, "is not known to this version"),
      (#"{"schema":"orderstream.certificate/1"}"#, "it is a certificate"),
    ] {
      try stage.write("other.json", text)
      #expect(try stage.run("report", "other.json", exits: 65).errors.contains(why))
    }
    try stage.run("report", "good.json", "-o", "./good.json", exits: 64)
    #expect(try stage.text("good.json") == produce, "a page never replaces what it is made of")
    #expect(try stage.run("report", "nosuch.json", exits: 66).errors.contains("nosuch.json"))
    try stage.run("report", ".", exits: 66)
    try stage.run("report", exits: 64)
    try stage.run("report", "-", "-", exits: 64)
    try stage.run("report", "good.json", "-o", "missing/x.html", exits: 73)
    #expect(try !stage.files.contains("report.html"))
  }
}
