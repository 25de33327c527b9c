/// A record as one JSON document on one line that holds all of it: partition, timestamp, key, value and headers to the
/// byte. What `tail --exact` prints and `produce --input --exact` reads.
///
/// `{"topic","partition","partitions","offset","timestamp_ms","key","key_encoding","value","encoding","headers"}`: texts
/// are UTF-8; bytes that are none are base64, and said to be by `key_encoding` (`text`, `base64`, null without a key),
/// `encoding` (`text`, `base64`, `tombstone`) and the third element of a header, `[name, value, encoding]` (null for a
/// header without a value). `partitions` is the partition count of the topic.
public struct ExactLine {
  private let topic: String
  private let partitionCount: Int32

  public init(topic: String, partitionCount: Int32) {
    self.topic = topic
    self.partitionCount = partitionCount
  }

  /// Appends the document without a line feed.
  public func append(_ record: RecordBatch.View, to buffer: ByteBuffer) {
    var json = JSONWriter(buffer)
    json.beginObject()
    json.member("topic", topic)
    json.member("partition", Int64(record.partition))
    json.member("partitions", Int64(partitionCount))
    json.member("offset", record.offset)
    json.member("timestamp_ms", record.timestampMs)
    Self.append("key", record.key, encoding: "key_encoding", none: nil, to: &json)
    Self.append("value", record.value, encoding: "encoding", none: "tombstone", to: &json)
    json.key("headers")
    json.beginArray()
    for header in record.headers {
      json.beginArray()
      // Names are text in Kafka; one that is none is said to be so by a fourth element.
      let name = Self.append(header.name, to: &json)
      if let encoding = Self.append(header.value, to: &json) { json.string(encoding) } else { json.null() }
      if let name, name != Self.text { json.string(name) }
      json.endArray()
    }
    json.endArray()
    json.endObject()
  }

  private static let text = "text"
  private static let base64 = "base64"
  private static let tombstone = "tombstone"

  /// Appends bytes as a value.
  /// - Returns: How they are encoded; `nil` for none.
  private static func append(_ bytes: UnsafeRawBufferPointer?, to json: inout JSONWriter) -> String? {
    guard let bytes else {
      json.null()
      return nil
    }
    guard UTF8Text.isValid(bytes) else {
      json.string(Base64.encode(bytes))
      return base64
    }
    json.string(bytes)
    return text
  }

  private static func append(
    _ key: String, _ bytes: UnsafeRawBufferPointer?, encoding: String, none: String?, to json: inout JSONWriter
  ) {
    json.key(key)
    let found = append(bytes, to: &json)
    json.member(encoding, found ?? none)
  }
}

/// A record that was read from an exact line.
public struct ExactRecord {
  public let partition: Int32
  /// Of the topic that it was read from; `nil` where the line does not say.
  public let partitionCount: Int32?
  public let timestampMs: Int64
  /// `nil` for a record without a key.
  public let key: ByteBuffer?
  /// `nil` for a tombstone.
  public let value: ByteBuffer?
  /// A block as in `Headers`.
  public let headers: ByteBuffer

  /// Why a line is no exact line.
  public struct Malformed: Error, Hashable, Sendable {
    public let why: String
  }

  /// The longest line: a record of the largest size that brokers are made to take, as base64, and what stands around it.
  public static let longestLine = 16 << 20

  /// - Parameter line: `ByteBuffer.tailPadding` readable bytes follow it.
  public init(parsing line: UnsafeRawBufferPointer) throws(Malformed) {
    guard let root = DocumentValue(parsing: line), case .object = root else {
      throw Malformed(why: "it is not a JSON object")
    }
    partition = try Self.number(root, "partition")
    partitionCount = root["partitions"] == nil ? nil : try Self.number(root, "partitions")
    guard let timestamp = root["timestamp_ms"]?.integer else { throw Malformed(why: "timestamp_ms is not a number") }
    timestampMs = timestamp
    key = try Self.bytes(root["key"], encoding: root["key_encoding"], "key")
    value = try Self.bytes(root["value"], encoding: root["encoding"], "value")
    headers = ByteBuffer(capacity: 64)
    guard case .list(let list) = root["headers"] else { throw Malformed(why: "headers is not a list") }
    for header in list {
      let parts = header.elements
      guard (3...4).contains(parts.count),
        let name = try Self.bytes(parts[0], encoding: parts.count == 4 ? parts[3] : .text("text"), "a header's name")
      else { throw Malformed(why: "a header is not [name, value, encoding]") }
      let value = try Self.bytes(parts[1], encoding: parts[2], "a header's value")
      Headers.append(name: name.bytes, value: value?.bytes, to: headers)
    }
  }

  private static func number(_ root: DocumentValue, _ key: String) throws(Malformed) -> Int32 {
    guard let number = root[key]?.integer.flatMap(Int32.init(exactly:)), number >= 0 else {
      throw Malformed(why: "\(key) is missing or no whole number from 0")
    }
    return number
  }

  private static func bytes(
    _ value: DocumentValue?, encoding: DocumentValue?, _ what: String
  ) throws(Malformed) -> ByteBuffer? {
    switch (value, encoding) {
    case (.null?, .null?), (.null?, .text("tombstone")?): return nil
    case (.text(let text)?, .text("text")?):
      let buffer = ByteBuffer(capacity: text.utf8.count)
      buffer.append(text)
      return buffer
    case (.text(let text)?, .text("base64")?):
      guard let bytes = Base64.decode(text) else { throw Malformed(why: "\(what) is not base64") }
      let buffer = ByteBuffer(capacity: bytes.count)
      bytes.withUnsafeBytes { buffer.append($0) }
      return buffer
    default: throw Malformed(why: "\(what) and its encoding do not go together")
    }
  }
}
