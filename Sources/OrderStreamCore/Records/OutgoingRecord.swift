/// A record on its way out. All bytes are borrowed: a back end copies what it keeps before the call returns.
public struct OutgoingRecord {
  public var partition: Int32
  /// Milliseconds since 1970 UTC: the wall clock at sending.
  public var timestampMs: Int64
  public var key: UnsafeRawBufferPointer?
  /// `nil` writes a tombstone.
  public var value: UnsafeRawBufferPointer?
  public var headers: Headers

  public init(
    partition: Int32, timestampMs: Int64, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
    headers: Headers = .none
  ) {
    self.partition = partition
    self.timestampMs = timestampMs
    self.key = key
    self.value = value
    self.headers = headers
  }
}

/// Chooses a record's partition from its key as Kafka's Java producer does, so that both brokers and other programs
/// that use the default partitioner agree about where a key lives.
///
/// Source: `org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner.partitionForKey` of Apache Kafka.
public enum Partitioner {
  /// The partition of a key, `0 ..< count`.
  @inline(__always)
  public static func partition(key: UnsafeRawBufferPointer, count: Int32) -> Int32 {
    precondition(count > 0, "a topic has at least one partition")
    return (murmur2(key) & 0x7fff_ffff) % count
  }

  /// Austin Appleby's 32-bit MurmurHash2 with Kafka's seed. Signed, as Java prints it.
  public static func murmur2(_ key: UnsafeRawBufferPointer) -> Int32 {
    let multiplier: UInt32 = 0x5bd1_e995
    var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: key.count)
    var position = 0
    while position + 4 <= key.count {
      var word = UInt32(littleEndian: key.loadUnaligned(fromByteOffset: position, as: UInt32.self))
      word = word &* multiplier
      word ^= word >> 24
      hash = (hash &* multiplier) ^ (word &* multiplier)
      position += 4
    }
    if position < key.count {
      for index in position..<key.count { hash ^= UInt32(key[index]) << UInt32((index - position) * 8) }
      hash = hash &* multiplier
    }
    hash ^= hash >> 13
    hash = hash &* multiplier
    hash ^= hash >> 15
    return Int32(bitPattern: hash)
  }
}

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
