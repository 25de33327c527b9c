/// The event time of generated orders. Starts may have a fraction of a second; event times are cut to the second.
public enum EventTime: Hashable, Sendable {
  /// The second in which the order is made.
  case wallClock
  /// Event i of n (0-based) is at start + ⌊i · span / n⌋. `spanNanoseconds` is not negative.
  case span(startSeconds: Int64, startNanoseconds: Int32 = 0, spanNanoseconds: Int64)
  /// Event i is at start + i / perSecond. The rate is taken to the millionth of an event a second.
  case stepped(startSeconds: Int64, startNanoseconds: Int32 = 0, perSecond: Double)

  private static let billion: Int64 = 1_000_000_000
  private static let million: Int64 = 1_000_000

  /// The whole second since 1970 of event `index` of `count`, by integers only; saturates instead of overflowing.
  @inline(__always)
  func second(index: Int64, count: Int64, wallMilliseconds: Int64) -> Int64 {
    switch self {
    case .wallClock:
      return CivilTime.floor(wallMilliseconds, by: 1000)
    case .span(let start, let fraction, let span):
      let product = index.multipliedFullWidth(by: span)
      let passed = count.dividingFullWidth(product).quotient
      return Self.sum(start, passed / Self.billion, (Int64(fraction) + passed % Self.billion) / Self.billion)
    case .stepped(let start, let fraction, let perSecond):
      let rate = UInt64(Self.perMillionSeconds(perSecond))
      let product = UInt64(index).multipliedFullWidth(by: UInt64(Self.million))
      guard product.high < rate else { return .max }
      let (quotient, rest) = rate.dividingFullWidth(product)
      guard let passed = Int64(exactly: quotient) else { return .max }
      let nanoseconds = Int64(rate.dividingFullWidth(rest.multipliedFullWidth(by: UInt64(Self.billion))).quotient)
      return Self.sum(start, passed, (Int64(fraction) + nanoseconds) / Self.billion)
    }
  }

  /// Why these event times are impossible for so many events, in words; `nil` when they are fine.
  func problem(count: Int64) -> String? {
    switch self {
    case .wallClock: return nil
    case .span(_, let fraction, let span):
      if span < 0 || !(0..<Int32(Self.billion)).contains(fraction) { return "a span and a fraction are not negative" }
    case .stepped(_, let fraction, let perSecond):
      if !(perSecond > 0 && perSecond <= 1e12 && Self.perMillionSeconds(perSecond) > 0) {
        return "a rate is above 0 and at most 1e12 events a second"
      }
      if !(0..<Int32(Self.billion)).contains(fraction) { return "a fraction is not negative and below one second" }
    }
    for index in [0, count - 1] {
      guard CivilTime.secondsRange.contains(second(index: index, count: count, wallMilliseconds: 0)) else {
        return "the event times leave the years 0000 to 9999"
      }
    }
    return nil
  }

  @inline(__always)
  private static func perMillionSeconds(_ perSecond: Double) -> Int64 {
    Int64((perSecond * 1e6).rounded())
  }

  @inline(__always)
  private static func sum(_ start: Int64, _ passed: Int64, _ carry: Int64) -> Int64 {
    let (sum, overflow) = start.addingReportingOverflow(passed)
    return overflow || sum == .max ? .max : sum + carry
  }
}
