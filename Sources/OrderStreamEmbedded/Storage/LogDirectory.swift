import Foundation
import OrderStreamCore

/// What may be done with a log that is opened.
enum LogAccess: Sendable, Hashable {
  /// All; also those who only look make the files beside the database, and take part in its locks.
  case full
  /// Reading, of a log whose files this user or its mount does not let be written.
  case reading
}

/// The files of one log. All of them are in one directory, so that it can be copied, moved or deleted as one.
struct LogDirectory: Sendable, Hashable {
  let path: String

  var database: String { path + "/orderstream.db" }
  /// SQLite's own, beside the database for as long as somebody has it open.
  var writeAhead: String { database + "-wal" }
  var sharedIndex: String { database + "-shm" }
  /// SQLite's own too, while a log is made.
  var journal: String { database + "-journal" }
  /// Writers queue on `turn` and hold `write`: see `WriteLock`.
  var turnLock: String { path + "/turn.lock" }
  var writeLock: String { path + "/write.lock" }
  /// The outside mark: see `TailMarks`.
  var marks: String { path + "/marks" }
  /// One file a living group member: see `MemberFile`.
  var members: String { path + "/members" }

  /// The records, in files that only grow: see `SegmentFiles`.
  var segments: String { path + "/segments" }

  /// Named by number, so that their order is that of their making.
  func segment(_ id: Int64) -> String {
    let digits = String(id)
    return segments + "/" + String(repeating: "0", count: max(0, 10 - digits.count)) + digits
  }

  func member(_ id: String) -> String { members + "/" + id }

  /// Makes the directory, with its parents, for the owner alone. One that is there stays as it is.
  func create() throws(BrokerError) {
    let missing = missingDirectories()
    for directory in missing.reversed().map(\.path) + [members, segments]
    where mkdir(directory, 0o700) != 0 && errno != EEXIST {
      throw BrokerError(
        .cannotCreate, "cannot create the log directory \(path)", why: ErrorNumber.current.words,
        remedy: "name a directory that can be written with --brokers embedded:<directory>")
    }
    Failpoint.reach("directory/made")
    // What is acknowledged must not go because the name of a directory above it did.
    for directory in missing {
      do {
        let parent = directory.deletingLastPathComponent().path
        try Descriptor(opening: parent, flags: O_RDONLY | O_DIRECTORY).synchronize()
      } catch {
        throw StorageErrors.broker(error, "cannot create the log directory \(path)")
      }
    }
  }

  /// The directory and those above it that are not there.
  private func missingDirectories() -> [URL] {
    var missing: [URL] = []
    var directory = URL(fileURLWithPath: path)
    while directory.path != "/", !FileManager.default.fileExists(atPath: directory.path) {
      missing.append(directory)
      directory.deleteLastPathComponent()
    }
    return missing
  }

  // MARK: - What may be done with it

  /// What file systems and file managers put into directories by themselves.
  private static let systemNames: Set<String> = [
    "lost+found", ".DS_Store", ".localized", ".fseventsd", ".Spotlight-V100", ".Trashes", ".snapshot",
  ]

  /// A directory that becomes a log must hold nothing else: whoever deletes the log deletes the directory. Files of a log
  /// that was not made to its end are its own.
  /// - Throws: `foreignLog`.
  func refuseOtherFiles() throws(BrokerError) {
    guard isAbsent, let names = try? FileManager.default.contentsOfDirectory(atPath: path) else { return }
    let own = Set(
      [database, writeAhead, sharedIndex, journal, turnLock, writeLock, marks, members, segments].map {
        String($0.dropFirst(path.count + 1))
      })
    let others = names.filter { !own.contains($0) && !Self.systemNames.contains($0) }.sorted()
    guard let first = others.first else { return }
    throw BrokerError(
      .foreignLog, "cannot make a log in \(path)",
      why:
        "it holds other files (\(first)\(others.count > 1 ? " and \(others.count - 1) more" : "")), and a log needs a "
        + "directory of its own",
      remedy: "name a new or an empty directory, like \(path)/orderstream", recovery: .none)
  }

  /// How a command that changes nothing can open the log that is there: in full where that is possible.
  /// - Throws: `unauthorized` when it cannot even be read.
  func accessForLooking() throws(BrokerError) -> LogAccess {
    var status = stat()
    // Opening it in full says what is wrong with something else than a directory.
    if isAbsent || stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR { return .full }
    let files: [String] = [database, turnLock, writeLock, marks, segments].filter { access($0, F_OK) == 0 }
    if access(path, R_OK | W_OK | X_OK) == 0, files.allSatisfy({ access($0, R_OK | W_OK) == 0 }) { return .full }
    let needed = [
      (path, X_OK), (database, R_OK), (marks, R_OK), (segments, X_OK), (writeAhead, R_OK), (sharedIndex, R_OK),
    ]
    for (file, right) in needed {
      guard access(file, right) != 0, errno != ENOENT else { continue }
      throw unreadable(file, ErrorNumber.current)
    }
    return .reading
  }

