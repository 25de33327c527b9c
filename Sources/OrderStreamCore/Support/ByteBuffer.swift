internal import CSimdJSON

/// Growing bytes in one reused allocation. Writing costs no allocation once it is warm.
///
/// Not `Sendable`: owned by one thread at a time. Pointers into it are valid until the next append or `removeAll`.
public final class ByteBuffer {
  /// Readable bytes of any value that always follow the content, because vectorised readers load past the end (simdjson
  /// needs 64).
  public static let tailPadding = 64

  // Every byte that is written touches these, no access to them calls anything that could come back here, and the
  // run-time check of that costs more than the write (docs/performance.md).
  @exclusivity(unchecked) private var base: UnsafeMutableRawPointer
  @exclusivity(unchecked) public private(set) var count = 0
  @exclusivity(unchecked) public private(set) var capacity: Int

  public init(capacity: Int = 4096) {
    self.capacity = max(capacity, 64)
    base = .allocate(byteCount: self.capacity + Self.tailPadding, alignment: 64)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: self.capacity + Self.tailPadding)
  }

  deinit { base.deallocate() }

  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  public var isEmpty: Bool { count == 0 }

  /// Forgets the content and keeps the allocation.
  @inline(__always)
  public func removeAll() { count = 0 }

  /// Shortens the content to its first `length` bytes.
  public func truncate(to length: Int) {
    precondition(length >= 0 && length <= count, "a buffer can only be truncated to a length that it has")
    count = length
  }

  /// Makes room for `extra` more bytes.
  @inline(__always)
  public func reserve(_ extra: Int) {
    if count + extra > capacity { grow(extra) }
  }

  @inline(never)
  private func grow(_ extra: Int) {
    let newCapacity = max(capacity * 2, count + extra)
    let newBase = UnsafeMutableRawPointer.allocate(byteCount: newCapacity + Self.tailPadding, alignment: 64)
    newBase.copyMemory(from: base, byteCount: count)
    // Not more: touching room that is never used costs time and resident memory.
    (newBase + count).initializeMemory(as: UInt8.self, repeating: 0, count: Self.tailPadding)
    base.deallocate()
    base = newBase
    capacity = newCapacity
  }

  @inline(__always)
  public func append(_ byte: UInt8) {
    reserve(1)
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  @inline(__always)
  public func append(_ source: UnsafeRawBufferPointer) {
    guard let start = source.baseAddress else { return }
    reserve(source.count)
    (base + count).copyMemory(from: start, byteCount: source.count)
    count += source.count
  }

  @inline(__always)
  public func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  public func append(_ text: some StringProtocol) {
    var text = String(text)
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  @inline(__always)
  public func append<T: FixedWidthInteger & BitwiseCopyable>(littleEndian value: T) {
    reserve(MemoryLayout<T>.size)
    base.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
    count += MemoryLayout<T>.size
  }

  /// Overwrites bytes that were appended before, for lengths and checksums known only later.
  public func overwrite<T: FixedWidthInteger & BitwiseCopyable>(littleEndian value: T, at position: Int) {
    precondition(position >= 0 && position + MemoryLayout<T>.size <= count, "an overwrite stays inside the content")
    base.storeBytes(of: value.littleEndian, toByteOffset: position, as: T.self)
  }

  /// Appends up to `limit` bytes that `body` writes in place; `body` returns how many it wrote.
  @inline(__always)
  public func append(upTo limit: Int, _ body: (UnsafeMutableRawPointer) -> Int) {
    reserve(limit)
    let written = body(base + count)
    precondition(written >= 0 && written <= limit, "a writer stays inside the room that it asked for")
    count += written
  }

  /// Appends `length` bytes that `body` writes in place, all of them; nothing when it throws.
  public func append(exactly length: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    reserve(length)
    try body(UnsafeMutableRawBufferPointer(start: base + count, count: length))
    count += length
  }
}

extension UnsafeRawBufferPointer {
  /// Whether both hold the same bytes; eight at a time, because `elementsEqual` takes one after the other.
  @inline(__always)
  func holdsSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    var index = 0
    while index + 8 <= count {
      let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
      if word != other.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
      index += 8
    }
    while index < count {
      if self[index] != other[index] { return false }
      index += 1
    }
    return true
  }

  func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(at position: Int, as type: T.Type) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: position, as: T.self))
  }
}

/// Looks at bytes that may be text.
enum UTF8Text {
  /// Whether the bytes are well-formed UTF-8; empty bytes are.
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    csimdjson_is_utf8(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count)
  }
}
