import Foundation
import OrderStreamCore

/// The files of one log. All of them are in one directory, so that it can be copied, moved or deleted as one.
struct LogDirectory: Sendable, Hashable {
  let path: String

  var database: String { path + "/orderstream.db" }
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
    let isNew = !FileManager.default.fileExists(atPath: path)
    for directory in [path, members] {
      do {
        try FileManager.default.createDirectory(
          atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      } catch {
        throw BrokerError(
          .cannotCreate, "cannot create the log directory \(directory)", why: StorageErrors.words(error),
          remedy: "name a directory that can be written with --brokers embedded:<directory>")
      }
    }
    Failpoint.reach("directory/made")
    if isNew { try synchronizeParent() }
  }

  /// What is acknowledged must not go because the name of its directory did.
  private func synchronizeParent() throws(BrokerError) {
    do {
      let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
      try Descriptor(opening: parent, flags: O_RDONLY | O_DIRECTORY).synchronize()
    } catch {
      throw StorageErrors.broker(error, "cannot create the log directory \(path)")
    }
  }

  /// Marks without a database tell of a log that was lost.
  var hasMarks: Bool { FileManager.default.fileExists(atPath: marks) }

  var hasDatabase: Bool { FileManager.default.fileExists(atPath: database) }
}
