import GRDB
import OrderStreamCore

/// A segment as the database knows it. Row ids are never used twice, so that a reader's open file is never taken for
/// another one.
struct SegmentRow {
  var id: Int64
  var topic: Int64
  /// Up to here its file is committed, in bytes.
  var length: Int64 = 0
  /// Stored batches that lie in it.
  var batches: Int64 = 0

  private static let columns = "id, topic, length, batches, crc"

  private var checksum: RowChecksum {
    var checksum = RowChecksum(.segment)
    checksum.add(id)
    checksum.add(topic)
    checksum.add(length)
    checksum.add(batches)
    return checksum
  }

  /// The segment that takes the next batches of a topic: its last one, or a new one when that is full.
  static func writable(_ scope: WriteScope, topic: Int64) throws -> SegmentRow {
    var last: SegmentRow?
    try Query.run(
      scope.database, "SELECT \(columns) FROM segment WHERE topic = ? ORDER BY id DESC LIMIT 1", [.integer(topic)]
    ) { last = try SegmentRow($0) }
    if let last, last.length < SegmentFiles.sealBytes { return last }
    try scope.run("INSERT INTO segment (topic, length, batches, crc) VALUES (?, 0, 0, 0)", [.integer(topic)])
    let made = SegmentRow(id: scope.database.lastInsertedRowID, topic: topic)
    try made.save(scope)
    return made
  }

  /// All of them, in the order of their making.
  /// - Throws: `damaged` when one was altered.
  static func all(_ database: Database) throws -> [SegmentRow] {
    var rows: [SegmentRow] = []
    try Query.run(database, "SELECT \(columns) FROM segment ORDER BY id") { rows.append(try SegmentRow($0)) }
    return rows
  }

  /// Takes batches out of a segment; one that holds no more goes, its file after the commit.
  /// - Throws: `damaged`.
  static func release(_ scope: WriteScope, _ id: Int64, batches: Int64) throws {
    var found: SegmentRow?
    try Query.run(scope.database, "SELECT \(columns) FROM segment WHERE id = ?", [.integer(id)]) {
      found = try SegmentRow($0)
    }
    guard var row = found, row.batches >= batches else {
      throw StorageErrors.damaged("the segment \(id)", why: "it is not known to hold its batches: the log was altered")
    }
    row.batches -= batches
    if row.batches > 0 { return try row.save(scope) }
    try scope.run("DELETE FROM segment WHERE id = ?", [.integer(id)])
    scope.removedSegments.append(id)
  }

  func save(_ scope: WriteScope) throws {
    try scope.run(
      "UPDATE segment SET length = ?, batches = ?, crc = ? WHERE id = ?",
      [.integer(length), .integer(batches), checksum.sql, .integer(id)])
  }

  private init(id: Int64, topic: Int64) {
    self.id = id
    self.topic = topic
  }

  private init(_ query: Query) throws {
    self.init(id: query.integer(0), topic: query.integer(1))
    length = query.integer(2)
    batches = query.integer(3)
    try checksum.check(query.integer(4), "the segment \(id)")
  }
}
