/// What `inventory` did: what this process committed in this run.
public struct InventoryReport: Report, Sendable {
  public let command: StaticString = "inventory"
  /// Who has read what; only in the document.
  public var reader: GroupReader?
  public var outputTopic: String
  public var guarantee: Guarantee
  public var counts: InventoryProjection.Counts
  /// Orders that were removed before the group read them, accepted with `--accept-loss`.
  public var lostRecords: Int64
  /// From the timestamps of orders to the commits that cover them; `nil` for a run that is not followed.
  public var latency: LatencyFigures?
  /// How old the first record is that this member has not committed; `nil` while that is not known.
  public var lagSeconds: Double?
  /// In records of the source topic.
  public var completion: Completion
  /// The run over time; `nil` while it goes on.
  public var samples: RunSamples?

  public init(
    outputTopic: String, guarantee: Guarantee = .exactlyOnce, counts: InventoryProjection.Counts, lostRecords: Int64,
    latency: LatencyFigures? = nil, completion: Completion = .whole
  ) {
    self.guarantee = guarantee
    self.latency = latency
    self.completion = completion
    self.outputTopic = outputTopic
    self.counts = counts
    self.lostRecords = lostRecords
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Inventory events on \(outputTopic)", to: text)
    appendRows(to: text)
  }

  private func appendRows(to text: ReportText, columns: Int = .max) {
    TextRows.append("Guarantee", guarantee.rawValue, to: text)
    TextRows.append("Orders", counts.orders, to: text)
    TextRows.append("Items", counts.items, to: text)
    TextRows.append("Reserved", counts.reserved, to: text)
    TextRows.append("Released", counts.released, to: text)
    TextRows.append("Rejected records", counts.rejected, counts.rejected > 0 ? .warning : nil, to: text)
    if counts.truncatedDeadLetters > 0 {
      TextRows.append("Truncated dead letters", counts.truncatedDeadLetters, to: text)
    }
    if lostRecords > 0 { TextRows.append("Lost to retention", unwanted: lostRecords, to: text) }
    latency?.appendRows(to: text, columns: columns)
    if latency != nil, let lagSeconds { TextRows.append("Lag in time", LagWords.seconds(lagSeconds), to: text) }
  }

  /// What a terminal shows while a run goes on.
  /// - Parameter state: Where the run is, on the last line.
  public func appendView(heading: String, state: String, to text: ReportText, on screen: Screen) {
    text.append(heading, .title)
    text.append(UInt8(ascii: "\n"))
    appendRows(to: text, columns: screen.columns)
    text.append(UInt8(ascii: "\n"))
    text.append(state, .dim)
    text.append(UInt8(ascii: "\n"))
  }

  public func appendMembers(to json: inout JSONWriter) {
    reader?.appendMembers(to: &json)
    json.member("output_topic", outputTopic)
    json.member("guarantee", guarantee.rawValue)
    json.member("orders", counts.orders)
    json.member("items", counts.items)
    json.member("reserved", counts.reserved)
    json.member("released", counts.released)
    json.member("rejected", counts.rejected)
    json.member("truncated_dead_letters", counts.truncatedDeadLetters)
    json.member("lost_to_retention", lostRecords)
    latency?.appendMembers(to: &json)
    if latency != nil { json.member("lag_seconds", decimal: lagSeconds) }
    samples?.appendMembers(to: &json)
  }
}
