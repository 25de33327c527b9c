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

  /// The most lines a chart takes; longer series are thinned (`sampled`) or cut to the newest (`newest`).
  public static let lineLimit = 40

  public enum Thinning: Sendable {
    /// Keeps the last bars.
    case newest
    /// Keeps bars at even distances, and always the first, the highest and the last.
    case sampled
  }

  private let bars: [Bar]
  private let left: Int

  public init(_ bars: [Bar], thinning: Thinning, lines: Int = BarChart.lineLimit) {
    precondition(lines >= 4, "a chart needs four lines to show a beginning, a peak and an end")
    left = max(0, bars.count - lines)
    guard left > 0 else {
      self.bars = bars
      return
    }
    switch thinning {
    case .newest:
      self.bars = Array(bars.suffix(lines))
    case .sampled:
      let peak = bars.indices.max { bars[$0].value < bars[$1].value } ?? 0
      var kept = Set((0..<(lines - 1)).map { $0 * (bars.count - 1) / (lines - 2) })
      kept.insert(peak)
      self.bars = kept.filter { $0 < bars.count }.sorted().map { bars[$0] }
    }
  }

  /// The lines of the chart, at most `width` columns each.
  public func lines(width: Int) -> [String] {
    let labelWidth = bars.map(\.label.count).max() ?? 0
    let largest = bars.map(\.value).max() ?? 0
    let valueWidth = String(largest).count
    let room = max(10, width - labelWidth - valueWidth - 5)
    var lines = bars.map { bar in
      let length = Self.length(bar.value, largest: largest, room: room)
      let marked = min(length, Self.length(bar.marked, largest: largest, room: room))
      let drawn = String(repeating: "░", count: marked) + String(repeating: "█", count: length - marked)
      let label = bar.label + String(repeating: " ", count: labelWidth - bar.label.count)
      let value = String(bar.value)
      return "  \(label) \(String(repeating: " ", count: valueWidth - value.count))\(value) \(drawn)"
    }
    if left > 0 { lines.append("  (\(left) more not drawn)") }
    return lines
  }

  /// Columns of a value: proportional, rounded, and at least one for anything above 0.
  private static func length(_ value: Int64, largest: Int64, room: Int) -> Int {
    guard value > 0, largest > 0 else { return 0 }
    return max(1, Int((Double(value) / Double(largest) * Double(room)).rounded()))
  }
}
