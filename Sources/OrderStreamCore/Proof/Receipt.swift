/// What one run of `produce --receipt` was told is on the log. A file of receipts is made of lines, each a JSON object, and
/// holds the runs that were appended to it one behind the other; `docs/receipt.md` is its specification.
public struct Receipt: Sendable, Equatable {
  static let schema = "orderstream.receipt/1"
  /// Acknowledged records of a partition that share a digest.
  public static let chunkRecords: Int64 = RecordDigests.chunkRecords
  /// Ranges of order numbers that a tail lists of a kind; the counts are of all.
  public static let rangeLimit = 100_000
  /// No line is longer, in bytes.
  public static let longestLine = 16 << 20

  public var head: Head
  /// By number, from 0.
  public var partitions: [Partition]
  /// `nil` of a run that was killed.
  public var tail: Tail?

  /// Records that were acknowledged, with and without an offset.
  public var acknowledged: Int64 {
    partitions.reduce(0) { $0 + $1.records + Int64($1.withoutOffset.count) }
  }

  /// A run that has begun.
  public init(_ head: Head) {
    self.head = head
    partitions = Array(repeating: Partition(), count: Int(head.partitionCount))
  }

  public struct Partition: Sendable, Equatable {
    /// By number, from 0.
    public var chunks: [Chunk] = []
    public var withoutOffset: [Unplaced] = []

    /// In chunks.
    public var records: Int64 { chunks.reduce(0) { $0 + $1.records } }
  }

  /// Whose receipt it is.
  public struct Head: Sendable, Equatable {
    public enum Source: Sendable, Equatable {
      /// The generator's, from which each order can be made again.
      case orders(OrderGenerator.Options)
      /// Lines of somebody else; with `isExact` records as `tail --exact` prints them.
      case input(name: String, isExact: Bool)
    }

    /// 16 hexadecimal digits, random.
    public var run: String
    /// As `Broker.name`.
    public var broker: String
    public var topic: String
    /// As `TopicDescription.id`.
    public var topicID: String?
    public var partitionCount: Int32
    /// Since 1970.
    public var startedMilliseconds: Int64
    /// Of the program.
    public var version: String
    /// Who had to have a record before it counted as acknowledged: `all`, `1`.
    public var acks: String
    public var source: Source

    public init(
      run: String, broker: String, topic: String, topicID: String?, partitionCount: Int32, startedMilliseconds: Int64,
      version: String, acks: String, source: Source
    ) {
      self.run = run
      self.broker = broker
      self.topic = topic
      self.topicID = topicID
      self.partitionCount = partitionCount
      self.startedMilliseconds = startedMilliseconds
      self.version = version
      self.acks = acks
      self.source = source
    }

    /// The options of the generator; `nil` for lines of somebody else.
    public var orders: OrderGenerator.Options? {
      if case .orders(let options) = source { options } else { nil }
    }
  }

  /// Acknowledged records of a partition, in the order of their offsets, which is also the order of their numbers.
  public struct Chunk: Sendable, Equatable {
    public var partition: Int32
    /// From 0.
    public var number: Int64
    /// Ascending, apart.
    public var offsets: [ClosedRange<Offset>]
    /// The first and the last order number; `nil` for lines of somebody else.
    public var orders: ClosedRange<Int64>?
    /// Of the records, as `RecordDigests` has it.
    public var digest: Digest

    public init(
      partition: Int32, number: Int64, offsets: [ClosedRange<Offset>], orders: ClosedRange<Int64>?, digest: Digest
    ) {
      self.partition = partition
      self.number = number
      self.offsets = offsets
      self.orders = orders
      self.digest = digest
    }

    public var records: Int64 { offsets.reduce(0) { $0 &+ Int64($1.count) } }
  }

  /// A record that was acknowledged without an offset.
  public struct Unplaced: Sendable, Hashable {
    public var partition: Int32
    /// `nil` for none, and for one that is not UTF-8.
    public var key: String?
    /// `Digest(key:value:)`.
    public var digest: Digest

    public init(partition: Int32, key: String?, digest: Digest) {
      self.partition = partition
      self.key = key
      self.digest = digest
    }
  }

  /// How a run ended. What was sent is acknowledged, failed or unknown.
  public struct Tail: Sendable, Equatable {
    /// Whether nothing is unknown.
    public var isComplete: Bool
    /// Since 1970.
    public var endedMilliseconds: Int64
    public var acknowledged: Int64 = 0
    /// Of the acknowledged ones.
    public var withoutOffset: Int64 = 0
    /// Surely not on the log.
    public var failed: Int64 = 0
    /// May be on the log.
    public var unknown: Int64 = 0
    /// Numbers, at most `rangeLimit` ranges; empty for lines of somebody else.
    public var failedOrders: [ClosedRange<Int64>] = []
    public var unknownOrders: [ClosedRange<Int64>] = []
    /// Of the bytes of an input that was read to its end.
    public var inputDigest: Digest?
    /// Lines of the input that were read; `nil` for generated orders.
    public var inputLines: Int64?

