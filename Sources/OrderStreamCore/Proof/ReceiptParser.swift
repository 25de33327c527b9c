/// Reads a file of receipts line by line. Keeps the last line of each chunk, so its memory is that of what the runs came
/// to, and not of the file.
public struct ReceiptParser {
  /// Why a file is no file of receipts, or contradicts itself.
  public struct Malformed: Error, Hashable, Sendable {
    /// From 1.
    public var line: Int64
    public var why: String
  }

  /// The runs, in the order of the file.
  public private(set) var receipts: [Receipt] = []
  /// Lines so far.
  public private(set) var lines: Int64 = 0
  /// A line that is no JSON: a write that was cut short if nothing of its run follows.
  private var torn: Malformed?
  private var endsTorn = false

  public init() {}

  /// Takes the next line.
  /// - Parameters:
  ///   - line: Without its line feed; `ByteBuffer.tailPadding` readable bytes follow it.
  ///   - isEnded: Whether it had one, which only the last line may lack.
  public mutating func add(_ line: UnsafeRawBufferPointer, isEnded: Bool = true) throws(Malformed) {
    lines += 1
    if line.isEmpty { return }
    guard let root = DocumentValue(parsing: line), case .object = root else {
      torn = torn ?? malformed("it is not a JSON object")
      endsTorn = !isEnded
      if receipts.isEmpty, !Receipt.couldBegin(line) { throw malformed("this is not a file of receipts") }
      return
    }
    do throws(MalformedDocument) {
      let parsed = try ReceiptLine(root)
      if case .head = parsed { torn = nil } else if let torn { throw MalformedDocument(why: torn.why) }
      try take(parsed)
    } catch {
      throw torn ?? malformed(error.why)
    }
  }

  /// To be called after the last line.
  public mutating func finish() throws(Malformed) {
    if let torn, !endsTorn { throw torn }
    guard !receipts.isEmpty || lines == 0 || torn != nil else {
      throw Malformed(line: 1, why: "this is not a file of receipts")
    }
  }

  private func malformed(_ why: String) -> Malformed { Malformed(line: lines, why: why) }

  private mutating func take(_ line: ReceiptLine) throws(MalformedDocument) {
    if case .head(let head) = line { return receipts.append(Receipt(head)) }
    guard let last = receipts.indices.last else { throw MalformedDocument(why: "this is not a file of receipts") }
    if receipts[last].tail != nil { throw MalformedDocument(why: "it follows the end of its run") }
    switch line {
    case .head: break
    case .chunk(let chunk): try receipts[last].take(chunk)
    case .withoutOffset(let records):
      for record in records {
        let partition = try receipts[last].index(record.partition)
        receipts[last].partitions[partition].withoutOffset.append(record)
      }
    case .tail(let tail): try receipts[last].end(tail)
    }
  }
}

extension Receipt {
  /// Whether these first bytes of a file are those of receipts, as far as they go.
  public static func couldBegin(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let start = Array(#"{"schema":"\#(schema)","#.utf8)
    return zip(bytes, start).allSatisfy { $0 == $1 }
  }

  fileprivate func index(_ partition: Int32) throws(MalformedDocument) -> Int {
    guard partitions.indices.contains(Int(partition)) else {
      throw MalformedDocument(why: "it is of partition \(partition), and the topic has \(partitions.count)")
    }
    return Int(partition)
  }

  fileprivate mutating func take(_ chunk: Chunk) throws(MalformedDocument) {
    let partition = try index(chunk.partition)
    let count = Int64(partitions[partition].chunks.count)
    if (head.orders == nil) != (chunk.orders == nil) {
      throw MalformedDocument(why: "its orders are those of another kind of run")
    }
    switch chunk.number {
    case count: partitions[partition].chunks.append(chunk)
    // Only one that was open can be written again.
    case count - 1: partitions[partition].chunks[Int(count) - 1] = chunk
    default:
      throw MalformedDocument(
        why: "it is chunk \(chunk.number) of partition \(chunk.partition), where chunk \(count) comes next")
    }
  }

  fileprivate mutating func end(_ tail: Tail) throws(MalformedDocument) {
    let unplaced = partitions.reduce(0) { $0 + Int64($1.withoutOffset.count) }
    guard tail.acknowledged == acknowledged, tail.withoutOffset == unplaced else {
      throw MalformedDocument(
        why: "it says that \(tail.acknowledged) records were acknowledged, and the lines before it have \(acknowledged)"
      )
    }
    self.tail = tail
  }
}

extension ReceiptLine {
  init(_ root: DocumentValue) throws(MalformedDocument) {
    let fields = DocumentFields(root)
    if root["schema"] != nil {
      self = .head(try Receipt.Head(fields, root))
    } else if root["complete"] != nil {
      self = .tail(try Receipt.Tail(fields))
    } else if root["chunk"] != nil {
      self = .chunk(try Receipt.Chunk(fields, hasOrders: root["orders"] != nil))
    } else if let records = root["without_offset"] {
      let partition = try Self.partition(fields)
      var unplaced: [Receipt.Unplaced] = []
      for record in records.elements {
        let record = DocumentFields(record)
        unplaced.append(
          Receipt.Unplaced(
            partition: partition, key: try record.optionalText("key"), digest: try record.digest("sha256")))
      }
      self = .withoutOffset(unplaced)
    } else {
      throw MalformedDocument(why: "it is no line of a receipt")
    }
  }

