import GRDB
import OrderStreamCore

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
