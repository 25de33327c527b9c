/// What a run came to, as its document says.
enum RunVerdict: Sendable, Equatable {
  /// All that it claims holds.
  case passed
  /// Something that it claims does not hold, a condition of `--fail-if` was met, or an error left it without a result.
  case failed
  /// It was ended before it had shown what it claims.
  case cutShort
  /// It has come to its end, and something that it claims could not be shown.
  case open
  /// It only tells.
  case nothingClaimed

  init(_ document: Document) {
    let claims = document.claimsOfAnyVersion
    if claims.contains(where: { $0.holds == false }) || document["failed_conditions"]?.elements.isEmpty == false
      || document["error"] != nil
    {
      self = .failed
    } else if document["complete"]?.bool == false {
      self = .cutShort
    } else if claims.isEmpty {
      self = .nothingClaimed
    } else {
      self = claims.contains { $0.holds == nil } ? .open : .passed
    }
  }

  /// As it stands on the page.
  var word: String {
    switch self {
    case .passed: "passed"
    case .failed: "FAILED"
    case .cutShort: "cut short"
    case .open: "not proved"
    case .nothingClaimed: "nothing claimed"
    }
  }

  /// The class of its colour.
  var kind: String {
    switch self {
    case .passed: "yes"
    case .failed: "no"
    case .cutShort, .open: "open"
    case .nothingClaimed: "none"
    }
  }

  var icon: HTML { Self.icon(kind) }

  /// A sign that is told apart by its shape.
  /// - Parameter kind: `yes`, `no`, `open`, or another.
  static func icon(_ kind: String) -> HTML {
    let shape: HTML =
      switch kind {
      case "yes": "<path d=\"M7 12.5l3.4 3.4L17 8.8\"/>"
      case "no": "<path d=\"M8 8l8 8M16 8l-8 8\"/>"
      case "open": "<path d=\"M12 7v6M12 16.6v.1\"/>"
      default: "<path d=\"M8 12h8\"/>"
      }
    return """
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="10"/>\(shape)</svg>
      """
  }

  /// Why, in a sentence.
  func reason(_ document: Document) -> String {
    let claims = document.claimsOfAnyVersion
    let broken = claims.filter { $0.holds == false }
    switch self {
    case .passed: return claims.count == 1 ? Self.sentence(claims[0].text) : "All \(claims.count) claims hold."
    case .failed:
      let reasons = broken.map { claim in claim.detail.map { "\(claim.text): \($0)" } ?? claim.text }
      if reasons.isEmpty, let error = document["error"] {
        return "It ended with an error, and has no result: \(error["message"]?.text ?? "unknown")."
      }
      if reasons.isEmpty { return "A condition of --fail-if was met." }
      let verb = broken.count == 1 ? "claims does not hold" : "claims do not hold"
      let count = claims.count == 1 ? "What it claims does not hold" : "\(broken.count) of \(claims.count) \(verb)"
      return "\(count): \(reasons.joined(separator: "; "))."
    case .cutShort:
      return "It was ended before it was done\(Self.progress(document)). Nothing that it claims is refuted."
    case .open:
      let open = claims.filter { $0.holds == nil }.map(\.text)
      return "What it found is right; this could not be shown: \(open.joined(separator: "; "))."
    case .nothingClaimed: return "It came to its end, and has no claim of its own; --fail-if makes one of any number."
    }
  }

  private static func sentence(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst() + "."
  }

  private static func progress(_ document: Document) -> String {
    guard let cut = document["cut_short"], let cause = cut["by"]?.text else { return "" }
    let done = cut["after"]?.integer.map { " after \($0.grouped)" } ?? ""
    return ", by \(cause)\(done)" + (cut["of"]?.integer.map { " of \($0.grouped)" } ?? "")
  }
}

extension Document {
  /// What the run claims; of a document that has no claims yet (0.1.0), what its numbers say of them.
  var claimsOfAnyVersion: [Claim] {
    if self["claims"] != nil { return claims }
    let isWhole = self["complete"]?.bool != false
    func none(_ text: String, _ key: String, _ noun: String) -> Claim? {
      self[key]?.integer.map { Claim(none: text, count: $0, noun: noun, isWhole: isWhole) }
    }
    func holds(_ isTrue: Bool) -> Bool? { isTrue ? true : isWhole ? false : nil }
    switch command {
    case "produce":
      guard let requested = self["requested"]?.number, let acknowledged = self["acknowledged"]?.number else {
        return []
      }
      let failed = (self["failed_deliveries"]?.number ?? 0) > 0
      let missing = requested - acknowledged - (self["rejected"]?.number ?? 0)
      return [Claim("every event was acknowledged", holds: failed ? false : holds(missing <= 0))]
    case "replay":
      return self["match"]?.bool.map { [Claim("the replay gives the same bytes", holds: $0)] } ?? []
    case "lag-demo":
      let drained = Claim("the lag drained", holds: holds(self["drain_ms"]?.number != nil))
      return [
        drained, none("no event was lost", "lost", "were"), none("no event was seen twice", "duplicated", "were"),
      ].compactMap { $0 }
    case "audit":
      return [
        none("no item is lost", "lost", "items"), none("no item has two events", "duplicated", "items"),
        none("every event has a source", "phantom", "items"),
        none("every event says what its order says", "wrong_action", "items"),
        none("events are in the order of their sources", "reordered", "items"),
        none("every event is in the partition of its key", "wrong_partition", "events"),
      ].compactMap { $0 }
    default: return []
    }
  }
}
