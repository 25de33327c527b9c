import Foundation
import OrderStreamCore

/// Puts chunks behind the records of one topic, inside an open write transaction.
enum BatchAppender {
  /// What is written at once and is smaller goes into the database with its row: it is written twice there, but has to be
  /// synchronised once. About where that costs more (docs/performance.md). `SmallBatches` moves it later.
  static let leastInSegment: Int = {
    #if DEBUG
      // For sweeps, whose commits shall not depend on how fast the machine is.
      let bytes = ProcessInfo.processInfo.environment["ORDERSTREAM_SEGMENT_BYTES"]
      if let bytes = bytes.flatMap({ Int($0) }) { return bytes }
    #endif
    return 32 << 10
  }()

  /// Appends the chunks in their order and moves the high watermarks.
  /// - Throws: `unknownTopic` when the topic or one of the partitions is gone.
  static func append(_ chunks: [RecordChunk], topic name: String, id topic: Int64, _ scope: WriteScope) throws {
    let filled = chunks.filter { $0.count > 0 }
    // Those that are written alone, so that a transaction costs what it holds, however many partitions there are.
    var written: [Int32: (row: PartitionRow, checksum: UInt32)] = [:]
    var segment: SegmentRow?
    let byteCount = filled.reduce(0) { $0 + $1.bytes.count }
    let smallBytes = scope.small.bytes(of: topic)
    let movesSmall = smallBytes > 0 && smallBytes + byteCount >= SmallBatches.worthMoving
    if byteCount >= leastInSegment || movesSmall {
      segment = try SegmentRow.writable(scope, topic: topic)
      if movesSmall { try SmallBatches.move(topic, to: &segment!, scope) }
      try scope.segments.append(filled.map(\.bytes.bytes), to: segment!)
    }
    for chunk in filled {
      var row =
        try written[chunk.partition]?.row
        ?? PartitionRow.get(scope.database, topic: topic, number: chunk.partition, name: name)
      let checksum = BatchChecksum(
        topic: topic, partition: chunk.partition, base: row.high, count: chunk.count,
        minTimestamp: chunk.minTimestamp, maxTimestamp: chunk.maxTimestamp)
      guard row.high + Int64(chunk.count) < LogSchema.offsetLimit else {
        throw BrokerError(
          .unsupported, "cannot append to \(name)[\(chunk.partition)]", why: "a partition holds fewer than 2^40 records"
        )
      }
      chunk.base = row.high
      let crc = checksum.crc(of: chunk.bytes.bytes)
      if segment == nil {
        let id = LogSchema.batchID(partition: row.id, base: chunk.base)
        scope.small.note(SmallBatches.Batch(id: id, topic: topic, bytes: chunk.bytes.count))
      }
      try insert(chunk, partition: row.id, crc: crc, &segment, scope)
      row.high += Int64(chunk.count)
      written[chunk.partition] = (row, crc)
    }
    try segment?.save(scope)
    for (row, crc) in written.values.sorted(by: { $0.row.number < $1.row.number }) {
      try row.save(scope)
      scope.movedEnds.append(TailMark(partition: row.id, end: row.high, crc: crc))
    }
  }

  /// - Parameter segment: where the chunk's bytes begin at its end, `nil` for the row itself.
  private static func insert(
    _ chunk: RecordChunk, partition: Int64, crc: UInt32, _ segment: inout SegmentRow?, _ scope: WriteScope
  ) throws {
    let bytes = chunk.bytes.bytes
    try scope.run(
      """
      INSERT INTO batch (id, count, min_timestamp, max_timestamp, crc, payload, segment, position, bytes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .integer(LogSchema.batchID(partition: partition, base: chunk.base)), .integer(Int64(chunk.count)),
        .integer(chunk.minTimestamp), .integer(chunk.maxTimestamp), .integer(Int64(crc)),
        .bytes(segment == nil ? bytes : UnsafeRawBufferPointer(start: nil, count: 0)),
        segment.map { .integer($0.id) } ?? .null, segment.map { .integer($0.length) } ?? .null,
        segment == nil ? .null : .integer(Int64(bytes.count)),
      ])
    segment?.length += Int64(bytes.count)
    segment?.batches += 1
  }
}
