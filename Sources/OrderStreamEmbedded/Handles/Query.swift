import GRDB
import GRDBSQLite

/// A value bound to a statement. Bytes are borrowed until the statement has been stepped to its end.
enum SQLValue {
  case integer(Int64)
  case text(String)
  case bytes(UnsafeRawBufferPointer)
  case null

  static func optional(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
}

/// One statement of GRDB's cache, driven through SQLite's own functions. GRDB's rows and arguments would do for most of
/// what is asked here, and two calls need this:
/// - reading `batch` (`BatchReader`): the payload of a small commit, and every payload of a log of version 1, is checked and
///   copied once, from SQLite's memory to where it stays; a `Data` is one copy more of all that is read;
/// - `INSERT INTO batch` (`BatchAppender`): the payload is bound as it lies in its chunk, where GRDB's arguments copy it twice.
///
/// And everything that is read may be damaged: a flipped bit in a row's header gives a column another type, which these
/// functions turn into a wrong number that no checksum fits, and GRDB's typed columns into the end of the process.
///
/// Only valid inside the access to the database that made it.
struct Query {
  private let handle: OpaquePointer
  private let database: Database

  /// Runs a statement and hands each row to `body`.
  /// - Throws: `DatabaseError` of GRDB, or what `body` throws.
  static func run(
    _ database: Database, _ sql: String, _ values: [SQLValue] = [], _ body: (Query) throws -> Void = { _ in }
  ) throws {
    try stepping(database, sql, values) { query in
      try body(query)
      return true
    }
  }

  /// As `run`, and stops as soon as `body` returns false.
  static func stepping(
    _ database: Database, _ sql: String, _ values: [SQLValue], _ body: (Query) throws -> Bool
  ) throws {
    let query = Query(handle: try database.cachedStatement(sql: sql).sqliteStatement, database: database)
    // The code that reset repeats is the one that step returned, so it says nothing new.
    defer {
      sqlite3_reset(query.handle)
      sqlite3_clear_bindings(query.handle)
    }
    sqlite3_reset(query.handle)
    for (index, value) in values.enumerated() { try query.bind(value, at: Int32(index + 1)) }
    while true {
      switch sqlite3_step(query.handle) {
      case SQLITE_ROW: if try !body(query) { return }
      case SQLITE_DONE: return
      default: throw query.failure
      }
    }
  }

  /// The first column of the first row, `nil` when there is no row or it is null.
  static func integer(_ database: Database, _ sql: String, _ values: [SQLValue] = []) throws -> Int64? {
    var result: Int64?
    try stepping(database, sql, values) { query in
      result = query.isNull(0) ? nil : query.integer(0)
      return false
    }
    return result
  }

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  func text(_ column: Int32) -> String { sqlite3_column_text(handle, column).map { String(cString: $0) } ?? "" }

  func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

  /// Valid until the next step.
  func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
    // The pointer first: asking for it can change the length.
    let start = sqlite3_column_blob(handle, column)
    return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
  }

  private func bind(_ value: SQLValue, at index: Int32) throws {
    let code =
      switch value {
      case .integer(let number): sqlite3_bind_int64(handle, index, number)
      case .text(let text): sqlite3_bind_text(handle, index, text, -1, Self.copied)
      case .bytes(let bytes):
        // A null pointer would bind NULL, and an empty blob is not NULL.
        bytes.isEmpty
          ? sqlite3_bind_zeroblob(handle, index, 0)
          : sqlite3_bind_blob64(handle, index, bytes.baseAddress, UInt64(bytes.count), nil)
      case .null: sqlite3_bind_null(handle, index)
      }
    if code != SQLITE_OK { throw failure }
  }

  /// SQLite's SQLITE_TRANSIENT: it copies the bytes before the call returns.
  private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

  private var failure: DatabaseError {
    let connection = database.sqliteConnection
    return DatabaseError(
      resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
      message: String(cString: sqlite3_errmsg(connection)))
  }
}
