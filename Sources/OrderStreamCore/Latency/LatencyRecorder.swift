import Histogram

/// Latencies of a run's records in microseconds, to three significant digits. Those of the first second are kept apart:
/// connections are made in it and nothing is warm yet.
///
/// A histogram has 0.15 MB, and grows when a latency is above a minute.
public struct LatencyRecorder: Sendable {
  /// How much of the beginning of a run is kept apart.
  public static let firstPart: Duration = .seconds(1)
  /// 285 years: what lies above counts as that.
  static let mostMicroseconds: UInt64 = 1 << 53

  private var firstSecond = Self.histogram()
  private var later = Self.histogram()

  public init() {}

  /// Growing costs more than a million recordings.
  private static func histogram() -> Histogram<UInt64> {
    var histogram = Histogram<UInt64>(highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: .three)
    histogram.autoResize = true
    return histogram
  }

  /// The unit of the times that are given; the histogram's is a microsecond.
  enum Unit {
    case nanoseconds, milliseconds

    func microseconds(_ time: Int64) -> UInt64 {
      // Only clocks that differ make it negative.
      let time = UInt64(max(0, time))
      let value = self == .nanoseconds ? time / 1000 : time.multipliedReportingOverflow(by: 1000).partialValue
      return min(value, LatencyRecorder.mostMicroseconds)
    }
  }

  /// Records that were sent at these times have arrived.
  /// - Parameter border: what was sent before it belongs to the first second.
  mutating func record(_ sent: TimeRuns, at now: Int64, border: Int64, in unit: Unit) {
    // What the histogram does not tell apart is given to it at once: most of what a batch brings.
    var (value, count, isOfFirstSecond) = (UInt64(0), UInt64(0), false)
    var equal: (lowest: UInt64, size: UInt64) = (0, 0)
    sent.forEach { run in
      let next = unit.microseconds(now &- run.time)
      let isNextOfFirstSecond = run.time < border
      if next &- equal.lowest >= equal.size || isNextOfFirstSecond != isOfFirstSecond {
        record(value, count, isOfFirstSecond)
        (value, count, isOfFirstSecond) = (0, 0, isNextOfFirstSecond)
        equal = (later.lowestEquivalentForValue(next), later.sizeOfEquivalentRangeForValue(next))
      }
      value = max(value, next)
      count += UInt64(run.count)
    }
    record(value, count, isOfFirstSecond)
  }

  private mutating func record(_ value: UInt64, _ count: UInt64, _ isOfFirstSecond: Bool) {
    guard count > 0 else { return }
    if isOfFirstSecond { firstSecond.record(value, count: count) } else { later.record(value, count: count) }
  }

  /// What was recorded so far.
  public var figures: LatencyFigures {
    let first = LatencySummary(firstSecond)
    // A run that was over within its first second has no other figures.
    return LatencyFigures(all: later.totalCount == 0 ? first : LatencySummary(later), firstSecond: first)
  }
}

/// The latencies that a report tells.
public struct LatencyFigures: Sendable, Equatable {
  /// Of what was sent after the first second; of a run that has nothing after it, of all.
  public var all: LatencySummary
  /// Of what was sent within the first second.
  public var firstSecond: LatencySummary

  /// - Parameters: without one, those of a run in which nothing was measured.
  public init(all: LatencySummary = LatencySummary(), firstSecond: LatencySummary = LatencySummary()) {
    self.all = all
    self.firstSecond = firstSecond
  }

  /// Whether a first second is told apart from the rest.
  public var isParted: Bool { all != firstSecond }
}

/// Percentiles in microseconds: the p-th is the smallest latency that p percent of the records did not exceed, to three
/// significant digits. All of them 0 without a record.
public struct LatencySummary: Sendable, Equatable {
  /// Records between two borders.
  public struct Bucket: Sendable, Equatable {
    /// The largest latency that belongs here.
    public var upToMicroseconds: Int64
    public var count: Int64
  }

