/// Writes JSON without white space to the end of a buffer, with commas where they belong. The only JSON writer of the
/// project. Allocates nothing once the buffer is warm (invalid UTF-8 excepted).
///
/// Values at the top level follow each other without a separator; the caller puts line feeds between documents.
public struct JSONWriter {
  /// The most objects and arrays inside one another.
  public static let deepestNesting = 63

  public let buffer: ByteBuffer
  private var depth = 0
  /// Bit n: the container at depth n has an element already.
  private var started: UInt64 = 0
  private var isAfterKey = false

  public init(_ buffer: ByteBuffer) { self.buffer = buffer }

  public mutating func beginObject() { open(UInt8(ascii: "{")) }
  public mutating func endObject() { close(UInt8(ascii: "}")) }
  public mutating func beginArray() { open(UInt8(ascii: "[")) }
  public mutating func endArray() { close(UInt8(ascii: "]")) }

  /// The name of the next value of an object.
  public mutating func key(_ name: String) {
    string(name)
    endKey()
  }

  /// The name of the next value of an object, as UTF-8.
  public mutating func key(_ name: UnsafeRawBufferPointer) {
    string(name)
    endKey()
  }

  public mutating func string(_ text: String) {
    separate()
    var text = text
    text.withUTF8 { Self.appendQuoted(UnsafeRawBufferPointer($0), to: buffer) }
  }

  /// A string from UTF-8. Invalid sequences become U+FFFD, so that the document stays valid.
  public mutating func string(_ bytes: UnsafeRawBufferPointer) {
    separate()
    Self.appendQuoted(bytes, to: buffer)
  }

  public mutating func integer(_ value: some FixedWidthInteger) {
    separate()
    if let small = Int64(exactly: value) {
      Self.appendInteger(small, to: buffer)
    } else {
      buffer.append(String(value))
    }
  }

  public mutating func bool(_ value: Bool) {
    separate()
    if value { buffer.append("true" as StaticString) } else { buffer.append("false" as StaticString) }
  }

  public mutating func null() {
    separate()
    buffer.append("null" as StaticString)
  }

  /// A number of hundredths (cents, hundredths of a percent) with one or two decimals: `1000` is `10.0`, `425` is `4.25`.
  public mutating func hundredths(_ value: Int64) {
    separate()
    Self.appendHundredths(value, to: buffer)
  }

  /// A number of thousandths (microseconds as milliseconds) with three decimals: `1204` is `1.204`. Not negative.
  public mutating func thousandths(_ value: Int64) {
    separate()
    let (whole, rest) = value.magnitude.quotientAndRemainder(dividingBy: 1000)
    Self.appendDigits(whole, atLeast: 1, to: buffer)
    buffer.append(UInt8(ascii: "."))
    Self.appendDigits(rest, atLeast: 3, to: buffer)
  }

  /// A value that is JSON already, verbatim.
  public mutating func raw(_ json: UnsafeRawBufferPointer) {
    separate()
    buffer.append(json)
  }

  /// A value that is JSON already, verbatim.
  public mutating func raw(_ json: String) {
    separate()
    buffer.append(json)
  }

  private mutating func open(_ bracket: UInt8) {
    separate()
    precondition(depth < Self.deepestNesting, "the project's documents are flatter than this")
    depth += 1
    started &= ~(UInt64(1) << UInt64(depth))
    buffer.append(bracket)
  }

  private mutating func close(_ bracket: UInt8) {
    precondition(depth > 0 && !isAfterKey, "an end belongs to a beginning, and a key to a value")
    depth -= 1
    buffer.append(bracket)
  }

  private mutating func endKey() {
    precondition(depth > 0 && !isAfterKey, "a key belongs into an object and in front of a value")
    buffer.append(UInt8(ascii: ":"))
    isAfterKey = true
  }

  @inline(__always)
  private mutating func separate() {
    if isAfterKey {
      isAfterKey = false
    } else if depth > 0 {
      let bit: UInt64 = 1 << UInt64(depth)
      if started & bit != 0 { buffer.append(UInt8(ascii: ",")) }
      started |= bit
    }
  }
}

