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
