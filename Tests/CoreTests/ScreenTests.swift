import Testing

@testable import OrderStreamCore

/// The texts for a terminal: charts that fit, and what has a colour.
@Suite("Reports on a screen") struct ScreenTests {
  static let small = Screen(columns: 80, rows: 24, isUnicode: true)
  static let screens = [
    small, Screen(columns: 200, rows: 50, isUnicode: true), Screen(columns: 80, rows: 24, isUnicode: false),
    Screen(columns: 30, rows: 10, isUnicode: true), Screen(columns: 1, rows: 1, isUnicode: true),
  ]

  static func lines(_ report: some Report, on screen: Screen) -> [String] {
    let text = ReportText()
    report.appendText(to: text, on: screen)
    return lines(text)
  }

  static func lines(_ text: ReportText) -> [String] {
    String(decoding: text.buffer.bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .dropLast()
      .map(String.init)
  }

  /// One order in every minute that is named, every tenth one failed.
  static func summary(_ minutes: some Sequence<Int64>) -> MetricsSummary {
    var table = MinuteTable()
    for minute in minutes { _ = table.add(minute: minute, orders: 1, failed: minute % 10 == 0 ? 1 : 0) }
    return MetricsSummary(minutes: table, rejected: 0)
  }

  @Test("A day of minutes is one screen, its summary last, whatever the screen", arguments: screens)
  func day(screen: Screen) {
    let first: Int64 = 28_421_280
    for count in [1, 2, 10, 100, 1440, 100_000] as [Int64] {
      let lines = Self.lines(MetricsReport(Self.summary(first..<first + count), processed: 0), on: screen)
      #expect(lines.count <= max(screen.rows, 7), "\(count) minutes: \(lines)")
      #expect(lines.suffix(7).first == "Order metrics" && lines.last == "  Rejected records           0")
      let rows = lines.dropLast(8)
      #expect(rows.allSatisfy { $0.count < max(screen.columns, 40) }, "\(rows)")
      #expect(screen.isUnicode || rows.allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } }, "\(rows)")
      #expect(screen.rows < 24 || rows.count >= 3, "\(count) minutes: \(lines)")
    }
  }

  @Test("A view with latencies fits too: a narrow screen has fewer percentiles", arguments: screens)
  func latency(screen: Screen) {
    let report = MetricsReport(Self.summary(0..<1000), processed: 0, latency: ReportTests.latency)
    let text = ReportText()
    report.appendView(heading: "heading", state: "state", to: text, on: screen)
    let view = String(decoding: text.buffer.bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    )
    .dropLast()
    #expect(view.count <= max(screen.rows, 11) && view.last == "state", "\(view)")
    let rows = view.filter { $0.contains(" ms (") }
    #expect(rows.count == 2 && rows.allSatisfy { $0.count < max(screen.columns, 38) && $0.contains("p99 ") }, "\(rows)")
    #expect(screen.columns < 80 || rows.allSatisfy { $0.contains("p50") && $0.contains("p99.9") && $0.contains("max") })
    let lines = Self.lines(report, on: screen)
    #expect(lines.count <= max(screen.rows, 9) && lines.suffix(2).allSatisfy { $0.contains(" ms (") }, "\(lines)")
  }

  @Test("Buckets grow until they fit, nothing is counted twice or left out, and gaps are gaps")
  func buckets() {
    let minutes = (0..<60 as Range<Int64>).map { $0 * 97 + 28_000_000 }
    for limit in [1, 2, 3, 11, 60, 10_000] {
      let buckets = TimeBuckets(Self.summary(minutes).minutes, limit: limit)
      #expect(buckets.buckets.count <= limit)
      #expect(buckets.buckets.reduce(0) { $0 + $1.orders } == 60)
      #expect(zip(buckets.buckets, buckets.buckets.dropFirst()).allSatisfy { $1.start - $0.start == buckets.step })
    }
    let gap = TimeBuckets(Self.summary([0, 1, 5]).minutes, limit: 10)
    #expect(gap.buckets.map(\.orders) == [1, 1, 0, 0, 0, 1] && gap.unit == "minute")
    #expect(TimeBuckets(Self.summary([0, 1440 * 3]).minutes, limit: 4).unit == "day")
    #expect(TimeBuckets(Self.summary([0, 100]).minutes, limit: 6).unit == "30 minutes")
    #expect(TimeBuckets([], limit: 5).buckets.isEmpty)
  }

  @Test("Bars are proportional, failures first and in another shade, an eighth of a column at least")
  func bars() {
    let chart = BarChart(rows: [
      .init(label: "a", values: ["0"], value: 0), .init(label: "bb", values: ["1"], value: 1),
      .init(label: "c", values: ["50"], value: 50, failed: 25),
      .init(label: "d", values: ["100"], value: 100, failed: 100),
    ])
    func drawn(_ isUnicode: Bool) -> ReportText {
      let text = ReportText()
      chart.append(to: text, on: Screen(columns: 22, rows: 9, isUnicode: isUnicode))
      return text
    }
    #expect(Self.lines(drawn(true)) == ["  a     0", "  bb    1  ▏", "  c    50  ░░░██", "  d   100  ░░░░░░░░░░"])
    #expect(Self.lines(drawn(false)) == ["  a     0", "  bb    1  #", "  c    50  xxx##", "  d   100  xxxxxxxxxx"])
    #expect(drawn(true).marks.map(\.tone) == [.bar, .failedBar, .bar, .failedBar])
  }

  @Test(
    "The lag of a long run is at most twelve rows at even steps, with the peak, and the verdict last",
    arguments: screens)
  func lag(screen: Screen) {
    var report = LagReport(topic: "t", group: "g")
    for step in 0...400 as ClosedRange<Int64> {
      report.samples.append(
        LagReport.Sample(
          milliseconds: step * 100, produced: step, consumed: step, lag: step == 123 ? 999 : min(step, 400 - step)))
    }
    report.drainMilliseconds = 1
    let lines = Self.lines(report, on: screen)
    #expect(lines.count <= max(screen.rows, 8) && lines.last?.contains("lag drained") == true)
    guard screen.rows >= 24 else { return }
    let rows = lines.dropFirst(2).prefix { !$0.isEmpty }
    #expect(rows.count <= 12 && rows.count >= 6, "\(lines)")
    #expect(rows.contains { $0.contains(" 999 ") } && rows.last?.hasSuffix(" 0") == true, "\(lines)")
    for width in rows.map(\.count) { #expect(width < screen.columns) }
  }

  @Test("What is wrong is red, what is proved is green, and the bytes are the same")
  func tones() {
    func tones(_ report: some Report) -> [String: Tone] {
      let text = ReportText()
      report.appendText(to: text)
      #expect(String(decoding: text.buffer.bytes, as: UTF8.self) == ReportTests.text(report))
      let pairs = text.marks.map { (String(decoding: text.buffer.bytes[$0.range], as: UTF8.self), $0.tone) }
      return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }
    var report = ReportTests.lag
    #expect(tones(report)["lag drained, every event was seen exactly once"] == .good)
    report.lost = 4
    #expect(tones(report)["4"] == .bad && tones(report)["FAILED: 4 events lost"] == .bad)
    report.completion = .cutShort(Completion.CutShort(by: "SIGINT", after: 1, of: 2))
    #expect(tones(report).values.contains(.warning))
  }

  @Test("Digits are grouped, counts have their plural")
  func words() {
    #expect(
      ([0, 12, 999, 1000, 1_234_567, -1234] as [Int64]).map(\.grouped) == [
        "0", "12", "999", "1,000", "1,234,567", "-1,234",
      ])
    #expect(TextRows.count(1, "topic") == "1 topic" && TextRows.count(0, "topic") == "0 topics")
  }

  @Test("The heading of a view keeps the end of a long broker's name")
  func heading() {
    #expect(Self.small.heading("Lag", on: "localhost:9092") == "Lag on localhost:9092")
    let long = Self.small.heading("Lag", on: "embedded:/" + String(repeating: "x", count: 100) + "/log")
    #expect(long.count <= 80 && long.hasPrefix("Lag on …x") && long.hasSuffix("/log"))
  }
}
