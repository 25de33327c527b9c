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

  public init(
    _ summary: MetricsSummary, processed: Int64, lostRecords: Int64 = 0, completion: Completion = .whole
  ) {
    self.completion = completion
    self.summary = summary
    self.processed = processed
    self.lostRecords = lostRecords
  }

  /// Least widths of the two count columns; both grow so that two blanks stand before the largest count.
  private static let ordersWidth = 8
  private static let failedWidth = 6

  public func appendBody(to text: ByteBuffer) {
    appendSummary(to: text)
    text.append("\nOrders by minute (UTC)\n" as StaticString)
    appendMinutes(to: text)
    // The last line is no minute.
    if completion.cutShort != nil { text.append("\n" as StaticString) }
  }

  /// The totals without the minutes, for a live view.
  public func appendSummary(to text: ByteBuffer) {
    TextRows.append(title: "Order metrics", to: text)
    TextRows.append("Total orders", summary.totalOrders, to: text)
    TextRows.append("Failed orders", summary.failedOrders, to: text)
    TextRows.append("Failure rate", TextRows.hundredths(summary.failureRateHundredths) + " %", to: text)
    TextRows.append(
      "Average orders per minute", TextRows.hundredths(summary.averageOrdersPerMinuteHundredths), to: text)
    TextRows.appendLabel("Current orders per minute", to: text)
    if let current = summary.currentMinute {
      text.append("\(current.orders) (")
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: " "), to: text)
      text.append(")\n" as StaticString)
    } else {
      text.append("0\n" as StaticString)
    }
    TextRows.append("Rejected records", summary.rejected, to: text)
  }

  /// The totals on one line, for a run that is followed.
  public func appendLine(to text: ByteBuffer) {
    text.append("total \(summary.totalOrders), failed \(summary.failedOrders) (")
    text.append(TextRows.hundredths(summary.failureRateHundredths))
    text.append(" %), current \(summary.currentMinute?.orders ?? 0)/min, rejected \(summary.rejected)\n")
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
    Self.appendMembers(of: summary, to: &json)
    json.member("processed", processed)
    json.member("lost_to_retention", lostRecords)
  }

  /// The group totals, as `replay` holds them twice.
  static func appendMembers(of summary: MetricsSummary, to json: inout JSONWriter) {
    json.member("total_orders", summary.totalOrders)
    json.member("failed_orders", summary.failedOrders)
    json.key("failure_rate_percent")
    json.hundredths(summary.failureRateHundredths)
    json.key("average_orders_per_minute")
    json.hundredths(summary.averageOrdersPerMinuteHundredths)
    json.member("current_orders_per_minute", summary.currentMinute?.orders ?? 0)
    json.key("current_minute")
    let text = ByteBuffer(capacity: 64)
    if let current = summary.currentMinute {
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: "T"), to: text)
      json.string(text.bytes)
    } else {
      json.null()
    }
    appendByMinute("orders_by_minute", summary.minutes, \.orders, scratch: text, to: &json)
    appendByMinute("failed_by_minute", summary.minutes, \.failed, scratch: text, to: &json)
    json.member("rejected", summary.rejected)
  }

  /// An object minute → count, oldest first; minutes without failed orders stand with 0.
  private static func appendByMinute(
    _ name: String, _ minutes: [MetricsSummary.Minute], _ count: KeyPath<MetricsSummary.Minute, Int64>,
    scratch text: ByteBuffer, to json: inout JSONWriter
  ) {
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
    let text = ByteBuffer(capacity: 64)
    let bars = summary.minutes.suffix(BarChart.lineLimit).map { minute in
      text.removeAll()
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: " "), to: text)
      return BarChart.Bar(
        label: String(decoding: text.bytes, as: UTF8.self), value: minute.orders, marked: minute.failed)
    }
    return BarChart(bars, hidden: summary.minutes.count - bars.count).lines(width: width)
  }
}
