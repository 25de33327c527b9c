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
