import GRDB
import OrderStreamCore

/// How many transactions have changed the log, in the database and, after each commit, in the outside mark: a database
/// that has seen fewer than its mark lost its tail, or is an older copy, also when no record is missing.
enum ChangeCounter {
  private static let row: Int64 = 1

  /// The single row, for a new log.
  static func create(_ database: Database) throws {
    try Query.run(
      database, "INSERT INTO log (id, changes, crc) VALUES (?, 0, ?)", [.integer(row), seal(0).sql])
  }

  /// - Throws: `damaged` when the row was altered or is missing.
  static func get(_ database: Database) throws -> Int64 {
    var found: Int64?
    try Query.run(database, "SELECT changes, crc FROM log WHERE id = ?", [.integer(row)]) { query in
      let changes = query.integer(0)
      try seal(changes).check(query.integer(1), "the count of the log's changes")
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
      "UPDATE log SET changes = ?, crc = ? WHERE id = ?", [.integer(next), seal(next).sql, .integer(row)])
    return next
  }

  private static func seal(_ changes: Int64) -> RowSeal {
    var seal = RowSeal(.log)
    seal.add(changes)
    return seal
  }
}
