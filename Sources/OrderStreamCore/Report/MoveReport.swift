/// What moving a group to a place does, or has done. The document has the keys of a replay: `initial` is what the group
/// holds where it was, `replay` what it holds at the place.
public struct MoveReport: Report {
  public let command: StaticString = "replay"
  public var move: GroupMove
  public var outcome: Outcome
  /// The file with the offsets of before; `nil` where nothing was, or is, to be moved.
  public var undoFile: String?
  /// The command that moves the group back; `nil` where there is nothing to undo.
  public var undoCommand: String?

  public enum Outcome: Sendable {
    /// Nothing was done: `--execute` is missing.
    case planned
    /// The group stands at the place, and holds this.
    case moved(MetricsSummary)
    /// A request to stop came first, and nothing was changed.
    case cutShort(Completion)
  }

  public init(_ move: GroupMove, _ outcome: Outcome, undoFile: String? = nil, undoCommand: String? = nil) {
    self.move = move
    self.outcome = outcome
    self.undoFile = undoFile
    self.undoCommand = undoCommand
  }

  /// Partitions that the text names.
  private static let partitionLimit = 20

  public var completion: Completion { if case .cutShort(let completion) = outcome { completion } else { .whole } }

  public var consequence: String? { "the group is where it was" }

  private var isPlan: Bool { if case .planned = outcome { true } else { false } }

  private var after: MetricsSummary? { if case .moved(let summary) = outcome { summary } else { nil } }

  public var claims: [Claim] {
    if isPlan { return [] }
    return [Claim("the group stands at the place, state and offsets", holds: after == nil ? nil : true)]
  }

  private var plan: String {
    if move.isThere { return "the group \(move.group) stands there already; there is nothing to move" }
    return
      "would recompute the state of group \(move.group) from \(TextRows.count(move.recordsToRead, "record")), write its "
      + "offsets to \(undoFile ?? "a file"), and move both; add --execute to do it"
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Move of group \(move.group) on \(move.topic)", to: text)
    for step in move.steps.prefix(Self.partitionLimit) { TextRows.append(name(step), Self.text(step), to: text) }
    let more = move.steps.count - Self.partitionLimit
    if more > 0 { TextRows.append("More partitions", Int64(more), to: text) }
    for range in move.goneRanges.prefix(move.isThere ? 0 : Self.partitionLimit) {
      TextRows.append("Records gone", range, .warning, to: text)
    }
    if let before = move.before { TextRows.append("Orders, before", before.totalOrders, to: text) }
    if let after {
      TextRows.append("Orders, at the place", after.totalOrders, to: text)
      if after.rejected > 0 { TextRows.append("Rejected, at the place", after.rejected, .warning, to: text) }
    } else if !move.isThere {
      TextRows.append("Records to read", move.recordsToRead, to: text)
    }
    if let undoFile { TextRows.append("Undo file", undoFile, to: text) }
    if let undoCommand { TextRows.append("Undo with", undoCommand, to: text) }
    switch outcome {
    case .planned: TextRows.append("Result", move.isThere ? plan : "a plan, nothing was done: add --execute", to: text)
    case .moved:
      TextRows.append("Result", move.isThere ? plan : "moved: state and offsets stand at the place", .good, to: text)
    case .cutShort: break
    }
  }

  private func name(_ step: GroupMove.Step) -> String {
    TopicPartition(topic: move.topic, partition: step.partition).description
  }

  private static func text(_ step: GroupMove.Step) -> String {
    guard let from = step.from else { return "nothing yet, to \(step.to)" }
    if from == step.to { return "\(from), stays" }
    let count = TextRows.count((step.to - from).magnitude, "offset")
    return "\(from) to \(step.to): \(count) \(step.to < from ? "back" : "on")"
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", move.topic)
    json.member("group", move.group)
    json.member("executed", after != nil)
    if isPlan { json.member("plan", plan) }
    json.key("match")
    json.null()
    for (key, summary) in [("initial", move.before), ("replay", after)] {
      json.key(key)
      if let summary {
        json.beginObject()
        MetricsReport.appendMembers(of: summary, to: &json)
        json.endObject()
      } else {
        json.null()
      }
    }
    json.key("first_difference")
    json.null()
    json.key("records_gone")
    json.beginArray()
    for range in move.goneRanges { json.string(range) }
    json.endArray()
    json.key("moves")
    json.beginArray()
    for step in move.steps {
      json.beginObject()
      json.member("partition", Int64(step.partition))
      json.member("from", step.from)
      json.member("to", step.to)
      json.endObject()
    }
    json.endArray()
    json.member("records_to_read", move.recordsToRead)
    json.member("undo_file", undoFile)
    json.member("undo_command", undoCommand)
  }
}
