/// The order metrics: the report of `analytics` and `replay`, and the bytes of their files. A function of the summary
/// alone.
public struct MetricsReport: Report {
  public let command: StaticString = "analytics"
  public let summary: MetricsSummary
  /// Who has read what; only in the document.
  public var reader: GroupReader?
  /// Records committed by this process in this run; only in the document.
  public let processed: Int64
  /// Records that were removed before the group read them, accepted with `--accept-loss`; only in the document.
  public let lostRecords: Int64
  /// From the timestamps of records to the commits that cover them; `nil` for a run that is not followed. Not in the text:
  /// that depends on the records alone.
  public let latency: LatencyFigures?
  /// How old the first record is that this member has not committed; `nil` while that is not known. Only where `latency` is.
  public var lagSeconds: Double?
  /// In records of this run.
  public let completion: Completion
  /// Of the last document of a run that is followed: the minutes that have changed since the one before.
  let changed: [MetricsTotals.Minute]?
  /// The run over time; only in the document.
  public var samples: RunSamples?

  /// - Parameter changed: `nil` for a run that is not followed.
  public init(
    _ summary: MetricsSummary, processed: Int64, lostRecords: Int64 = 0, completion: Completion = .whole,
    changed: [MetricsTotals.Minute]? = nil, latency: LatencyFigures? = nil
  ) {
    self.latency = latency
    self.completion = completion
    self.changed = changed
    self.summary = summary
    self.processed = processed
    self.lostRecords = lostRecords
  }

  /// Least widths of the two count columns; both grow so that two blanks stand before the largest count.
  private static let ordersWidth = 8
  private static let failedWidth = 6

  public var schemaVersion: Int { changed == nil ? 1 : LiveMetricsReport.schemaVersion }

  public func appendBody(to text: ReportText) {
    summary.totals.append(to: text)
    text.append("\nOrders by minute (UTC)\n" as StaticString)
    appendMinutes(to: text)
    // The last line is no minute.
    if completion.cutShort != nil { text.append("\n" as StaticString) }
  }

  /// A chart whose buckets grow until it fits takes the place of the minutes, and the summary comes last.
  public func appendBody(to text: ReportText, on screen: Screen) {
    let rest = Self.summaryRows + Self.chartFrameRows + (completion.cutShort == nil ? 0 : 1)
    MetricsChart.append(summary.minutes, limit: screen.rows - rest - latencyRows, on: screen, to: text)
    summary.totals.append(to: text)
    latency?.appendRows(to: text, columns: screen.columns)
  }

  /// What a terminal shows while a run goes on: the totals where they do not move, then the chart.
  /// - Parameter state: Where the run is, on the last line.
  public func appendView(heading: String, state: String, to text: ReportText, on screen: Screen) {
    text.append(heading, .title)
    text.append(UInt8(ascii: "\n"))
    summary.totals.appendRows(to: text)
    latency?.appendRows(to: text, columns: screen.columns)
    if let lagSeconds { TextRows.append("Lag in time", LagWords.seconds(lagSeconds), to: text) }
    text.append(UInt8(ascii: "\n"))
    let rest = Self.viewRows + Self.chartFrameRows + latencyRows + (lagSeconds == nil ? 0 : 1)
    MetricsChart.append(summary.minutes, limit: screen.rows - rest, on: screen, to: text)
    text.append(state, .dim)
    text.append(UInt8(ascii: "\n"))
  }

  /// Lines of the summary, and of what stands around it: the command, its note, and the shell's next prompt.
  private static let summaryRows = 7 + 4
  /// Lines of a view without its chart: the heading, the totals, a blank one, the state.
  private static let viewRows = 1 + 6 + 1 + 1
  /// Lines of a chart that are no rows: its heading, the heads of its columns, the blank line behind it.
  private static let chartFrameRows = 3

  private var latencyRows: Int { latency?.rowCount ?? 0 }

  private func appendMinutes(to text: ReportText) {
    let orders = max(Self.ordersWidth, Self.digits(summary.minutes.map(\.orders).max() ?? 0) + 2)
    let failed = max(Self.failedWidth, Self.digits(summary.minutes.map(\.failed).max() ?? 0) + 2)
    for minute in summary.minutes {
      text.append("  " as StaticString)
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: " "), to: text.buffer)
      TextRows.appendRight(minute.orders, width: orders, to: text)
      TextRows.appendRight(minute.failed, width: failed, to: text)
      text.append(" failed\n" as StaticString)
    }
  }

  private static func digits(_ value: Int64) -> Int { String(value).utf8.count }

  public func appendMembers(to json: inout JSONWriter) {
    reader?.appendMembers(to: &json)
    summary.totals.appendMembers(to: &json)
    if let changed { LiveMetricsReport.append(changed, to: &json) }
    Self.appendMinutes(of: summary, to: &json)
    json.member("processed", processed)
    json.member("lost_to_retention", lostRecords)
    latency?.appendMembers(to: &json)
    if latency != nil { json.member("lag_seconds", decimal: lagSeconds) }
    samples?.appendMembers(to: &json)
  }

  /// The group totals, as `replay` holds them twice.
  static func appendMembers(of summary: MetricsSummary, to json: inout JSONWriter) {
    summary.totals.appendMembers(to: &json)
    appendMinutes(of: summary, to: &json)
  }

  private static func appendMinutes(of summary: MetricsSummary, to json: inout JSONWriter) {
    appendByMinute("orders_by_minute", summary.minutes, \.orders, to: &json)
    appendByMinute("failed_by_minute", summary.minutes, \.failed, to: &json)
  }

  /// An object minute → count, oldest first; minutes without failed orders stand with 0.
  fileprivate static func appendByMinute(
    _ name: String, _ minutes: [MetricsSummary.Minute], _ count: KeyPath<MetricsSummary.Minute, Int64>,
    to json: inout JSONWriter
  ) {
    let text = ByteBuffer(capacity: 64)
    json.key(name)
    json.beginObject()
    for minute in minutes {
      text.removeAll()
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: "T"), to: text)
      json.key(text.bytes)
      json.integer(minute[keyPath: count])
    }
    json.endObject()
  }
}

