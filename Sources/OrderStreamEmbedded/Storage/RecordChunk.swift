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
  /// Of a whole chunk.
  static let largestBytes = headerBytes + largestRecordBytes + byteLimit

  /// Small at first: with many partitions most chunks stay small.
  let bytes = ByteBuffer(capacity: 1 << 10)
  // Touched for every record, by nothing that calls back: the run-time check is left out (docs/performance.md).
  @exclusivity(unchecked) private(set) var partition: Int32
  @exclusivity(unchecked) private(set) var count: Int32 = 0
  @exclusivity(unchecked) private(set) var minTimestamp = Int64.max
  @exclusivity(unchecked) private(set) var maxTimestamp = Int64.min

  /// The offset of its first record, once it was written.
  var base: Offset = 0
  /// Of a producer's records, where somebody wants to hear of each of them; else empty.
  var sequences: [Int64] = []
  /// When they were sent, or due, on the monotonic clock, where their latency is measured; else empty.
  @exclusivity(unchecked) var sent = TimeRuns()

  init(partition: Int32) { self.partition = partition }

  var isFull: Bool { count >= Self.recordLimit || bytes.count >= Self.byteLimit }

  /// Whether a record of that size goes in without making the chunk too large.
  func takes(_ byteCount: Int) -> Bool { !isFull && (count == 0 || bytes.count + byteCount <= Self.byteLimit) }

  /// Forgets the content and keeps the room.
  func reset(partition: Int32) {
    self.partition = partition
    bytes.removeAll()
    sequences.removeAll(keepingCapacity: true)
    sent.removeAll()
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

  /// Calls `body` with the index, the key and the value of each record; the bytes are lent.
  @inline(__always)
  func forEachRecord(_ body: (Int, UnsafeRawBufferPointer?, UnsafeRawBufferPointer?) -> Void) {
    let all = bytes.bytes
    var at = 0
    func take(_ length: Int32) -> UnsafeRawBufferPointer? {
      if length < 0 { return nil }
      defer { at += Int(length) }
      return UnsafeRawBufferPointer(rebasing: all[at..<at + Int(length)])
    }
    for index in 0..<Int(count) {
      let key = Int32(littleEndian: all.loadUnaligned(fromByteOffset: at + 8, as: Int32.self))
      let value = Int32(littleEndian: all.loadUnaligned(fromByteOffset: at + 12, as: Int32.self))
      let headers = UInt32(littleEndian: all.loadUnaligned(fromByteOffset: at + 16, as: UInt32.self))
      at += Self.headerBytes
      body(index, take(key), take(value))
      at += Int(headers)
    }
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

/// Takes records out of the payload of one stored batch, laid out as in `RecordChunk`.
struct BatchUnpacker {
  let payload: UnsafeRawBufferPointer
  let partition: Int32
  let base: Offset
  let count: Int32

  private struct Header {
    var timestamp: Int64
    var key: Int32
    var value: Int32
    var headers: Int32

    var bodyBytes: Int { Int(max(key, 0)) + Int(max(value, 0)) + Int(headers) }
  }

  /// Copies records from offset `next` on into `batch` as long as it has room, their bytes in one piece, and returns the
  /// offset after the last one.
  /// - Parameter coordinates: names an offset, for the error.
  /// - Throws: `damaged` when the payload is not laid out as it must be.
  func unpack(
    from next: Offset, into batch: RecordBatch, coordinates: (Offset) -> String
  ) throws(BrokerError) -> Offset {
    let roomBytes = batch.byteLimit - batch.byteCount
    let roomRecords = batch.recordLimit - batch.count
    if next == base && Int(count) <= roomRecords && payload.count <= roomBytes {
      return try addAll(at: batch.appendBytes(payload), batch, coordinates: coordinates)
    }
    // A part of the batch: find the first byte and the last one, then copy what is between.
    var start = 0
    for offset in base..<next {
      let header = try header(at: start, offset, coordinates)
      start += RecordChunk.headerBytes + header.bodyBytes
    }
    var end = start
    var taken = 0
    while taken < roomRecords && next + Int64(taken) < base + Int64(count) {
      let header = try header(at: end, next + Int64(taken), coordinates)
      let size = RecordChunk.headerBytes + header.bodyBytes
      // One that is larger than the whole batch still goes in, alone.
      if end + size - start > roomBytes && !(taken == 0 && batch.isEmpty) { break }
      end += size
      taken += 1
    }
    if taken == 0 { return next }
    let arena = batch.appendBytes(UnsafeRawBufferPointer(rebasing: payload[start..<end]))
    _ = try addEntries(from: start, offset: next, count: taken, at: arena - start, batch, coordinates)
    return next + Int64(taken)
  }

  /// Adds all records, whose payload lies in the arena already, and returns the offset after the last one.
  /// - Parameter arena: where byte 0 of the payload is in the batch's arena.
  /// - Throws: `damaged` when the payload is not laid out as it must be.
  func addAll(
    at arena: Int, _ batch: RecordBatch, coordinates: (Offset) -> String
  ) throws(BrokerError) -> Offset {
    let end = try addEntries(from: 0, offset: base, count: Int(count), at: arena, batch, coordinates)
    guard end == payload.count else { throw malformed(base, coordinates) }
    return base + Int64(count)
  }

  /// - Parameter arena: where byte 0 of the payload is, or would be, in the batch's arena.
  /// - Returns: the byte after the last record.
  private func addEntries(
    from start: Int, offset: Offset, count: Int, at arena: Int, _ batch: RecordBatch, _ coordinates: (Offset) -> String
  ) throws(BrokerError) -> Int {
    var at = start
    for index in 0..<count {
      let header = try header(at: at, offset + Int64(index), coordinates)
      let start = at + RecordChunk.headerBytes
      batch.append(
        partition: partition, offset: offset + Int64(index), timestampMs: header.timestamp, start: arena + start,
        keyLength: header.key, valueLength: header.value, headersLength: header.headers)
      at = start + header.bodyBytes
    }
    return at
  }

  @inline(__always)
  private func header(
    at position: Int, _ offset: Offset, _ coordinates: (Offset) -> String
  ) throws(BrokerError) -> Header {
    guard position + RecordChunk.headerBytes <= payload.count else { throw malformed(offset, coordinates) }
    let header = Header(
      timestamp: Int64(littleEndian: payload.loadUnaligned(fromByteOffset: position, as: Int64.self)),
      key: Int32(littleEndian: payload.loadUnaligned(fromByteOffset: position + 8, as: Int32.self)),
      value: Int32(littleEndian: payload.loadUnaligned(fromByteOffset: position + 12, as: Int32.self)),
      headers: Int32(littleEndian: payload.loadUnaligned(fromByteOffset: position + 16, as: Int32.self)))
    guard header.key >= -1, header.value >= -1, header.headers >= 0,
      position + RecordChunk.headerBytes + header.bodyBytes <= payload.count
    else { throw malformed(offset, coordinates) }
    if header.headers > 0 {
      let end = position + RecordChunk.headerBytes + header.bodyBytes
      guard Headers.isWellFormed(UnsafeRawBufferPointer(rebasing: payload[end - Int(header.headers)..<end])) else {
        throw malformed(offset, coordinates)
      }
    }
    return header
  }

  private func malformed(_ offset: Offset, _ coordinates: (Offset) -> String) -> BrokerError {
    StorageErrors.damaged(coordinates(offset), why: "the batch is malformed: the log was altered")
  }
}
