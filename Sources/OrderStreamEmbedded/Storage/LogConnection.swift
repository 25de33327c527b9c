import Foundation
import GRDB
import GRDBSQLite
import OrderStreamCore

/// One connection to the log's database, with the write lock and the outside mark. Each producer, consumer, transaction,
/// `ReadAhead` and admin has its own, and the broker keeps one; one thread at a time uses it.
///
/// Readers see a snapshot for as long as one `read` takes and never pin one between calls, so that the write-ahead log
/// can start over. Checkpoints happen only under the write lock: SQLite before 3.51.3 can corrupt a log that two
/// processes reset at once.
final class LogConnection {
  /// From this size on a commit moves the write-ahead log into the database file.
  static let checkpointBytes = 8 << 20
  /// From this size on the checkpoint also waits for readers, so that the write-ahead log can start over.
  static let restartBytes = 48 << 20
  /// How long a writer queues before it reports that the log is held by somebody else.
  static let lockPatience = Duration.seconds(10)
  private static let closePatience = Duration.milliseconds(500)
  /// How often a reader asks whether the log is still there.
  private static let fileCheckNanoseconds: Int64 = 250_000_000

  let directory: LogDirectory
  let access: LogAccess
  let log: any LogSink
  let marks: TailMarks
  /// What this connection has open.
  let files: OpenFiles
  private var queue: DatabaseQueue
  /// `nil` where the log can only be read.
  private let lock: WriteLock?
  /// For a database that is read without its locks, because nothing beside it can be made: what it looked like.
  private var still: StillDatabase?
  /// How often such a database was opened anew.
  private var reopenings: Int64 = 0
  private let wal = WalCounter()
  private var nextFileCheck: Int64
  private var isClosed = false

  /// Opens the log, and makes it when there is none.
  /// - Parameter beside: another connection to the same log: the files must be those, and none is made.
  /// - Throws: `cannotCreate`, `foreignLog`, `newerLog`, `damaged`, `diskFull`, `io`.
  init(
    _ directory: LogDirectory, access: LogAccess = .full, log: any LogSink, beside other: OpenFiles? = nil
  ) throws(BrokerError) {
    self.directory = directory
    self.access = access
    self.log = log
    let what = "cannot open the log \(directory.path)"
    try other?.check(what)
    let isNew = !directory.hasDatabase
    lock = access == .full ? try WriteLock(directory) : nil
    marks = try TailMarks(directory, access: access)
    do {
      if let lock {
        let queue = try OpenDatabases.open(path: directory.database, Self.configuration)
        self.queue = queue
        do {
          try queue.inDatabase { [marks, wal] database in
            try Self.prepare(database, directory, lock, marks)
            wal.watch(database)
          }
        } catch {
          try? queue.close()
          throw error
        }
      } else {
        (queue, still) = try StillDatabase.open(directory, Self.configuration)
      }
      var opened = try lock?.identities(directory) ?? [:]
      opened[directory.marks] = try marks.identity()
      files = OpenFiles(directory, opened: opened)
    } catch {
      throw Self.openingError(error, what, directory, isNew: isNew, hasMarks: marks.holdsAnything)
    }
    nextFileCheck = MachineClock.nanoseconds + Self.fileCheckNanoseconds
    if let other { try files.check(sameAs: other, what) }
  }

