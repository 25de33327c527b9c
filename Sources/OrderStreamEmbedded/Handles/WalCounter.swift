import GRDB
import GRDBSQLite

/// Learns after each commit of one connection how many frames the write-ahead log holds. Setting SQLite's hook for that
/// also replaces its automatic checkpoints. Used on the thread of the connection; outlives it.
final class WalCounter {
  private let frames = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  init() { frames.initialize(to: 0) }

  deinit { frames.deallocate() }

  /// Pages in the write-ahead log, those of other connections too, as of the last commit of this connection.
  var frameCount: Int32 {
    get { frames.pointee }
    set { frames.pointee = newValue }
  }

  func watch(_ database: Database) {
    sqlite3_wal_hook(
      database.sqliteConnection,
      { context, _, _, frameCount in
        context?.assumingMemoryBound(to: Int32.self).pointee = frameCount
        return SQLITE_OK
      }, frames)
  }
}
