/// What a witness saw and found, and the audit behind it.
public struct WitnessReport: Report, Sendable {
  public let command: StaticString = "audit"
  public var topic: String
  public var outputTopic: String
  /// The group whose uncommitted items are pending.
  public var group: String?
  public var witness: WitnessFindings
  /// `nil` while the witness watches, and where a topic was missing.
  public var audit: AuditReport?
  public var completion: Completion

  public init(
    topic: String, outputTopic: String, witness: WitnessFindings, audit: AuditReport? = nil, completion: Completion
  ) {
    self.topic = topic
    self.outputTopic = outputTopic
    self.witness = witness
    self.audit = audit
    self.completion = completion
    group = audit?.group
  }

  private typealias Verdict = WitnessFindings.Verdict

  public var isClean: Bool { witness.isClean && audit?.findings.isClean ?? true }

  private var hasSeenNothing: Bool { witness.input.committed + witness.output.committed == 0 }
  /// Where a broker shows no uncommitted records, none is ever taken for one that is aborted.
  private var verdicts: [Verdict] {
    Verdict.allCases.filter { $0 != .abortedSeen || witness.input.uncommitted != nil }
  }

  // MARK: - Text

  public func appendBody(to text: ReportText) {
    if let audit {
      audit.appendBody(to: text)
      text.append(UInt8(ascii: "\n"))
    }
    TextRows.append(title: "Witness of \(topic) and \(outputTopic)", to: text)
    appendRows(to: text)
    TextRows.append("Witness", result, resultTone, to: text)
    if audit == nil, completion.isWhole, witness.isCompared {
      let missing = [witness.input, witness.output].first { !$0.isKnown }?.topic
      let why = missing.map { "\($0) was never there" } ?? "a topic is not there any more"
      TextRows.append("Audit", "not made: \(why)", .warning, to: text)
    }
    for topic in [witness.input, witness.output] {
      for violation in topic.violations {
        text.append(
          "\n  \(violation.verdict.rawValue): \(violation.record), \(violation.reader.rawValue) reader\n"
            + "    \(violation.detail)\n")
      }
    }
    appendCuts(to: text)
  }

  /// Says of each list that names only the first ones how many there are.
  private func appendCuts(to text: ReportText) {
    for topic in [witness.input, witness.output] {
      for verdict in verdicts where topic.count(verdict) > WitnessFindings.TopicFindings.violationLimit {
        text.append(
          "\n  \(verdict.rawValue) in \(topic.topic): \(WitnessFindings.TopicFindings.violationLimit) of "
            + "\(topic.count(verdict)) shown\n")
      }
    }
  }

  private func appendRows(to text: ReportText, columns: Int = .max) {
    TextRows.append("Order records seen", Self.seen(witness.input), to: text)
    TextRows.append("Event records seen", Self.seen(witness.output), to: text)
    for verdict in verdicts where witness.isCompared || verdict.isSeenLive {
      TextRows.append(Self.labels[verdict] ?? "", unwanted: witness.count(verdict), to: text)
    }
    if witness.unverifiable > 0 {
      TextRows.append("Removed by retention", witness.unverifiable, .warning, to: text)
    }
    for topic in [witness.input, witness.output] where topic.madeAnew > 0 {
      TextRows.append("Made anew", "\(topic.topic), \(TextRows.count(topic.madeAnew, "time"))", .warning, to: text)
    }
    witness.latency.appendRows(to: text, columns: columns)
  }

  private static let labels: [Verdict: String] = [
    .abortedSeen: "Aborted, seen committed", .changed: "Changed", .vanished: "Vanished", .skipped: "Skipped",
    .wentBack: "Went back",
  ]

  private static func seen(_ topic: WitnessFindings.TopicFindings) -> String {
    "\(topic.committed)" + (topic.uncommitted.map { " committed, \($0) uncommitted" } ?? "")
  }

