import Foundation
import OrderStreamCore

/// Which file a name means: names change hands, files do not.
struct FileIdentity: Sendable, Hashable {
  private let device: UInt64
  private let node: UInt64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    node = UInt64(truncatingIfNeeded: status.st_ino)
  }

  /// The file that has that name now; `nil` when there is none, or none that can be looked at.
  init?(at path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// The files that an open log consists of. A log that was removed, moved or replaced while it was open goes on working
/// for whoever has it open, and for nobody else: what is committed to it then is on no log. So every commit, and readers
/// now and then, ask whether the names still mean these files. It costs microseconds.
struct OpenFiles: Sendable, Hashable {
  private let directory: LogDirectory
  /// In the order of `names`.
  private let files: [FileIdentity?]

  private static func names(_ directory: LogDirectory) -> [String] {
    [
      directory.database, directory.writeAhead, directory.sharedIndex, directory.marks, directory.turnLock,
      directory.writeLock,
    ]
  }

  /// The files as they are right after they were opened; SQLite keeps its three open as long as the log is.
  /// - Parameter opened: identities of files that were opened here, by name.
  init(_ directory: LogDirectory, opened: [String: FileIdentity]) {
    self.directory = directory
    files = Self.names(directory).map { opened[$0] ?? FileIdentity(at: $0) }
  }

  /// - Throws: `io` when a name means another file by now, or none.
  func check(_ what: @autoclosure () -> String) throws(BrokerError) {
    for (name, file) in zip(Self.names(directory), files) {
      let now = FileIdentity(at: name)
      // One that was not there at the start, or cannot be looked at, proves nothing.
      if let file, now != file { throw Self.replaced(directory, name, isGone: now == nil, what()) }
    }
  }

  /// - Throws: `io` when the names mean other files than those of `others`, with which one log is worked on.
  func check(sameAs others: OpenFiles, _ what: @autoclosure () -> String) throws(BrokerError) {
    for (index, name) in Self.names(directory).enumerated() where files[index] != others.files[index] {
      throw Self.replaced(directory, name, isGone: false, what())
    }
  }

  private static func replaced(
    _ directory: LogDirectory, _ name: String, isGone: Bool, _ what: String
  ) -> BrokerError {
    let file = name.dropFirst(directory.path.count + 1)
    return BrokerError(
      .io, what,
      why: "the log \(directory.path) was \(isGone ? "removed or moved" : "replaced") while it was in use (\(file))",
      remedy: "nothing of this was kept; put the log back, or run again to begin with the one that is there now")
  }
}
