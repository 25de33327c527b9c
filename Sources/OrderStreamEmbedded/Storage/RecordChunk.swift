import OrderStreamCore

/// Records of one partition on their way into one row: the payload of a batch as it is written, and its borders.
///
/// A record in the payload: `i64 timestamp | i32 key length, −1 for none | i32 value length, −1 for a tombstone |
/// u32 headers length | key | value | headers`, integers little-endian; headers as in `Headers`.
final class RecordChunk {
  static let recordLimit: Int32 = 1000
  /// A chunk is as large as its room, which grows by doubling and is used again; one larger record has a chunk alone.
  static let byteLimit = 256 << 10
  static let headerBytes = 20
  /// Key, value and headers of one record.
  static let largestRecordBytes = 16 << 20

  /// Small at first: with many partitions most chunks stay small.
  let bytes = ByteBuffer(capacity: 1 << 10)
  // Touched for every record, by nothing that calls back: the run-time check is left out (docs/performance.md).
  @exclusivity(unchecked) private(set) var partition: Int32
  @exclusivity(unchecked) private(set) var count: Int32 = 0
  @exclusivity(unchecked) private(set) var minTimestamp = Int64.max
  @exclusivity(unchecked) private(set) var maxTimestamp = Int64.min

  /// Of a producer's records, where somebody wants to hear of each of them; else empty.
  var sequences: [Int64] = []

  init(partition: Int32) { self.partition = partition }

  var isFull: Bool { count >= Self.recordLimit || bytes.count >= Self.byteLimit }

  /// Whether a record of that size goes in without making the chunk too large.
  func takes(_ byteCount: Int) -> Bool { !isFull && (count == 0 || bytes.count + byteCount <= Self.byteLimit) }

  /// Forgets the content and keeps the room.
  func reset(partition: Int32) {
    self.partition = partition
    bytes.removeAll()
    sequences.removeAll(keepingCapacity: true)
    count = 0
    minTimestamp = .max
    maxTimestamp = .min
  }

  static func byteCount(of record: OutgoingRecord) -> Int {
    headerBytes + (record.key?.count ?? 0) + (record.value?.count ?? 0) + record.headers.block.count
  }

  /// - Parameter byteCount: `byteCount(of: record)`, at most `largestRecordBytes`.
  func append(_ record: OutgoingRecord, byteCount: Int) {
    bytes.append(upTo: byteCount) { target in
      target.storeBytes(of: record.timestampMs.littleEndian, as: Int64.self)
      target.storeBytes(of: Int32(record.key?.count ?? -1).littleEndian, toByteOffset: 8, as: Int32.self)
      target.storeBytes(of: Int32(record.value?.count ?? -1).littleEndian, toByteOffset: 12, as: Int32.self)
      target.storeBytes(of: UInt32(record.headers.block.count).littleEndian, toByteOffset: 16, as: UInt32.self)
      var next = target + Self.headerBytes
      next = Self.copy(record.key, to: next)
      next = Self.copy(record.value, to: next)
      next = Self.copy(record.headers.block, to: next)
      return next - target
    }
    count += 1
    if record.timestampMs < minTimestamp { minTimestamp = record.timestampMs }
    if record.timestampMs > maxTimestamp { maxTimestamp = record.timestampMs }
  }

  @inline(__always)
  private static func copy(_ source: UnsafeRawBufferPointer?, to target: UnsafeMutableRawPointer)
    -> UnsafeMutableRawPointer
  {
    guard let source, let start = source.baseAddress else { return target }
    target.copyMemory(from: start, byteCount: source.count)
    return target + source.count
  }
}

/// Empty chunks to use again.
struct ChunkPool {
  /// Room that is kept; what does not fit is let go.
  private static let byteLimit = 24 << 20

  private var chunks: [RecordChunk] = []
  private var roomBytes = 0

  /// An empty chunk, a new one if there is none.
  mutating func take(_ partition: Int32) -> RecordChunk {
    guard let chunk = chunks.popLast() else { return RecordChunk(partition: partition) }
    roomBytes -= chunk.bytes.capacity
    chunk.reset(partition: partition)
    return chunk
  }

  mutating func put(_ chunk: RecordChunk) {
    let room = chunk.bytes.capacity
    // One that a huge record has blown up is let go too.
    guard room <= 2 * RecordChunk.byteLimit, roomBytes + room <= Self.byteLimit else { return }
    chunk.reset(partition: chunk.partition)
    roomBytes += room
    chunks.append(chunk)
  }

  mutating func removeAll() { self = ChunkPool() }
}