    public init(isComplete: Bool, endedMilliseconds: Int64) {
      self.isComplete = isComplete
      self.endedMilliseconds = endedMilliseconds
    }
  }
}

/// One line of a file of receipts.
public enum ReceiptLine: Sendable, Equatable {
  case head(Receipt.Head)
  /// Replaces an earlier one with its number, of the same run and partition.
  case chunk(Receipt.Chunk)
  /// Of one partition.
  case withoutOffset([Receipt.Unplaced])
  case tail(Receipt.Tail)

  /// Appends the line with its line feed.
  public func append(to buffer: ByteBuffer) {
    var json = JSONWriter(buffer)
    json.beginObject()
    switch self {
    case .head(let head): head.append(to: &json)
    case .chunk(let chunk): chunk.append(to: &json)
    case .withoutOffset(let records):
      json.member("partition", Int64(records.first?.partition ?? 0))
      json.key("without_offset")
      json.beginArray()
      for record in records {
        json.beginObject()
        json.member("key", record.key)
        json.member("sha256", record.digest.description)
        json.endObject()
      }
      json.endArray()
    case .tail(let tail): tail.append(to: &json)
    }
    json.endObject()
    buffer.append(UInt8(ascii: "\n"))
  }
}

extension Receipt.Head {
  fileprivate func append(to json: inout JSONWriter) {
    json.member("schema", Receipt.schema)
    json.member("run", run)
    json.member("broker", broker)
    json.member("topic", topic)
    json.member("topic_id", topicID)
    json.member("partitions", Int64(partitionCount))
    json.member("started_at", CivilTime.text(ofMilliseconds: startedMilliseconds))
    json.member("version", version)
    json.member("acks", acks)
    json.member("digest", "sha256")
    json.member("chunk_records", Receipt.chunkRecords)
    switch source {
    case .orders(let options):
      json.key("orders")
      append(options, to: &json)
    case .input(let name, let isExact):
      json.key("input")
      json.beginObject()
      json.member("name", name)
      json.member("exact", isExact)
      json.endObject()
    }
  }

  private func append(_ options: OrderGenerator.Options, to json: inout JSONWriter) {
    json.beginObject()
    json.key("seed")
    json.integer(options.seed)
    json.member("first_order", options.firstOrder)
    json.member("events", options.count)
    // The shortest digits that mean this very number.
    json.key("failure_rate")
    json.raw(options.failureRate.description)
    json.member("users", Int64(options.users))
    json.key("event_time")
    json.beginObject()
    switch options.eventTime {
    case .wallClock: json.member("kind", "wall_clock")
    case .stepped(let seconds, let nanoseconds, let perSecond):
      json.member("kind", "stepped")
      json.member("start_seconds", seconds)
      json.member("start_nanoseconds", Int64(nanoseconds))
      json.key("per_second")
      json.raw(perSecond.description)
    case .span(let seconds, let nanoseconds, let span):
      json.member("kind", "span")
      json.member("start_seconds", seconds)
      json.member("start_nanoseconds", Int64(nanoseconds))
      json.member("span_nanoseconds", span)
    }
    json.endObject()
    json.endObject()
  }
}

extension Receipt.Chunk {
  fileprivate func append(to json: inout JSONWriter) {
    json.member("partition", Int64(partition))
    json.member("chunk", number)
    json.member("offsets", offsets)
    json.member("records", records)
    if let orders {
      json.key("orders")
      json.range(orders)
    }
    json.member("sha256", digest.description)
  }
}

extension Receipt.Tail {
  fileprivate func append(to json: inout JSONWriter) {
    json.member("complete", isComplete)
    json.member("ended_at", CivilTime.text(ofMilliseconds: endedMilliseconds))
    json.member("acknowledged", acknowledged)
    json.member("without_offset", withoutOffset)
    json.member("failed", failed)
    json.member("unknown", unknown)
    json.member("failed_orders", failedOrders)
    json.member("unknown_orders", unknownOrders)
    json.member("input_sha256", inputDigest?.description)
    json.member("input_lines", inputLines)
  }
}

extension JSONWriter {
  fileprivate mutating func range(_ range: ClosedRange<Int64>) {
    beginArray()
    integer(range.lowerBound)
    integer(range.upperBound)
    endArray()
  }

  fileprivate mutating func member(_ key: String, _ ranges: [ClosedRange<Int64>]) {
    self.key(key)
    beginArray()
    for range in ranges { self.range(range) }
    endArray()
  }
}
