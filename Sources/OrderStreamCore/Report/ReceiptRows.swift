/// What an audit tells about receipts: rows of its text, members of its document, claims.
struct ReceiptRows {
  private let findings: AuditFindings
  private let receipts: ReceiptFindings
  private let topic: String

  /// - Returns: `nil` for an audit without receipts.
  init?(_ findings: AuditFindings, topic: String) {
    guard let receipts = findings.receipts else { return nil }
    self.findings = findings
    self.receipts = receipts
    self.topic = topic
  }

  func append(to text: ReportText) {
    TextRows.append("Acknowledged", receipts.acknowledged, to: text)
    TextRows.append("Acknowledged, missing", unwanted: findings.count(.acknowledgedMissing), to: text)
    TextRows.append("Acknowledged, altered", unwanted: findings.count(.acknowledgedAltered), to: text)
    TextRows.append("Acknowledged, twice", unwanted: findings.count(.acknowledgedTwice), to: text)
    TextRows.append("Unacknowledged, present", receipts.unacknowledgedPresent, to: text)
    TextRows.append("In no receipt", receipts.unreceipted, to: text)
    let strangers = receipts.strangers.map(\.run).joined(separator: ", ")
    if !strangers.isEmpty { TextRows.append("Of an earlier topic", "run \(strangers)", .bad, to: text) }
  }

  /// Chunks that the text shows.
  private static let shownChunks = 20

  /// Which orders these are: `, order_001501 to order_001998`.
  private static func span(_ orders: [Int64]) -> String {
    guard let first = orders.first, let last = orders.last else { return "" }
    return ", \(OrderNumber.id(first))" + (first == last ? "" : " to \(OrderNumber.id(last))")
  }

  /// The partitions and chunks that differ.
  func appendChunks(to text: ReportText) {
    if receipts.chunks.isEmpty { return }
    text.append("\n  Chunks of the receipts that differ\n")
    for chunk in receipts.chunks.prefix(Self.shownChunks) {
      var parts: [String] = []
      if chunk.missing > 0 { parts.append("\(chunk.missing) missing") }
      if chunk.altered > 0 || chunk.isAtLeast {
        parts.append("\(chunk.isAtLeast ? "at least " : "")\(chunk.altered) altered")
      }
      let partition = TopicPartition(topic: topic, partition: chunk.partition)
      text.append(
        "    \(partition) chunk \(chunk.chunk), offsets \(chunk.offsets.lowerBound) to \(chunk.offsets.upperBound), "
          + "run \(chunk.run): \(parts.joined(separator: ", "))\(Self.span(chunk.orders))\n")
    }
    if receipts.chunkCount > Self.shownChunks {
      text.append("    \(Self.shownChunks) of \(receipts.chunkCount) shown\n")
    }
  }

  /// - Parameter none: a claim that nothing of a kind was found, by its text, count and noun.
  func claims(_ none: (String, Int64, String) -> Claim) -> [Claim] {
    var claims = [
      none("every acknowledged record is on the log", findings.count(.acknowledgedMissing), "records"),
      none("every acknowledged record is as it was sent", findings.count(.acknowledgedAltered), "records"),
      none("no acknowledged record is there twice", findings.count(.acknowledgedTwice), "records"),
    ]
    if receipts.runs.contains(where: { $0.isSameTopic != nil }) {
      let strangers = receipts.strangers.map(\.run).joined(separator: ", ")
      claims.append(
        Claim(
          "the topic is the one of the receipts", holds: strangers.isEmpty,
          detail: strangers.isEmpty ? nil : "run \(strangers) was told by an earlier topic of this name"))
    }
    return claims
  }

  /// What holds of a clean log.
  var result: String { "all \(receipts.acknowledged) acknowledged records are on the log, each once" }

  func appendMembers(to json: inout JSONWriter) {
    json.member("acknowledged", receipts.acknowledged)
    for verdict in AuditFindings.Verdict.ofReceipts { json.member(verdict.rawValue, findings.count(verdict)) }
    json.member("unacknowledged_present", receipts.unacknowledgedPresent)
    json.member("unreceipted", receipts.unreceipted)
    json.key("receipts")
    json.beginArray()
    for run in receipts.runs { append(run, to: &json) }
    json.endArray()
    json.key("chunks")
    json.beginArray()
    for chunk in receipts.chunks { append(chunk, to: &json) }
    json.endArray()
  }

  private func append(_ chunk: ReceiptFindings.ChunkDifference, to json: inout JSONWriter) {
    json.beginObject()
    json.member("run", chunk.run)
    json.member("partition", Int64(chunk.partition))
    json.member("chunk", chunk.chunk)
    json.member("first_offset", chunk.offsets.lowerBound)
    json.member("last_offset", chunk.offsets.upperBound)
    json.member("missing", chunk.missing)
    json.member("altered", chunk.altered)
    json.key("at_least")
    json.bool(chunk.isAtLeast)
    json.key("orders")
    json.beginArray()
    for number in chunk.orders { json.string(OrderNumber.id(number)) }
    json.endArray()
    json.endObject()
  }

  private func append(_ run: ReceiptFindings.Run, to json: inout JSONWriter) {
    json.beginObject()
    json.member("file", run.file)
    json.member("run", run.run)
    json.member("topic", run.topic)
    json.key("same_topic")
    if let isSame = run.isSameTopic { json.bool(isSame) } else { json.null() }
    json.member("acknowledged", run.acknowledged)
    json.member("without_offset", run.withoutOffset)
    json.member("failed", run.failed)
    json.member("unknown", run.unknown)
    json.member("complete", run.isComplete)
    json.key("partitions")
    json.beginArray()
    for partition in run.partitions {
      json.beginObject()
      json.member("partition", Int64(partition.partition))
      json.member("records", partition.records)
      json.member("chunks", partition.chunks)
      json.member("missing", partition.missing)
      json.member("altered", partition.altered)
      json.member("twice", partition.twice)
      json.member("unverifiable", partition.unverifiable)
      json.endObject()
    }
    json.endArray()
    json.endObject()
  }
}
