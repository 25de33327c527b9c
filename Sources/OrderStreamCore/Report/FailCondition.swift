/// `--fail-if`: a number of the document, and the limit at which the run has failed: `latency_ms.p99>10ms`.
public struct FailCondition: Sendable, Hashable {
  public enum Comparison: String, Sendable, CaseIterable {
    case lessOrEqual = "<=", greaterOrEqual = ">=", equal = "==", less = "<", greater = ">"
  }

  /// The limit in the unit of the key.
  public enum Limit: Sendable, Hashable {
    case whole(Int128)
    case decimal(Double)
  }

  /// As it was given, without blanks: `latency_ms.p99>10ms`.
  public let text: String
  /// As `DocumentValue[path:]` takes it.
  public let key: String
  public let comparison: Comparison
  public let limit: Limit

  /// - Parameter limit: In the unit of the key.
  public init(text: String, key: String, comparison: Comparison, limit: Limit) {
    self.text = text
    self.key = key
    self.comparison = comparison
    self.limit = limit
  }

  /// How a document stands to it.
  public enum Finding: Sendable, Equatable {
    case holdsBack
    /// It has come to what must not be.
    case breached
    /// The key is there and its value is not known.
    case unknown
    /// The value is no number.
    case notANumber
    /// The document has no such key.
    case missing
  }

  public func finding(_ root: DocumentValue) -> Finding {
    guard let value = root[path: key] else { return .missing }
    if value == .null { return .unknown }
    guard let number = value.number else { return .notANumber }
    return isBreached(by: value, number) ? .breached : .holdsBack
  }

  /// Whole numbers are compared to the last digit.
  private func isBreached(by value: DocumentValue, _ number: Double) -> Bool {
    if case .whole(let limit) = limit {
      if case .integer(let whole) = value { return compare(Int128(whole), limit) }
      if case .unsigned(let whole) = value { return compare(Int128(whole), limit) }
    }
    switch limit {
    case .whole(let limit): return compare(number, Double(limit))
    case .decimal(let limit): return compare(number, limit)
    }
  }

  private func compare<Number: Comparable>(_ value: Number, _ limit: Number) -> Bool {
    switch comparison {
    case .less: value < limit
    case .lessOrEqual: value <= limit
    case .greater: value > limit
    case .greaterOrEqual: value >= limit
    case .equal: value == limit
    }
  }
}

/// A condition of `--fail-if` that a run has met: the run has failed.
public struct FailedCondition: Sendable, Equatable {
  public let condition: FailCondition
  public let finding: FailCondition.Finding
  /// What the document has; `nil` where it has no such key.
  public let value: DocumentValue?

  /// - Parameter isFinal: While a run goes on, what is not known yet fails nothing.
  /// - Returns: `nil` when the document does not meet the condition.
  public init?(_ condition: FailCondition, in root: DocumentValue, isFinal: Bool) {
    finding = condition.finding(root)
    if finding == .holdsBack || !isFinal && finding != .breached { return nil }
    self.condition = condition
    value = root[path: condition.key]
  }

  /// `latency_ms.p99 is 12.5 (--fail-if latency_ms.p99>10ms)`.
  public var description: String {
    switch finding {
    case .missing: "the document has no \(condition.key) (--fail-if \(condition.text))"
    case .unknown: "\(condition.key) is not known (--fail-if \(condition.text))"
    case .notANumber: "\(condition.key) is no number (--fail-if \(condition.text))"
    case .breached, .holdsBack:
      "\(condition.key) is \(value?.numberText ?? "unknown") (--fail-if \(condition.text))"
    }
  }

  /// Appends the row that tells of it to a text for people.
  public func appendRow(to text: ReportText) {
    TextRows.append("Result", "FAILED: \(description)", .bad, to: text)
  }

  /// That the condition is not met.
  static func claim(_ condition: FailCondition, _ failed: FailedCondition?) -> Claim {
    Claim("not \(condition.text)", holds: failed == nil, detail: failed?.description)
  }

  /// Appends a list of them as the value of a member.
  static func append(_ failed: [FailedCondition], to json: inout JSONWriter) {
    json.beginArray()
    for failure in failed {
      json.beginObject()
      json.member("condition", failure.condition.text)
      json.member("key", failure.condition.key)
      json.key("value")
      if let text = failure.value?.numberText { json.raw(text) } else { json.null() }
      json.key("limit")
      switch failure.condition.limit {
      case .whole(let limit): json.integer(limit)
      case .decimal(let limit): json.raw(String(describing: limit))
      }
      json.endObject()
    }
    json.endArray()
  }
}
