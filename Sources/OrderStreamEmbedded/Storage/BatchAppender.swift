import OrderStreamCore

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
