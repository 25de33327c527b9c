import Foundation
import GRDB
import OrderStreamCore
import Synchronization

/// A log that can only be read, and that nobody writes to: nothing beside its database can be made, so it is read without
/// the locks that keep readers and writers apart, and every read asks whether it has been left alone.
struct ImmutableDatabase: Hashable {
  private let bytes: Int64
  private let seconds: Int
  private let nanoseconds: Int

  private init?(_ directory: LogDirectory) {
    var status = stat()
    guard stat(directory.database, &status) == 0 else { return nil }
    bytes = Int64(status.st_size)
    #if canImport(Darwin)
      (seconds, nanoseconds) = (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
    #else
      (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    #endif
  }

  /// Whether a writer has come, or has been there, since it was opened.
  func hasChanged(_ directory: LogDirectory) -> Bool {
    Self.writeAheadBytes(directory) ?? 0 > 0 || ImmutableDatabase(directory) != self
  }

  func changed(_ what: String) -> BrokerError {
    BrokerError(.busy, what, why: "another process began to write to the log", remedy: "try again", recovery: .retry)
  }

  /// Opens the database for reading: beside those who have it open if there is a write-ahead log, else as a file that
  /// does not change.
  /// - Throws: `unauthorized` when the write-ahead log cannot be read; `DatabaseError`.
  static func open(
    _ directory: LogDirectory, _ configuration: Configuration
  ) throws -> (queue: DatabaseQueue, immutable: ImmutableDatabase?) {
    var configuration = configuration
    configuration.readonly = true
    let hasIndex = FileIdentity(at: directory.sharedIndex) != nil
    let writeAhead = writeAheadBytes(directory)
    var immutable: ImmutableDatabase?
    var path = directory.database
    if writeAhead == nil || writeAhead == 0 && !hasIndex {
      immutable = ImmutableDatabase(directory)
      path = "file:\(percentEncoded(path))?immutable=1"
    } else if !hasIndex {
      throw BrokerError(
        .unauthorized, "cannot read the log \(directory.path)",
        why:
          "its last changes are in orderstream.db-wal, and the index for reading them (orderstream.db-shm) is missing and "
          + "cannot be made here",
        remedy: "copy the directory to a place that can be written, and read it there")
    }
    let queue = try OpenDatabases.open(path: path, configuration) { database in
      guard try LogSchema.inspect(database, path: directory.path) != .empty else {
        throw StorageErrors.damaged("the log \(directory.path)", why: "its database is empty")
      }
    }
    return (queue, immutable)
  }

  /// `nil` when there is none.
  private static func writeAheadBytes(_ directory: LogDirectory) -> Int64? {
    var status = stat()
    return stat(directory.writeAhead, &status) == 0 ? Int64(status.st_size) : nil
  }

  /// As SQLite's names of files in URI form are.
  private static func percentEncoded(_ path: String) -> String {
    let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    return absolute.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? absolute
  }
}

/// Opens databases, one at a time, and keeps what stands for them until the process ends.
///
/// Releasing one of GRDB's queues has libdispatch start a thread. With no descriptor left that ends the process, and with
/// no thread left it never returns; a run that is at its limits must end in words and remove what it has made. Closed, a
/// queue is a few kilobytes. Should a thread be started all the same, what it takes descriptors for is there already.
enum OpenDatabases {
  /// More than a run of `lag-demo` opens; those beyond are released, so that a service does not grow.
  private static let mostKept = 1000
  /// The database, its write-ahead log, its index, and some for whoever opens something at the same moment.
  private static let descriptors = 6

  private static let kept = Mutex<[DatabaseQueue]>([])

  /// Has libdispatch start its first thread, which makes the event queue of all of them, while there are descriptors. Not
  /// waited for longer than a thread needs to start: there may be no room for one.
  private static let dispatchIsReady: Bool = {
    let started = DispatchSemaphore(value: 0)
    DispatchQueue.global().async { started.signal() }
    return started.wait(timeout: .now() + .milliseconds(500)) == .success
  }()

  /// How often a database that cannot be opened is tried.
  private static let attempts = 3

  /// - Parameter prepare: The first that is done with it, which opens the files beside it.
  /// - Throws: `ErrorNumber` when there is no room for the files, which SQLite does not say; `DatabaseError`; what `prepare`
  ///   throws.
  static func open(
    path: String, _ configuration: Configuration, _ prepare: (Database) throws -> Void
  ) throws -> DatabaseQueue {
    var left = attempts
    while true {
      left -= 1
      do {
        let queue = try openFile(path, configuration)
        do {
          try queue.inDatabase(prepare)
          return queue
        } catch {
          try? queue.close()
          throw error
        }
      } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN && left > 0 {
        // Another thread may have taken the descriptors that were free: if there are some again it opens now, and if not
        // the next look says so.
      }
    }
  }

  private static func openFile(_ path: String, _ configuration: Configuration) throws -> DatabaseQueue {
    try kept.withLock { kept in
      try checkRoom()
      _ = dispatchIsReady
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      if kept.count < mostKept { kept.append(queue) }
      return queue
    }
  }

  /// Whether there are descriptors for one more database.
  static func checkRoom() throws(ErrorNumber) {
    var opened: [Int32] = []
    defer { for descriptor in opened { close(descriptor) } }
    for _ in 0..<descriptors {
      let descriptor = Foundation.open("/dev/null", O_RDONLY | O_CLOEXEC)
      if descriptor < 0 { throw .current }
      opened.append(descriptor)
    }
  }
}
