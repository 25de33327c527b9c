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
