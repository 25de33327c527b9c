import Foundation
import Testing

@testable import OrderStreamCore

/// The page of one run or of several: a function of the documents alone.
@Suite("The page of runs")
struct ReportPageTests {
  static func document(_ json: String) throws -> Document {
    let buffer = ByteBuffer()
    buffer.append(json)
    return try #require(Document(parsing: buffer.bytes), "\(json)")
  }

  static func page(_ documents: String...) throws -> String {
    let buffer = ByteBuffer()
    ReportPage.append(try documents.map(document), to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  /// What stands between `<main>` and its end.
  static func content(_ page: String) throws -> String {
    let start = try #require(page.firstRange(of: "<main>\n")).upperBound
    return String(page[start..<(try #require(page.firstRange(of: "</main>"))).lowerBound])
  }

  static let audit = """
    {"schema":"orderstream.audit/1","broker":"kafka:9092","complete":true,"elapsed_ms":1234,"active_ms":900,"topic":"o",\
    "output_topic":"i","orders":3,"items":7,"inventory_events":6,"rejected":0,"lost":1,"duplicated":0,"phantom":0,\
    "wrong_action":0,"reordered":0,"pending":0,"other":0,"unverifiable":0,"violations":[{"verdict":"lost",\
    "source":"o[0]@1","output":null,"expected":"reserve burger x 2","found":"nothing"}],"failed_conditions":[],\
    "claims":[{"claim":"no item is lost","holds":false,"detail":"1 items"},\
    {"claim":"no item has two events","holds":true,"detail":null},{"claim":"every item can be verified","holds":null,\
    "detail":null}],"run":{"version":"0.2.0","started_at":"2024-01-15T10:30:00Z","command":["orderstream","audit",\
    "-b","kafka:9092","-X","sasl.password=***","--fail-if","lag>10"],"environment":{"ORDERSTREAM_COLOR":"never"}}}
    """

  static func analytics(minutes: [(String, Int, Int)]) -> String {
    let orders = minutes.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
    let failed = minutes.map { "\"\($0.0)\":\($0.2)" }.joined(separator: ",")
    return """
      {"schema":"orderstream.analytics/1","broker":"b","complete":true,"elapsed_ms":5,"active_ms":1,"total_orders":9,\
      "failed_orders":1,"failure_rate_percent":11.11,"average_orders_per_minute":4.5,"current_orders_per_minute":4,\
      "current_minute":"2024-01-15T10:31","rejected":0,"orders_by_minute":{\(orders)},"failed_by_minute":{\(failed)},\
      "processed":9,"lost_to_retention":0,"failed_conditions":[],"claims":[],"run":{"version":"0.2.0",\
      "started_at":"2024-01-15T10:30:00Z","command":["orderstream","analytics"],"environment":{}}}
      """
  }

  static func lagDemo(lag: [String]) -> String {
    let samples = lag.enumerated().map { index, lag in
      """
      {"t_ms":\(index * 100),"produced":\(index * 10),"consumed":\(index * 5),"lag":\(lag),"lag_by_partition":[\(lag),0]}
      """
    }
    return """
      {"schema":"orderstream.lag-demo/1","broker":"b","complete":true,"elapsed_ms":5,"active_ms":1,"topic":"t","group":"g",\
      "produced":10,"consumed":10,"lost":0,"duplicated":0,"failed_deliveries":0,"peak_lag":5,"drain_ms":70,\
      "samples":[\(samples.joined(separator: ","))],"claims":[{"claim":"the lag drained","holds":true,"detail":null}]}
      """
  }

  @Test("a run has its verdict first, then numbers, claims, findings, and how to run it again")
  func golden() throws {
    let page = try Self.page(Self.audit)
    #expect(page.contains("<title>FAILED: orderstream audit</title>"))
    let icons: [(String, String)] = ["yes", "no", "open"].map { ($0, RunVerdict.icon($0).markup) }
    let content = icons.reduce(try Self.content(page)) { $0.replacing($1.1, with: "(\($1.0))") }
    #expect(
      content == """
        <header><h1>orderstream audit</h1>
        <p class="sub"><span class="wide">on kafka:9092</span>, <span>2024-01-15 10:30:00 UTC</span>, <span>took 1.234 s</span></p>
        </header>
        <div class="verdict no">(no)<div><strong>FAILED</strong><p>1 of 3 claims does not hold: no item is lost: 1 items.</p></div></div>
        <ul class="figures">
        <li><span>Violations</span> <b class="no">1</b></li>
        <li><span>Orders</span> <b>3</b></li>
        <li><span>Items</span> <b>7</b></li>
        <li><span>Inventory events</span> <b>6</b></li>
        <li><span>Pending</span> <b>0</b></li>
        <li><span>Rejected records</span> <b>0</b></li>
        <li><span>Unverifiable</span> <b>0</b></li>
        </ul>
        <section class="card"><h2>Claims</h2>
        <ul class="claims">
        <li class="no">(no)<span><b>does not hold:</b> no item is lost<em>: 1 items</em></span></li>
        <li class="yes">(yes)<span><span class="unseen">holds: </span>no item has two events</span></li>
        <li class="open">(open)<span><b>not shown:</b> every item can be verified</span></li>
        </ul>
        </section>
        <section class="card"><h2>Findings</h2>
        <div class="scroll"><table class="plain"><caption class="unseen">Findings</caption>
        <thead><tr><th scope="col">finding</th><th scope="col">meaning</th><th scope="col" class="n">count</th></tr></thead><tbody>
        <tr><th scope="row">lost</th><td>an item without an event</td><td class="n">1</td></tr>
        <tr><th scope="row">duplicated</th><td>an item with more than one event</td><td class="n">0</td></tr>
        <tr><th scope="row">phantom</th><td>an event without a source</td><td class="n">0</td></tr>
        <tr><th scope="row">wrong action</th><td>an event that does not say what its order says</td><td class="n">0</td></tr>
        <tr><th scope="row">reordered</th><td>an event before one of an earlier order</td><td class="n">0</td></tr>
        <tr><th scope="row">pending</th><td>an item that the group has not committed yet</td><td class="n">0</td></tr>
        <tr><th scope="row">other</th><td>an event of another topic</td><td class="n">0</td></tr>
        <tr><th scope="row">unverifiable</th><td>retention has removed the order or the event</td><td class="n">0</td></tr>
        </tbody></table></div>
        </section>
        <section class="card"><h2>Violations</h2>
        <ol class="violations">
        <li><b>lost</b>: source <code>o[0]@1</code>
        <dl><dt>expected</dt><dd><code>reserve burger x 2</code></dd><dt>found</dt><dd><code>nothing</code></dd></dl></li>
        </ol>
        </section>
        <section class="card"><h2>What was run</h2>
        <dl class="facts">
        <dt>Version</dt><dd>orderstream 0.2.0</dd>
        <dt>Broker</dt><dd>kafka:9092</dd>
        <dt>Topic</dt><dd>o</dd>
        <dt>Output topic</dt><dd>i</dd>
        <dt>Started</dt><dd>2024-01-15 10:30:00 UTC</dd>
        <dt>Took</dt><dd>1.234 s</dd>
        <dt>Records moved for</dt><dd>900 ms</dd>
        </dl>
        <p>Run it again with:</p>
        <pre class="copy"><code>ORDERSTREAM_COLOR=never orderstream audit -b kafka:9092 -X &#39;sasl.password=***&#39; --fail-if &#39;lag&gt;10&#39;</code></pre>
        <p class="note">Secrets are masked: put the values in where *** stands.</p>
        <details><summary>Single values of the document</summary><div class="scroll"><table class="plain"><caption class="unseen">Single values of the document</caption>
        <thead><tr><th scope="col">key</th><th scope="col">value</th></tr></thead><tbody>
        <tr><th scope="row"><code>schema</code></th><td>orderstream.audit/1</td></tr>
        <tr><th scope="row"><code>broker</code></th><td>kafka:9092</td></tr>
        <tr><th scope="row"><code>complete</code></th><td>yes</td></tr>
        <tr><th scope="row"><code>elapsed_ms</code></th><td>1234</td></tr>
        <tr><th scope="row"><code>active_ms</code></th><td>900</td></tr>
        <tr><th scope="row"><code>topic</code></th><td>o</td></tr>
        <tr><th scope="row"><code>output_topic</code></th><td>i</td></tr>
        <tr><th scope="row"><code>orders</code></th><td>3</td></tr>
        <tr><th scope="row"><code>items</code></th><td>7</td></tr>
        <tr><th scope="row"><code>inventory_events</code></th><td>6</td></tr>
        <tr><th scope="row"><code>rejected</code></th><td>0</td></tr>
        <tr><th scope="row"><code>lost</code></th><td>1</td></tr>
        <tr><th scope="row"><code>duplicated</code></th><td>0</td></tr>
        <tr><th scope="row"><code>phantom</code></th><td>0</td></tr>
        <tr><th scope="row"><code>wrong_action</code></th><td>0</td></tr>
        <tr><th scope="row"><code>reordered</code></th><td>0</td></tr>
        <tr><th scope="row"><code>pending</code></th><td>0</td></tr>
        <tr><th scope="row"><code>other</code></th><td>0</td></tr>
        <tr><th scope="row"><code>unverifiable</code></th><td>0</td></tr>
        </tbody></table></div>
        </details>
        </section>

        """)
  }

  @Test("the same documents give the same bytes, whatever they are")
  func deterministic() throws {
    let all = [
      Self.audit, Self.analytics(minutes: [("2024-01-15T10:30", 5, 1)]), Self.lagDemo(lag: ["1", "null", "0"]),
    ]
    for text in all { #expect(try Self.page(text) == Self.page(text)) }
    #expect(try Self.page(all[0], all[1], all[2]) == Self.page(all[0], all[1], all[2]))
    #expect(try Self.page(all[0], all[1]) != Self.page(all[1], all[0]))
  }

  @Test("what a document quotes stays text, wherever it stands")
  func hostile() throws {
    let evil = "</style><script>alert(1)</script><img src=x onerror='a'>\\\"&\\u001b\\u202e\\ufffe"
    var texts = [
      Self.audit, Self.analytics(minutes: [("2024-01-15T10:30", 5, 1)]), Self.lagDemo(lag: ["1", "2", "0"]),
    ]
    // Each text of a document in turn, and each key.
    var documents: [String] = []
    for text in texts {
      let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
      for index in stride(from: 1, to: parts.count, by: 2) where !parts[index].hasPrefix("orderstream.") {
        if parts[index] == "schema" { continue }
        var changed = parts
        changed[index] = evil[...]
        documents.append(changed.joined(separator: "\""))
      }
    }
    #expect(documents.count > 100)
    for document in documents {
      let page = try Self.page(document)
      for mark in ["<script", "<img", "onerror='", "\u{1b}", "\u{202e}", "\u{fffe}"] { #expect(!page.contains(mark)) }
      #expect(try Self.tagProblem(page) == nil)
    }
    texts[0] = Self.audit.replacing("reserve burger x 2", with: evil)
    let shown = "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39;&gt;&quot;&amp;"
    #expect(try Self.page(texts[0]).contains("\(shown)\\u{1b}\\u{202e}\\u{fffe}"))
  }

  /// The first tag that is closed and was not open, or the other way round.
  static func tagProblem(_ page: String) throws -> String? {
    let void: Set<Substring> = ["meta", "link", "rect", "path", "circle", "!DOCTYPE"]
    var open: [Substring] = []
    for piece in page.split(separator: "<").dropFirst(page.hasPrefix("<") ? 0 : 1) {
      let tag = piece.prefix { $0 != ">" }
      let name = tag.prefix { $0 != " " && $0 != "/" }
      if tag.hasPrefix("/") {
        let closed = tag.dropFirst()
        guard open.popLast() == closed else { return "</\(closed)>" }
      } else if !void.contains(name) {
        open.append(name)
      } else if name == "rect", !tag.hasSuffix("/") {
        open.append(name)
      }
    }
    return open.isEmpty ? nil : "\(open)"
  }

  @Test("a page loads nothing and runs nothing")
  func alone() throws {
    let page = try Self.page(Self.audit, Self.analytics(minutes: [("2024-01-15T10:30", 5, 1)]))
    for word in ["<script", "http:", "https:", "@import", "src=", "@font-face", "javascript"] {
      #expect(!page.lowercased().contains(word), "\(word)")
    }
    #expect(page.components(separatedBy: "url(").dropFirst().allSatisfy { $0.hasPrefix("#") })
    #expect(try Self.tagProblem(page) == nil)
  }

  @Test("minutes are bars, and their numbers are behind them")
  func minutes() throws {
    let page = try Self.page(Self.analytics(minutes: [("2024-01-15T10:30", 1500, 25), ("2024-01-15T10:32", 4, 4)]))
    #expect(page.contains("<h2>Orders by minute</h2>"))
    #expect(page.contains("<title>2024-01-15 10:30: 1,500 orders, 25 failed</title>"))
    #expect(page.contains("<title>2024-01-15 10:31: 0 orders, 0 failed</title>"))
    #expect(page.contains("1,504 in all, 29 failed"))
    #expect(page.contains("<summary>Numbers by minute (2 rows)</summary>"))
    #expect(
      page.contains(
        "<th scope=\"row\">2024-01-15 10:32</th><td class=\"n\">4</td><td class=\"n\">4</td><td class=\"n\">100</td>"))
  }

  @Test("many minutes are put together, and none is lost")
  func manyMinutes() throws {
    let minutes = (0..<4000).map { index -> (String, Int, Int) in
      let buffer = ByteBuffer()
      CivilTime.appendMinute(28_400_000 + Int64(index) * 3, separator: UInt8(ascii: "T"), to: buffer)
      return (String(decoding: buffer.bytes, as: UTF8.self), 2, 1)
    }
    let page = try Self.page(Self.analytics(minutes: minutes.reversed()))
    let bars = page.components(separatedBy: "<title>").dropFirst(2).compactMap { text in
      text.prefix { $0 != "<" }.split(separator: ": ").last?.split(separator: " orders").first
    }
    #expect(bars.count > 40 && bars.count <= 96)
    #expect(bars.compactMap { Int($0.replacing(",", with: "")) }.reduce(0, +) == 8000)
    #expect(page.components(separatedBy: "<tr>").count < 500 && page.utf8.count < 120_000)
    #expect(page.contains("<h2>Orders by 3 hours</h2>"))
  }

  @Test("times and counts that no report has are drawn or left out, and never end the page")
  func strangeNumbers() throws {
    let huge = "9223372036854775807"
    let strange = Self.analytics(minutes: [
      ("0000-01-01T00:00", 1, 9), ("9999-12-31T23:59", .max, .max), ("2024-13-01T00:00", 3, 1), ("x", 1, 1),
      ("2024-01-15T10:30", -5, -1),
    ])
    #expect(try Self.tagProblem(Self.page(strange)) == nil)
    for lag in [
      ["1e308", "-5", huge], ["null", "null", "null"], ["0", "0", "0"], ["\"x\"", "[]", "{}"], ["1", "2"],
    ] {
      let document = Self.lagDemo(lag: lag)
      #expect(try Self.tagProblem(Self.page(document)) == nil)
      #expect(try !Self.page(document.replacing("\"t_ms\":100", with: "\"t_ms\":1e300")).contains("nan"))
      #expect(try !Self.page(document.replacing("\"t_ms\":200", with: "\"t_ms\":0")).contains("inf"))
    }
  }

  @Test("a lag that is not known is a gap and is called unknown, never 0")
  func unknownLag() throws {
    let page = try Self.page(Self.lagDemo(lag: ["4", "null", "null", "8", "0"]))
    #expect(page.contains("<title>100 ms: lag unknown</title>") && page.contains("<title>300 ms: lag 8</title>"))
    #expect(
      page.contains("<rect class=\"gap\" x=\"0\" y=\"0\" width=\"750\" height=\"200\"><title>unknown</title></rect>"))
    #expect(page.contains("<span class=\"key\"><i class=\"gap\"></i>unknown</span>"))
    #expect(page.contains("partition 1: highest 0") && page.contains("partition 0: highest known 8"))
    #expect(page.contains("Highest known 8, at the end 0. Not known for 300 ms, in which it may have been higher."))
    let nothing = try Self.page(Self.lagDemo(lag: ["null", "null", "null"]))
    #expect(nothing.contains("The lag of all partitions together is not known at any time."))
    let last = try Self.page(Self.lagDemo(lag: ["4", "3", "null"]))
    #expect(last.contains("at the end unknown"))
  }

  @Test("why a group is behind stands above the table of its partitions")
  func explanation() throws {
    let numbers = """
      "lag_state":"WARN","lag_seconds":12.5,"arrival_per_second":20.0,"service_per_second":8.0,"clear":"never",\
      "clear_in_seconds":null,"clear_reason":"it grows by 12/s","removed_first":0
      """
    let content = try Self.content(
      Self.page(
        """
        {"schema":"orderstream.status/1","broker":"b","complete":true,"elapsed_ms":5,"topics":[],"groups":[\
        {"group":"g","state":"Stable","members":[],"members_known":true,"lag":4,"lag_at_least":4,"reason":null,\(numbers),\
        "observations":5,"cause":{"cause":"too_few_members","sentence":"More <arrives>.","evidence":["20/s & more"],\
        "remedy":"start a member","members_needed":2},"partitions":[\
        {"topic":"t","partition":0,"committed":4,"stable":8,"lag":4,"reason":null,\(numbers)}]}]}
        """))
    for text in [
      "Why g is behind", "More &lt;arrives&gt;.", "<li>20/s &amp; more</li>", "<dd>start a member</dd>",
      "it grows by 12/s", "<dd>12.5 s</dd>", "WARN",
    ] { #expect(content.contains(text), "\(text): \(content)") }
  }

  @Test("latency is a table and, where there are buckets, a picture")
  func latency() throws {
    let figures = #""p50":2.104,"p90":3.877,"p99":9.412,"p999":null,"max":71.3,"count":2900"#
    let first = figures.replacing("2900", with: "0")
    let start = #"{"schema":"orderstream.produce/1","broker":"b","complete":true,"elapsed_ms":3,"claims":[],"#
    let buckets = #""latency_buckets":[{"le_ms":1.000,"count":5},{"le_ms":2.000,"count":20},{"le_ms":8.000,"count":3}]"#
    let page = try Self.page(
      start + #""latency_ms":{\#(figures)},"latency_first_second_ms":{\#(first)},\#(buckets)}"#)
    #expect(page.contains("<span>Latency, p99</span> <b>9.412 ms</b> <small>half within 2.104 ms</small>"))
    #expect(page.contains("<th scope=\"col\" class=\"n\">after the first second</th></tr>"))
    for (name, value) in [("p50", "2.104 ms"), ("p99.9", "unknown"), ("max", "71.3 ms"), ("records", "2,900")] {
      #expect(page.contains("<tr><th scope=\"row\">\(name)</th><td class=\"n\">\(value)</td></tr>"))
    }
    // The axis is logarithmic and begins a bucket below the first one.
    #expect(page.contains("<title>up to 2 ms: 20 records</title><rect class=\"hit\" x=\"250\" y=\"0\" width=\"250\""))
    #expect(
      page.contains("<title>up to 8 ms: 3 records</title><rect class=\"hit\" x=\"750\" y=\"0\" width=\"250\""),
      "a bucket in which nothing fell is left out of the document")
    #expect(page.contains("Dashed lines: p50 2.104 ms, p99 9.412 ms."))
    #expect(!page.contains("in the first second"))
    let short = try Self.page(start + #""latency_ms":{\#(figures)},"latency_first_second_ms":{\#(figures)}}"#)
    #expect(short.contains("class=\"n\">all records</th>") && !short.contains("first second"))
    let empty = try Self.page(start + #""latency_ms":{\#(figures)},"latency_buckets":[]}"#)
    #expect(empty.contains("<h2>Latency</h2>") && !empty.contains("How many records took how long"))
  }

  @Test("rates are told between samples, and the last sample of a run makes no spike of its own")
  func rates() throws {
    func series(_ points: [(Double, Double?)]) -> PageSeries {
      PageSeries(points: points.map { PageSeries.Point(milliseconds: $0.0, value: $0.1) })
    }
    let even = series([(100, 10), (200, 30), (300, 30)]).rates.points
    #expect(even.map(\.value) == [100, 100, 200, 0] && even.map(\.milliseconds) == [0, 100, 200, 300])
    let last = series([(0, 0), (100, 10), (200, 20), (203, 30)]).rates.points
    #expect(last.map(\.milliseconds) == [0, 100, 203] && last.last?.value == 20 / 103 * 1000)
    let unknown = series([(100, 10), (200, nil), (300, 40)]).rates.points
    #expect(unknown.map(\.value) == [100, 100, nil, nil])
    #expect(series([]).rates.points.isEmpty)
  }

  @Test("several runs have a table of all of them first, and the worst decides")
  func several() throws {
    let page = try Self.page(
      Self.lagDemo(lag: ["1", "2", "0"]), Self.analytics(minutes: [("2024-01-15T10:30", 5, 1)]), Self.audit)
    #expect(page.contains("<title>orderstream: 1 FAILED, 1 passed, 1 without a claim</title>"))
    #expect(
      page.contains("<p>3 runs: 1 FAILED, 1 passed, 1 without a claim.</p><p><a href=\"#run-3\">3. audit</a></p>"))
    #expect(
      page.contains("<a href=\"#run-1\">1.&nbsp;lag-demo</a>") && page.contains("<article class=\"run\" id=\"run-3\">"))
    #expect(page.contains("peak lag: 5 · time to drain: 70 ms"))
    let ids = page.components(separatedBy: " id=\"").dropFirst().map { $0.prefix { $0 != "\"" } }
    #expect(Set(ids).count == ids.count)
    #expect(try Self.tagProblem(page) == nil)
    let passed = try Self.page(Self.lagDemo(lag: ["1", "2", "0"]), Self.lagDemo(lag: ["1", "2", "0"]))
    #expect(
      passed.contains("<strong>passed</strong><p>2 runs: 2 passed.</p></div>")
        && passed.contains("<p class=\"sub\">on b</p>"))
  }

  @Test(
    "the verdict is that of the document, also of one that has no claims yet",
    arguments: [
      (#""complete":true,"claims":[{"claim":"c","holds":true,"detail":null}]"#, RunVerdict.passed),
      (#""complete":true,"claims":[{"claim":"c","holds":true},{"claim":"d","holds":null}]"#, .open),
      (#""complete":false,"claims":[{"claim":"c","holds":null,"detail":null}]"#, .cutShort),
      (#""complete":false,"claims":[{"claim":"c","holds":false,"detail":null}]"#, .failed),
      (#""complete":true,"claims":[]"#, .nothingClaimed), (#""complete":false,"claims":[]"#, .cutShort),
      (#""complete":true,"claims":[],"failed_conditions":[{"condition":"a>1"}]"#, .failed),
      (#""complete":true,"requested":5,"acknowledged":5,"failed_deliveries":0,"rejected":0"#, .passed),
      (#""complete":true,"requested":5,"acknowledged":4,"failed_deliveries":1,"rejected":0"#, .failed),
      (#""complete":false,"requested":5,"acknowledged":4,"failed_deliveries":0,"rejected":0"#, .cutShort),
    ])
  func verdict(members: String, expected: RunVerdict) throws {
    let text = #"{"schema":"orderstream.produce/1","broker":"b","elapsed_ms":3,\#(members)}"#
    #expect(RunVerdict(try Self.document(text)) == expected)
    #expect(try Self.page(text).contains("<strong>\(expected.word)</strong>"))
  }

  @Test("a command line is quoted for a shell")
  func commandLine() throws {
    let text = Self.audit.replacing("\"lag>10\"", with: #""a'b","","$x","ünï","-t=o,p""#)
    #expect(
      try Self.page(text).contains(
        "--fail-if &#39;a&#39;\\&#39;&#39;b&#39; &#39;&#39; &#39;$x&#39; &#39;ünï&#39; -t=o,p</code>"))
  }

  @Test("numbers are written by this program alone")
  func numbers() {
    #expect(PageNumber.decimal(1234.56) == "1,234.6" && PageNumber.decimal(-0.04) == "0")
    #expect(PageNumber.decimal(0.05, places: 2) == "0.05" && PageNumber.decimal(2.5, places: 0) == "3")
    #expect(
      PageNumber.duration(milliseconds: 0.4125) == "0.413 ms" && PageNumber.duration(milliseconds: 812) == "812 ms")
    #expect(
      PageNumber.duration(milliseconds: 8297) == "8.297 s" && PageNumber.duration(milliseconds: 185_000) == "3 min 5 s")
    #expect(PageNumber.duration(milliseconds: 7_800_000) == "2 h 10 min")
    #expect(
      PageNumber.short(20_000) == "20 k" && PageNumber.short(1_500_000) == "1.5 M" && PageNumber.short(9999) == "9,999")
    #expect(PageAxis(to: 1423).marks == [0, 500, 1000, 1500] && PageAxis(to: 3).marks == [0, 1, 2, 3])
    #expect(
      PageAxis(to: 0).marks == [0, 1] && PageAxis(to: 2).marks == [0, 1, 2] && PageAxis(to: 2_003_000).end == 2_500_000
        && PageAxis(to: 409).marks == [0, 100, 200, 300, 400, 500])
    for (value, logarithm) in [(1.0, 0.0), (10, 1), (1000, 3), (0.001, -3), (2, 0.301_029_995_663_981_2)] {
      #expect(abs(decimalLogarithm(value) - logarithm) < 1e-12)
    }
  }
}