  public var count: Int64 = 0
  public var p50: Int64 = 0
  public var p90: Int64 = 0
  public var p99: Int64 = 0
  public var p999: Int64 = 0
  public var max: Int64 = 0
  /// From the one of the smallest latency to the one of the largest, ten a decade, those between that are empty too.
  public var buckets: [Bucket] = []

  public init() {}

  /// One walk over the histogram: its own calls for a percentile walk over all of it each.
  init(_ histogram: Histogram<UInt64>) {
    guard histogram.totalCount > 0 else { return }
    (count, max) = (Int64(histogram.totalCount), Int64(histogram.maxRecorded))
    var border = Self.borders.startIndex
    var bucket: Int64 = 0
    var seen: Int64 = 0
    var value = histogram.lowestEquivalentForValue(histogram.min)
    while value <= histogram.maxRecorded {
      let found = Int64(histogram.countForValue(value))
      let next = histogram.nextNonEquivalentForValue(value)
      let highest = Swift.min(Int64(next) - 1, max)
      while border < Self.borders.endIndex, Self.borders[border] < highest {
        endBucket(&bucket, Self.borders[border])
        border += 1
      }
      bucket += found
      notePercentiles(from: seen, to: seen + found, highest)
      seen += found
      value = next
    }
    endBucket(&bucket, border < Self.borders.endIndex ? Self.borders[border] : max)
  }

  private mutating func endBucket(_ bucket: inout Int64, _ border: Int64) {
    if bucket > 0 || !buckets.isEmpty { buckets.append(Bucket(upToMicroseconds: border, count: bucket)) }
    bucket = 0
  }

  /// Where the records behind the first `low`, up to the `high`-th, have this value.
  private mutating func notePercentiles(from low: Int64, to high: Int64, _ value: Int64) {
    guard high > low else { return }
    func isHere(_ perMille: Int64) -> Bool {
      let rank = Int64((Int128(count) * Int128(perMille) + 999) / 1000)
      return rank > low && rank <= high
    }
    if isHere(500) { p50 = value }
    if isHere(900) { p90 = value }
    if isHere(990) { p99 = value }
    if isHere(999) { p999 = value }
  }

  /// Upper borders in microseconds: 1 to 10 000 s in the steps of ISO 3, R10.
  static let borders: [Int64] = {
    let steps: [Int64] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800]
    var borders: [Int64] = [1, 2, 3, 4, 5, 6, 8]
    var decade: Int64 = 10
    while decade <= 1_000_000_000 {
      borders += steps.map { ($0 * decade + 99) / 100 }
      decade *= 10
    }
    return borders + [decade]
  }()
}

/// Times of records that follow each other, as runs of equal ones, in room that is used again. In a unit of the owner's.
public struct TimeRuns: Sendable {
  public struct Run: Sendable, Equatable {
    public var time: Int64
    public var count: Int32

    @usableFromInline
    init(time: Int64, count: Int32) {
      self.time = time
      self.count = count
    }
  }

  // Touched for every record, so the run that grows stands outside the array, and back ends have the code of it.
  private var ended: [Run] = []
  @usableFromInline var last = Run(time: 0, count: 0)

  public init() {}

  public var isEmpty: Bool { last.count == 0 }

  /// Adds one record of that time.
  @inlinable
  public mutating func append(_ time: Int64) {
    if time != last.time { begin(time) }
    last.count &+= 1
  }

  @usableFromInline
  mutating func begin(_ time: Int64) {
    if last.count > 0 { ended.append(last) }
    last = Run(time: time, count: 0)
  }

  public mutating func removeAll() {
    ended.removeAll(keepingCapacity: true)
    last.count = 0
  }

  @inline(__always)
  func forEach(_ body: (Run) -> Void) {
    for run in ended { body(run) }
    if last.count > 0 { body(last) }
  }
}
