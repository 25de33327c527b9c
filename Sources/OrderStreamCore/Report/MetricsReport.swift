/// The order metrics: the report of `analytics` and `replay`, and the bytes of their files. A function of the summary
/// alone.
public struct MetricsReport: Report {
  public let command: StaticString = "analytics"
  public let summary: MetricsSummary
  /// Records committed by this process in this run; only in the document.
  public let processed: Int64
  /// Records that were removed before the group read them, accepted with `--accept-loss`; only in the document.
  public let lostRecords: Int64
  /// In records of this run.
  public let completion: Completion
  /// Of the last document of a run that is followed: the minutes that have changed since the one before.
  let changed: [MetricsTotals.Minute]?

  /// - Parameter changed: `nil` for a run that is not followed.
  public init(
    _ summary: MetricsSummary, processed: Int64, lostRecords: Int64 = 0, completion: Completion = .whole,
    changed: [MetricsTotals.Minute]? = nil
  ) {
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

  public func appendBody(to text: ByteBuffer) {
    summary.totals.append(to: text)
    text.append("\nOrders by minute (UTC)\n" as StaticString)
    appendMinutes(to: text)
    // The last line is no minute.
    if completion.cutShort != nil { text.append("\n" as StaticString) }
  }

  private func appendMinutes(to text: ByteBuffer) {
    let orders = max(Self.ordersWidth, Self.digits(summary.minutes.map(\.orders).max() ?? 0) + 2)
    let failed = max(Self.failedWidth, Self.digits(summary.minutes.map(\.failed).max() ?? 0) + 2)
    for minute in summary.minutes {
      text.append("  " as StaticString)
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: " "), to: text)
      TextRows.appendRight(minute.orders, width: orders, to: text)
      TextRows.appendRight(minute.failed, width: failed, to: text)
      text.append(" failed\n" as StaticString)
    }
  }

  private static func digits(_ value: Int64) -> Int { String(value).utf8.count }

  public func appendMembers(to json: inout JSONWriter) {
    summary.totals.appendMembers(to: &json)
    if let changed { LiveMetricsReport.append(changed, to: &json) }
    Self.appendMinutes(of: summary, to: &json)
    json.member("processed", processed)
    json.member("lost_to_retention", lostRecords)
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

  /// The orders of each minute as a chart for a terminal, failed ones in another shade, newest minutes if there are many.
  public func chart(width: Int) -> [String] {
    Self.chart(Array(summary.minutes.suffix(BarChart.lineLimit)), of: summary.totals, width: width)
  }

  /// - Parameter newest: As many as fit, oldest first.
  fileprivate static func chart(_ newest: [MetricsTotals.Minute], of totals: MetricsTotals, width: Int) -> [String] {
    let text = ByteBuffer(capacity: 64)
    let bars = newest.map { minute in
      text.removeAll()
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: " "), to: text)
      return BarChart.Bar(
        label: String(decoding: text.bytes, as: UTF8.self), value: minute.orders, marked: minute.failed)
    }
    return BarChart(bars, hidden: Int(totals.minuteCount) - bars.count).lines(width: width)
  }
}

/// The order metrics while a run is followed: the totals, and of the minutes only those that have changed.
public struct LiveMetricsReport: Report {
  static let schemaVersion = 2

  public let command: StaticString = "analytics"
  public let completion = Completion.ongoing
  public let totals: MetricsTotals
  let changed: [MetricsTotals.Minute]
  let processed: Int64
  let lostRecords: Int64

  /// - Parameter changed: Since the last report of this run, the first one since its beginning.
  public init(_ totals: MetricsTotals, changed: [MetricsTotals.Minute], processed: Int64, lostRecords: Int64) {
    self.totals = totals
    self.changed = changed
    self.processed = processed
    self.lostRecords = lostRecords
  }

  public var schemaVersion: Int { Self.schemaVersion }

  public func appendBody(to text: ByteBuffer) { totals.append(to: text) }

  /// The totals on one line.
  public func appendLine(to text: ByteBuffer) {
    text.append("total \(totals.totalOrders), failed \(totals.failedOrders) (")
    text.append(TextRows.hundredths(totals.failureRateHundredths))
    text.append(" %), current \(totals.currentMinute?.orders ?? 0)/min, rejected \(totals.rejected)\n")
  }

  public func appendMembers(to json: inout JSONWriter) {
    totals.appendMembers(to: &json)
    Self.append(changed, to: &json)
    json.member("processed", processed)
    json.member("lost_to_retention", lostRecords)
  }

  static func append(_ changed: [MetricsTotals.Minute], to json: inout JSONWriter) {
    MetricsReport.appendByMinute("changed_by_minute", changed, \.orders, to: &json)
    MetricsReport.appendByMinute("changed_failed_by_minute", changed, \.failed, to: &json)
  }

  /// The newest minutes as a chart.
  public func chart(of live: LiveMetrics, width: Int) -> [String] {
    MetricsReport.chart(live.newest(BarChart.lineLimit), of: totals, width: width)
  }
}

extension MetricsTotals {
  /// As rows for people.
  func append(to text: ByteBuffer) {
    TextRows.append(title: "Order metrics", to: text)
    TextRows.append("Total orders", totalOrders, to: text)
    TextRows.append("Failed orders", failedOrders, to: text)
    TextRows.append("Failure rate", TextRows.hundredths(failureRateHundredths) + " %", to: text)
    TextRows.append("Average orders per minute", TextRows.hundredths(averageOrdersPerMinuteHundredths), to: text)
    TextRows.appendLabel("Current orders per minute", to: text)
    if let current = currentMinute {
      text.append("\(current.orders) (")
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: " "), to: text)
      text.append(")\n" as StaticString)
    } else {
      text.append("0\n" as StaticString)
    }
    TextRows.append("Rejected records", rejected, to: text)
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
