/// Whether a topic holds what a certificate says of it: the result of `replay --verify`.
public struct CertificateReport: Report {
  public let command: StaticString = "replay"
  public var topic: String
  /// As the user named it.
  public var file: String
  public var certificate: Certificate
  /// Records of the topic that were compared.
  public var recordsRead: Int64
  /// The metrics over them.
  public var summary: MetricsSummary
  /// Of each partition that differs, by number.
  public var differences: [CertificatePass.Difference]
  /// The first record that differs, where the other log could be asked.
  public var firstRecord: FirstRecord?
  /// Records that are gone from the start of partitions: `order-events[2]@0 to 41`.
  public var goneRanges: [String]
  /// In records of the certificate.
  public var completion: Completion

  /// A record of two logs that differs, by where it is on each.
  public struct FirstRecord: Sendable, Equatable {
    /// In its partition, from 0.
    public var number: Int64
    /// `order-events[2]@1047`; `nil` where the log ends before it.
    public var here: String?
    public var there: String?
    /// What differs: `key`, `value`; `nil` where one is missing.
    public var what: String?

    public init(number: Int64, here: String?, there: String?, what: String?) {
      self.number = number
      self.here = here
      self.there = there
      self.what = what
    }
  }

  public init(
    topic: String, file: String, certificate: Certificate, recordsRead: Int64, summary: MetricsSummary,
    differences: [CertificatePass.Difference], firstRecord: FirstRecord? = nil, goneRanges: [String],
    completion: Completion = .whole
  ) {
    self.topic = topic
    self.file = file
    self.certificate = certificate
    self.recordsRead = recordsRead
    self.summary = summary
    self.differences = differences
    self.firstRecord = firstRecord
    self.goneRanges = goneRanges
    self.completion = completion
  }

  public var hasSameRecords: Bool { differences.isEmpty }

  /// The same records always give the same report, unless a version counts otherwise.
  public var hasSameReport: Bool { Certificate.digest(of: summary) == certificate.report }

  public var isMatch: Bool { hasSameRecords && hasSameReport }

  public var consequence: String? { "nothing is verified" }

  public var claims: [Claim] {
    let isWhole = completion.isWhole
    return [
      Claim(
        "the topic holds the records of the certificate", holds: hasSameRecords ? (isWhole ? true : nil) : false,
        detail: differences.first.map(describe)),
      Claim("their report has the same bytes", holds: isWhole ? hasSameReport : nil),
    ]
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Verification of \(topic) against \(file)", to: text)
    let time = CivilTime.text(ofMilliseconds: certificate.madeMilliseconds)
    TextRows.append(
      "Certificate of", "\(certificate.topic) on \(certificate.broker), \(time), version \(certificate.version)",
      to: text)
    TextRows.append("Records compared", "\(recordsRead) of \(certificate.records)", to: text)
    TextRows.append("Orders", summary.totalOrders, to: text)
    if completion.isWhole { TextRows.append("Result", result, isMatch ? .good : .bad, to: text) }
    for difference in differences { TextRows.append("Different", describe(difference), .bad, to: text) }
    if let firstRecord { TextRows.append("First record", describe(firstRecord), .bad, to: text) }
    for range in goneRanges { TextRows.append("Records gone", range, to: text) }
  }

  private var result: String {
    if isMatch { return "same: every record and the report have the same bytes" }
    if hasSameRecords { return "DIFFERENT: the records are the same and their report is not" }
    return "DIFFERENT in \(TextRows.count(differences.count, "partition"))"
  }

  private func describe(_ difference: CertificatePass.Difference) -> String {
    let partition = TopicPartition(topic: topic, partition: difference.partition)
    let offsets = difference.offsets.map { ", here at offsets \($0.lowerBound) to \($0.upperBound)" } ?? ""
    let records = difference.records
    return
      "\(partition), chunk \(difference.chunk): records \(records.lowerBound) to \(records.upperBound - 1)\(offsets)"
      + (difference.missing > 0 ? "; the partition has \(difference.missing) fewer" : "")
  }

  private func describe(_ record: FirstRecord) -> String {
    "number \(record.number): \(record.here ?? "missing here") against \(record.there ?? "missing there")"
      + (record.what.map { ", another \($0)" } ?? "")
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    if completion.isWhole { json.member("match", isMatch) } else { json.member("match", nil as Int64?) }
    json.member("initial", nil as Int64?)
    json.key("replay")
    json.beginObject()
    MetricsReport.appendMembers(of: summary, to: &json)
    json.endObject()
    json.key("certificate")
    json.beginObject()
    json.member("file", file)
    json.member("broker", certificate.broker)
    json.member("topic", certificate.topic)
    json.member("made_at", CivilTime.text(ofMilliseconds: certificate.madeMilliseconds))
    json.member("version", certificate.version)
    json.member("records", certificate.records)
    json.endObject()
    json.member("records_compared", recordsRead)
    json.key("first_difference")
    if let first = differences.first { append(first, to: &json) } else { json.null() }
    json.key("differences")
    json.beginArray()
    for difference in differences { append(difference, to: &json) }
    json.endArray()
    json.key("first_record")
    if let firstRecord { append(firstRecord, to: &json) } else { json.null() }
    json.key("records_gone")
    json.beginArray()
    for range in goneRanges { json.string(range) }
    json.endArray()
  }

  private func append(_ difference: CertificatePass.Difference, to json: inout JSONWriter) {
    json.beginObject()
    json.member("partition", Int64(difference.partition))
    json.member("chunk", Int64(difference.chunk))
    json.member("first_record", difference.records.lowerBound)
    json.member("last_record", difference.records.upperBound - 1)
    json.member("first_offset", difference.offsets?.lowerBound)
    json.member("last_offset", difference.offsets?.upperBound)
    json.member("missing", difference.missing)
    json.endObject()
  }

  private func append(_ record: FirstRecord, to json: inout JSONWriter) {
    json.beginObject()
    json.member("number", record.number)
    json.member("here", record.here)
    json.member("there", record.there)
    json.member("what", record.what)
    json.endObject()
  }
}
