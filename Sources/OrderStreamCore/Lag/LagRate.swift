/// How fast an offset grows: a straight line through what looks have seen of it since its pace has changed last, with
/// the error of that estimate.
public struct LagRate: Hashable, Sendable {
  /// A line needs as many looks.
  static let least = 3
  /// Two lines in place of one must explain so much more than chance would (an F statistic; the split is searched for, so
  /// it is far above what tables have for a split that is given).
  private static let changeThreshold = 30.0
  /// A gap between two changes that is so many times the usual one is a standstill.
  private static let standstill = 2.0

  public var perSecond: Double
  /// In about 95 of 100 cases the true pace lies so near.
  public var error: Double
  /// What the line was drawn through.
  public var looks: Int
  public var seconds: Double

  static let none = LagRate(perSecond: 0, error: 0, looks: 0, seconds: 0)

  init(perSecond: Double, error: Double, looks: Int, seconds: Double) {
    self.perSecond = perSecond
    self.error = error
    self.looks = looks
    self.seconds = seconds
  }

  /// - Parameters:
  ///   - times: in seconds, ascending.
  ///   - values: offsets, parallel to them.
  /// - Returns: `nil` when there are too few looks.
  init?(_ times: [Double], _ values: [Double]) {
    guard times.count >= Self.least, let first = times.first, let last = times.last, last > first else { return nil }
    if values.allSatisfy({ $0 == values[0] }) {
      self.init(perSecond: 0, error: 0, looks: times.count, seconds: last - first)
      return
    }
    let points = Self.changes(times, values)
    let sums = LineSums(points)
    guard let line = sums.line(Self.lastPace(sums)) else { return nil }
    // Two standard errors, more where few looks tell how large they are.
    let width = 2 * (1 + 3 / Double(line.count))
    self.init(perSecond: line.slope, error: width * line.error, looks: line.count, seconds: line.span)
  }

  struct Point: Sendable {
    var time: Double
    var value: Double
  }

  /// Commits move an offset in steps, and looks between two of them see the same one again: what counts is when it was
  /// seen to have moved. Looks at which it did not move count where it stands still for much longer than it usually does.
  static func changes(_ times: [Double], _ values: [Double]) -> [Point] {
    var moved = [0]
    for index in times.indices.dropFirst() where values[index] != values[moved[moved.count - 1]] { moved.append(index) }
    let gaps = zip(moved, moved.dropFirst()).map { times[$1] - times[$0] }.sorted()
    let usual = gaps.isEmpty ? 0 : gaps[gaps.count / 2]
    var kept: [Int] = []
    for (index, next) in zip(moved, moved.dropFirst() + [times.count]) {
      kept.append(index)
      guard next - index > 1 else { continue }
      let end = next < times.count ? times[next] : times[times.count - 1]
      if end - times[index] > Self.standstill * usual || gaps.isEmpty { kept += index + 1..<next }
    }
    // Nobody saw when the first offset was reached, unless each look finds another one.
    if kept.count > Self.least, kept[1] > 1 { kept.removeFirst() }
    return kept.map { Point(time: times[$0], value: values[$0]) }
  }

  /// Where the pace of the last points begins.
  private static func lastPace(_ sums: LineSums) -> Int {
    var start = 0
    while sums.count - start >= 2 * least {
      // Beside a stretch as long as what follows, so that changes long before hide none; or beside all.
      guard let split = change(sums, start, within: least + 1) ?? change(sums, start, within: sums.count) else { break }
      start = split
    }
    return start
  }

  /// Where two lines explain so much more than one that the pace has changed; `nil` where it has not.
  /// - Parameter length: How many points before a change count, at least; as many as follow it always do.
  private static func change(_ sums: LineSums, _ start: Int, within length: Int) -> Int? {
    var best = (value: 0.0, first: start, split: start)
    for split in start + least...sums.count - least {
      let first = max(start, split - max(length, sums.count - split))
      let count = sums.count - first
      let residual = sums.residual(first..<split) + sums.residual(split..<sums.count)
      // Offsets are whole, so no line is exact to less than half a record.
      let rest = max(residual, 0.25 * Double(count)) / Double(max(1, count - 5))
      let value = (sums.residual(first..<sums.count) - residual) / 3 / rest
      if value > best.value { best = (value, first, split) }
    }
    guard best.split > start else { return nil }
    let inflation = sums.inflation([best.first..<best.split, best.split..<sums.count])
    return best.value > changeThreshold * inflation ? best.split : nil
  }
}

