/// The pictures of a run: orders by minute, lag and rates over time, latency.
struct RunCharts {
  typealias Section = (title: String, content: HTML)

  private let document: Document

  init(_ document: Document) { self.document = document }

  /// Those for which the document has what they show.
  var sections: [Section] { orders + [samples, latency].compactMap { $0 } }

  // MARK: - Orders by minute

  private var orders: [Section] {
    if document.command == "replay" {
      let (first, second) = (document["initial"], document["replay"])
      if document["match"]?.bool == true { return [MinutePlot(first, in: "both passes").section].compactMap { $0 } }
      return [MinutePlot(first, in: "first pass").section, MinutePlot(second, in: "after the replay").section]
        .compactMap { $0 }
    }
    return [MinutePlot(document.root).section].compactMap { $0 }
  }

  // MARK: - Over time

  private var samples: Section? {
    let samples = (document["samples"]?.elements ?? []).compactMap(Sample.init)
    guard samples.count >= 3, let end = samples.last?.milliseconds, end > 0 else { return nil }
    let plots = SamplePlots(samples: samples, end: end)
    switch document.command {
    case "produce": return ("Rate over time", plots.rates(of: "acknowledged", noun: "events"))
    case "lag-demo":
      return ("Lag over time", plots.lag(total: { $0.number("lag") }, parts: "lag_by_partition") + plots.counts)
    default:
      let lag = plots.lag(total: { $0.sum("lag") }, parts: "lag")
      return ("Lag and rate over time", lag + plots.rates(of: "processed", noun: "records"))
    }
  }

  // MARK: - Latency

  private var latency: Section? {
    let rows = [("after the first second", "latency_ms"), ("in the first second", "latency_first_second_ms")]
    let keys = [("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p999", "p99.9"), ("max", "max")]
    var table = PageTable(
      caption: "Latency", columns: [.text("latency")] + keys.map { .number($0.1) } + [.number("records")])
    for (label, key) in rows {
      guard let values = document[key], case .object = values else { continue }
      let cells = keys.map {
        HTML("\(values[$0.0]?.number.map(PageNumber.duration(milliseconds:)) ?? PageNumber.unknown)")
      }
      table.rows.append(["\(label)"] + cells + ["\(PageNumber.text(values["count"]))"])
    }
    if table.rows.isEmpty { return nil }
    return ("Latency", (LatencyPlot(document)?.markup ?? "") + table.markup)
  }
}

/// One of the `samples` of a document.
struct Sample {
  let milliseconds: Double
  private let value: DocumentValue

  init?(_ value: DocumentValue) {
    guard let time = value["t_ms"]?.number, time >= 0, time < 1e15 else { return nil }
    milliseconds = time
    self.value = value
  }

  func number(_ key: String) -> Double? { value[key]?.number }

  /// By partition; `nil` where there are too many, or none.
  func parts(_ key: String) -> [Double?]? {
    guard case .list(let elements)? = value[key] else { return nil }
    return elements.map(\.number)
  }

  /// Of all partitions; `nil` as soon as one is not known.
  func sum(_ key: String) -> Double? {
    guard let parts = parts(key) else { return nil }
    let known = parts.compactMap { $0 }
    return known.count == parts.count ? known.reduce(0, +) : nil
  }
}

