/// How lag built, peaked and drained in `lag-demo`, and whether every event was seen exactly once.
public struct LagReport: Report, Sendable {
  public struct Sample: Sendable, Equatable {
    /// Since the start of production.
    public var milliseconds: Int64
    /// Events acknowledged so far.
    public var produced: Int64
    /// Events consumed and committed so far.
    public var consumed: Int64
    /// Sum of the lag of all partitions; `nil` when it could not be asked.
    public var lag: Int64?
    /// Of each partition; `nil` when it could not be asked, and for more partitions than `RunSamples.partitionLimit`.
    public var lagByPartition: [Int64?]?

    public init(
      milliseconds: Int64, produced: Int64, consumed: Int64, lag: Int64?, lagByPartition: [Int64?]? = nil
    ) {
      self.milliseconds = milliseconds
      self.produced = produced
      self.consumed = consumed
      self.lag = lag
      self.lagByPartition = lagByPartition.flatMap { $0.count <= RunSamples.partitionLimit ? $0 : nil }
    }
  }

  public let command: StaticString = "lag-demo"
  public var topic: String
  public var group: String
  public var produced: Int64 = 0
  public var consumed: Int64 = 0
  public var lost: Int64 = 0
  public var duplicated: Int64 = 0
  public var failedDeliveries: Int64 = 0
  /// Last acknowledgement to lag 0; `nil` when it did not drain.
  public var drainMilliseconds: Int64?
  /// `--drain-timeout`.
  public var drainLimitMilliseconds: Int64 = 0
  public var samples: [Sample] = []
  /// When it was ended before the lag had drained, nothing is proved, and nothing is refuted. In consumed events.
  public var completion = Completion.whole

  public init(topic: String, group: String) {
    self.topic = topic
    self.group = group
  }

  /// Of the samples that know it; `nil` when none does.
  public var peakLag: Int64? { samples.compactMap(\.lag).max() }

  /// The claim: it drained, and every event was seen exactly once.
  public var isTrue: Bool { drainMilliseconds != nil && lost == 0 && duplicated == 0 && consumed == produced }

  /// Whether the consumers were about as fast as the producer: then nothing rose that could drain.
  public var hasNoLag: Bool { (peakLag ?? 0) * 100 < produced }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Consumer lag on \(topic)", to: text)
    TextRows.append("Produced", produced, to: text)
    TextRows.append("Consumed", consumed, to: text)
    TextRows.append("Peak lag", peakLag.map(String.init) ?? "unknown", to: text)
    TextRows.append(
      "Time to drain", drainMilliseconds.map(TextRows.seconds) ?? "not drained", drainMilliseconds == nil ? .bad : nil,
      to: text)
    TextRows.append("Lost", unwanted: lost, to: text)
    TextRows.append("Duplicated", unwanted: duplicated, to: text)
    if completion.isWhole { TextRows.append("Result", result, isTrue ? .good : .bad, to: text) }
  }

  /// The chart, then the text with the verdict last.
  public func appendBody(to text: ReportText, on screen: Screen) {
    appendChart(to: text, on: screen, below: 0)
    appendBody(to: text)
  }

  /// The chart and a blank line.
  /// - Parameter rows: What a text below it has more than this one.
  func appendChart(to text: ReportText, on screen: Screen, below rows: Int) {
    let chart = LagChart(samples, rows: min(LagChart.rowLimit, screen.rows - Self.otherRows - rows))
    chart.append(to: text, on: screen)
    if !chart.isEmpty { text.append(UInt8(ascii: "\n")) }
  }

  /// Lines of the screen that are no rows of the chart: the report, the chart's frame and a blank line; the note of the
  /// broker, which takes three where its name is long; the shell's next prompt.
  private static let otherRows = 8 + LagChart.frameRows + 1 + 3 + 1

  /// What a terminal shows while it runs: the same chart, and where the run is.
  public func appendView(heading: String, to text: ReportText, on screen: Screen) {
    text.append(heading, .title)
    text.append("\n\n" as StaticString)
    let rows = max(0, min(LagChart.rowLimit, screen.rows - LagChart.frameRows - 5))
    let chart = LagChart(samples, rows: rows)
    chart.append(to: text, on: screen)
    // The lines below stay where they are while the chart grows.
    for _ in chart.rowCount..<max(rows, chart.rowCount) { text.append(UInt8(ascii: "\n")) }
    let last = samples.last
    text.append("\n  produced \((last?.produced ?? 0).grouped)  consumed \((last?.consumed ?? 0).grouped)  lag ")
    let lag = last?.lag
    text.append(lag.map(\.grouped) ?? "unknown", lag == 0 ? .good : .warning)
    text.append("\n" as StaticString)
    text.append("  Ctrl-C ends the run.", .dim)
    text.append("\n" as StaticString)
  }

  public var claims: [Claim] {
    let isWhole = completion.isWhole
    let drained: Bool? = drainMilliseconds != nil ? true : isWhole ? false : nil
    let still = samples.last?.lag.map { "the lag was still \($0)" } ?? "the lag is unknown"
    return [
      Claim(
        "every event was acknowledged", holds: failedDeliveries == 0 ? (isWhole ? true : nil) : false,
        detail: failedDeliveries == 0 ? nil : "\(failedDeliveries) were not"),
      Claim("the lag drained", holds: drained, detail: drained == true ? nil : still),
      Claim(none: "no event was lost", count: lost, noun: "were", isWhole: isWhole),
      Claim(none: "no event was seen twice", count: duplicated, noun: "were", isWhole: isWhole),
    ]
  }

  private var result: String {
    if isTrue { return "lag drained, every event was seen exactly once" }
    var reasons: [String] = []
    if drainMilliseconds == nil {
      let lag = samples.last?.lag.map { "still \($0)" } ?? "unknown"
      reasons.append("lag was \(lag) when --drain-timeout (\(drainLimitMilliseconds) ms) ended")
    }
    if lost > 0 { reasons.append("\(TextRows.count(lost, "event")) lost") }
    if duplicated > 0 { reasons.append("\(TextRows.count(duplicated, "event")) seen more than once") }
    if reasons.isEmpty { reasons.append("\(consumed) of \(produced) events were consumed") }
    return "FAILED: " + reasons.joined(separator: "; ")
  }

  public var consequence: String? { "the lag had not drained" }

  public func appendMembers(to json: inout JSONWriter) {
    appendNames(to: &json)
    appendCounts(to: &json)
    appendSamples(to: &json)
  }

  func appendNames(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("group", group)
  }

  /// - Parameter areEventsSeen: Whether it was looked at each event, so that it is known what was lost or duplicated.
  func appendCounts(to json: inout JSONWriter, areEventsSeen: Bool = true) {
    json.member("produced", produced)
    json.member("consumed", consumed)
    json.member("lost", areEventsSeen ? lost : nil)
    json.member("duplicated", areEventsSeen ? duplicated : nil)
    json.member("failed_deliveries", failedDeliveries)
    json.member("peak_lag", peakLag)
    json.member("drain_ms", drainMilliseconds)
  }

  func appendSamples(to json: inout JSONWriter) {
    json.key("samples")
    json.beginArray()
    for sample in samples {
      json.beginObject()
      json.member("t_ms", sample.milliseconds)
      json.member("produced", sample.produced)
      json.member("consumed", sample.consumed)
      json.member("lag", sample.lag)
      json.member("lag_by_partition", sample.lagByPartition)
      json.endObject()
    }
    json.endArray()
  }
}