/// Sums over the beginnings of a list of points, so that a line through any stretch of them costs the same.
private struct LineSums {
  private var t: [Double] = [0], v: [Double] = [0], tt: [Double] = [0], tv: [Double] = [0], vv: [Double] = [0]
  private let points: [LagRate.Point]

  init(_ points: [LagRate.Point]) {
    // Both near 0, or the squares lose the digits that count.
    let (time, value) = (points.last?.time ?? 0, points.last?.value ?? 0)
    self.points = points
    for (index, point) in points.enumerated() {
      let (x, y) = (point.time - time, point.value - value)
      t.append(t[index] + x)
      v.append(v[index] + y)
      tt.append(tt[index] + x * x)
      tv.append(tv[index] + x * y)
      vv.append(vv[index] + y * y)
    }
  }

  var count: Int { points.count }

  private func moments(_ range: Range<Int>) -> (n: Double, tt: Double, tv: Double, vv: Double) {
    let (a, b) = (range.lowerBound, range.upperBound)
    let n = Double(b - a)
    let (st, sv) = (t[b] - t[a], v[b] - v[a])
    return (n, tt[b] - tt[a] - st * st / n, tv[b] - tv[a] - st * sv / n, vv[b] - vv[a] - sv * sv / n)
  }

  /// Sum of the squares that a line through the range leaves.
  func residual(_ range: Range<Int>) -> Double {
    let moments = moments(range)
    guard moments.tt > 0 else { return max(0, moments.vv) }
    return max(0, moments.vv - moments.tv * moments.tv / moments.tt)
  }

  /// What lines through these ranges leave: how neighbours are correlated, and the sum of the squares of their differences.
  private func rest(_ ranges: [Range<Int>]) -> (correlation: Double, steps: Double) {
    var (products, squares, steps) = (0.0, 0.0, 0.0)
    for range in ranges where range.count > 2 {
      let moments = moments(range)
      guard moments.tt > 0 else { continue }
      let slope = moments.tv / moments.tt
      let (time, value) = (points[range.lowerBound].time, points[range.lowerBound].value)
      var rest = range.map { points[$0].value - value - slope * (points[$0].time - time) }
      let mean = rest.reduce(0, +) / moments.n
      for index in rest.indices { rest[index] -= mean }
      for (before, after) in zip(rest, rest.dropFirst()) {
        products += before * after
        steps += (after - before) * (after - before)
      }
      squares += rest.reduce(0) { $0 + $1 * $1 }
    }
    return (squares > 0 ? min(Self.mostCorrelation, max(0, products / squares)) : 0, steps)
  }

  /// By how much the variance of a slope is larger than if points lay beside their line independently of each other.
  func inflation(_ ranges: [Range<Int>]) -> Double {
    let correlation = rest(ranges).correlation
    return (1 + correlation) / (1 - correlation)
  }

  private static let mostCorrelation = 0.9
  /// With so much correlation points are taken to begin to add up, and with so much they do.
  private static let randomWalk = 0.2...0.6

  /// The line through all points from `start` on, with the standard error of its slope; `nil` for fewer than two.
  func line(_ start: Int) -> (slope: Double, error: Double, count: Int, span: Double)? {
    let range = start..<count
    guard range.count >= 2 else { return nil }
    let moments = moments(range)
    guard moments.tt > 0 else { return nil }
    let span = points[count - 1].time - points[start].time
    // A record more or less at both ends is what looks cannot tell.
    let leastError = 0.5 / span
    let freedom = Double(range.count - 2)
    let isFlat = (start..<count).allSatisfy { points[$0].value == points[start].value }
    guard freedom > 0, !isFlat else { return (moments.tv / moments.tt, isFlat ? 0 : .infinity, range.count, span) }
    // What arrives at random adds up: an excess stays, so points do not lie beside their line independently of each other.
    let (correlation, steps) = rest([range])
    let (low, high) = (Self.randomWalk.lowerBound, Self.randomWalk.upperBound)
    let share = min(1, max(0, (correlation - low) / (high - low)))
    let independent = residual(range) / freedom / moments.tt
    let walk = 1.2 * steps / (span * span)
    let error = ((1 - share) * independent + share * walk).squareRoot()
    return (moments.tv / moments.tt, max(error, leastError), range.count, span)
  }
}
