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

/// Lag and rates of a run over time, in all and by partition.
struct SamplePlots {
  /// More are not told apart.
  private static let limit = 480

  private let samples: [Sample]
  private let end: Double

  /// - Returns: `nil` when the document has too few to draw.
  init?(_ document: Document) {
    var last = -1.0
    let all = (document["samples"]?.elements ?? []).compactMap(Sample.init).filter { sample in
      defer { last = max(last, sample.milliseconds) }
      return sample.milliseconds > last
    }
    guard all.count >= 3, let end = all.last?.milliseconds, end > 0 else { return nil }
    samples = Self.thinned(all)
    self.end = end
  }

  /// Of neighbours the one with the highest lag, so that a peak stays, and the last one of all.
  private static func thinned(_ samples: [Sample]) -> [Sample] {
    if samples.count <= limit { return samples }
    let step = (samples.count + limit - 1) / limit
    func lag(_ sample: Sample) -> Double { sample.number("lag") ?? sample.sum("lag") ?? -1 }
    var thinned = stride(from: 0, to: samples.count - 1, by: step).map { start -> Sample in
      let neighbours = samples[start..<min(start + step, samples.count - 1)]
      return neighbours.dropFirst().reduce(neighbours[start]) { lag($1) >= lag($0) ? $1 : $0 }
    }
    thinned.append(samples[samples.count - 1])
    return thinned
  }

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
        "Lag over \(PageNumber.duration(milliseconds: end)): \(lag.hasGaps ? "as far as known at most" : "at most") "
        + "\(PageNumber.decimal(largest)), at the end \(last)."
    )
    plot.setValues(axis)
    plot.xMarks = TimePlot.marks(to: end)
    let time = TimePlot(end: end, top: axis.end, height: plot.height)
    plot.shapes = time.shapes(lag, .area)
    plot.shapes += time.hints(lag.points.map(\.milliseconds)) { index in
      lag.points[index].value.map { "lag \(PageNumber.decimal($0))" } ?? "lag \(PageNumber.unknown)"
    }
    if lag.hasGaps { plot.legend.append(("gap", PageNumber.unknown)) }
    plot.note = "\(lag.hasGaps ? "Highest known" : "Highest") \(PageNumber.decimal(largest)), at the end \(last)."
    if lag.hasGaps {
      let unknown = lag.gaps.reduce(0) { $0 + $1.to - $1.from }
      plot.note += " Not known for \(PageNumber.duration(milliseconds: unknown)), in which it may have been higher."
    }
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
      let highest = series.hasGaps ? "highest known" : "highest"
      let peak = series.largest.map { PageNumber.decimal($0, places: 0) } ?? PageNumber.unknown
      html += """
        <figure><figcaption><b>\(part)</b> \(highest) \(peak)</figcaption>
        <svg viewBox="0 0 1000 54" preserveAspectRatio="none" role="img" aria-label="\(title), partition \(part): \(highest) \(peak)">\
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