/// Single JSON values for encoders that know the rest of their document by heart.
extension JSONWriter {
  /// Appends a quoted string. Escapes what JSON demands and nothing else; invalid UTF-8 becomes U+FFFD.
  @inline(__always)
  static func appendQuoted(_ bytes: UnsafeRawBufferPointer, to buffer: ByteBuffer) {
    var isPlain = true
    for byte in bytes where byte &- 0x20 >= 0x60 || byte == quote || byte == backslash { isPlain = false }
    guard isPlain else { return appendEscaped(bytes, to: buffer) }
    buffer.append(quote)
    buffer.append(bytes)
    buffer.append(quote)
  }

  /// How many bytes `appendQuoted` appends for valid UTF-8.
  static func quotedCount(_ bytes: UnsafeRawBufferPointer) -> Int {
    var count = bytes.count + 2
    for byte in bytes where byte < 0x20 || byte == quote || byte == backslash { count += escapeCount(of: byte) - 1 }
    return count
  }

  private static func escapeCount(of byte: UInt8) -> Int {
    switch byte {
    case quote, backslash, 0x08, 0x09, 0x0a, 0x0c, 0x0d: 2
    default: 6
    }
  }

  /// How many digits a number has.
  static func digitCount(_ value: UInt64) -> Int {
    var length = 1
    var limit: UInt64 = 10
    while length < 20, value >= limit {
      length += 1
      limit = length == 20 ? limit : limit &* 10
    }
    return length
  }

  static func appendInteger(_ value: Int64, to buffer: ByteBuffer) {
    appendDigits(value.magnitude, atLeast: 1, negative: value < 0, to: buffer)
  }

  static func appendHundredths(_ value: Int64, to buffer: ByteBuffer) {
    let (whole, rest) = value.magnitude.quotientAndRemainder(dividingBy: 100)
    appendDigits(whole, atLeast: 1, negative: value < 0, to: buffer)
    buffer.append(UInt8(ascii: "."))
    buffer.append(48 + UInt8(rest / 10))
    if rest % 10 != 0 { buffer.append(48 + UInt8(rest % 10)) }
  }

  /// Appends a number with at least `width` digits (at most 20).
  static func appendDigits(_ value: UInt64, atLeast width: Int, negative: Bool = false, to buffer: ByteBuffer) {
    let length = max(digitCount(value), width)
    if negative { buffer.append(UInt8(ascii: "-")) }
    buffer.append(upTo: length) { bytes in
      var rest = value
      var position = length
      while position > 0 {
        position -= 1
        bytes.storeBytes(of: 48 &+ UInt8(truncatingIfNeeded: rest % 10), toByteOffset: position, as: UInt8.self)
        rest /= 10
      }
      return length
    }
  }

  private static let quote = UInt8(ascii: "\"")
  private static let backslash = UInt8(ascii: "\\")

  @inline(never)
  private static func appendEscaped(_ bytes: UnsafeRawBufferPointer, to buffer: ByteBuffer) {
    guard UTF8Text.isValid(bytes) else {
      var repaired = String(decoding: bytes, as: UTF8.self)
      return repaired.withUTF8 { appendEscaped(UnsafeRawBufferPointer($0), to: buffer) }
    }
    buffer.append(quote)
    var start = 0
    for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == quote || byte == backslash {
      buffer.append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
      start = index + 1
      appendEscape(of: byte, to: buffer)
    }
    buffer.append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    buffer.append(quote)
  }

  private static func appendEscape(of byte: UInt8, to buffer: ByteBuffer) {
    buffer.append(backslash)
    switch byte {
    case quote, backslash: buffer.append(byte)
    case 0x08: buffer.append(UInt8(ascii: "b"))
    case 0x09: buffer.append(UInt8(ascii: "t"))
    case 0x0a: buffer.append(UInt8(ascii: "n"))
    case 0x0c: buffer.append(UInt8(ascii: "f"))
    case 0x0d: buffer.append(UInt8(ascii: "r"))
    default:
      buffer.append("u00" as StaticString)
      buffer.append(48 + (byte >> 4))
      let low = byte & 0xf
      buffer.append(low < 10 ? 48 + low : 87 + low)
    }
  }
}
