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
