/// What one look of `status` says about a group: what is judged.
public struct LagLook: Sendable, Equatable {
  /// When it came, on the monotonic clock, nanoseconds.
  public var at: Int64
  public var lag: Int64?
  public var state: String?
  public var cause: String?
  public var sentence: String?
  public var evidence: [String]
  public var remedy: String?
  /// How many more members it says are needed.
  public var membersNeeded: Int64?
  /// `clear`, `in`, `never` or `unknown`.
  public var clear: String?
  public var clearInSeconds: Double?
  public var clearErrorSeconds: Double?
  public var clearReason: String?

  /// - Returns: `nil` for a document without the group.
  public init?(_ document: Document, group: String, at: Int64) {
    guard document.command == "status",
      let found = document["groups"]?.elements.first(where: { $0["group"]?.text == group })
    else { return nil }
    self.at = at
    lag = found["lag"]?.integer
    state = found["lag_state"]?.text
    let cause = found["cause"]
    self.cause = cause?["cause"]?.text
    sentence = cause?["sentence"]?.text
    evidence = cause?["evidence"]?.elements.compactMap(\.text) ?? []
    remedy = cause?["remedy"]?.text
    membersNeeded = cause?["members_needed"]?.integer
    clear = found["clear"]?.text
    clearInSeconds = found["clear_in_seconds"]?.number
    clearErrorSeconds = found["clear_in_seconds_error"]?.number
    clearReason = found["clear_reason"]?.text
  }
}

/// Compares what was said about a lag with how it was made and how it went. No clock, no broker.
public struct ScenarioJudgement: Sendable {
  /// How far a forecast may be from the real rest.
  public enum Limit {
    public static let oneMachine = 10.0
    public static let cluster = 20.0
  }

  public enum Verdict: String, Sendable {
    case right
    /// Another cause was named than was made.
    case wrongCause = "wrong_cause"
    /// "Never" was not said while it was true, or the time was too far from the real one, or none was told.
    case wrongForecast = "wrong_forecast"
    /// The lag was still there when the run was given up, or nobody looked.
    case notDrained = "not_drained"
  }

  /// Named when the lag was there.
  public struct Forecast: Sendable, Equatable {
    public var look: LagLook
    /// When the lag was gone.
    public var clearedAt: Int64

    /// From the look to the end of the lag.
    public var restSeconds: Double { Double(clearedAt - look.at) / 1e9 }

    /// How far off the time was, in percent of the real one; `nil` where no time was told.
    public var errorPercent: Double? {
      guard look.clear == "in", let told = look.clearInSeconds, restSeconds > 0 else { return nil }
      return abs(told - restSeconds) / restSeconds * 100
    }
  }

  public let scenario: LagScenario
  public let limitPercent: Double
  /// In the order in which they came.
  public private(set) var looks: [LagLook] = []
  /// When the cause was made, and when it ended; `nil` before.
  public var madeAt: Int64?
  public var endedAt: Int64?
  /// The look at which the cause is judged.
  public private(set) var named: LagLook?
  public private(set) var forecast: Forecast?

  public init(_ scenario: LagScenario, limitPercent: Double) {
    self.scenario = scenario
    self.limitPercent = limitPercent
  }

  public mutating func add(_ look: LagLook) { looks.append(look) }

  /// Judges the cause by this look.
  public mutating func name(by look: LagLook) { named = look }

  /// The first look at or after a moment.
  public func look(from moment: Int64) -> LagLook? { looks.first { $0.at >= moment } }

  /// The highest lag that was seen since the cause was made.
  public var peak: LagLook? {
    guard let madeAt else { return nil }
    return looks.lazy.filter { $0.at >= madeAt && $0.lag != nil }.max { ($0.lag ?? 0) < ($1.lag ?? 0) }
  }

  /// The first look after the cause has ended at which half of the lag was gone; `nil` while there is none.
  public var half: LagLook? {
    guard let endedAt, let peak, let most = peak.lag, most > 0 else { return nil }
    return looks.first { look in look.at >= max(endedAt, peak.at) && look.lag.map { $0 <= most / 2 } == true }
  }

  /// Judges the forecast of a look by when the lag was gone.
  public mutating func judge(_ look: LagLook, clearedAt: Int64) {
    forecast = Forecast(look: look, clearedAt: clearedAt)
  }

  public var isCauseRight: Bool { named?.cause == scenario.cause }

  /// Whether "never" was said while it was true; `nil` where it never was.
  public var isNeverRight: Bool? { scenario.isEndless ? named?.clear == "never" : nil }

  public var isForecastRight: Bool { forecast?.errorPercent.map { $0 <= limitPercent } ?? false }

  public var verdict: Verdict {
    if forecast == nil { return .notDrained }
    if !isCauseRight { return .wrongCause }
    return isForecastRight && isNeverRight != false ? .right : .wrongForecast
  }

  /// The looks at which something else was said than before.
  public var changes: [LagLook] {
    var changes: [LagLook] = []
    for look in looks {
      if let last = changes.last, (last.cause, last.state, last.clear) == (look.cause, look.state, look.clear) {
        continue
      }
      changes.append(look)
    }
    return changes
  }
}

extension ScenarioJudgement {
  /// When each partition of a topic had caught up: the lag of what comes on coming is never quite 0.
  public struct Drain: Sendable {
    /// By partition: the lag that is only on its way through a member and its next commit.
    private let allowance: [Int64]
    private var cleared: [Int64?]

    /// - Parameters:
    ///   - rates: what goes on coming, by partition.
    ///   - seconds: how long a record takes to be committed by a member that has caught up.
    public init(rates: ScenarioPlan.Rates, seconds: Double) {
      allowance = rates.map { Int64(($0 * seconds).rounded(.up)) + 1 }
      cleared = rates.map { _ in nil }
    }

    /// Takes note of the lags that were seen at a moment.
    public mutating func note(_ lags: [Int64?], at now: Int64) {
      for (partition, lag) in lags.enumerated() where cleared.indices.contains(partition) && cleared[partition] == nil {
        if let lag, lag <= allowance[partition] { cleared[partition] = now }
      }
    }

    /// When the last partition had caught up; `nil` while one has not.
    public var clearedAt: Int64? {
      var last = Int64.min
      for moment in cleared {
        guard let moment else { return nil }
        last = max(last, moment)
      }
      return last
    }
  }
}