/// The order metrics while a run is followed: the totals, and of the minutes only those that have changed.
public struct LiveMetricsReport: Report {
  static let schemaVersion = 2

  public let command: StaticString = "analytics"
  public let completion = Completion.ongoing
  public let totals: MetricsTotals
  public var reader: GroupReader?
  let changed: [MetricsTotals.Minute]
  let processed: Int64
  let lostRecords: Int64
  public let latency: LatencyFigures
  /// How old the first record is that this member has not committed; `nil` while that is not known.
  public var lagSeconds: Double?

  /// - Parameter changed: Since the last report of this run, the first one since its beginning.
  public init(
    _ totals: MetricsTotals, changed: [MetricsTotals.Minute], processed: Int64, lostRecords: Int64,
    latency: LatencyFigures
  ) {
    self.latency = latency
    self.totals = totals
    self.changed = changed
    self.processed = processed
    self.lostRecords = lostRecords
  }

  public var schemaVersion: Int { Self.schemaVersion }

  public func appendBody(to text: ReportText) { totals.append(to: text) }

  /// The totals on one line.
  public func appendLine(to text: ByteBuffer) {
    text.append("total \(totals.totalOrders), failed \(totals.failedOrders) (")
    text.append(TextRows.hundredths(totals.failureRateHundredths))
    text.append(" %), current \(totals.currentMinute?.orders ?? 0)/min, rejected \(totals.rejected)")
    if let lagSeconds { text.append(", behind \(LagWords.seconds(lagSeconds))") }
    if let line = latency.line { text.append("; \(line)") }
    text.append(UInt8(ascii: "\n"))
  }

  public func appendMembers(to json: inout JSONWriter) {
    reader?.appendMembers(to: &json)
    totals.appendMembers(to: &json)
    Self.append(changed, to: &json)
    json.member("processed", processed)
    json.member("lost_to_retention", lostRecords)
    latency.appendMembers(to: &json)
    json.member("lag_seconds", decimal: lagSeconds)
  }

  static func append(_ changed: [MetricsTotals.Minute], to json: inout JSONWriter) {
    MetricsReport.appendByMinute("changed_by_minute", changed, \.orders, to: &json)
    MetricsReport.appendByMinute("changed_failed_by_minute", changed, \.failed, to: &json)
  }
}

/// Orders over time on a terminal.
enum MetricsChart {
  /// Fewer rows tell nothing.
  private static let leastRows = 2
  /// More are read less well.
  private static let mostRows = 40

  /// Appends the chart, its heading and a blank line; nothing where there is no room.
  /// - Parameters:
  ///   - minutes: Oldest first.
  ///   - limit: The most rows.
  static func append(_ minutes: [MetricsTotals.Minute], limit: Int, on screen: Screen, to text: ReportText) {
    guard limit >= leastRows, !minutes.isEmpty else { return }
    let time = TimeBuckets(minutes, limit: min(limit, mostRows))
    text.append("Orders by \(time.unit)", .title)
    text.append("  (" as StaticString)
    text.append(screen.isUnicode ? "░" : "x", .failedBar)
    text.append(" failed)\n" as StaticString)
    time.chart.append(to: text, on: screen)
    text.append("\n" as StaticString)
  }
}

extension MetricsTotals {
  /// As rows for people.
  func append(to text: ReportText) {
    TextRows.append(title: "Order metrics", to: text)
    appendRows(to: text)
  }

  func appendRows(to text: ReportText) {
    TextRows.append("Total orders", totalOrders, to: text)
    TextRows.append("Failed orders", failedOrders, to: text)
    TextRows.append("Failure rate", TextRows.hundredths(failureRateHundredths) + " %", to: text)
    TextRows.append("Average orders per minute", TextRows.hundredths(averageOrdersPerMinuteHundredths), to: text)
    TextRows.appendLabel("Current orders per minute", to: text)
    if let current = currentMinute {
      text.append("\(current.orders) (")
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: " "), to: text.buffer)
      text.append(")\n" as StaticString)
    } else {
      text.append("0\n" as StaticString)
    }
    TextRows.append("Rejected records", rejected, rejected > 0 ? .warning : nil, to: text)
  }

  func appendMembers(to json: inout JSONWriter) {
    json.member("total_orders", totalOrders)
    json.member("failed_orders", failedOrders)
    json.key("failure_rate_percent")
    json.hundredths(failureRateHundredths)
    json.key("average_orders_per_minute")
    json.hundredths(averageOrdersPerMinuteHundredths)
    json.member("current_orders_per_minute", currentMinute?.orders ?? 0)
    json.key("current_minute")
    if let current = currentMinute {
      let text = ByteBuffer(capacity: 64)
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: "T"), to: text)
      json.string(text.bytes)
    } else {
      json.null()
    }
    json.member("rejected", rejected)
  }
}
