/// What `lag-demo --scenario` made, what `status` said about it, and whether that was right.
public struct ScenarioReport: Report, Sendable {
  public let command: StaticString = "lag-demo"
  public var plan: ScenarioPlan
  public var judgement: ScenarioJudgement
  /// How the lag went; what it counts as lost or duplicated is not looked at here.
  public var lag: LagReport
  /// When the run began to be sampled, on the monotonic clock, nanoseconds.
  public var startNanoseconds: Int64

  public init(_ plan: ScenarioPlan, judgement: ScenarioJudgement, lag: LagReport, startNanoseconds: Int64) {
    self.plan = plan
    self.judgement = judgement
    self.lag = lag
    self.startNanoseconds = startNanoseconds
  }

  public var completion: Completion { lag.completion }

  /// `nil` for a run that was cut short: it shows nothing.
  public var verdict: ScenarioJudgement.Verdict? { completion.isWhole ? judgement.verdict : nil }

  public var consequence: String? { "nothing was judged" }

  public func appendBody(to text: ReportText) {
    let (named, forecast) = (judgement.named, judgement.forecast)
    TextRows.append(title: "Scenario \(plan.scenario.rawValue) on \(lag.topic)", to: text)
    TextRows.append("Seed", String(plan.seed), to: text)
    TextRows.append("Cause made", plan.scenario.cause, to: text)
    TextRows.append(
      "Cause named", named?.cause ?? "none", named.map { _ in judgement.isCauseRight ? .good : .bad }, to: text)
    if let sentence = named?.sentence { TextRows.append("Sentence", sentence, to: text) }
    for (index, evidence) in (named?.evidence ?? []).enumerated() {
      TextRows.append(index == 0 ? "Evidence" : "", evidence, to: text)
    }
    if plan.scenario.isEndless {
      TextRows.append(
        "Forecast meanwhile", named?.clear ?? "none", judgement.isNeverRight == true ? .good : .bad, to: text)
    }
    TextRows.append("Peak lag", lag.peakLag.map(String.init) ?? "unknown", to: text)
    if let forecast {
      let told = forecast.look.clearInSeconds.map { "\(Self.decimal($0)) s" } ?? forecast.look.clear ?? "none"
      let error = forecast.look.clearErrorSeconds.map { " ± \(Self.decimal($0)) s" } ?? ""
      TextRows.append("Forecast at half", told + error, to: text)
      TextRows.append("Real rest", "\(Self.decimal(forecast.restSeconds)) s", to: text)
      TextRows.append(
        "Error", forecast.errorPercent.map { "\(Self.decimal($0)) %" } ?? "none",
        judgement.isForecastRight ? .good : .bad, to: text)
    }
    if completion.isWhole {
      TextRows.append("Result", result, judgement.verdict == .right ? .good : .bad, to: text)
    }
  }

  public func appendBody(to text: ReportText, on screen: Screen) {
    lag.appendChart(to: text, on: screen, below: 14 + judgement.evidenceCount)
    appendBody(to: text)
  }

  private var result: String {
    switch judgement.verdict {
    case .right: return "the cause was named, and the forecast was right"
    case .wrongCause:
      return "FAILED: \(judgement.named?.cause ?? "no cause") was named, and \(plan.scenario.cause) was made"
    case .notDrained: return "FAILED: the lag was not seen to drain"
    case .wrongForecast:
      if judgement.isNeverRight == false {
        return "FAILED: \(judgement.named?.clear ?? "nothing") was said while the lag could not clear"
      }
      let limit = Self.decimal(judgement.limitPercent)
      guard let error = judgement.forecast?.errorPercent else { return "FAILED: no time was told at half of the lag" }
      return "FAILED: the forecast was off by \(Self.decimal(error)) %, more than \(limit) %"
    }
  }

