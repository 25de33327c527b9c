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
      let isMove = document["moves"] != nil
      return [
        MinutePlot(first, in: isMove ? "before" : "first pass").section,
        MinutePlot(second, in: isMove ? "at the place" : "after the replay").section,
      ].compactMap { $0 }
    }
    return [MinutePlot(document.root).section].compactMap { $0 }
  }

  // MARK: - Over time

  private var samples: Section? {
    guard let plots = SamplePlots(document) else { return nil }
    switch document.command {
    case "produce":
      let key = document["acks"]?.text == "0" ? "sent" : "acknowledged"
      return ("Rate over time", plots.rates(of: key, noun: "events"))
    case "lag-demo":
      return ("Lag over time", plots.lag(total: { $0.number("lag") }, parts: "lag_by_partition") + plots.counts)
    default:
      let lag = plots.lag(total: { $0.sum("lag") }, parts: "lag")
      return ("Lag and rate over time", lag + plots.rates(of: "processed", noun: "records"))
    }
  }

  // MARK: - Latency

  private var latency: Section? {
    let (all, first) = (document["latency_ms"], document["latency_first_second_ms"])
    // Of a run that is not longer than its first second both are of all records.
    let columns =
      all == first ? [("all records", all)] : [("after the first second", all), ("in the first second", first)]
    let known = columns.filter { $0.1?["count"]?.number ?? 0 > 0 }
    if known.isEmpty { return nil }
    var table = PageTable(caption: "Latency", columns: [.text("percentile")] + known.map { .number($0.0) })
    for (key, name) in [("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p999", "p99.9"), ("max", "max")] {
      table.rows.append(["\(name)"] + known.map { "\(PageNumber.duration($0.1?[key]))" })
    }
    table.rows.append(["records"] + known.map { "\(PageNumber.text($0.1?["count"]))" })
    return ("Latency", (LatencyPlot(document)?.markup ?? "") + table.markup)
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
    // Buckets in which nothing fell are left out, so what stands before one need not be its beginning.
    bars = buckets.enumerated().map { index, bucket in
      let before = index == 0 ? 0 : buckets[index - 1].end
      let isNext = bucket.end <= before * ratio * 1.1
      return (isNext ? before : bucket.end / ratio, bucket.end, bucket.count)
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
