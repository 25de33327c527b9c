import CCRC32C
import Foundation
import GRDB
import OrderStreamCore

/// The mark outside the database: for each partition the end of the log and the checksum of its last batch, rewritten
/// under the write lock after each commit. A database that lost its tail (a deleted write-ahead log, an older copy put
/// back, a truncated file) is perfectly fine in itself; only somebody outside can tell.
///
/// A slot of 32 bytes a partition, at 32 × row id, little-endian: row id, end, checksum of the batch, 4 bytes 0, CRC32C
/// of the 28 bytes before. A slot of zeros is no mark. No partition has the row id 0: the end of that slot is the number
/// of the last change (see `ChangeCounter`). The mark is never ahead of the log, because it follows the
/// commit; it may be behind after a crash. Only its removal is synchronised: a mark that is behind is no wrong mark.
final class TailMarks {
  private static let slotBytes = 32
  /// Slots that one read of the file brings.
  private static let slotsRead = 2048
  private static let changesSlot: Int64 = 0

  private let file: Descriptor
  private let database: String

  init(_ directory: LogDirectory, access: LogAccess = .full) throws(BrokerError) {
    database = directory.database
    do {
      switch access {
      case .full: file = try Descriptor(opening: directory.marks, flags: O_RDWR | O_CREAT)
      case .reading:
        // No mark is an empty one.
        let path = FileIdentity(at: directory.marks) == nil ? "/dev/null" : directory.marks
        file = try Descriptor(opening: path, flags: O_RDONLY)
      }
    } catch {
      throw StorageErrors.system(error, "cannot open the mark of the log \(directory.path)")
    }
  }

  func identity() throws(ErrorNumber) -> FileIdentity { try file.identity() }

  /// The mark of one partition, `nil` when there is none or it does not fit its own checksum.
  func mark(of partition: Int64) throws(ErrorNumber) -> TailMark? {
    var slot = Slot()
    let count = try withUnsafeMutableBytes(of: &slot.words) { buffer throws(ErrorNumber) in
      try file.read(into: buffer, at: partition * Int64(Self.slotBytes))
    }
    return count == Self.slotBytes ? slot.mark(of: partition) : nil
  }

  /// Every mark there is, and how many slots were altered.
  func all() throws(ErrorNumber) -> (marks: [TailMark], altered: Int) {
    let count = Int(try file.size()) / Self.slotBytes
    var marks: [TailMark] = []
    var altered = 0
    let slots = UnsafeMutableBufferPointer<Slot>.allocate(capacity: Self.slotsRead)
    defer { slots.deallocate() }
    for first in stride(from: 0, to: count, by: Self.slotsRead) {
      // What a file that shrinks meanwhile leaves out is no mark.
      slots.initialize(repeating: Slot())
      _ = try file.read(into: UnsafeMutableRawBufferPointer(slots), at: Int64(first * Self.slotBytes))
      for (index, slot) in slots.prefix(count - first).enumerated() {
        let partition = Int64(first + index)
        if let mark = slot.mark(of: partition) {
          if partition != Self.changesSlot { marks.append(mark) }
        } else if !slot.isEmpty {
          altered += 1
        }
      }
    }
    return (marks, altered)
  }

  /// The number of the last change that was marked; `nil` when there is none or it does not fit its own checksum.
  func changes() throws(ErrorNumber) -> Int64? { try mark(of: Self.changesSlot)?.end }

  /// Only under the write lock, after the commit. The checksum of that slot says beside which database file it was written.
  func update(changes: Int64) throws(ErrorNumber) {
    let beside = FileIdentity(at: database)?.checksum ?? 0
    try write(Slot(TailMark(partition: Self.changesSlot, end: changes, crc: beside)), at: Self.changesSlot)
  }