  fileprivate static func partition(_ fields: DocumentFields) throws(MalformedDocument) -> Int32 {
    guard let partition = Int32(exactly: try fields.count("partition")) else {
      throw MalformedDocument(why: "its partition is missing or wrong")
    }
    return partition
  }
}

extension Receipt.Head {
  /// The most partitions of a topic that is believed, so that a wrong number takes no memory.
  private static let partitionLimit: Int64 = 1_000_000

  fileprivate init(_ fields: DocumentFields, _ root: DocumentValue) throws(MalformedDocument) {
    let schema = try fields.text("schema")
    guard schema == Receipt.schema else {
      throw MalformedDocument(why: "its schema is \(schema) and not \(Receipt.schema)")
    }
    guard try fields.text("digest") == "sha256", try fields.count("chunk_records") == Receipt.chunkRecords else {
      throw MalformedDocument(why: "its digests are not of \(Receipt.chunkRecords) records a chunk by sha256")
    }
    let partitions = try fields.count("partitions")
    guard (1...Self.partitionLimit).contains(partitions) else {
      throw MalformedDocument(why: "its partitions is missing or wrong")
    }
    let source: Source
    if root["input"] == nil {
      source = .orders(try OrderGenerator.Options(DocumentFields(try fields.object("orders"))))
    } else {
      let input = DocumentFields(try fields.object("input"))
      source = .input(name: try input.text("name"), isExact: try input.bool("exact"))
    }
    self.init(
      run: try fields.text("run"), broker: try fields.text("broker"), topic: try fields.text("topic"),
      topicID: try fields.optionalText("topic_id"), partitionCount: Int32(partitions),
      startedMilliseconds: try fields.time("started_at"), version: try fields.text("version"),
      acks: try fields.text("acks"), source: source)
  }
}

extension OrderGenerator.Options {
  fileprivate init(_ fields: DocumentFields) throws(MalformedDocument) {
    self.init(
      seed: try fields.unsigned("seed"), failureRate: try fields.number("failure_rate"),
      users: Int(try fields.count("users")), firstOrder: try fields.count("first_order"),
      count: try fields.count("events"), eventTime: try EventTime(DocumentFields(try fields.object("event_time"))))
    if let problem { throw MalformedDocument(why: "its orders cannot be made: \(problem)") }
  }
}

extension EventTime {
  fileprivate init(_ fields: DocumentFields) throws(MalformedDocument) {
    let kind = try fields.text("kind")
    if kind == "wall_clock" {
      self = .wallClock
      return
    }
    let seconds = try fields.integer("start_seconds")
    guard let nanoseconds = Int32(exactly: try fields.count("start_nanoseconds")), kind == "span" || kind == "stepped"
    else { throw MalformedDocument(why: "its event_time is missing or wrong") }
    self =
      kind == "span"
      ? .span(
        startSeconds: seconds, startNanoseconds: nanoseconds, spanNanoseconds: try fields.count("span_nanoseconds"))
      : .stepped(startSeconds: seconds, startNanoseconds: nanoseconds, perSecond: try fields.number("per_second"))
  }
}

extension Receipt.Chunk {
  fileprivate init(_ fields: DocumentFields, hasOrders: Bool) throws(MalformedDocument) {
    self.init(
      partition: try ReceiptLine.partition(fields), number: try fields.count("chunk"),
      offsets: try fields.ranges("offsets"), orders: hasOrders ? try fields.range("orders") : nil,
      digest: try fields.digest("sha256"))
    let records = try fields.count("records")
    guard (1...Receipt.chunkRecords).contains(records), offsets.count <= records, self.records == records else {
      throw MalformedDocument(why: "its records are not as many as its offsets, from 1 to \(Receipt.chunkRecords)")
    }
  }
}

extension Receipt.Tail {
  fileprivate init(_ fields: DocumentFields) throws(MalformedDocument) {
    self.init(isComplete: try fields.bool("complete"), endedMilliseconds: try fields.time("ended_at"))
    acknowledged = try fields.count("acknowledged")
    withoutOffset = try fields.count("without_offset")
    failed = try fields.count("failed")
    unknown = try fields.count("unknown")
    failedOrders = try fields.ranges("failed_orders")
    unknownOrders = try fields.ranges("unknown_orders")
    inputDigest = try fields.optionalText("input_sha256") == nil ? nil : try fields.digest("input_sha256")
    inputLines = try fields.optionalCount("input_lines")
  }
}
