/// What a topic held and what its report was, to be checked elsewhere: on another machine, with another version, on the
/// other broker. The JSON document `orderstream.certificate/1`; `docs/certificate.md` is its specification.
public struct Certificate: Sendable, Equatable {
  public struct Partition: Sendable, Equatable {
    /// The offsets that it covers, on the log that it was made of.
    public var offsets: Range<Offset>
    /// Records in it, which are fewer than the offsets where control or removed records were.
    public var records: Int64
    /// As `RecordDigests` has them.
    public var chunks: [Digest]
  }

  static let schema = "orderstream.certificate/1"

  /// As `Broker.name`.
  public var broker: String
  public var topic: String
  /// Since 1970.
  public var madeMilliseconds: Int64
  /// Of the program that made it.
  public var version: String
  /// By number, from 0.
  public var partitions: [Partition]
  /// Of the bytes of the metrics report over these records, as `metrics_output.txt` has them.
  public var report: Digest
  public var totalOrders: Int64
  public var rejected: Int64

  public var records: Int64 { partitions.reduce(0) { $0 + $1.records } }

  public init(
    broker: String, topic: String, madeMilliseconds: Int64, version: String, partitions: [Partition],
    summary: MetricsSummary
  ) {
    self.broker = broker
    self.topic = topic
    self.madeMilliseconds = madeMilliseconds
    self.version = version
    self.partitions = partitions
    report = Self.digest(of: summary)
    totalOrders = summary.totalOrders
    rejected = summary.rejected
  }

  /// Of the report's bytes.
  public static func digest(of summary: MetricsSummary) -> Digest {
    let text = ByteBuffer()
    MetricsReport(summary, processed: 0).appendText(to: text)
    return Digest(of: text.bytes)
  }

  /// Appends the document, one line.
  public func append(to buffer: ByteBuffer) {
    var json = JSONWriter(buffer)
    json.beginObject()
    json.member("schema", Self.schema)
    json.member("broker", broker)
    json.member("topic", topic)
    json.member("made_at", CivilTime.text(ofMilliseconds: madeMilliseconds))
    json.member("version", version)
    json.member("digest", "sha256")
    json.member("chunk_records", RecordDigests.chunkRecords)
    json.key("partitions")
    json.beginArray()
    for (number, partition) in partitions.enumerated() {
      json.beginObject()
      json.member("partition", Int64(number))
      json.member("low", partition.offsets.lowerBound)
      json.member("end", partition.offsets.upperBound)
      json.member("records", partition.records)
      json.key("chunks")
      json.beginArray()
      for digest in partition.chunks { json.string(digest.description) }
      json.endArray()
      json.endObject()
    }
    json.endArray()
    json.key("report")
    json.beginObject()
    json.member("sha256", report.description)
    json.member("total_orders", totalOrders)
    json.member("rejected", rejected)
    json.endObject()
    json.endObject()
    buffer.append(UInt8(ascii: "\n"))
  }

  /// - Parameter bytes: `ByteBuffer.tailPadding` readable bytes follow them.
  public init(parsing bytes: UnsafeRawBufferPointer) throws(MalformedDocument) {
    guard let root = DocumentValue(parsing: bytes), let schema = root["schema"]?.text else {
      throw MalformedDocument(why: "it is not a certificate")
    }
    guard schema == Self.schema else {
      throw MalformedDocument(why: "its schema is \(schema) and not \(Self.schema)")
    }
    let fields = DocumentFields(root)
    guard try fields.text("digest") == "sha256", try fields.count("chunk_records") == RecordDigests.chunkRecords else {
      throw MalformedDocument(why: "its digests are not of \(RecordDigests.chunkRecords) records a chunk by sha256")
    }
    broker = try fields.text("broker")
    topic = try fields.text("topic")
    version = try fields.text("version")
    madeMilliseconds = try fields.time("made_at")
    let report = DocumentFields(try fields.object("report"))
    self.report = try report.digest("sha256")
    totalOrders = try report.count("total_orders")
    rejected = try report.count("rejected")
    partitions = []
    for (number, value) in (root["partitions"]?.elements ?? []).enumerated() {
      partitions.append(try Self.partition(DocumentFields(value), number))
    }
    if partitions.isEmpty { throw MalformedDocument(why: "it has no partitions") }
  }

  private static func partition(_ fields: DocumentFields, _ number: Int) throws(MalformedDocument) -> Partition {
    let (low, end, records) = (try fields.count("low"), try fields.count("end"), try fields.count("records"))
    let chunks = try fields.digests("chunks")
    let chunkCount = (records + RecordDigests.chunkRecords - 1) / RecordDigests.chunkRecords
    guard try fields.count("partition") == number, low <= end, records <= end - low, chunks.count == chunkCount else {
      throw MalformedDocument(why: "its partition \(number) contradicts itself")
    }
    return Partition(offsets: low..<end, records: records, chunks: chunks)
  }
}
