import GRDB
import OrderStreamCore
import OrderStreamThreads

/// Reads the records of one topic out of the log, inside an open read transaction. Every batch is checked before one of
/// its records is handed over.
struct BatchReader {
  let topic: Int64
  let name: String
  let segments: SegmentFiles

  init(_ topic: TopicRow, _ connection: LogConnection) {
    self.topic = topic.id
    name = topic.name
    segments = connection.segments
  }

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
      database, "SELECT \(try LogSchema.batchColumns(database)) FROM batch WHERE id >= ? AND id < ? ORDER BY id",
      [.integer(containing), .integer(LogSchema.batchID(partition: row.id + 1, base: 0))]
    ) { query in
      let stored = StoredBatch(query)
      if stored.base > next { throw missing(row, next, until: stored.base) }
      // The batch before a gap: the next one, or the lack of one, shows how far the gap goes.
      if stored.end <= next { return true }
      if stored.end > row.high {
        throw StorageErrors.damaged("\(name)[\(row.number)]@\(row.high)", why: "a batch reaches beyond the end")
      }
      let whole = batch.count
      do {
        next = try unpack(stored, row, from: next, into: batch)
      } catch {
        batch.keepFirst(whole)
        throw error
      }
      ranOut = next == stored.end && next < row.high && batch.count - before < quota && !Self.isFullEnough(batch)
      return ranOut
    }
    if ranOut && next < row.high { throw missing(row, next, until: nil) }
  }

  /// Copies records of a stored batch from offset `next` on into `batch` as long as it has room, after the whole of it was
  /// checked, and returns the offset after the last one. One that fits as a whole is read to where it stays.
  private func unpack(
    _ stored: StoredBatch, _ row: PartitionRow, from next: Offset, into batch: RecordBatch
  ) throws -> Offset {
    func coordinates(_ offset: Offset) -> String { "\(name)[\(row.number)]@\(offset)" }
    func unpacker(_ payload: UnsafeRawBufferPointer) -> BatchUnpacker {
      BatchUnpacker(payload: payload, partition: row.number, base: stored.base, count: stored.count)
    }
    let byteCount = try stored.byteCount(coordinates(stored.base))
    switch stored.place {
    case .row(let payload):
      try stored.check(payload, topic: topic, partition: row.number, coordinates(stored.base))
      return try unpacker(payload).unpack(from: next, into: batch, coordinates: coordinates)
    case .segment(let segment, let position, _):
      let fits = batch.count + Int(stored.count) <= batch.recordLimit && batch.byteCount + byteCount <= batch.byteLimit
      if next == stored.base && fits {
        let (start, payload) = try batch.appendBytes(exactly: byteCount) { target in
          try segments.read(segment, at: position, into: target)
          try stored.check(
            UnsafeRawBufferPointer(target), topic: topic, partition: row.number, coordinates(stored.base))
        }
        return try unpacker(payload).addAll(at: start, batch, coordinates: coordinates)
      }
      segments.scratch.removeAll()
      try segments.scratch.append(exactly: byteCount) { target in
        try segments.read(segment, at: position, into: target)
      }
      let payload = segments.scratch.bytes
      try stored.check(payload, topic: topic, partition: row.number, coordinates(stored.base))
      return try unpacker(payload).unpack(from: next, into: batch, coordinates: coordinates)
    }
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
      SELECT \(try LogSchema.batchColumns(database)) FROM batch
      WHERE id >= ? AND id < ? AND max_timestamp >= ? ORDER BY id
      """,
      [
        .integer(LogSchema.batchID(partition: row.id, base: 0)),
        .integer(LogSchema.batchID(partition: row.id + 1, base: 0)), .integer(timestampMs),
      ]
    ) { query in
      let stored = StoredBatch(query)
      batch.removeAll()
      _ = try unpack(stored, row, from: stored.base, into: batch)
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

/// Reads the next batch of a consumer on another thread while its caller works on the last one, so that a long read and
/// the work on it take two cores. Used on the consumer's thread; what is being filled belongs to the other thread until
/// `take` or `cancel` has waited for it.
final class ReadAhead {
  private let connection: LogConnection
  private let topic: TopicRow
  private let batch: RecordBatch
  /// Batches that were read ahead and handed over.
  private(set) var taken = 0
  /// Ends with the positions after the records, or with `nil` for an error.
  private var task: BackgroundThread<[ReadPosition]?>?

  /// - Parameters:
  ///   - connection: Its own.
  ///   - byteLimit: That of the batches that will be taken.
  init(_ connection: LogConnection, topic: TopicRow, byteLimit: Int) {
    self.connection = connection
    self.topic = topic
    batch = RecordBatch(byteLimit: byteLimit)
  }

  /// Begins to read on from `positions`. Nothing else may have been started and not taken.
  /// - Parameter rows: of the topic's partitions, as the consumer knows them: it is read up to their ends.
  func start(_ positions: [ReadPosition], _ rows: [PartitionRow], recordLimit: Int, firstTurn: Int) {
    precondition(task == nil, "one read at a time")
    batch.removeAll()
    batch.recordLimit = recordLimit
    // The other thread has it until `finished` has seen its result.
    nonisolated(unsafe) let reader = self
    task = BackgroundThread.endingByItself { reader.read(positions, rows, firstTurn: firstTurn) }
  }

  /// Exchanges the contents of `batch` with what was read; `nil` when nothing was, or not for a batch of these limits.
  /// An error is not told: the same read on the consumer's thread meets it again.
  func take(into batch: RecordBatch) -> [ReadPosition]? {
    guard let positions = finished(), self.batch.count <= batch.recordLimit, self.batch.byteLimit == batch.byteLimit
    else { return nil }
    batch.exchangeContents(with: self.batch)
    taken += 1
    return positions
  }

  /// Drops what was read.
  func cancel() { _ = finished() }

  func close() {
    cancel()
    connection.closeWithoutLock()
  }

  private func finished() -> [ReadPosition]? {
    guard let task else { return nil }
    self.task = nil
    return task.join()
  }

  private func read(_ positions: [ReadPosition], _ rows: [PartitionRow], firstTurn: Int) -> [ReadPosition]? {
    var positions = positions
    do throws(BrokerError) {
      try connection.read("cannot read \(topic.name)") { database in
        try BatchReader(topic, connection)
          .fill(batch, database, &positions, rows, firstTurn: firstTurn)
      }
      return positions
    } catch {
      return nil
    }
  }
}
