/// The orders of a report by minute, failures at the foot; longer steps where there are many.
struct MinutePlot {
  /// Bars that a picture has room for.
  private static let barLimit = 96
  /// Of few bars, in the picture's coordinates.
  private static let widestBar: Double = 120
  /// Rows that somebody reads, or prints.
  private static let rowLimit = 480
  /// A count that leaves room for sums.
  private static let countRange: ClosedRange<Int64> = 0...(1 << 36)

  private let minutes: [MetricsTotals.Minute]
  /// Which of several it is.
  private let name: String?

  init(_ report: DocumentValue?, in name: String? = nil) {
    self.name = name
    var failed: [String: Int64] = [:]
    for member in report?["failed_by_minute"]?.members ?? [] { failed[member.key] = member.value.integer }
    minutes = (report?["orders_by_minute"]?.members ?? []).compactMap { member in
      guard let minute = Self.minute(member.key), let orders = member.value.integer else { return nil }
      let limit = Self.countRange
      return MetricsTotals.Minute(
        minute: minute, orders: min(max(orders, limit.lowerBound), limit.upperBound),
        failed: min(max(failed[member.key] ?? 0, limit.lowerBound), limit.upperBound))
    }.sorted { $0.minute < $1.minute }
  }

  private static func minute(_ text: String) -> Int64? {
    let bytes = Array("\(text):00".utf8)
    return bytes.withUnsafeBytes { CivilTime.parse($0) }.map { CivilTime.minute(ofSecond: $0.epochSeconds) }
  }

  var section: RunCharts.Section? {
    if minutes.isEmpty { return nil }
    let time = TimeBuckets(minutes, limit: Self.barLimit)
    let title = name.map { "Orders by \(time.unit), \($0)" } ?? "Orders by \(time.unit)"
    return (title, plot(time).markup + table)
  }

  private func plot(_ time: TimeBuckets) -> Plot {
    let buckets = time.buckets
    let axis = PageAxis(to: Double(buckets.map(\.orders).max() ?? 0))
    let (orders, failed) = (minutes.reduce(0) { $0 + $1.orders }, minutes.reduce(0) { $0 + $1.failed })
    let (first, last) = (
      Self.label(buckets[0].start, time.step), Self.label(buckets[buckets.count - 1].start, time.step)
    )
    var plot = Plot(
      title: Self.range(first, last),
      label:
        "Orders by \(time.unit), from \(first) to \(last) UTC: \(orders.grouped) in all, \(failed.grouped) failed. "
        + "Most: \((buckets.map(\.orders).max() ?? 0).grouped).")
    plot.legend = [("bar", "placed"), ("failed", "failed")]
    plot.setValues(axis)
    plot.xMarks = Self.marks(buckets, step: time.step)
    let width = Plot.width / Double(buckets.count)
    let gap = buckets.count > 60 ? 0.1 : 0.2
    for (index, bucket) in buckets.enumerated() {
      let x = Double(index) * width
      func rectangle(_ kind: HTML, from low: Double, to high: Double) -> HTML {
        // What is there can be seen, however little it is.
        let height = max(1, (high - low) / axis.end * plot.height)
        let y = plot.y(low / axis.end) - height
        let bar = min(width * (1 - gap), Self.widestBar)
        return """
          <rect class="\(kind)" x="\(PageNumber.place(x + (width - bar) / 2))" y="\(PageNumber.place(y))" \
          width="\(PageNumber.place(bar))" height="\(PageNumber.place(height))"/>
          """
      }
      let (all, bad) = (Double(bucket.orders), Double(min(bucket.failed, bucket.orders)))
      var shapes: HTML = ""
      if all > bad { shapes += rectangle("bar", from: bad, to: all) }
      if bad > 0 { shapes += rectangle("failed", from: 0, to: bad) }
      plot.shapes += """
        <g><title>\(Self.label(bucket.start, time.step)): \(bucket.orders.grouped) orders, \(bucket.failed.grouped) failed\
        </title><rect class="hit" x="\(PageNumber.place(x))" y="0" width="\(PageNumber.place(width))" \
        height="\(PageNumber.place(plot.height))"/>\(shapes)</g>

        """
    }
    return plot
  }

  private var table: HTML {
    let time = TimeBuckets(minutes, limit: Self.rowLimit)
    let buckets = time.buckets.filter { $0.orders > 0 }
    var table = PageTable(
      caption: "Orders by \(time.unit)",
      columns: [
        .text(time.step == 1 ? "minute (UTC)" : "from (UTC)"), .number("orders"), .number("failed"),
        .number("failed, %"),
      ])
    table.rows = buckets.map { bucket in
      let share = Double(bucket.failed) / Double(bucket.orders) * 100
      return [
        "\(Self.label(bucket.start, time.step))", "\(bucket.orders.grouped)", "\(bucket.failed.grouped)",
        "\(PageNumber.decimal(share, places: 2))",
      ]
    }
    return table.folded("Numbers by \(time.unit) (\(TextRows.count(buckets.count, "row")))")
  }

  /// `2024-01-15, 10:30 to 10:36 UTC`.
  private static func range(_ first: String, _ last: String) -> String {
    if first == last { return "\(first) UTC" }
    guard first.count > 10, first.prefix(10) == last.prefix(10) else { return "\(first) to \(last) UTC" }
    return "\(first.prefix(10)), \(first.suffix(5)) to \(last.suffix(5)) UTC"
  }

  /// `2024-01-15 10:30`, or the day alone where steps are days.
  private static func label(_ minute: Int64, _ step: Int64) -> String {
    let buffer = ByteBuffer(capacity: 64)
    let range = CivilTime.minutesRange
    CivilTime.appendMinute(
      min(max(minute, range.lowerBound), range.upperBound), separator: UInt8(ascii: " "), to: buffer)
    let text = String(decoding: buffer.bytes, as: UTF8.self)
    return step % 1440 == 0 ? String(text.prefix(10)) : text
  }

  /// At round times, under the middle of their bars; the day where it changes.
  private static func marks(_ buckets: [TimeBuckets.Bucket], step: Int64) -> [Plot.Mark] {
    let steps: [Int64] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 28 * 1440]
    let span = Int64(buckets.count) * step
    // Days are wide.
    func fits(_ distance: Int64) -> Bool { span / distance <= (distance % 1440 == 0 ? 5 : 7) }
    var distance = steps.first { $0 >= step && fits($0) } ?? step
    while !fits(distance) { distance *= 2 }
    var day: Substring = ""
    var marks: [Plot.Mark] = []
    for (index, bucket) in buckets.enumerated()
    where CivilTime.floor(bucket.start, by: distance) * distance == bucket.start {
      let text = label(bucket.start, 1)
      let date = text.prefix(10)
      let isNewDay = date != day && !(marks.isEmpty && span <= 1440)
      marks.append(
        Plot.Mark(
          place: (Double(index) + 0.5) / Double(buckets.count),
          text: distance % 1440 == 0
            ? String(date) : isNewDay ? "\(date.suffix(5)) \(text.suffix(5))" : String(text.suffix(5))))
      day = date
    }
    return marks
  }
}
