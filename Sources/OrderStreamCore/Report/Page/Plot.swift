/// A picture with two axes. Its marks are text of the page, which stays as large as the page's own on any screen; the
/// shapes alone are stretched.
struct Plot {
  /// The width of the shapes' own coordinates; the page stretches them.
  static let width: Double = 1000

  struct Mark {
    /// From the left or from below, 0 to 1.
    var place: Double
    var text: String
  }

  var title: String
  /// What it shows, in words, for those who do not see it.
  var label: String
  /// In pixels, and in the shapes' own coordinates.
  var height: Double = 200
  var xMarks: [Mark] = []
  var yMarks: [Mark] = []
  /// What the shapes stand for, by class and words.
  var legend: [(kind: String, text: String)] = []
  var note = ""
  var shapes: HTML = ""

  var markup: HTML {
    let keys = legend.map { HTML("<span class=\"key\"><i class=\"\($0.kind)\"></i>\($0.text)</span>") }.joined(" ")
    return """
      <figure><figcaption>\(title)\(keys.isEmpty ? "" : " <span class=\"keys\">\(keys)</span>" as HTML)</figcaption>
      <div class="plot"><div class="y" aria-hidden="true">\(yMarks.map(yMark).joined())</div>
      <svg viewBox="0 0 1000 \(PageNumber.place(height))" preserveAspectRatio="none" role="img" aria-label="\(label)">
      <path class="grid" d="\(grid)"/>\(shapes)</svg>
      <div class="x" aria-hidden="true">\(xMarks.map(xMark).joined())</div></div>\(note.isEmpty ? "" : "<p class=\"note\">\(note)</p>" as HTML)</figure>

      """
  }

  private var grid: String {
    yMarks.map { "M0 \(PageNumber.place(y($0.place)))H1000" }.joined()
  }

  /// The place of a share of the height, from above.
  func y(_ share: Double) -> Double { height * (1 - share) }

  private func yMark(_ mark: Mark) -> HTML {
    "<span style=\"bottom:\(PageNumber.place(mark.place * 100))%\">\(mark.text)</span>"
  }

  /// Marks at the borders are moved into the picture.
  private func xMark(_ mark: Mark) -> HTML {
    let side: HTML = mark.place < 0.04 ? " class=\"l\"" : mark.place > 0.96 ? " class=\"r\"" : ""
    return "<span\(side) style=\"left:\(PageNumber.place(mark.place * 100))%\">\(mark.text)</span>"
  }

  /// Sets the marks of the axis of values.
  mutating func setValues(_ axis: PageAxis, _ text: (Double) -> String = PageNumber.short) {
    yMarks = axis.marks.map { Mark(place: $0 / axis.end, text: text($0)) }
  }
}

/// A quantity over time; what is not known is a gap.
struct PageSeries {
  struct Point {
    var milliseconds: Double
    /// `nil` where it is not known.
    var value: Double?
  }

  var points: [Point]

  var largest: Double? { points.compactMap(\.value).max() }
  var last: Double? { points.last?.value }
  var hasGaps: Bool { points.contains { $0.value == nil } }

  /// The stretches in which it is known.
  var runs: [ArraySlice<Point>] { points.split { $0.value == nil } }

  /// The stretches in which it is not known, as times: from the last point before to the first one behind.
  var gaps: [(from: Double, to: Double)] {
    var gaps: [(Double, Double)] = []
    var start: Double?
    for (index, point) in points.enumerated() {
      if point.value == nil {
        if start == nil { start = points[max(0, index - 1)].milliseconds }
      } else if let from = start {
        gaps.append((from, point.milliseconds))
        start = nil
      }
    }
    if let start, let last = points.last { gaps.append((start, last.milliseconds)) }
    return gaps
  }