  /// - Parameter file: of the log, or its directory.
  func unreadable(_ file: String, _ error: ErrorNumber) -> BrokerError {
    var status = stat()
    let isKnown = stat(file, &status) == 0 || stat(path, &status) == 0
    let owner =
      isKnown ? getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? String(status.st_uid) : nil
    return BrokerError(
      .unauthorized, "cannot read the log \(path)",
      why: "\(file == path ? "its directory" : file): \(error.words)" + (owner.map { "; its owner is \($0)" } ?? ""),
      remedy: "run as \(owner ?? "its owner"), or have the directory and its files made readable for this user")
  }

  /// Whether there is nothing, not even marks: without a database they tell of a log that was lost. What cannot be looked
  /// at is there.
  var isAbsent: Bool {
    [database, marks].allSatisfy { file in
      var status = stat()
      return stat(file, &status) != 0 && errno == ENOENT
    }
  }

  var hasDatabase: Bool { FileManager.default.fileExists(atPath: database) }
}

/// Which names in a directory are those of a log's files, so that nothing else is written there.
public enum LogNames {
  /// Whether a file would be one of a log's own.
  /// - Parameters:
  ///   - path: With symbolic links of its last part followed.
  ///   - directory: Of a log that may not be there yet; `nil` for none.
  public static func contain(_ path: String, logIn directory: String?) -> Bool {
    let file = URL(fileURLWithPath: path)
    let parent = file.deletingLastPathComponent().resolvingSymlinksInPath()
    if isLog(parent, directory) { return isOwnName(file.lastPathComponent) }
    return ["members", "segments"].contains(parent.lastPathComponent)
      && isLog(parent.deletingLastPathComponent(), directory)
  }

  private static func isOwnName(_ name: String) -> Bool {
    let paths = LogDirectory(path: "")
    let names = [paths.database, paths.turnLock, paths.writeLock, paths.marks, paths.members, paths.segments]
    // Some file systems take one spelling for the other.
    let lower = "/" + name.lowercased()
    return names.contains(lower) || ["-wal", "-shm", "-journal"].contains { lower == paths.database + $0 }
  }

  private static func isLog(_ parent: URL, _ directory: String?) -> Bool {
    if LogDirectory(path: parent.path).hasDatabase { return true }
    guard let directory else { return false }
    return URL(fileURLWithPath: directory).resolvingSymlinksInPath().path == parent.path
  }
}

/// Lets one writer at a time into a log, fairly: between threads and between processes.
///
/// A writer takes *turn*, then *write*, then releases *turn*. One that writes all the time must queue for *turn* like
/// everybody else, so the next in line gets *write* as soon as it is released. With SQLite's own busy waiting a
/// committer beside a busy producer starves.
///
/// Locks are tried in short steps and not waited for in the kernel, because a holder may be stopped (SIGSTOP) for good,
/// and a wait without an end tells nobody.
final class WriteLock {
  // Not slept by the `TimeSource`, whose sleep a request to stop ends: the wait would spin.
  private static let shortSteps = 100
  private static let shortStepMicroseconds: UInt32 = 100
  private static let longStepMicroseconds: UInt32 = 500

  private let turn: Descriptor
  private let write: Descriptor
  private let time: any TimeSource

  init(_ directory: LogDirectory, _ time: any TimeSource) throws(BrokerError) {
    self.time = time
    do {
      turn = try Descriptor(opening: directory.turnLock, flags: O_RDWR | O_CREAT)
      write = try Descriptor(opening: directory.writeLock, flags: O_RDWR | O_CREAT)
    } catch {
      throw StorageErrors.system(error, "cannot open the locks of the log \(directory.path)")
    }
  }

  /// The two files, by name.
  func identities(_ directory: LogDirectory) throws(ErrorNumber) -> [String: FileIdentity] {
    [directory.turnLock: try turn.identity(), directory.writeLock: try write.identity()]
  }

  /// - Throws: `busy` (retriable) when the lock cannot be had within `limit`.
  func acquire(within limit: Duration) throws(BrokerError) {
    let deadline = Deadline(limit, time)
    do {
      guard try Self.wait(for: turn, until: deadline) else { throw Self.timedOut(limit) }
      defer { turn.unlock() }
      guard try Self.wait(for: write, until: deadline) else { throw Self.timedOut(limit) }
    } catch {
      throw StorageErrors.broker(error, "cannot lock the log")
    }
  }

  func release() { write.unlock() }

  private static func wait(for lock: borrowing Descriptor, until deadline: Deadline) throws(ErrorNumber) -> Bool {
    var steps = 0
    while try !lock.tryLock(.exclusive) {
      if deadline.hasPassed { return false }
      steps += 1
      usleep(steps <= shortSteps ? shortStepMicroseconds : longStepMicroseconds)
    }
    return true
  }

  private static func timedOut(_ limit: Duration) -> BrokerError {
    BrokerError(
      .busy, "cannot write to the log", why: "another process has held its write lock for \(limit.milliseconds) ms",
      remedy: "look for a stopped orderstream process, then try again", recovery: .retry)
  }
}
