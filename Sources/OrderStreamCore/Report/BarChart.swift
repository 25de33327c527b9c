/// A chart of horizontal bars for a terminal: one labelled value a line, scaled to the width.
public struct BarChart: Sendable {
  public struct Bar: Sendable {
    public var label: String
    public var value: Int64
    /// Part of `value` that is drawn in another shade (failed orders of a minute); 0 for none.
    public var marked: Int64

    public init(label: String, value: Int64, marked: Int64 = 0) {
      self.label = label
      self.value = value
      self.marked = marked
    }
  }

  /// The most lines a chart should take.
  public static let lineLimit = 40

  private let bars: [Bar]
  /// Bars that the caller left out before the first one.
  private let hidden: Int

  public init(_ bars: [Bar], hidden: Int = 0) {
    self.bars = bars
    self.hidden = hidden
  }

  /// Bars at even distances, at most `lineLimit`, always with the first, the highest and the last.
  public static func sampled(_ bars: [Bar]) -> BarChart {
    guard bars.count > lineLimit else { return BarChart(bars) }
    let peak = bars.indices.max { bars[$0].value < bars[$1].value } ?? 0
    let steps = lineLimit - 2
    let kept = Set((0...steps).map { $0 * (bars.count - 1) / steps } + [peak])
    return BarChart(kept.sorted().map { bars[$0] })
  }

  /// The lines of the chart, at most `width` columns each, or as wide as labels and values alone are.
  public func lines(width: Int) -> [String] {
    let labelWidth = bars.map(\.label.count).max() ?? 0
    let largest = bars.map(\.value).max() ?? 0
    let valueWidth = String(largest).count
    let room = max(1, width - labelWidth - valueWidth - 5)
    var lines = hidden > 0 ? ["  (\(hidden) earlier ones not drawn)"] : []
    lines += bars.map { bar in
      let length = Self.length(bar.value, largest: largest, room: room)
      let marked = min(length, Self.length(bar.marked, largest: largest, room: room))
      let drawn = String(repeating: "░", count: marked) + String(repeating: "█", count: length - marked)
      let label = bar.label + String(repeating: " ", count: labelWidth - bar.label.count)
      let value = String(bar.value)
      return "  \(label) \(String(repeating: " ", count: valueWidth - value.count))\(value) \(drawn)"
    }
    return lines
  }

  /// Columns of a value: proportional, rounded, and at least one for anything above 0.
  private static func length(_ value: Int64, largest: Int64, room: Int) -> Int {
    guard value > 0, largest > 0 else { return 0 }
    return max(1, Int((Double(value) / Double(largest) * Double(room)).rounded()))
  }
}
