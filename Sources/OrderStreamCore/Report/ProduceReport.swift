/// What `produce` did. `requested = sent + failedDeliveries + rejected`, and after a signal those that were not taken up;
/// `sent` is `acknowledged` where anybody acknowledges.
public struct ProduceReport: Report {
  public let command: StaticString = "produce"
  public var topic: String
  /// Events that were asked for; of `--input` the lines that are not blank, as far as they could be counted.
  public var requested: Int64 = 0
  public var acks = Acks.all
  public var deliveries: DeliveryCounts
  /// Events sent whose `status` is `failed`.
  public var failedOrders: Int64 = 0
  /// Lines of `--input` that are no valid event.
  public var rejected: Int64 = 0
  /// `nil` with `--input`.
  public var seed: UInt64?
  public var firstOrder: Int64?
  /// The file that says what was acknowledged; `nil` for none.
  public var receipt: String?
  /// From sending to acknowledgement, of each acknowledged event; with `--rate` from when it was due.
  public var latency = LatencyFigures()
  /// First record sent to last acknowledgement.
  public var activeMilliseconds: Int64 = 0
  /// In acknowledged events.
  public var completion = Completion.whole
  /// The run over time.
  public var samples = RunSamples(.acknowledged, since: 0)

  public init(topic: String, deliveries: DeliveryCounts) {
    self.topic = topic
    self.deliveries = deliveries
  }

  /// Events sent a second over the active time.
  public var eventsPerSecond: Int64 { deliveries.sent * 1000 / max(1, activeMilliseconds) }

  public var claims: [Claim] {
    let missing = requested - rejected - deliveries.sent
    let known: Bool? = deliveries.failed > 0 ? false : completion.isWhole ? missing <= 0 : nil
    var claims = [
      Claim(acksClaim, holds: known, detail: missing > 0 ? "\(missing) of \(requested) were not" : nil)
    ]
    if seed == nil {
      claims.append(
        Claim(none: "every line was an event", count: rejected, noun: "were not", isWhole: completion.isWhole))
    }
    return claims
  }

  private var acksClaim: String {
    switch acks {
    case .all: "every event was acknowledged"
    case .leader: "every event was acknowledged by its leader"
    case .none: "every event was sent, none was acknowledged"
    }
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Produced to \(topic)", to: text)
    if acks != .all { TextRows.append("Acks", acks == .leader ? "1 (the leader's)" : "0 (nobody's)", to: text) }
    TextRows.append("Requested", requested, to: text)
    if acks == .none { TextRows.append("Sent", deliveries.sent, to: text) }
    TextRows.append("Acknowledged", deliveries.acknowledged, to: text)
    TextRows.append("Failed deliveries", unwanted: deliveries.failed, to: text)
    if deliveries.refused > 0 { TextRows.append("Refused by the broker", unwanted: deliveries.refused, to: text) }
    if deliveries.uncertain > 0 { TextRows.append("Perhaps on the log", unwanted: deliveries.uncertain, to: text) }
    if deliveries.reordered > 0 { TextRows.append("Behind later ones", unwanted: deliveries.reordered, to: text) }
    TextRows.append("Possibly duplicated", unwanted: deliveries.possiblyDuplicated, to: text)
    TextRows.append("Failed orders", failedOrders, to: text)
    TextRows.append("Rejected", rejected, rejected > 0 ? .warning : nil, to: text)
    TextRows.append("Events per second", eventsPerSecond, to: text)
    latency.appendRows(to: text)
    if acks != .none { TextRows.append("Partitions", partitions, to: text) }
    if let seed { TextRows.append("Seed", String(seed), to: text) }
    if let firstOrder { TextRows.append("First order", firstOrder, to: text) }
    if let receipt { TextRows.append("Receipt", receipt, to: text) }
  }

  private var partitions: String {
    deliveries.acknowledgedByPartition.enumerated().map { "\($0):\($1)" }.joined(separator: " ")
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("requested", requested)
    json.member("acks", acks.rawValue)
    json.member("sent", deliveries.sent)
    json.member("acknowledged", deliveries.acknowledged)
    json.member("failed_deliveries", deliveries.failed)
    json.member("refused", deliveries.refused)
    json.member("uncertain", deliveries.uncertain)
    json.member("reordered", deliveries.reordered)
    json.member("possibly_duplicated", deliveries.possiblyDuplicated)
    json.member("failed_orders", failedOrders)
    json.member("rejected", rejected)
    json.member("events_per_second", eventsPerSecond)
    latency.appendMembers(to: &json)
    json.key("partitions")
    json.beginObject()
    for (partition, count) in deliveries.acknowledgedByPartition.enumerated() {
      json.key(String(partition))
      json.integer(count)
    }
    json.endObject()
    json.key("seed")
    if let seed { json.integer(seed) } else { json.null() }
    json.member("first_order", firstOrder)
    json.member("receipt", receipt)
    samples.appendMembers(to: &json)
  }
}
