/// How fast records arrive and are served, and when what is unread will have been read.
public struct LagForecast: Hashable, Sendable {
  public enum Clear: Hashable, Sendable {
    /// Nothing is unread.
    case clear
    /// After so many seconds, give or take.
    case after(Double, error: Double)
    /// As things are it will not be: it grows by so many records a second, or stands (0).
    case never(growth: Double)
    case unknown
  }

  public var lag: Int64?
  public var arrival: LagRate?
  public var service: LagRate?
  public var clear: Clear
  /// Why it is `never` or `unknown`, in words; `nil` otherwise.
  public var reason: String?

  public init(lag: Int64?, arrival: LagRate?, service: LagRate?, clear: Clear, reason: String?) {
    self.lag = lag
    self.arrival = arrival
    self.service = service
    self.clear = clear
    self.reason = reason
  }

  /// Growth of the lag in records a second; `nil` when it is not known. Each rate is that since its own last change of pace,
  /// and a change is seen in the one before the other: a lag of 0 does not fall meanwhile.
  public var trend: Double? {
    guard let arrival, let service else { return nil }
    let growth = arrival.perSecond - service.perSecond
    return lag == 0 ? max(0, growth) : growth
  }

  var trendError: Double? {
    guard let arrival, let service else { return nil }
    return (arrival.error * arrival.error + service.error * service.error).squareRoot()
  }

  /// Of partitions that share one reader's time, or of one.
  init(of indices: [Int], _ history: LagHistory) {
    let last = history.looks.last
    let lags: [Int64?] = indices.map { last?.observations[$0].lag }
    guard !lags.isEmpty, !lags.contains(nil) else {
      let unknown = indices.first { last?.observations[$0].lag == nil }
      let place = unknown.map { "the lag of \(history.places[$0]) is not known" } ?? "no partitions are known"
      self.init(lag: nil, arrival: nil, service: nil, clear: .unknown, reason: place)
      return
    }
    let lag = lags.reduce(Int64(0)) { $0.saturatingAdd($1 ?? 0) }
    let series = history.series(of: indices)
    self.init(
      lag: lag, arrival: LagRate(series.times, series.ends), service: LagRate(series.times, series.positions),
      history: history)
  }

  private init(lag: Int64, arrival: LagRate?, service: LagRate?, history: LagHistory) {
    self.init(lag: lag, arrival: arrival, service: service, clear: .unknown, reason: nil)
    if lag == 0 {
      clear = .clear
      return
    }
    guard let arrival, let service, let error = trendError, error.isFinite else {
      reason =
        "rates take \(LagRate.least) looks at which the offsets have moved, and there \(LagWords.looks(history)) so far"
      return
    }
    let fall = service.perSecond - arrival.perSecond
    let rates = "\(LagWords.rate(arrival.perSecond)) arrive and \(LagWords.rate(service.perSecond)) are served"
    if fall > error {
      let seconds = Double(lag) / fall
      clear = .after(seconds, error: seconds * error / fall)
    } else if fall <= -error {
      clear = .never(growth: -fall)
      reason =
        fall < 0 ? "it grows by \(LagWords.rate(-fall)): \(rates)" : "it stands: nothing arrives and nothing is served"
    } else {
      reason = "it neither falls nor grows beyond the error of \(LagWords.rate(error)): \(rates)"
    }
  }

  /// Of a group: it is clear when the last of its readers is. The partitions of one member share its time, so they count
  /// together; those that no member is seen to have are taken to have one reader.
  static func group(_ history: LagHistory) -> (whole: LagForecast, readers: [Reader]) {
    let all = Array(history.places.indices)
    var whole = LagForecast(of: all, history)
    let owners = history.looks.last?.owners ?? [:]
    let readers = Dictionary(grouping: all) { owners[history.places[$0]] ?? "" }
      .map {
        Reader(member: $0.key.isEmpty ? nil : $0.key, indices: $0.value, forecast: LagForecast(of: $0.value, history))
      }
      .sorted { ($0.member ?? "", $0.indices[0]) < ($1.member ?? "", $1.indices[0]) }
    guard readers.count > 1, whole.lag ?? 0 > 0 else { return (whole, readers) }
    let counting = readers.filter { !$0.keepsUp(beside: whole.lag ?? 0) }
    if let worst = (counting.isEmpty ? readers : counting).max(by: { $0.forecast.rank < $1.forecast.rank }) {
      whole.clear = worst.forecast.clear
      whole.reason = worst.forecast.reason.map { reason in
        let places = worst.indices.map { history.places[$0].description }
        return "\(places.prefix(3).joined(separator: " "))\(places.count > 3 ? " …" : ""): \(reason)"
      }
    }
    return (whole, readers)
  }

  /// The partitions that one member reads.
  struct Reader: Sendable {
    /// `nil` for partitions that nobody is seen to read.
    var member: String?
    var indices: [Int]
    var forecast: LagForecast

    /// A lag that is served within so many seconds, and is so small a part of the group's, is what is under way.
    private static let underWay = 1.0
    private static let smallPart = 0.1

    /// Whether it keeps up while others do not: what is under way neither falls nor grows, and holds nobody.
    func keepsUp(beside whole: Int64) -> Bool {
      guard let lag = forecast.lag, let service = forecast.service else { return false }
      return Double(lag) <= Self.underWay * service.perSecond && Double(lag) <= Self.smallPart * Double(whole)
    }
  }

  /// The worse, the higher: what never clears, then what is not known, then what takes longest.
  private var rank: Double {
    switch clear {
    case .clear: -1
    case .after(let seconds, _): min(seconds, 1e12)
    case .unknown: 1e13
    case .never(let growth): 1e14 + growth
    }
  }
}

/// Numbers as sentences have them.
enum LagWords {
  /// `812/s`, `0.25/s`
  static func rate(_ perSecond: Double) -> String { "\(number(perSecond))/s" }

  /// Three digits or all before the point.
  static func number(_ value: Double) -> String {
    guard value.magnitude < 1e15 else { return String(value) }
    if value.magnitude >= 100 || value.rounded() == value { return String(Int64(value.rounded())) }
    let scale = value.magnitude >= 10 ? 10.0 : 100.0
    let rounded = (value * scale).rounded() / scale
    return rounded.rounded() == rounded ? String(Int64(rounded)) : String(rounded)
  }

  /// `0.4 s`, `12 s`, `3 min`, `5 h`
  static func seconds(_ seconds: Double) -> String {
    if seconds < 120 { return "\(number(seconds)) s" }
    return seconds < 7200 ? "\(number((seconds / 60).rounded())) min" : "\(number((seconds / 3600).rounded())) h"
  }

  static func seconds(_ duration: Duration) -> String { seconds(Double(duration.nanoseconds) / 1e9) }

  /// `was 1`, `were 2 over 0.5 s`
  static func looks(_ history: LagHistory) -> String {
    history.count == 1 ? "was 1" : "were \(history.count) over \(seconds(history.span))"
  }
}
