/// The room that a terminal has for a text, and how its characters look.
public struct Screen: Sendable, Hashable {
  public var columns: Int
  public var rows: Int
  /// Whether it shows characters beyond ASCII.
  public var isUnicode: Bool

  public init(columns: Int, rows: Int, isUnicode: Bool) {
    self.columns = columns
    self.rows = rows
    self.isUnicode = isUnicode
  }

  fileprivate var block: Character { isUnicode ? "█" : "#" }
  fileprivate var failedBlock: Character { isUnicode ? "░" : "x" }
  /// Parts of a block from the left, an eighth each. ASCII has no such thing.
  fileprivate var eighths: [Character] { isUnicode ? ["▏", "▎", "▍", "▌", "▋", "▊", "▉"] : [] }
  /// Stands for what was left out.
  private var ellipsis: String { isUnicode ? "…" : "..." }

  /// What a view is of, on one line: of a broker's name that is too long its end.
  public func heading(_ text: String, on broker: String) -> String {
    let room = columns - text.count - 4
    let name = broker.count <= room ? broker : ellipsis + broker.suffix(max(0, room - ellipsis.count))
    return room < 8 ? text : "\(text) on \(name)"
  }
}

/// A chart of horizontal bars: one labelled row a line, its numbers in columns, its bar scaled to the room that is left.
struct BarChart {
  struct Row {
    var label: String
    /// What stands in the columns between label and bar.
    var values: [String]
    var value: Int64
    /// Part of `value` that is drawn in another shade (failed orders); 0 for none.
    var failed: Int64 = 0
  }

  /// Bars of less say nothing.
  private static let leastRoom = 4
  /// Longer ones are compared less well.
  private static let mostRoom = 100

  /// The heads of the columns, from that of the label on; empty for none.
  var heads: [String] = []
  var rows: [Row]
  var tone = Tone.bar

  /// Appends the lines of the chart, as wide as the screen at most, or as labels and values alone are.
  func append(to text: ReportText, on screen: Screen) {
    let heads: [[String]] = heads.isEmpty ? [] : [heads]
    let columns: [[String]] = rows.map { [$0.label] + $0.values }
    var widths: [Int] = []
    for line in heads + columns {
      for (column, text) in line.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], text.count)
      }
    }
    let largest = rows.map(\.value).max() ?? 0
    let room = min(screen.columns - 1 - widths.reduce(2) { $0 + $1 + 2 }, Self.mostRoom)
    for head in heads {
      append(head, widths, .dim, to: text)
      text.append(UInt8(ascii: "\n"))
    }
    for (row, columns) in zip(rows, columns) {
      append(columns, widths, nil, to: text)
      if room >= Self.leastRoom, row.value > 0 {
        text.append("  " as StaticString)
        appendBar(of: row, largest: largest, room: room, to: text, screen)
      }
      text.append(UInt8(ascii: "\n"))
    }
  }

  private func append(_ columns: [String], _ widths: [Int], _ tone: Tone?, to text: ReportText) {
    text.append("  " as StaticString)
    TextRows.appendLeft(columns[0], width: widths[0], tone, to: text)
    for column in columns.indices.dropFirst() {
      TextRows.appendRight(columns[column], width: widths[column] + 2, tone, to: text)
    }
  }

  /// Failures first, so that they can be compared from row to row.
  private func appendBar(of row: Row, largest: Int64, room: Int, to text: ReportText, _ screen: Screen) {
    let parts = max(1, screen.eighths.count + 1)
    // In parts of a column: proportional, rounded, and at least one for anything above 0.
    func length(_ value: Int64) -> Int {
      value <= 0 ? 0 : max(1, Int((Double(value) / Double(largest) * Double(room * parts)).rounded()))
    }
    let all = length(row.value)
    let failed = min((length(row.failed) + parts - 1) / parts, (all + parts - 1) / parts)
    text.append(String(repeating: screen.failedBlock, count: failed), .failedBar)
    let rest = all - failed * parts
    guard rest > 0 else { return }
    let part = rest % parts
    text.append(
      String(repeating: screen.block, count: rest / parts) + (part == 0 ? "" : String(screen.eighths[part - 1])), tone)
  }
}

/// The minutes of a report in as many rows as there is room for: the smallest even step that fits, with the steps in
/// which there was nothing.
struct TimeBuckets {
  /// Steps that read well, in minutes: up to a day, then weeks, then twice as much each time.
  private static let steps: [Int64] = [
    1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2 * 1440, 7 * 1440, 14 * 1440, 28 * 1440,
  ]

  struct Bucket: Equatable {
    /// The first minute, since 1970 UTC.
    var start: Int64
    var orders: Int64 = 0
    var failed: Int64 = 0
  }

  /// In minutes.
  let step: Int64
  let buckets: [Bucket]

  /// - Parameter minutes: Oldest first.
  init(_ minutes: [MetricsTotals.Minute], limit: Int) {
    guard let first = minutes.first?.minute, let last = minutes.last?.minute else {
      (step, buckets) = (1, [])
      return
    }
    func count(_ step: Int64) -> Int64 { CivilTime.floor(last, by: step) - CivilTime.floor(first, by: step) + 1 }
    var step = Self.steps.first { count($0) <= limit } ?? Self.steps.last!
    while count(step) > limit { step *= 2 }
    var buckets = (CivilTime.floor(first, by: step)...CivilTime.floor(last, by: step)).map { Bucket(start: $0 * step) }
    let origin = buckets[0].start
    for minute in minutes {
      let index = Int((minute.minute - origin) / step)
      buckets[index].orders += minute.orders
      buckets[index].failed += minute.failed
    }
    (self.step, self.buckets) = (step, buckets)
  }

  /// `minute`, `10 minutes`, `hour`, `7 days`.
  var unit: String {
    let (count, unit) =
      step % 1440 == 0 ? (step / 1440, "day") : step % 60 == 0 ? (step / 60, "hour") : (step, "minute")
    return count == 1 ? unit : "\(count) \(unit)s"
  }

  /// The chart, with the heading of its columns.
  var chart: BarChart {
    BarChart(
      heads: ["UTC", "orders", "failed"],
      rows: buckets.map { bucket in
        let label = ByteBuffer(capacity: 64)
        CivilTime.appendMinute(
          max(bucket.start, CivilTime.minutesRange.lowerBound), separator: UInt8(ascii: " "), to: label)
        let length = step % 1440 == 0 ? 10 : 16
        return BarChart.Row(
          label: String(String(decoding: label.bytes, as: UTF8.self).prefix(length)),
          values: [String(bucket.orders), String(bucket.failed)], value: bucket.orders, failed: bucket.failed)
      })
  }
}
