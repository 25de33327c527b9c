/// Why a group is behind, as documents and texts have it.
extension LagExplanation {
  /// Appends the members of a group's object.
  func appendMembers(to json: inout JSONWriter) {
    json.member("lag_state", state?.rawValue)
    json.member("lag_state_reason", stateReason)
    json.member("window_ms", window.milliseconds)
    json.member("observations", Int64(looks))
    Self.append(age, removal, forecast, to: &json)
    json.key("cause")
    cause.append(to: &json)
  }

  static func append(_ age: Age, _ removal: Removal, _ forecast: LagForecast, to json: inout JSONWriter) {
    json.member("lag_seconds", decimal: age.seconds)
    json.member("lag_seconds_reason", age.reason)
    json.member("arrival_per_second", decimal: forecast.arrival?.perSecond)
    json.member("service_per_second", decimal: forecast.service?.perSecond)
    json.member("trend_per_second", decimal: forecast.trend)
    json.member("clear", forecast.clear.word)
    switch forecast.clear {
    case .clear:
      json.member("clear_in_seconds", decimal: 0)
      json.member("clear_in_seconds_error", decimal: 0)
    case .after(let seconds, let error):
      json.member("clear_in_seconds", decimal: seconds)
      json.member("clear_in_seconds_error", decimal: error)
    case .never, .unknown:
      json.member("clear_in_seconds", decimal: nil)
      json.member("clear_in_seconds_error", decimal: nil)
    }
    json.member("clear_reason", forecast.reason)
    json.member("removed_first", removal.records)
    json.member("removed_first_reason", removal.reason)
  }

  // MARK: - Text

  /// What stands behind the lag on a group's line; `nil` where looks have not told anything yet.
  var words: String? {
    guard looks > 1, let lag = forecast.lag, lag > 0 || forecast.clear != .clear else { return nil }
    let parts = [
      state?.rawValue, forecast.trend.map { "\($0 > 0 ? "+" : "")\(LagWords.rate($0))" }, forecast.clear.text,
    ]
    return parts.compactMap { $0 }.joined(separator: "  ")
  }

  /// Appends the lines of the group that is named.
  func appendLines(to text: ReportText) {
    func line(_ label: String, _ value: String, _ tone: Tone? = nil) {
      text.append("    \(label): ")
      text.append(value, tone)
      text.append(UInt8(ascii: "\n"))
    }
    if let state { line("state", state.rawValue, state.tone) }
    if let seconds = age.seconds, forecast.lag ?? 0 > 0 {
      line("lag in time", LagWords.seconds(seconds) + (age.reason.map { " (\($0))" } ?? ""))
    }
    // One look alone says nothing else.
    guard looks > 1 else { return }
    if let arrival = forecast.arrival, let service = forecast.service, let trend = forecast.trend {
      line(
        "rates",
        "\(LagWords.rate(arrival.perSecond)) arrive, \(LagWords.rate(service.perSecond)) are served, trend "
          + "\(trend > 0 ? "+" : "")\(LagWords.rate(trend)) (\(TextRows.count(looks, "look")))")
    }
    if forecast.clear != .clear {
      let reason = forecast.reason.map { ": \($0)" } ?? ""
      line("clear", "\(forecast.clear.text ?? "unknown")\(reason)", forecast.clear.tone)
    }
    if let records = removal.records, records > 0 {
      let reason = removal.reason.map { " (\($0))" } ?? ""
      line("retention", "removes \(TextRows.count(records, "record")) before they are read\(reason)", .warning)
    }
    line("cause", cause.sentence, cause.kind == .none ? .good : cause.kind == .unknown ? nil : .warning)
    for evidence in cause.evidence { text.append("      \(evidence)\n", .dim) }
    if let remedy = cause.remedy { line("remedy", remedy) }
  }
}

extension LagExplanation.Partition {
  static let columns = ["in time", "arrives", "served", "state", "clear"]
  /// What a narrow screen does without, the first one first.
  static let dispensableColumns = ["arrives", "served", "state"]

  /// Of the columns; `-` for what is not known.
  var cells: [String] {
    [
      age.seconds.map(LagWords.seconds) ?? "-", forecast.arrival.map { LagWords.rate($0.perSecond) } ?? "-",
      forecast.service.map { LagWords.rate($0.perSecond) } ?? "-", state?.rawValue ?? "-",
      forecast.clear == .clear ? "clear" : forecast.clear.text ?? "-",
    ]
  }
}

extension LagCause {
  fileprivate func append(to json: inout JSONWriter) {
    json.beginObject()
    json.member("cause", kind.rawValue)
    json.member("sentence", sentence)
    json.key("evidence")
    json.beginArray()
    for line in evidence { json.string(line) }
    json.endArray()
    json.member("remedy", remedy)
    json.member("members_needed", membersNeeded.map(Int64.init))
    json.endObject()
  }
}

extension LagForecast.Clear {
  fileprivate var word: String {
    switch self {
    case .clear: "clear"
    case .after: "in"
    case .never: "never"
    case .unknown: "unknown"
    }
  }

  fileprivate var text: String? {
    switch self {
    case .clear, .unknown: nil
    case .after(let seconds, let error): "in \(LagWords.seconds(seconds)) ± \(LagWords.seconds(error))"
    case .never: "never"
    }
  }

  fileprivate var tone: Tone? {
    switch self {
    case .clear: .good
    case .after: nil
    case .never: .bad
    case .unknown: .warning
    }
  }
}

extension LagState {
  fileprivate var tone: Tone {
    switch self {
    case .ok: .good
    case .warn: .warning
    default: .bad
    }
  }
}

extension JSONWriter {
  /// Appends a key and a number with one to three decimals; `null` when it is not known or has no end.
  mutating func member(_ key: String, decimal value: Double?) {
    self.key(key)
    guard let value, value.isFinite, value.magnitude < 1e15 else { return null() }
    let thousandths = Int64((value * 1000).rounded())
    let (whole, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1000)
    var decimals = String(String(1000 + rest).dropFirst())
    while decimals.count > 1, decimals.hasSuffix("0") { decimals.removeLast() }
    let text = "\(thousandths < 0 ? "-" : "")\(whole).\(decimals)"
    raw(text)
  }
}
