/// The order metrics as text: the report of `analytics` and `replay`, and the bytes of their files. A function of the
/// summary alone.
public enum MetricsReport {
  /// Label column, as wide as the longest label and two spaces.
  private static let labelWidth = 27
  /// Least widths of the two count columns; both grow with the largest count.
  private static let ordersWidth = 8
  private static let failedWidth = 6

  /// Appends the report, with a line feed at the end.
  public static func append(_ summary: MetricsSummary, to text: ByteBuffer) {
    text.append("Order metrics\n" as StaticString)
    row("Total orders", String(summary.totalOrders), to: text)
    row("Failed orders", String(summary.failedOrders), to: text)
    row("Failure rate", hundredths(summary.failureRateHundredths) + " %", to: text)
    row("Average orders per minute", hundredths(summary.averageOrdersPerMinuteHundredths), to: text)
    text.append(label("Current orders per minute"))
    if let current = summary.currentMinute {
      text.append("\(current.orders) (")
      CivilTime.appendMinute(current.minute, separator: UInt8(ascii: " "), to: text)
      text.append(")\n" as StaticString)
    } else {
      text.append("0\n" as StaticString)
    }
    row("Rejected records", String(summary.rejected), to: text)
    text.append("\nOrders by minute (UTC)\n" as StaticString)
    appendMinutes(summary.minutes, to: text)
  }

  private static func appendMinutes(_ minutes: [MetricsSummary.Minute], to text: ByteBuffer) {
    let orders = max(ordersWidth, digits(minutes.map(\.orders).max() ?? 0) + 4)
    let failed = max(failedWidth, digits(minutes.map(\.failed).max() ?? 0) + 4)
    for minute in minutes {
      text.append("  " as StaticString)
      CivilTime.appendMinute(minute.minute, separator: UInt8(ascii: " "), to: text)
      appendRight(minute.orders, width: orders, to: text)
      appendRight(minute.failed, width: failed, to: text)
      text.append(" failed\n" as StaticString)
    }
  }

  private static func row(_ name: String, _ value: String, to text: ByteBuffer) {
    text.append(label(name) + value + "\n")
  }

  private static func label(_ name: String) -> String {
    "  " + name + String(repeating: " ", count: labelWidth - name.utf8.count)
  }

  private static func digits(_ value: Int64) -> Int { String(value).utf8.count }

  private static func appendRight(_ value: Int64, width: Int, to text: ByteBuffer) {
    let digits = String(value)
    for _ in 0..<max(0, width - digits.utf8.count) { text.append(UInt8(ascii: " ")) }
    text.append(digits)
  }

  /// Hundredths as a number with exactly two decimals: 512 → `5.12`.
  static func hundredths(_ value: Int64) -> String {
    let cents = value % 100
    return "\(value / 100).\(cents < 10 ? "0" : "")\(cents)"
  }
}
