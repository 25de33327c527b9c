/// Prints one record as one JSON document on one line: what `tail` shows. Bytes that are no text are base64, and
/// said to be: of a key by `key_encoding` (`text`, `base64`, null without a key), of a header's value by a third element,
/// `"base64"`, which others do not have.
public struct RecordLine {
  private let topic: String
  private let decoder = OrderDecoder()
  private let padded = ByteBuffer()

  public init(topic: String) { self.topic = topic }

  /// Appends the document without a line feed.
  public func append(_ record: RecordBatch.View, to buffer: ByteBuffer) {
    var json = JSONWriter(buffer)
    json.beginObject()
    json.member("topic", topic)
    json.member("partition", Int64(record.partition))
    json.member("offset", record.offset)
    json.member("timestamp_ms", record.timestampMs)
    json.key("key")
    let keyIsText = record.key.map { appendBytes($0, to: &json) }
    if keyIsText == nil { json.null() }
    json.member("key_encoding", keyIsText.map { $0 ? "text" : "base64" })
    json.key("headers")
    json.beginArray()
    for header in record.headers {
      json.beginArray()
      json.string(header.name)
      if let value = header.value {
        if !appendBytes(value, to: &json) { json.string("base64") }
      } else {
        json.null()
      }
      json.endArray()
    }
    json.endArray()
    json.key("value")
    appendValue(record.value, to: &json)
    json.endObject()
  }

  /// Bytes of a key or a header as they are where they are text, else as base64; returns whether they are text.
  private func appendBytes(_ bytes: UnsafeRawBufferPointer, to json: inout JSONWriter) -> Bool {
    let isText = UTF8Text.isValid(bytes)
    if isText { json.string(bytes) } else { json.string(Base64.encode(bytes)) }
    return isText
  }

  /// The value in the plainest form that keeps it whole, and how it is encoded.
  private func appendValue(_ value: UnsafeRawBufferPointer?, to json: inout JSONWriter) {
    guard let value else {
      json.null()
      json.member("encoding", "tombstone")
      return
    }
    if decoder.decode(value).map(\.isWellFormedJSON) ?? true {
      json.raw(oneLine(value))
      json.member("encoding", "json")
    } else if UTF8Text.isValid(value) {
      json.string(value)
      json.member("encoding", "text")
    } else {
      json.string(Base64.encode(value))
      json.member("encoding", "base64")
    }
  }

  /// JSON allows line feeds between its tokens only, where a blank means the same.
  private func oneLine(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard value.contains(where: { $0 == 0x0A || $0 == 0x0D }) else { return value }
    padded.removeAll()
    for byte in value { padded.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte) }
    return padded.bytes
  }
}

/// Base64 of RFC 4648, section 4, with padding.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var position = 0
    while position < bytes.count {
      let length = min(3, bytes.count - position)
      var group: UInt32 = 0
      for index in 0..<3 { group = group << 8 | (index < length ? UInt32(bytes[position + index]) : 0) }
      for index in 0..<4 {
        text.append(index <= length ? alphabet[Int(group >> (18 - 6 * UInt32(index)) & 63)] : UInt8(ascii: "="))
      }
      position += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Returns: `nil` when the text is not base64 with padding.
  static func decode(_ text: String) -> [UInt8]? {
    var text = Array(text.utf8)
    guard text.count % 4 == 0 else { return nil }
    var padding = 0
    while padding < 2, text.last == UInt8(ascii: "=") {
      text.removeLast()
      padding += 1
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 2)
    var (group, digits) = (UInt32(0), 0)
    for character in text {
      guard let digit = values[Int(character)] else { return nil }
      (group, digits) = (group << 6 | digit, digits + 1)
      if digits == 4 {
        bytes += [UInt8(group >> 16 & 255), UInt8(group >> 8 & 255), UInt8(group & 255)]
        (group, digits) = (0, 0)
      }
    }
    // What is left over of the last digit must be 0, so that one text stands for bytes.
    switch digits {
    case 0: return bytes
    case 2 where group & 15 == 0: return bytes + [UInt8(group >> 4)]
    case 3 where group & 3 == 0: return bytes + [UInt8(group >> 10), UInt8(group >> 2 & 255)]
    default: return nil
    }
  }

  private static let values: [UInt32?] = {
    var values = [UInt32?](repeating: nil, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt32(value) }
    return values
  }()
}
