import Foundation
import OrderStreamCore

/// The files of one log. All of them are in one directory, so that it can be copied, moved or deleted as one.
struct LogDirectory: Sendable, Hashable {
  let path: String

  var database: String { path + "/orderstream.db" }
  /// SQLite's own, beside the database for as long as somebody has it open.
  var writeAhead: String { database + "-wal" }
  var sharedIndex: String { database + "-shm" }
  /// Writers queue on `turn` and hold `write`: see `WriteLock`.
  var turnLock: String { path + "/turn.lock" }
  var writeLock: String { path + "/write.lock" }
  /// The outside mark: see `TailMarks`.
  var marks: String { path + "/marks" }
  /// One file a living group member: see `MemberFile`.
  var members: String { path + "/members" }

  func member(_ id: String) -> String { members + "/" + id }

  /// Makes the directory, with its parents, for the owner alone. One that is there stays as it is.
  func create() throws(BrokerError) {
    let missing = missingDirectories()
    for directory in missing.reversed().map(\.path) + [members] where mkdir(directory, 0o700) != 0 && errno != EEXIST {
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