  private var resultTone: Tone? {
    if !witness.isClean { return .bad }
    if witness.isCompared && !hasSeenNothing { return witness.unverifiable > 0 ? .warning : .good }
    return .warning
  }

  private var result: String {
    if !witness.isClean { return "VIOLATED" }
    if !witness.isCompared { return hasSeenNothing ? "nothing was seen" : "nothing was compared" }
    if hasSeenNothing { return "nothing was seen" }
    if witness.unverifiable > 0 {
      return "nothing was taken back; \(witness.unverifiable) records are gone by retention"
    }
    return "nothing was taken back: new readers see what was seen"
  }

  /// What a terminal shows while the watch goes on.
  /// - Parameter state: Where the run is, on the last line.
  public func appendView(heading: String, state: String, to text: ReportText, on screen: Screen) {
    text.append(heading, .title)
    text.append(UInt8(ascii: "\n"))
    appendRows(to: text, columns: screen.columns)
    text.append(UInt8(ascii: "\n"))
    text.append(state, .dim)
    text.append(UInt8(ascii: "\n"))
  }

  // MARK: - Claims

  public var claims: [Claim] {
    let audit =
      self.audit ?? AuditReport(topic: topic, outputTopic: outputTopic, findings: AuditFindings(), completion: .ongoing)
    let isShown = witness.isCompared && completion.isWhole && !hasSeenNothing
    return audit.claims
      + verdicts.map { verdict in
        Claim(
          none: Self.claims[verdict] ?? "", count: witness.count(verdict), noun: "records", isWhole: isShown)
      }
  }

  private static let claims: [Verdict: String] = [
    .abortedSeen: "no committed reader saw an aborted record", .changed: "no offset held two different records",
    .vanished: "no record that was seen has gone", .skipped: "no reader passed a record without seeing it",
    .wentBack: "no reader was given an offset again",
  ]

  public var consequence: String? { isClean ? "nothing is proved" : "VIOLATED" }

  // MARK: - Document

  public func appendMembers(to json: inout JSONWriter) {
    if let audit { audit.appendMembers(to: &json) } else { appendUnknown(to: &json) }
    json.key("witness")
    json.beginObject()
    json.member("compared", witness.isCompared)
    for (key, topic) in [("input", witness.input), ("output", witness.output)] {
      json.key(key)
      append(topic, to: &json)
    }
    json.endObject()
    witness.latency.appendMembers(to: &json)
  }

  /// What the audit will tell, as long as nobody knows it.
  private func appendUnknown(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("output_topic", outputTopic)
    let counts = ["orders", "items", "inventory_events", "rejected"] + AuditFindings.Verdict.ofEvents.map(\.rawValue)
    for key in counts + ["pending", "pending_orders"] { json.member(key, nil as Int64?) }
    json.member("group", group)
    for key in ["other", "unverifiable"] { json.member(key, nil as Int64?) }
    json.key("violations")
    json.beginArray()
    json.endArray()
  }

  private func append(_ topic: WitnessFindings.TopicFindings, to json: inout JSONWriter) {
    json.beginObject()
    json.member("topic", topic.topic)
    json.member("committed", topic.committed)
    json.member("uncommitted", topic.uncommitted)
    for verdict in Verdict.allCases {
      let isKnown =
        (witness.isCompared || verdict.isSeenLive) && (verdict != .abortedSeen || topic.uncommitted != nil)
      json.member(verdict.rawValue, isKnown ? topic.count(verdict) : nil)
    }
    json.member("unverifiable", witness.isCompared ? topic.unverifiable : nil)
    json.member("made_anew", topic.madeAnew)
    json.key("violations")
    json.beginArray()
    for violation in topic.violations {
      json.beginObject()
      json.member("verdict", violation.verdict.rawValue)
      json.member("record", violation.record)
      json.member("reader", violation.reader.rawValue)
      json.member("detail", violation.detail)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}