/// The orders of a report by minute, failures at the foot; longer steps where there are many.
private struct MinutePlot {
  /// Bars that a picture has room for.
  private static let barLimit = 96
  /// Rows that somebody reads, or prints.
  private static let rowLimit = 480
  /// A count that leaves room for sums.
  private static let countRange: ClosedRange<Int64> = 0...(1 << 40)

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
      title: "\(first) to \(last) UTC",
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
        """
        <rect class="\(kind)" x="\(PageNumber.place(x + width * gap / 2))" y="\(PageNumber.place(plot.y(high / axis.end)))" \
        width="\(PageNumber.place(width * (1 - gap)))" height="\(PageNumber.place((high - low) / axis.end * plot.height))"/>
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
    return table.folded("Numbers by \(time.unit) (\(buckets.count) rows)")
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
    var distance = steps.first { $0 >= step && span / $0 <= 7 } ?? step
    while span / distance > 7 { distance *= 2 }
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

/// Lag and rates of a run over time, in all and by partition.
private struct SamplePlots {
  let samples: [Sample]
  let end: Double

  private func series(_ value: (Sample) -> Double?) -> PageSeries {
    PageSeries(points: samples.map { PageSeries.Point(milliseconds: $0.milliseconds, value: value($0)) })
  }

  func rates(of key: String, noun: String) -> HTML {
    let rates = series { $0.number(key) }.rates
    guard let largest = rates.largest else { return "" }
    let axis = PageAxis(to: largest)
    var plot = Plot(
      title: "\(noun.prefix(1).uppercased() + noun.dropFirst()) a second",
      label: "\(noun) \(key) a second over time: at most \(PageNumber.decimal(largest, places: 0)), "
        + "over \(PageNumber.duration(milliseconds: end)).")
    plot.setValues(axis)
    plot.xMarks = TimePlot.marks(to: end)
    let time = TimePlot(end: end, top: axis.end, height: plot.height)
    plot.shapes = time.shapes(rates, .area)
    plot.shapes += time.hints(rates.points.map(\.milliseconds)) { index in
      rates.points[index].value.map { "\(PageNumber.decimal($0, places: 0)) \(noun) a second" } ?? PageNumber.unknown
    }
    if rates.hasGaps { plot.legend.append(("gap", PageNumber.unknown)) }
    return plot.markup + parts("partitions", "Events a second by partition", isRate: true)
  }

  /// - Parameters:
  ///   - total: The lag of all partitions.
  ///   - key: Of the lag by partition.
  func lag(total: (Sample) -> Double?, parts key: String) -> HTML {
    let lag = series(total)
    guard let largest = lag.largest else {
      let isThere = samples.contains { $0.parts(key) != nil }
      return isThere
        ? "<p class=\"note\">The lag of all partitions together is not known at any time.</p>\n"
          + parts(key, "Lag by partition") : ""
    }
    let axis = PageAxis(to: largest)
    let last = lag.last.map { PageNumber.decimal($0) } ?? PageNumber.unknown
    var plot = Plot(
      title: "Lag",
      label:
        "Lag over \(PageNumber.duration(milliseconds: end)): at most \(PageNumber.decimal(largest)), at the end \(last)."
    )
    plot.setValues(axis)
    plot.xMarks = TimePlot.marks(to: end)
    let time = TimePlot(end: end, top: axis.end, height: plot.height)
    plot.shapes = time.shapes(lag, .area)
    plot.shapes += time.hints(lag.points.map(\.milliseconds)) { index in
      lag.points[index].value.map { "lag \(PageNumber.decimal($0))" } ?? "lag \(PageNumber.unknown)"
    }
    if lag.hasGaps { plot.legend.append(("gap", PageNumber.unknown)) }
    plot.note = "Highest \(PageNumber.decimal(largest)), at the end \(last)."
    return plot.markup + parts(key, "Lag by partition")
  }

  /// What was produced and consumed so far.
  var counts: HTML {
    let (produced, consumed) = (series { $0.number("produced") }, series { $0.number("consumed") })
    guard let largest = produced.largest else { return "" }
    let axis = PageAxis(to: max(largest, consumed.largest ?? 0))
    var plot = Plot(
      title: "Events so far",
      label: "Events produced and consumed over time: \(PageNumber.decimal(largest)) produced at the end, "
        + "\(consumed.last.map { PageNumber.decimal($0) } ?? PageNumber.unknown) consumed.")
    plot.legend = [("line", "produced"), ("second", "consumed")]
    plot.setValues(axis)
    plot.xMarks = TimePlot.marks(to: end)
    let time = TimePlot(end: end, top: axis.end, height: plot.height)
    plot.shapes = time.shapes(produced, .line)
    plot.shapes += time.shapes(consumed, .dashed)
    plot.shapes += time.hints(samples.map(\.milliseconds)) { index in
      let texts = [produced, consumed].map {
        $0.points[index].value.map { PageNumber.decimal($0) } ?? PageNumber.unknown
      }
      return "\(texts[0]) produced, \(texts[1]) consumed"
    }
    return plot.markup
  }

  /// A small picture a partition, all on one scale.
  private func parts(_ key: String, _ title: String, isRate: Bool = false) -> HTML {
    let count = samples.compactMap { $0.parts(key)?.count }.max() ?? 0
    guard count > 0 else { return "" }
    let all = (0..<count).map { part -> PageSeries in
      let series = series { sample in
        guard let parts = sample.parts(key), parts.indices.contains(part) else { return nil }
        return parts[part]
      }
      return isRate ? series.rates : series
    }
    let top = max(1, all.compactMap(\.largest).max() ?? 1)
    var html: HTML = "<p class=\"group\">\(title)</p>\n<div class=\"small\">\n"
    for (part, series) in all.enumerated() {
      let time = TimePlot(end: end, top: top * 1.04, height: 54)
      let peak = series.largest.map { PageNumber.decimal($0, places: 0) } ?? PageNumber.unknown
      html += """
        <figure><figcaption><b>\(part)</b> highest \(peak)</figcaption>
        <svg viewBox="0 0 1000 54" preserveAspectRatio="none" role="img" aria-label="\(title), partition \(part): highest \(peak)">\
        \(time.shapes(series, .area))</svg></figure>

