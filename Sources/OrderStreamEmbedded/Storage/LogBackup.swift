import Foundation
import GRDB
import OrderStreamCore

/// What a backup has copied: the log as it was at one moment.
public struct LogBackup: Sendable {
  public struct Topic: Sendable, Equatable {
    public var name: String
    public var partitions: Int32
    /// Between the low and the high watermarks.
    public var records: Int64
  }

  /// By name.
  public var topics: [Topic] = []
  /// Files of records.
  public var segments = 0
  /// Of the database, the marks and the segments.
  public var bytes: Int64 = 0
  /// Transactions that had changed the log.
  public var changes: Int64 = 0
}

/// How far a backup is.
public enum BackupProgress: Sendable {
  case copying(bytes: Int64, of: Int64)
  /// Reading back what was copied.
  case checking(records: Int64, of: Int64)
}

extension EmbeddedBroker {
  /// Copies the log at one moment, while others write to it and keep their pace, and reads the copy back. Members are not
  /// copied: in the copy nobody lives. Nothing has the target's name before all of it is on the disk.
  /// - Parameter progress: Called after each piece, some hundred times a second.
  /// - Returns: `nil` after a request to stop; then, and after an error, `target.discard()` removes what there is.
  /// - Throws: `damaged` when the log, or the copy, cannot be read; `busy` when records are removed faster than they are
  ///   copied; `cannotCreate`, `diskFull`, `io`.
  public func backup(
    to target: BackupTarget, stop: StopFlag, progress: @escaping (BackupProgress) -> Void
  ) throws(BrokerError) -> LogBackup? {
    let source = try connection()
    defer { source.close() }
    let copier = LogCopier(source, target.draft, stop, progress)
    do {
      guard let copied = try copier.copy(), try copier.check(copied) else { return nil }
      try target.commit()
      return copied
    } catch {
      var error = StorageErrors.broker(error, copier.what, source.directory)
      if error.code == .diskFull { error.remedy = "make room, or name a directory on another disk" }
      throw error
    }
  }
}

/// Copies one log: its database out of one read snapshot, then the segments up to the lengths that they had in it. No lock
/// is held meanwhile: below its committed length a segment never changes, and the outside marks are made of the snapshot.
/// A segment that is removed before it is copied has the database copied again; what was copied of the others stays.
private final class LogCopier {
  private static let pieceBytes = 1 << 20
  /// Removals that may come in between.
  private static let attempts = 10