  deinit { close() }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    configuration.label = "orderstream.log"
    return configuration
  }

  /// Reads within one snapshot.
  /// - Parameter what: `cannot read order-events`, for the error.
  func read<T>(_ what: @autoclosure () -> String, _ body: (Database) throws -> T) throws(BrokerError) -> T {
    try checkFilesNowAndThen(what())
    do {
      try reopenIfChanged()
      let result = try queue.inDatabase { database in
        var result: T?
        try Self.explainingFullDisk(database) {
          try database.inTransaction(.deferred) {
            result = try body(database)
            return .commit
          }
        }
        return result!
      }
      if let still, still.hasChanged(directory) { throw still.changed(what()) }
      return result
    } catch {
      throw StorageErrors.broker(error, what())
    }
  }

  /// Somebody has begun to write to a database that was still.
  private func reopenIfChanged() throws {
    guard let still, still.hasChanged(directory) else { return }
    try? queue.close()
    reopenings += 1
    (queue, self.still) = try StillDatabase.open(directory, Self.configuration)
  }

  /// A number that changes whenever another connection has committed. Cheap.
  func dataVersion() throws(BrokerError) -> Int64 {
    try checkFilesNowAndThen("cannot read the log")
    do {
      try reopenIfChanged()
      return try queue.inDatabase { try Query.integer($0, "PRAGMA data_version") ?? 0 } + reopenings << 32
    } catch {
      throw StorageErrors.broker(error, "cannot read the log")
    }
  }

  private func checkFilesNowAndThen(_ what: @autoclosure () -> String) throws(BrokerError) {
    let now = MachineClock.nanoseconds
    guard now >= nextFileCheck else { return }
    nextFileCheck = now + Self.fileCheckNanoseconds
    try files.check(what())
  }

  /// Changes the log in one durable transaction, alone among all writers. Keep it short: everybody else waits.
  /// - Throws: what `body` throws, after everything was rolled back; `busy` when the write lock cannot be had; `io` when
  ///   the log was removed or replaced meanwhile: what was written then is on no log.
  func write<T>(
    _ what: @autoclosure () -> String, patience: Duration = LogConnection.lockPatience,
    _ body: (WriteScope) throws -> T
  ) throws(BrokerError) -> T {
    guard let lock else {
      throw BrokerError(
        .unauthorized, what(), why: "the log \(directory.path) can only be read here",
        remedy: "write to it as its owner, where its files can be written")
    }
    try lock.acquire(patience: patience)
    defer { lock.release() }
    // Before, because a lock that others do not see keeps nobody out; after, because only that can be acknowledged which
    // was on the log when it had been written.
    try files.check(what())
    let result: T
    do {
      result = try queue.inDatabase { database in
        let scope = WriteScope(database)
        var result: T?
        try Self.explainingFullDisk(database) {
          try database.inTransaction(.immediate) {
            let before = database.totalChangesCount
            result = try body(scope)
            if database.totalChangesCount != before { scope.change = try ChangeCounter.advance(scope) }
            Failpoint.reach("log/before-marks-removed")
            try marks.remove(scope.removedPartitions)
            Failpoint.reach("log/before-commit")
            return .commit
          }
        }
        Failpoint.reach("log/after-commit")
        followCommit(scope, database)
        Failpoint.reach("log/after-mark")
        return result!
      }
    } catch {
      throw StorageErrors.broker(error, what())
    }
    try files.check(what())
    return result
  }

  /// Idempotent. The last one to leave folds the write-ahead log into the database file.
  func close() {
    if isClosed { return }
    isClosed = true
    let hasLock = lock.map { (try? $0.acquire(patience: Self.closePatience)) != nil } ?? false
    defer { if hasLock { lock?.release() } }
    do {
      Failpoint.reach("log/before-close")
      try queue.close()
      Failpoint.reach("log/closed")
    } catch {
      log.log(.warning, "the log \(directory.path) was not closed cleanly: \(StorageErrors.broker(error, "close").why)")
    }
  }

  /// Closes a connection without waiting for the lock. The caller sees to it that another one of this process stays open,
  /// so that SQLite folds nothing in.
  func closeBesideOthers() {
    if isClosed { return }
    isClosed = true
    try? queue.close()
  }

  /// For tests: the named pragma as this connection sees it.
  package func pragma(_ name: String) throws(BrokerError) -> Int64 {
    do {
      return try queue.inDatabase { try Query.integer($0, "PRAGMA \(name)") ?? 0 }
    } catch {
      throw StorageErrors.broker(error, "cannot read the log")
    }
  }

  /// The commit is durable whatever happens here: a failure is a note, and the next commit tries again.
  private func followCommit(_ scope: WriteScope, _ database: Database) {
    do {
      try marks.update(scope.movedEnds)
      if let change = scope.change { try marks.update(changes: change) }
    } catch {
      log.log(.warning, "the mark of the log \(directory.path) is behind: \(error.words)")
    }
    checkpointIfLarge(database)
  }

  private func checkpointIfLarge(_ database: Database) {
    let bytes = Int(wal.frameCount) * LogSchema.pageBytes
    guard bytes >= Self.checkpointBytes else { return }
    Failpoint.reach("log/before-checkpoint")
    defer { Failpoint.reach("log/after-checkpoint") }
    let connection = database.sqliteConnection
    var code = sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    if code == SQLITE_OK, bytes >= Self.restartBytes {
      sqlite3_busy_timeout(connection, 20)
      code = sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_RESTART, nil, nil)
      sqlite3_busy_timeout(connection, 5000)
    }
    if code != SQLITE_OK && code != SQLITE_BUSY {
      log.log(.warning, "the write-ahead log of \(directory.path) was not folded in: SQLite \(code)")
    }
  }

  /// SQLite reports some full disks as I/O errors (its index of the write-ahead log is mapped memory); the number of the
  /// operating system tells.
  private static func explainingFullDisk(_ database: Database, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as DatabaseError where error.resultCode == .SQLITE_IOERR {
      let number = ErrorNumber(code: sqlite3_system_errno(database.sqliteConnection))
      if number.code == ENOSPC || number.code == EDQUOT { throw number }
      throw error
    }
  }

  private static func prepare(
    _ database: Database, _ directory: LogDirectory, _ lock: WriteLock, _ marks: TailMarks
  ) throws {
    // The two last ones matter on macOS alone, where fsync leaves the bytes in the drive's cache.
    try database.execute(
      sql: """
        PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1
        """)
    guard try Query.integer(database, "PRAGMA synchronous") == 2 else {
      throw BrokerError(
        .internalError, "cannot open the log \(directory.path)", why: "SQLite refuses synchronous = FULL")
    }
    if try inspect(database, directory) == .empty || journalMode(database) != "wal" {
      try lock.acquire(patience: lockPatience)
      defer { lock.release() }
      // Once more under the lock: another process may have made it meanwhile.
      if try inspect(database, directory) == .empty {
        if marks.holdsAnything {
          throw StorageErrors.damaged("the log \(directory.path)", why: "it is empty, and its mark names records")
        }
        try database.execute(sql: "PRAGMA page_size = \(LogSchema.pageBytes)")
        Failpoint.reach("log/before-creation")
        try LogSchema.create(database)
        // The files beside it get the mode of this one.
        chmod(directory.database, 0o600)
        Failpoint.reach("log/created")
      }
      try database.execute(sql: "PRAGMA journal_mode = WAL")
    }
    // Only a connection that has read is counted as a user of the write-ahead log, which goes with its last user.
    _ = try Query.integer(database, "SELECT id FROM topic LIMIT 1")
  }

  private static func inspect(_ database: Database, _ directory: LogDirectory) throws -> LogSchema.Finding {
    var finding = LogSchema.Finding.empty
    try database.inTransaction(.deferred) {
      finding = try LogSchema.inspect(database, path: directory.path)
      return .commit
    }
    return finding
  }

  private static func journalMode(_ database: Database) throws -> String {
    try String.fetchOne(database, sql: "PRAGMA journal_mode") ?? ""
  }

  private static func openingError(
    _ error: any Error, _ what: String, _ directory: LogDirectory, isNew: Bool, hasMarks: Bool
  ) -> BrokerError {
    guard let error = error as? DatabaseError else { return StorageErrors.broker(error, what) }
    switch error.resultCode {
    case .SQLITE_NOTADB:
      if hasMarks { return StorageErrors.broker(error, what) }
      return LogSchema.foreign(directory.path, why: "\(directory.database) is not an SQLite database")
    case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
      if isNew {
        return BrokerError(
          .cannotCreate, what, why: error.message ?? "it cannot be written",
          remedy: "name a directory that can be written with --brokers embedded:<directory>")
      }
      fallthrough
    default:
      return StorageErrors.broker(error, what)
    }
  }
}
