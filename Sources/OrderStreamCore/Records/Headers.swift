/// The headers of a record as one block of bytes, so that they can be copied without being understood:
/// for each header `u32 name length | name | i32 value length, −1 for none | value`, integers little-endian.
public struct Headers: Sequence {
  /// The encoded block; empty when there are no headers. Borrowed: valid as long as its owner is.
  public let block: UnsafeRawBufferPointer

  public init(block: UnsafeRawBufferPointer) {
    self.block = block
  }

  public static var none: Headers { Headers(block: UnsafeRawBufferPointer(start: nil, count: 0)) }

  public var isEmpty: Bool { block.isEmpty }

  /// Whether a block from a disk is one: every length lies inside it.
  public static func isWellFormed(_ block: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    func length<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> Int? {
      guard block.count - at >= MemoryLayout<T>.size else { return nil }
      defer { at += MemoryLayout<T>.size }
      return Int(T(littleEndian: block.loadUnaligned(fromByteOffset: at, as: T.self)))
    }
    while at < block.count {
      guard let name = length(UInt32.self), name <= block.count - at else { return false }
      at += name
      guard let value = length(Int32.self), value >= -1, value <= block.count - at else { return false }
      at += Swift.max(value, 0)
    }
    return true
  }

  public struct Element {
    public let name: UnsafeRawBufferPointer
    /// `nil` for a header without a value, which is not an empty value.
    public let value: UnsafeRawBufferPointer?
  }

  public struct Iterator: IteratorProtocol {
    var rest: UnsafeRawBufferPointer

    public mutating func next() -> Element? {
      guard !rest.isEmpty else { return nil }
      let nameLength = Int(take(UInt32.self))
      let name = take(nameLength)
      let valueLength = Int(take(Int32.self))
      return Element(name: name, value: valueLength < 0 ? nil : take(valueLength))
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
      precondition(count >= 0 && count <= rest.count, "a header block ends inside a header")
      defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
      return UnsafeRawBufferPointer(rebasing: rest[..<count])
    }

    private mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> T {
      T(littleEndian: take(MemoryLayout<T>.size).loadUnaligned(as: T.self))
    }
  }

  public func makeIterator() -> Iterator { Iterator(rest: block) }

  /// The value of the first header of that name, `nil` when there is none or it has no value.
  public func first(named name: StaticString) -> UnsafeRawBufferPointer? {
    let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    for header in self where header.name.holdsSameBytes(as: wanted) { return header.value }
    return nil
  }

  /// Appends one header to a block that is being built.
  public static func append(
    name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?, to block: ByteBuffer
  ) {
    block.append(littleEndian: UInt32(name.count))
    block.append(name)
    block.append(littleEndian: value.map { Int32($0.count) } ?? -1)
    if let value { block.append(value) }
  }

  /// Appends one header with a constant name to a block that is being built.
  public static func append(name: StaticString, value: UnsafeRawBufferPointer, to block: ByteBuffer) {
    append(
      name: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value: value, to: block)
  }

  /// Appends one header with a constant name and a text value.
  public static func append(name: StaticString, text: String, to block: ByteBuffer) {
    var text = text
    text.withUTF8 { append(name: name, value: UnsafeRawBufferPointer($0), to: block) }
  }
}