  public var claims: [Claim] {
    let isWhole = completion.isWhole
    let (named, forecast) = (judgement.named, judgement.forecast)
    func known(_ holds: Bool, _ isJudged: Bool) -> Bool? { isJudged ? holds : isWhole ? false : nil }
    var claims = [
      Claim(
        "the cause that was made is named", holds: known(judgement.isCauseRight, named != nil),
        detail: judgement.isCauseRight ? nil : named?.cause ?? "nobody looked")
    ]
    if plan.scenario.isEndless {
      let isRight = judgement.isNeverRight == true
      claims.append(
        Claim(
          "while the cause lasts the forecast is never", holds: known(isRight, named != nil),
          detail: isRight ? nil : named?.clear ?? "nobody looked"))
    }
    let isRight = judgement.isForecastRight
    claims.append(
      Claim(
        "the forecast at half of the lag is right", holds: known(isRight, forecast != nil),
        detail: isRight
          ? nil
          : forecast?.errorPercent.map { "off by \(Self.decimal($0)) %" } ?? "no time was told, or it did not drain"))
    return claims
  }

  public func appendMembers(to json: inout JSONWriter) {
    lag.appendNames(to: &json)
    json.member("scenario", plan.scenario.rawValue)
    json.key("seed")
    json.integer(plan.seed)
    json.member("cause_made", plan.scenario.cause)
    json.member("verdict", verdict?.rawValue)
    appendNamed(to: &json)
    appendForecast(to: &json)
    json.key("judge")
    appendChanges(to: &json)
    lag.appendCounts(to: &json, areEventsSeen: false)
    lag.appendSamples(to: &json)
  }

  private func appendNamed(to json: inout JSONWriter) {
    let named = judgement.named
    json.member("cause_named", named?.cause)
    json.member("state_named", named?.state)
    json.member("sentence", named?.sentence)
    json.key("evidence")
    json.beginArray()
    for evidence in named?.evidence ?? [] { json.string(evidence) }
    json.endArray()
    json.member("remedy", named?.remedy)
    json.member("members_needed", named?.membersNeeded)
    json.member("forecast_meanwhile", named?.clear)
    json.member("forecast_meanwhile_reason", named?.clearReason)
  }

  private func appendForecast(to json: inout JSONWriter) {
    let forecast = judgement.forecast
    json.member("forecast", forecast?.look.clear)
    json.key("forecast_seconds")
    Self.append(forecast?.look.clearInSeconds, to: &json)
    json.key("forecast_error_seconds")
    Self.append(forecast?.look.clearErrorSeconds, to: &json)
    json.key("rest_seconds")
    Self.append(forecast?.restSeconds, to: &json)
    json.key("error_percent")
    Self.append(forecast?.errorPercent, to: &json)
    json.key("limit_percent")
    Self.append(judgement.limitPercent, to: &json)
  }

  private func appendChanges(to json: inout JSONWriter) {
    json.beginArray()
    for look in judgement.changes {
      json.beginObject()
      json.member("t_ms", max(0, (look.at - startNanoseconds) / 1_000_000))
      json.member("lag", look.lag)
      json.member("lag_state", look.state)
      json.member("cause", look.cause)
      json.member("clear", look.clear)
      json.key("clear_in_seconds")
      Self.append(look.clearInSeconds, to: &json)
      json.endObject()
    }
    json.endArray()
  }

  /// With two decimals, or `null`; numbers that no document needs are cut.
  private static func append(_ value: Double?, to json: inout JSONWriter) {
    guard let value, value.isFinite else { return json.null() }
    json.hundredths(Int64((min(max(value, -1e12), 1e12) * 100).rounded()))
  }

  private static func decimal(_ value: Double) -> String {
    let tenths = Int64((min(max(value, -1e12), 1e12) * 10).rounded())
    return "\(tenths / 10).\(tenths.magnitude % 10)"
  }
}

extension ScenarioJudgement {
  fileprivate var evidenceCount: Int { named?.evidence.count ?? 0 }
}