  /// Whether the database is another file than the one beside which changes were marked last: a copy, or one that was put
  /// back. Where there is no such mark it may be; one of version 1 did not say, and is taken for the same.
  func areOfAnotherFile() throws(ErrorNumber) -> Bool {
    guard let mark = try mark(of: Self.changesSlot) else { return true }
    return mark.crc != 0 && mark.crc != FileIdentity(at: database)?.checksum
  }

  var holdsAnything: Bool { ((try? all().marks) ?? []).contains { $0.end > 0 } }

  /// Only under the write lock, after the commit.
  func update(_ marks: [TailMark]) throws(ErrorNumber) {
    for mark in marks {
      try write(Slot(mark), at: mark.partition)
      Failpoint.reach("marks/written")
    }
  }

  /// Only under the write lock, before the commit that removes the partitions. Synchronised, because a mark that comes back
  /// after the power went names a partition that is not there.
  func remove(_ partitions: [Int64]) throws(ErrorNumber) {
    for partition in partitions {
      try write(Slot(), at: partition)
      Failpoint.reach("marks/removed")
    }
    if !partitions.isEmpty { try file.synchronizeData() }
  }

  private func write(_ slot: Slot, at partition: Int64) throws(ErrorNumber) {
    try withUnsafeBytes(of: slot.words) { bytes throws(ErrorNumber) in
      try file.write(bytes, at: partition * Int64(Self.slotBytes))
    }
  }

  private struct Slot {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}

    init(_ mark: TailMark) {
      words = (UInt64(mark.partition).littleEndian, UInt64(mark.end).littleEndian, UInt64(mark.crc).littleEndian, 0)
      words.3 = (UInt64(checksum) << 32).littleEndian
    }

    var isEmpty: Bool { words == (0, 0, 0, 0) }

    func mark(of partition: Int64) -> TailMark? {
      guard UInt64(littleEndian: words.0) == UInt64(partition), UInt64(littleEndian: words.3) >> 32 == UInt64(checksum),
        words.3 != 0, let end = Int64(exactly: UInt64(littleEndian: words.1))
      else { return nil }
      return TailMark(
        partition: partition, end: end, crc: UInt32(truncatingIfNeeded: UInt64(littleEndian: words.2)))
    }

    private var checksum: UInt32 {
      withUnsafeBytes(of: words) { crc32c_extend(0, $0.baseAddress, 28) }
    }
  }
}

/// The end of one partition as the outside mark knows it.
struct TailMark: Equatable {
  /// Row id of the partition.
  var partition: Int64
  var end: Offset
  /// Checksum of the batch that ends there.
  var crc: UInt32
}

/// How many transactions have changed the log, in the database and, after each commit, in the outside mark: a database
/// that has seen fewer than its mark lost its tail, or is an older copy, also when no record is missing.
enum ChangeCounter {
  private static let row: Int64 = 1

  /// The single row, for a new log.
  static func create(_ database: Database) throws {
    try Query.run(
      database, "INSERT INTO log (id, changes, crc) VALUES (?, 0, ?)", [.integer(row), checksum(0).sql])
  }

  /// - Throws: `damaged` when the row was altered or is missing.
  static func get(_ database: Database) throws -> Int64 {
    var found: Int64?
    try Query.run(database, "SELECT changes, crc FROM log WHERE id = ?", [.integer(row)]) { query in
      let changes = query.integer(0)
      try checksum(changes).check(query.integer(1), "the count of the log's changes")
      found = changes
    }
    guard let found else {
      throw StorageErrors.damaged("the count of the log's changes", why: "it is missing: the log was altered")
    }
    return found
  }

  /// Counts the open transaction, and returns its number.
  static func advance(_ scope: WriteScope) throws -> Int64 {
    let next = try get(scope.database) + 1
    try scope.run(
      "UPDATE log SET changes = ?, crc = ? WHERE id = ?", [.integer(next), checksum(next).sql, .integer(row)])
    return next
  }

  private static func checksum(_ changes: Int64) -> RowChecksum {
    var checksum = RowChecksum(.log)
    checksum.add(changes)
    return checksum
  }
}