  let what: String
  private let source: LogConnection
  private let target: LogDirectory
  private let stop: StopFlag
  private let progress: (BackupProgress) -> Void
  /// Bytes of each segment that are copied.
  private var copied: [Int64: Int64] = [:]
  private let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 4096)

  init(
    _ source: LogConnection, _ target: LogDirectory, _ stop: StopFlag, _ progress: @escaping (BackupProgress) -> Void
  ) {
    what = "cannot back up the log \(source.directory.path)"
    (self.source, self.target, self.stop, self.progress) = (source, target, stop, progress)
  }

  deinit { piece.deallocate() }

  /// The log at the moment of the snapshot.
  private struct Moment {
    var backup = LogBackup()
    var segments: [SegmentRow] = []
    var marks: [TailMark] = []
  }

  /// - Returns: `nil` after a request to stop.
  func copy() throws -> LogBackup? {
    for directory in [target.members, target.segments] where mkdir(directory, 0o700) != 0 { throw ErrorNumber.current }
    var missing: Int64?
    for _ in 0..<Self.attempts {
      guard var moment = try copyDatabase() else { return nil }
      // It is gone, and the log still names it.
      if let missing, moment.segments.contains(where: { $0.id == missing }) { throw SegmentFault(missing, why: .gone) }
      switch try copySegments(&moment) {
      case .whole:
        try writeMarks(&moment)
        for directory in [target.segments, target.members, target.path] {
          try Descriptor(opening: directory, flags: O_RDONLY | O_DIRECTORY).synchronize()
        }
        Failpoint.reach("backup/copied")
        return moment.backup
      case .stopped: return nil
      case .gone(let segment): missing = segment
      }
    }
    throw BrokerError(
      .busy, what, why: "records were removed \(Self.attempts) times while they were copied",
      remedy: "run it when nothing is deleted", recovery: .retry)
  }

  // MARK: - The database

  private func copyDatabase() throws -> Moment? {
    // The mode is that of a log's files.
    let file = try Descriptor(opening: target.database, flags: O_RDWR | O_CREAT | O_TRUNC)
    let moment = try source.read(what) { database -> Moment? in
      var moment = try look(database)
      let pageBytes = try Query.integer(database, "PRAGMA page_size") ?? 0
      let segmentBytes = moment.segments.reduce(0) { $0 + $1.length }
      let copy = try OpenDatabases.open(path: target.database, Configuration()) { _ in }
      defer { try? copy.close() }
      let isWhole = try copy.inDatabase { copy in
        // It is synchronised once, at the end, and is nobody's until then.
        try copy.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        do {
          try database.backup(to: copy, pagesPerStep: CInt(Int64(Self.pieceBytes) / pageBytes)) {
            [stop, progress] step in
            if stop.isRequested { throw CutShort() }
            moment.backup.bytes = Int64(step.completedPageCount) * pageBytes
            let total = Int64(step.totalPageCount) * pageBytes
            progress(.copying(bytes: moment.backup.bytes, of: total + segmentBytes))
          }
        } catch is CutShort {
          return false
        }
        return true
      }
      return isWhole ? moment : nil
    }
    guard let moment else { return nil }
    Failpoint.reach("backup/database-copied")
    try file.synchronize()
    return moment
  }

  private struct CutShort: Error {}

  private func look(_ database: Database) throws -> Moment {
    var moment = Moment()
    moment.backup.changes = try ChangeCounter.get(database)
    for topic in try TopicRow.all(database) {
      let rows = try topic.partitions(database)
      moment.backup.topics.append(
        .init(name: topic.name, partitions: topic.partitionCount, records: rows.reduce(0) { $0 + $1.high - $1.low }))
      for row in rows where row.high > 0 {
        let crc = try Query.integer(
          database, "SELECT crc FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
          [
            .integer(LogSchema.batchID(partition: row.id, base: 0)),
            .integer(LogSchema.batchID(partition: row.id, base: row.high - 1)),
          ])
        // Where all records were removed there is none, and nothing to compare.
        moment.marks.append(TailMark(partition: row.id, end: row.high, crc: UInt32(truncatingIfNeeded: crc ?? 0)))
      }
    }
    if try Query.integer(database, "PRAGMA user_version") ?? 0 >= 2 { moment.segments = try SegmentRow.all(database) }
    moment.backup.segments = moment.segments.count
    return moment
  }

  private func writeMarks(_ moment: inout Moment) throws {
    let marks = try TailMarks(target)
    try marks.update(moment.marks)
    try marks.update(changes: moment.backup.changes)
    let file = try Descriptor(opening: target.marks, flags: O_RDONLY)
    try file.synchronize()
    moment.backup.bytes += try file.size()
  }

  // MARK: - Segments

  private enum Outcome { case whole, stopped, gone(Int64) }

  private func copySegments(_ moment: inout Moment) throws -> Outcome {
    let ids = Set(moment.segments.map(\.id))
    for id in copied.keys where !ids.contains(id) {
      unlink(target.segment(id))
      copied[id] = nil
    }
    let total = moment.backup.bytes + moment.segments.reduce(0) { $0 + $1.length }
    // The oldest go first, so they are copied first.
    for segment in moment.segments {
      do {
        if try !copy(segment, &moment.backup, of: total) { return .stopped }
      } catch let fault as SegmentFault where fault.why == .gone {
        return .gone(segment.id)
      }
    }
    return .whole
  }

  /// - Returns: `false` after a request to stop.
  /// - Throws: `SegmentFault`, `ErrorNumber`.
  private func copy(_ segment: SegmentRow, _ backup: inout LogBackup, of total: Int64) throws -> Bool {
    let from = try open(segment.id)
    let to = try Descriptor(opening: target.segment(segment.id), flags: O_RDWR | O_CREAT)
    var done = copied[segment.id] ?? 0
    backup.bytes += done
    while done < segment.length {
      if stop.isRequested { return false }
      let bytes = UnsafeMutableRawBufferPointer(rebasing: piece[..<Int(min(Int64(piece.count), segment.length - done))])
      let count = try from.read(into: bytes, at: done)
      // Its file is never shortened below a length that was committed.
      if count < bytes.count {
        throw SegmentFault(segment.id, why: .short(done + Int64(count), committed: segment.length))
      }
      try to.write(UnsafeRawBufferPointer(bytes), at: done)
      done += Int64(count)
      backup.bytes += Int64(count)
      progress(.copying(bytes: backup.bytes, of: total))
      Failpoint.reach("backup/piece-copied")
    }
    try to.synchronizeData()
    copied[segment.id] = done
    Failpoint.reach("backup/segment-copied")
    return true
  }

  private func open(_ segment: Int64) throws -> Descriptor {
    do throws(ErrorNumber) {
      return try Descriptor(opening: source.directory.segment(segment), flags: O_RDONLY)
    } catch {
      if error.code == ENOENT { throw SegmentFault(segment, why: .gone) }
      throw error
    }
  }

  // MARK: - The check

  /// Opens the copy as any reader does, without changing it, and reads all of it.
  /// - Returns: whether it came to its end; `false` after a request to stop.
  /// - Throws: `damaged`.
  func check(_ backup: LogBackup) throws(BrokerError) -> Bool {
    do throws(BrokerError) {
      let copy = try LogConnection(target, access: .reading, log: source.log, time: source.time)
      defer { copy.closeWithoutLock() }
      try copy.checkStructure()
      try copy.checkAllTails()
      try copy.checkBatches()
      return try readAll(copy, backup.topics.reduce(0) { $0 + $1.records })
    } catch {
      guard error.code == .damaged else { throw error }
      throw BrokerError(
        .damaged, what, why: "what was copied is damaged (\(error.what): \(error.why))",
        remedy: "orderstream tail of each topic shows whether the log itself is; if not, it is the disk of the copy")
    }
  }

  private func readAll(_ copy: LogConnection, _ total: Int64) throws(BrokerError) -> Bool {
    let batch = RecordBatch()
    var done: Int64 = 0
    for topic in try copy.read(what, { try TopicRow.all($0) }) {
      let rows = try copy.read(what) { try topic.partitions($0) }
      let reader = BatchReader(topic, copy)
      var positions = rows.map { ReadPosition(PartitionOffset(partition: $0.number, offset: $0.low)) }
      var turn = 0
      while zip(positions, rows).contains(where: { $0.next < $1.high }) {
        if stop.isRequested { return false }
        batch.removeAll()
        try copy.read(what) { try reader.fill(batch, $0, &positions, rows, firstTurn: turn) }
        turn = (turn + 1) % rows.count
        done += Int64(batch.count)
        progress(.checking(records: done, of: total))
      }
    }
    Failpoint.reach("backup/checked")
    return true
  }
}
