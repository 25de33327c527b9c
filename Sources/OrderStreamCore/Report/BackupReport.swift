/// What `backup` has copied.
public struct BackupReport: Report {
  public struct Topic: Sendable {
    public var name: String
    public var partitions: Int32
    public var records: Int64

    public init(name: String, partitions: Int32, records: Int64) {
      (self.name, self.partitions, self.records) = (name, partitions, records)
    }
  }

  public let command: StaticString = "backup"
  /// As `Broker.name`.
  public var source: String
  /// Absolute.
  public var target: String
  public var topics: [Topic] = []
  public var segments = 0
  public var bytes: Int64 = 0
  public var changes: Int64 = 0
  public var completion = Completion.whole

  public init(source: String, target: String) { (self.source, self.target) = (source, target) }

  private var records: Int64 { topics.reduce(0) { $0 + $1.records } }

  public var consequence: String? { "nothing was kept" }

  public var claims: [Claim] {
    [Claim("the copy opens, and every record in it was read", holds: completion.isWhole ? true : nil)]
  }

  public func appendBody(to text: ReportText) {
    TextRows.append(title: "Backup of \(source)", to: text)
    TextRows.append("Target", target, to: text)
    if completion.isCutShort { return }
    for topic in topics {
      TextRows.append(
        "Topic \(topic.name)",
        "\(TextRows.count(topic.partitions, "partition")), \(TextRows.count(topic.records, "record"))", to: text)
    }
    TextRows.append("Segments", Int64(segments), to: text)
    TextRows.append("Bytes", bytes, to: text)
    TextRows.append("Changes", changes, to: text)
    TextRows.append(
      "Result", "the copy opens, and all of its \(TextRows.count(records, "record")) were read", .good, to: text)
  }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("source", source)
    json.member("target", target)
    json.member("records", records)
    json.key("topics")
    json.beginArray()
    for topic in topics {
      json.beginObject()
      json.member("name", topic.name)
      json.member("partitions", Int64(topic.partitions))
      json.member("records", topic.records)
      json.endObject()
    }
    json.endArray()
    json.member("segments", Int64(segments))
    json.member("bytes", bytes)
    json.member("changes", changes)
  }
}