  /// How it changes between two points that know it, for each second; at the later one.
  var rates: PageSeries {
    var last: Point? = Point(milliseconds: 0, value: 0)
    var rates: [Point] = []
    for point in apart.points {
      var rate: Double?
      if let value = point.value, let before = last, let old = before.value, point.milliseconds > before.milliseconds {
        rate = max(0, (value - old) / (point.milliseconds - before.milliseconds) * 1000)
      }
      if point.milliseconds > 0 { rates.append(Point(milliseconds: point.milliseconds, value: rate)) }
      // Each rate is that of the time before its point; the first one has no point to begin at.
      if rates.count == 1, let start = last?.milliseconds {
        rates.insert(Point(milliseconds: start, value: rate), at: 0)
      }
      last = point
    }
    return PageSeries(points: rates)
  }

  /// Without points that follow the one before too soon to tell a rate by: the last sample of a run comes when it ends.
  private var apart: PageSeries {
    let distances = zip(points, points.dropFirst()).map { $1.milliseconds - $0.milliseconds }.sorted()
    guard !distances.isEmpty else { return self }
    let least = distances[distances.count / 2] / 2
    var kept: [Point] = []
    for (index, point) in points.enumerated() {
      if let last = kept.last, point.milliseconds - last.milliseconds < least {
        if index + 1 < points.count || kept.count == 1 { continue }
        kept.removeLast()
      }
      kept.append(point)
    }
    return PageSeries(points: kept)
  }
}

/// Draws series over time, on a common scale.
struct TimePlot {
  /// How a series is drawn.
  enum Manner { case area, line, dashed }

  /// In milliseconds.
  private static let steps: [Double] = [
    10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
    3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
  ]

  let end: Double
  let top: Double
  let height: Double

  func x(_ milliseconds: Double) -> String { PageNumber.place(milliseconds / end * Plot.width) }

  func y(_ value: Double) -> String { PageNumber.place(height * (1 - value / top)) }

  func shapes(_ series: PageSeries, _ manner: Manner) -> HTML {
    var html: HTML = ""
    for gap in series.gaps {
      let width = (gap.to - gap.from) / end * Plot.width
      html += """
        <rect class="gap" x="\(x(gap.from))" y="0" width="\(PageNumber.place(width))" height="\(PageNumber.place(height))">\
        <title>unknown</title></rect>
        """
    }
    for run in series.runs {
      guard let first = run.first, let last = run.last else { continue }
      var line = ""
      for point in run { line += "\(line.isEmpty ? "M" : "L")\(x(point.milliseconds)) \(y(point.value ?? 0))" }
      if manner == .area, run.count > 1 {
        let foot = PageNumber.place(height)
        html += "<path class=\"area\" d=\"\(line)L\(x(last.milliseconds)) \(foot)L\(x(first.milliseconds)) \(foot)Z\"/>"
      }
      html +=
        "<path class=\"\(manner == .dashed ? "line second" : "line")\" d=\"\(run.count == 1 ? line + "h0" : line)\"/>"
    }
    return html
  }

  /// Words for each point, where a pointer rests on it.
  func hints(_ times: [Double], _ text: (Int) -> String) -> HTML {
    var html: HTML = ""
    for (index, time) in times.enumerated() {
      let from = index == 0 ? 0 : (times[index - 1] + time) / 2
      let to = index + 1 == times.count ? end : (time + times[index + 1]) / 2
      html += """
        <rect class="hit" x="\(x(from))" y="0" width="\(PageNumber.place((to - from) / end * Plot.width))" \
        height="\(PageNumber.place(height))"><title>\(PageNumber.duration(milliseconds: time)): \(text(index))</title></rect>
        """
    }
    return html
  }

  /// The marks of the axis of time.
  static func marks(to end: Double) -> [Plot.Mark] {
    let axis = PageAxis(to: end, steps: steps, marks: 6)
    return axis.marks.map { Plot.Mark(place: min(1, $0 / end), text: text($0)) }
  }

  private static func text(_ milliseconds: Double) -> String {
    switch milliseconds {
    case 0: "0"
    case ..<1000: "\(PageNumber.decimal(milliseconds)) ms"
    case ..<120_000: "\(PageNumber.decimal(milliseconds / 1000)) s"
    case ..<7_200_000: "\(PageNumber.decimal(milliseconds / 60_000)) min"
    default: "\(PageNumber.decimal(milliseconds / 3_600_000)) h"
    }
  }
}
