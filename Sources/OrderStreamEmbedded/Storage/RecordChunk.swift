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

/// Puts chunks behind the records of one topic, inside an open write transaction.
enum BatchAppender {
  /// Appends the chunks in their order and moves the high watermarks.
  /// - Throws: `unknownTopic` when the topic or one of the partitions is gone.
  static func append(_ chunks: [RecordChunk], topic name: String, id topic: Int64, _ scope: WriteScope) throws {
    // Those that are written alone, so that a transaction costs what it holds, however many partitions there are.
    var written: [Int32: (row: PartitionRow, seal: UInt32)] = [:]
    for chunk in chunks where chunk.count > 0 {
      var row =
        try written[chunk.partition]?.row
        ?? PartitionRow.get(scope.database, topic: topic, number: chunk.partition, name: name)
      let seal = BatchSeal(
        topic: topic, partition: chunk.partition, base: row.high, count: chunk.count,
        minTimestamp: chunk.minTimestamp, maxTimestamp: chunk.maxTimestamp)
      guard row.high + Int64(chunk.count) < LogSchema.offsetLimit else {
        throw BrokerError(
          .unsupported, "cannot append to \(name)[\(chunk.partition)]", why: "a partition holds fewer than 2^40 records"
        )
      }
      let crc = seal.crc(of: chunk.bytes.bytes)
      try scope.run(
        "INSERT INTO batch (id, count, min_timestamp, max_timestamp, crc, payload) VALUES (?, ?, ?, ?, ?, ?)",
        [
          .integer(LogSchema.batchID(partition: row.id, base: row.high)), .integer(Int64(chunk.count)),
          .integer(chunk.minTimestamp), .integer(chunk.maxTimestamp), .integer(Int64(crc)),
          .bytes(chunk.bytes.bytes),
        ])
      row.high += Int64(chunk.count)
      written[chunk.partition] = (row, crc)
    }
    for (row, crc) in written.values.sorted(by: { $0.row.number < $1.row.number }) {
      try row.save(scope)
      scope.movedEnds.append(TailMark(partition: row.id, end: row.high, crc: crc))
    }
  }
}
