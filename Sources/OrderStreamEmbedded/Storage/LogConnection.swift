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
  static let lockLimit = Duration.seconds(10)
  private static let closeLimit = Duration.milliseconds(500)
  /// How often a reader asks whether the log is still there.
  private static let fileCheckInterval = Duration.milliseconds(250)

  let directory: LogDirectory
  let access: LogAccess
  let log: any LogSink
  let time: any TimeSource
  let marks: TailMarks
  let segments: SegmentFiles
  private let small = SmallBatches()
  /// What this connection has open.
  let files: OpenFiles
  private var queue: DatabaseQueue
  /// `nil` where the log can only be read.
  private let lock: WriteLock?
  /// For a database that is read without its locks, because nothing beside it can be made: what it looked like.
  private var immutable: ImmutableDatabase?
  /// How often such a database was opened again.
  private var reopenings: Int64 = 0
  private let wal = WalCounter()
  /// Logs of version 1 have larger pages than those that are made now.
  private let pageBytes: Int
  private var nextFileCheck: Deadline
  private var isClosed = false

  /// Opens the log, and makes it when there is none.
  /// - Parameter beside: another connection to the same log: the files must be those, and none is made.
  /// - Throws: `cannotCreate`, `foreignLog`, `newerLog`, `damaged`, `diskFull`, `io`.
  init(
    _ directory: LogDirectory, access: LogAccess = .full, log: any LogSink, time: any TimeSource,
    beside other: OpenFiles? = nil
  ) throws(BrokerError) {
    self.directory = directory
    self.access = access
    self.log = log
    self.time = time
    let what = "cannot open the log \(directory.path)"
    try other?.check(what)
    let isNew = !directory.hasDatabase
    lock = access == .full ? try WriteLock(directory, time) : nil
    marks = try TailMarks(directory, access: access)
    segments = SegmentFiles(directory)
    do {
      if let lock {
        queue = try OpenDatabases.open(path: directory.database, Self.configuration) { [marks, wal] database in
          try LogSchema.prepare(database, directory, lock, marks)
          wal.watch(database)
        }
        pageBytes = try queue.inDatabase { Int(try Query.integer($0, "PRAGMA page_size") ?? 0) }
      } else {
        (queue, immutable) = try ImmutableDatabase.open(directory, Self.configuration)
        pageBytes = LogSchema.pageBytes
      }
      var opened = try lock?.identities(directory) ?? [:]
      opened[directory.marks] = try marks.identity()
      files = OpenFiles(directory, opened: opened)
    } catch {
      throw StorageErrors.opening(error, what, directory, isNew: isNew, hasMarks: marks.holdsAnything)
    }
    nextFileCheck = Deadline(Self.fileCheckInterval, time)
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
    var fault: SegmentFault?
    while true {
      do {
        return try readOnce(what(), body)
      } catch let found as SegmentFault where found != fault {
        // The snapshot may have been older than the removal of that segment.
        fault = found
      } catch {
        throw StorageErrors.broker(error, what(), directory)
      }
    }
  }

  private func readOnce<T>(_ what: @autoclosure () -> String, _ body: (Database) throws -> T) throws -> T {
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
    if let immutable, immutable.hasChanged(directory) { throw immutable.changed(what()) }
    return result
  }

  /// Another process has begun to write to a database that did not change.
  private func reopenIfChanged() throws {
    guard let immutable, immutable.hasChanged(directory) else { return }
    try? queue.close()
    reopenings += 1
    (queue, self.immutable) = try ImmutableDatabase.open(directory, Self.configuration)
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
    guard nextFileCheck.hasPassed else { return }
    nextFileCheck = Deadline(Self.fileCheckInterval, time)
    try files.check(what())
  }

  /// Changes the log in one durable transaction, alone among all writers. Keep it short: everybody else waits.
  /// - Parameters:
  ///   - limit: How long the write lock is waited for.
  ///   - body: One that appends is called once more when there was something to cut off, after everything was rolled back.
  /// - Throws: what `body` throws, after everything was rolled back; `busy` when the write lock cannot be had; `io` when
  ///   the log was removed or replaced meanwhile: what was written then is on no log.
  func write<T>(
    _ what: @autoclosure () -> String, lockWithin limit: Duration = LogConnection.lockLimit,
    _ body: (WriteScope) throws -> T
  ) throws(BrokerError) -> T {
    guard let lock else {
      throw BrokerError(
        .unauthorized, what(), why: "the log \(directory.path) can only be read here",
        remedy: "run as its owner, and where its files can be written")
    }
    try lock.acquire(within: limit)
    defer { lock.release() }
    // Before, because a lock that others do not see keeps nobody out; after, because only that can be acknowledged which
    // was on the log when it had been written.
    try files.check(what())
    let result: T
    do {
      result = try queue.inDatabase { database in
        do {
          return try commit(database, body)
        } catch is SegmentTail {
          discard()
          // The place of a commit that may stand in the write-ahead log is taken by this one.
          try commit(database) { $0.change = try ChangeCounter.advance($0) }
          Failpoint.reach("segment/before-cut")
          return try segments.cutting { try commit(database, body) }
        }
      }
    } catch {
      discard()
      throw StorageErrors.broker(error, what(), directory)
    }
    try files.check(what())
    return result
  }

  private func commit<T>(_ database: Database, _ body: (WriteScope) throws -> T) throws -> T {
    let scope = WriteScope(database, segments, small)
    var result: T?
    try Self.explainingFullDisk(database) {
      try database.inTransaction(.immediate) {
        let before = database.totalChangesCount
        result = try body(scope)
        if database.totalChangesCount != before && scope.change == nil {
          scope.change = try ChangeCounter.advance(scope)
        }
        try segments.synchronize()
        Failpoint.reach("log/before-marks-removed")
        try marks.remove(scope.removedPartitions)
        Failpoint.reach("log/before-commit")
        segments.beginCommit()
        return .commit
      }
    }
    segments.keep()
    small.keep()
    Failpoint.reach("log/after-commit")
    followCommit(scope, database)
    Failpoint.reach("log/after-mark")
    return result!
  }

  private func discard() {
    segments.discard()
    small.discard()
  }

  /// Idempotent. The last one to leave folds the write-ahead log into the database file.
  func close() {
    if isClosed { return }
    isClosed = true
    let hasLock = lock.map { (try? $0.acquire(within: Self.closeLimit)) != nil } ?? false
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
  func closeWithoutLock() {
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
    do {
      try segments.remove(scope.removedSegments)
    } catch {
      log.log(.warning, "a segment of the log \(directory.path) stays on the disk for now: \(error.words)")
    }
    checkpointIfLarge(database)
  }

  private func checkpointIfLarge(_ database: Database) {
    let bytes = Int(wal.frameCount) * pageBytes
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
      log.log(.warning, "the write-ahead log of \(directory.path) could not be checkpointed: SQLite \(code)")
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
}

/// One open write transaction, and what must follow once it is durable.
final class WriteScope {
  let database: Database
  let segments: SegmentFiles
  let small: SmallBatches
  /// Ends that this transaction moved; they go to the outside mark after the commit.
  var movedEnds: [TailMark] = []
  /// Partitions that this transaction removes; their marks go before the commit, because a mark without its partition
  /// would look like a lost one.
  var removedPartitions: [Int64] = []
  /// Segments that this transaction takes out; their files go after the commit.
  var removedSegments: [Int64] = []
  /// The number of this change; `nil` while nothing has changed.
  var change: Int64?

  init(_ database: Database, _ segments: SegmentFiles, _ small: SmallBatches) {
    self.database = database
    self.segments = segments
    self.small = small
  }

  func run(_ sql: String, _ values: [SQLValue] = [], _ body: (Query) throws -> Void = { _ in }) throws {
    try Query.run(database, sql, values, body)
  }
}

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