        """
    }
    html += "</div>\n"
    if all.contains(where: \.hasGaps) {
      html +=
        "<p class=\"note\">Striped: not known then. All partitions have one scale, up to \(PageNumber.decimal(top, places: 0)).</p>\n"
    } else {
      html += "<p class=\"note\">All partitions have one scale, up to \(PageNumber.decimal(top, places: 0)).</p>\n"
    }
    return html
  }
}

/// How latencies are spread, on a logarithmic axis.
private struct LatencyPlot {
  /// Of bars, in milliseconds.
  private let bars: [(from: Double, to: Double, count: Double)]
  private let document: Document

  /// - Returns: `nil` when the document has too few buckets to draw.
  init?(_ document: Document) {
    self.document = document
    var buckets: [(end: Double, count: Double)] = []
    for bucket in document["latency_buckets"]?.elements ?? [] {
      guard let end = bucket["le_ms"]?.number, let count = bucket["count"]?.number, end > 0, end < 1e12, count >= 0,
        end > buckets.last?.end ?? 0
      else { continue }
      buckets.append((end, count))
    }
    guard buckets.count >= 2 else { return nil }
    let ratio = zip(buckets, buckets.dropFirst()).map { $1.end / $0.end }.min() ?? 1
    bars = buckets.enumerated().map { index, bucket in
      let before = index == 0 ? 0 : buckets[index - 1].end
      return (max(before, bucket.end / ratio), bucket.end, bucket.count)
    }
  }

  var markup: HTML {
    let (first, last) = (bars[0].from, bars[bars.count - 1].to)
    let (start, end) = (decimalLogarithm(first), decimalLogarithm(last))
    func place(_ milliseconds: Double) -> Double { (decimalLogarithm(milliseconds) - start) / max(end - start, 1e-9) }
    let axis = PageAxis(to: bars.map(\.count).max() ?? 0)
    let percentiles = [("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")].compactMap { key, name in
      document.root[path: "latency_ms.\(key)"]?.number.map { (name: name, value: $0) }
    }
    let words = percentiles.map { "\($0.name) \(PageNumber.duration(milliseconds: $0.value))" }.joined(separator: ", ")
    var plot = Plot(
      title: "How many records took how long", label: "Distribution of the latency on a logarithmic axis: \(words).",
      height: 180)
    plot.setValues(axis)
    plot.legend = [("bar", "records")]
    plot.xMarks = Self.marks(from: first, to: last).map {
      Plot.Mark(place: place($0), text: PageNumber.duration(milliseconds: $0))
    }
    for bar in bars where bar.count > 0 {
      let (x, width) = (place(bar.from) * Plot.width, (place(bar.to) - place(bar.from)) * Plot.width)
      plot.shapes += """
        <g><title>up to \(PageNumber.duration(milliseconds: bar.to)): \(PageNumber.decimal(bar.count)) records</title>\
        <rect class="hit" x="\(PageNumber.place(x))" y="0" width="\(PageNumber.place(width))" \
        height="\(PageNumber.place(plot.height))"/><rect class="bar" x="\(PageNumber.place(x))" \
        y="\(PageNumber.place(plot.y(bar.count / axis.end)))" width="\(PageNumber.place(width * 0.9))" \
        height="\(PageNumber.place(bar.count / axis.end * plot.height))"/></g>

        """
    }
    for percentile in percentiles where percentile.value >= first && percentile.value <= last {
      let x = PageNumber.place(place(percentile.value) * Plot.width)
      plot.shapes += "<path class=\"rule\" d=\"M\(x) 0V\(PageNumber.place(plot.height))\"/>"
    }
    plot.note = words.isEmpty ? "" : "Dashed lines: \(words)."
    return plot.markup
  }

  /// At 1, 2 and 5 times powers of ten, or at powers alone where there are many.
  private static func marks(from first: Double, to last: Double) -> [Double] {
    var all: [Double] = []
    var power = 1e-6
    while power <= last {
      for factor in [1.0, 2, 5] where factor * power >= first && factor * power <= last { all.append(factor * power) }
      power *= 10
    }
    if all.count <= 9 { return all }
    var sparse: [Double] = []
    power = 1e-6
    while power <= last {
      if power >= first { sparse.append(power) }
      power *= 10
    }
    return sparse
  }
}
