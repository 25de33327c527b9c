import GRDB
import OrderStreamCore

/// Reads the records of one topic out of the log, inside an open read transaction. Every batch is checked before one of
/// its records is handed over.
struct BatchReader {
  let topic: Int64
  let name: String

  /// Fills `batch` fairly: each partition gets its part of the room, whole stored batches where they fit, and the turn
  /// moves on with `firstTurn`.
  /// - Throws: `damaged`, `offsetOutOfRange`.
  func fill(
    _ batch: RecordBatch, _ database: Database, _ positions: inout [ReadPosition], _ partitions: [PartitionRow],
    firstTurn: Int
  ) throws {
    let count = positions.count
    for turn in 0..<count {
      let index = (firstTurn + turn) % count
      let row = partitions[Int(positions[index].partition)]
      do {
        try checkRange(positions[index], row)
        if !Self.isFullEnough(batch) && positions[index].next < row.high {
          let quota = max(1, (batch.recordLimit - batch.count) / (count - turn))
          try read(into: batch, database, &positions[index], row, quota: quota)
        }
      } catch  where !batch.isEmpty || !batch.ends.isEmpty {
        // What is whole is handed over first; a later poll meets the error with nothing before it.
        return
      }
      if positions[index].next == row.high && positions[index].reportedEnd != row.high {
        positions[index].reportedEnd = row.high
        batch.appendEnd(PartitionOffset(partition: row.number, offset: row.high))
      }
    }
  }

  /// A stored batch that does not fit is read twice, so one that is more than half full stops before it.
  private static func isFullEnough(_ batch: RecordBatch) -> Bool {
    batch.isFull
      || batch.count > batch.recordLimit / 2 && batch.count + Int(RecordChunk.recordLimit) > batch.recordLimit
      || batch.byteCount > batch.byteLimit / 2 && batch.byteCount + RecordChunk.byteLimit > batch.byteLimit
  }

  private func checkRange(_ position: ReadPosition, _ row: PartitionRow) throws(BrokerError) {
    let what = "cannot read \(name)[\(row.number)]@\(position.next)"
    if position.next < row.low {
      throw BrokerError(
        .offsetOutOfRange, what, why: "the records from \(position.next) to \(row.low - 1) are gone",
        remedy: "start at \(row.low) or later", recovery: .none)
    }
    if position.next > row.high {
      throw BrokerError(
        .offsetOutOfRange, what, why: "the partition ends at \(row.high)",
        remedy: "start at \(row.high) or earlier", recovery: .none)
    }
  }

  /// Reads stored batches until `quota` is reached or passed by a whole batch that still fits.
  private func read(
    into batch: RecordBatch, _ database: Database, _ position: inout ReadPosition, _ row: PartitionRow, quota: Int
  ) throws {
    let before = batch.count
    var ranOut = true
    var next = position.next
    defer { position.next = next }
    let containing = try Query.integer(
      database, "SELECT max(id) FROM batch WHERE id BETWEEN ? AND ?",
      [
        .integer(LogSchema.batchID(partition: row.id, base: 0)),
        .integer(LogSchema.batchID(partition: row.id, base: position.next)),
      ])
    guard let containing else { throw missing(row, position.next, until: nil) }
    try Query.stepping(
      database,
      "SELECT id, count, min_timestamp, max_timestamp, crc, payload FROM batch WHERE id >= ? AND id < ? ORDER BY id",
      [.integer(containing), .integer(LogSchema.batchID(partition: row.id + 1, base: 0))]
    ) { query in
      let base = LogSchema.baseOffset(batchID: query.integer(0))
      if base > next { throw missing(row, next, until: base) }
      let (stored, payload) = try checked(query, base: base, row)
      let end = base + Int64(stored)
      // The batch before a gap: the next one, or the lack of one, shows how far the gap goes.
      if end <= next { return true }
      if end > row.high {
        throw StorageErrors.damaged("\(name)[\(row.number)]@\(row.high)", why: "a batch reaches beyond the end")
      }
      let whole = batch.count
      do {
        next = try BatchUnpacker(payload: payload, partition: row.number, base: base, count: stored)
          .unpack(from: next, into: batch, coordinates: { "\(name)[\(row.number)]@\($0)" })
      } catch {
        batch.keepFirst(whole)
        throw error
      }
      ranOut = next == end && next < row.high && batch.count - before < quota && !Self.isFullEnough(batch)
      return ranOut
    }
    if ranOut && next < row.high { throw missing(row, next, until: nil) }
  }

  func checked(_ query: Query, base: Offset, _ row: PartitionRow) throws -> (Int32, UnsafeRawBufferPointer) {
    let seal = BatchSeal(
      topic: topic, partition: row.number, base: base, count: Int32(truncatingIfNeeded: query.integer(1)),
      minTimestamp: query.integer(2), maxTimestamp: query.integer(3))
    let payload = query.bytes(5)
    if query.integer(4) != Int64(seal.crc(of: payload)) {
      throw StorageErrors.damaged(
        "\(name)[\(row.number)]@\(base)", why: "the checksum of the batch does not fit: the log was altered")
    }
    return (seal.count, payload)
  }

  private func missing(_ row: PartitionRow, _ next: Offset, until end: Offset?) -> BrokerError {
    StorageErrors.damaged(
      "\(name)[\(row.number)]@\(next)",
      why: "the records \(next) to \((end ?? row.high) - 1) are missing: the log was altered")
  }
}

extension BatchReader {
  /// The first offset at or above the low watermark whose record timestamp is at or after `timestampMs`; the high
  /// watermark when there is none.
  /// - Throws: `damaged`.
  func firstOffset(_ database: Database, _ row: PartitionRow, at timestampMs: Int64) throws -> Offset {
    var result = row.high
    let batch = RecordBatch(recordLimit: Int(RecordChunk.recordLimit), byteLimit: .max)
    try Query.stepping(
      database,
      """
      SELECT id, count, min_timestamp, max_timestamp, crc, payload FROM batch
      WHERE id >= ? AND id < ? AND max_timestamp >= ? ORDER BY id
      """,
      [
        .integer(LogSchema.batchID(partition: row.id, base: 0)),
        .integer(LogSchema.batchID(partition: row.id + 1, base: 0)), .integer(timestampMs),
      ]
    ) { query in
      let base = LogSchema.baseOffset(batchID: query.integer(0))
      let (count, payload) = try checked(query, base: base, row)
      batch.removeAll()
      _ = try BatchUnpacker(payload: payload, partition: row.number, base: base, count: count)
        .unpack(from: base, into: batch, coordinates: { "\(name)[\(row.number)]@\($0)" })
      let first = batch.entries.first { $0.offset >= row.low && $0.timestampMs >= timestampMs }
      if let first { result = first.offset }
      return first == nil
    }
    return result
  }
}

/// How far a consumer has read in one partition.
struct ReadPosition {
  var partition: Int32
  /// Next offset to read.
  var next: Offset
  /// The end that was reported last, so that each is reported once.
  var reportedEnd: Offset = -1

  init(_ start: PartitionOffset) {
    partition = start.partition
    next = start.offset
  }
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
      let end = try addEntries(
        from: 0, offset: base, count: Int(count), at: batch.appendBytes(payload), batch, coordinates)
      guard end == payload.count else { throw malformed(base, coordinates) }
      return base + Int64(count)
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
    StorageErrors.damaged(coordinates(offset), why: "the batch is not laid out as a batch: the log was altered")
  }
}
