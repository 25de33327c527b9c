/// Whether every item of every valid order has exactly one inventory event.
public struct AuditReport: Report, Sendable {
  public let command: StaticString = "audit"
  public var topic: String
  public var outputTopic: String
  public var findings: AuditFindings
  /// Of an audit that was cut short the counts are those so far, and the unit is the records that were read.
  public var completion: Completion
  /// The group whose uncommitted items are pending; `nil` when all must be there.
  public var group: String?
  /// The command that commits what is pending, where pending makes the run "not finished"; `nil` where it is normal.
  public var finishingCommand: String?
  /// The orders that are audited, by partition; `nil` for all.
  public var ranges: [Range<Offset>]?

  public init(
    topic: String, outputTopic: String, findings: AuditFindings, completion: Completion = .whole,
    group: String? = nil, finishingCommand: String? = nil
  ) {
    self.completion = completion
    self.group = group
    self.finishingCommand = finishingCommand
    self.topic = topic
    self.outputTopic = outputTopic
    self.findings = findings
  }

  private var outside: Int64 { findings.outside + (findings.deadLetters?.outside ?? 0) }

  /// No violation, but the group has not done its part yet.
  public var isUnfinished: Bool { finishingCommand != nil && pending > 0 }

  private var pending: Int64 { findings.pending + (findings.deadLetters?.pending ?? 0) }

  private var receipts: ReceiptRows? { ReceiptRows(findings, topic: topic) }

  public func appendBody(to text: ReportText) {
    TextRows.append(
      title: findings.coversEvents ? "Audit of \(topic) against \(outputTopic)" : "Audit of \(topic)", to: text)
    if findings.coversEvents { appendEvents(to: text) }
    receipts?.append(to: text)
    let unverifiable = findings.unverifiableInAll
    TextRows.append("Unverifiable", unverifiable, unverifiable > 0 ? .warning : nil, to: text)
    if let letters = findings.deadLetters { append(letters, to: text) }
    if ranges != nil { TextRows.append("Outside the range", outside, to: text) }
    if completion.isWhole { TextRows.append("Result", result, resultTone, to: text) }
    for violation in findings.violations {
      let places = [violation.source.map { "source \($0)" }, violation.output.map { "output \($0)" }].compactMap { $0 }
      let chunk = violation.chunk.map { place in
        (places.isEmpty ? "" : ", ") + (place.chunk.map { "chunk \($0) of " } ?? "") + "run \(place.run)"
      }
      text.append("\n  \(violation.verdict.rawValue): \(places.joined(separator: ", "))\(chunk ?? "")\n")
      text.append("    expected \(violation.expected)\n    found    \(violation.found)\n")
    }
    appendCuts(to: text)
    receipts?.appendChunks(to: text)
  }

  private func appendEvents(to text: ReportText) {
    if let ranges { TextRows.append(ranges, of: topic, to: text) }
    TextRows.append("Orders", findings.orders, to: text)
    TextRows.append("Items", findings.items, to: text)
    TextRows.append("Inventory events", findings.inventoryEvents, to: text)
    TextRows.append("Rejected records", findings.rejected, findings.rejected > 0 ? .warning : nil, to: text)
    TextRows.append("Lost", unwanted: findings.count(.lost), to: text)
    TextRows.append("Duplicated", unwanted: findings.count(.duplicated), to: text)
    TextRows.append("Phantom", unwanted: findings.count(.phantom), to: text)
    TextRows.append("Wrong action", unwanted: findings.count(.wrongAction), to: text)
    TextRows.append("Reordered", unwanted: findings.count(.reordered), to: text)
    TextRows.append("Wrong partition", unwanted: findings.count(.wrongPartition), to: text)
    TextRows.append("Pending", findings.pending, findings.pending > 0 ? .warning : nil, to: text)
    TextRows.append("Other sources", findings.other, to: text)
  }

  private func append(_ letters: AuditFindings.DeadLetters, to text: ReportText) {
    TextRows.append("Dead letters", letters.records, to: text)
    TextRows.append("Dead letters lost", unwanted: findings.count(.deadLettersLost), to: text)
    TextRows.append("Dead letters duplicated", unwanted: findings.count(.deadLettersDuplicated), to: text)
    TextRows.append("Dead letters altered", unwanted: findings.count(.deadLettersAltered), to: text)
    TextRows.append("Dead letters phantom", unwanted: findings.count(.deadLettersPhantom), to: text)
    TextRows.append("Dead letters pending", letters.pending, letters.pending > 0 ? .warning : nil, to: text)
    TextRows.append("Dead letters of others", letters.other, to: text)
  }

  /// Says of each list that names only the first ones how many there are.
  private func appendCuts(to text: ReportText) {
    let cut = AuditFindings.Verdict.allCases.filter { findings.count($0) > AuditFindings.violationLimit }
    if !cut.isEmpty { text.append(UInt8(ascii: "\n")) }
    for verdict in cut {
      text.append("  \(verdict.rawValue): \(AuditFindings.violationLimit) of \(findings.count(verdict)) shown\n")
    }
  }