/// Lag over time: rows at even steps, whose length doubles or so when there are too many.
private struct LagChart {
  static let rowLimit = 12
  /// The heading, and the heads of the columns.
  static let frameRows = 2
  /// In milliseconds.
  private static let steps: [Int64] = [
    100, 200, 300, 500, 1000, 1500, 2000, 3000, 5000, 10_000, 15_000, 20_000, 30_000, 60_000,
  ]

  private let chart: BarChart
  private let step: Int64

  /// - Parameter rows: The most rows.
  init(_ samples: [LagReport.Sample], rows: Int) {
    guard let last = samples.last, rows >= 2 else {
      (chart, step) = (BarChart(rows: []), 0)
      return
    }
    func count(_ step: Int64) -> Int64 { last.milliseconds / step + 1 }
    var step = Self.steps.first { count($0) <= rows } ?? Self.steps.last!
    while count(step) > rows { step *= 2 }
    // The highest lag of each step, so that the peak is among them; of the last one how it ended.
    var shown: [LagReport.Sample?] = Array(repeating: nil, count: Int(count(step)))
    for sample in samples {
      let index = Int(sample.milliseconds / step)
      if let other = shown[index], (other.lag ?? -1) >= (sample.lag ?? -1), index < shown.count - 1 { continue }
      shown[index] = sample
    }
    self.step = step
    chart = BarChart(
      heads: ["time", "produced", "consumed", "lag"],
      rows: shown.enumerated().map { index, sample in
        let time = Int64(index) * step
        let label = step % 1000 == 0 ? "\(time / 1000) s" : "\(time / 1000).\(time % 1000 / 100) s"
        let values = sample.map { [String($0.produced), String($0.consumed), $0.lag.map(String.init) ?? "?"] }
        return BarChart.Row(label: label, values: values ?? ["?", "?", "?"], value: sample?.lag ?? 0)
      })
  }

  var isEmpty: Bool { chart.rows.isEmpty }
  var rowCount: Int { isEmpty ? 0 : chart.rows.count }

  func append(to text: ReportText, on screen: Screen) {
    guard !isEmpty else { return }
    TextRows.append(title: "Lag over time", to: text)
    chart.append(to: text, on: screen)
  }
}