  public var claims: [Claim] {
    func none(_ text: String, _ count: Int64, _ noun: String = "items") -> Claim {
      Claim(none: text, count: count, noun: noun, isWhole: completion.isWhole)
    }
    var claims: [Claim] = []
    if findings.coversEvents {
      claims = [
        none("no item is lost", findings.count(.lost)),
        none("no item has two events", findings.count(.duplicated)),
        none("every event has a source", findings.count(.phantom), "events"),
        none("every event says what its order says", findings.count(.wrongAction), "events"),
        none("events are in the order of their sources", findings.count(.reordered), "events"),
        none("every event is in the partition of its key", findings.count(.wrongPartition), "events"),
      ]
    }
    claims += receipts?.claims(none) ?? []
    if findings.deadLetters != nil {
      claims += [
        none("every rejected record has a dead letter", findings.count(.deadLettersLost), "records"),
        none("no rejected record has two dead letters", findings.count(.deadLettersDuplicated), "records"),
        none("every dead letter is what its record was", findings.count(.deadLettersAltered), "dead letters"),
        none("every dead letter has a rejected record", findings.count(.deadLettersPhantom), "dead letters"),
      ]
    }
    if finishingCommand != nil {
      claims.append(none("the group \(group ?? "") has committed everything", pending))
    }
    let subject = findings.coversEvents ? "item" : "record"
    var verifiable = none("every \(subject) can be verified", findings.unverifiableInAll, "\(subject)s")
    // Retention has the reason, and nothing is refuted.
    if findings.unverifiableInAll > 0 { verifiable.holds = nil }
    claims.append(verifiable)
    return claims
  }

  public var consequence: String? { findings.isClean ? "nothing is proved" : "VIOLATED" }

  private var resultTone: Tone {
    findings.isClean ? isUnfinished || findings.unverifiableInAll > 0 ? .warning : .good : .bad
  }

  private var result: String {
    if !findings.isClean { return "VIOLATED" }
    if isUnfinished, let group, let finishingCommand {
      return "not finished: \(backlog) wait behind the group \(group); run \(finishingCommand)"
    }
    if findings.unverifiableInAll > 0 {
      let things = findings.coversEvents && findings.receipts == nil ? "items" : "items or records"
      return "no violation, but \(findings.unverifiableInAll) \(things) cannot be verified"
    }
    if pending > 0 { return "no violation; \(backlog) are not committed yet" }
    var parts: [String] = []
    if findings.coversEvents { parts.append("exactly once: every item has its one event") }
    if findings.deadLetters != nil { parts.append("every rejected record has its one dead letter") }
    if let receipts { parts.append(receipts.result) }
    return parts.joined(separator: "; ")
  }

  /// What the group has not committed: `1254 items of 500 orders and 3 rejected records`.
  private var backlog: String {
    let items =
      isUnfinished ? "\(findings.pending) items of \(findings.pendingOrders) orders" : "\(findings.pending) items"
    let letters = findings.deadLetters?.pending ?? 0
    if letters == 0 { return items }
    return (findings.pending > 0 ? "\(items) and " : "") + "\(letters) rejected records"
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("output_topic", outputTopic)
    // Numbers of what was not looked at are not known.
    func member(_ key: String, _ count: Int64) { json.member(key, findings.coversEvents ? count : nil) }
    member("orders", findings.orders)
    member("items", findings.items)
    member("inventory_events", findings.inventoryEvents)
    member("rejected", findings.rejected)
    for verdict in AuditFindings.Verdict.ofEvents { member(verdict.rawValue, findings.count(verdict)) }
    member("pending", findings.pending)
    member("pending_orders", findings.pendingOrders)
    json.member("group", group)
    member("other", findings.other)
    json.member("unverifiable", findings.unverifiableInAll)
    if let letters = findings.deadLetters {
      json.member("dead_letters", letters.records)
      for verdict in AuditFindings.Verdict.ofDeadLetters { json.member(verdict.rawValue, findings.count(verdict)) }
      json.member("dead_letters_pending", letters.pending)
      json.member("dead_letters_other", letters.other)
    }
    receipts?.appendMembers(to: &json)
    if let ranges {
      json.member("ranges", ranges)
      json.member("outside", outside)
    }
    json.key("violations")
    json.beginArray()
    for violation in findings.violations {
      json.beginObject()
      json.member("verdict", violation.verdict.rawValue)
      json.member("source", violation.source)
      json.member("output", violation.output)
      json.member("expected", violation.expected)
      json.member("found", violation.found)
      if let place = violation.chunk {
        json.member("run", place.run)
        json.member("chunk", place.chunk)
      }
      json.endObject()
    }
    json.endArray()
  }
}
