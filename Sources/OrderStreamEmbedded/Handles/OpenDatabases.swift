import Foundation
import GRDB
import Synchronization

/// Opens databases, one at a time, and keeps what stands for them until the process ends.
///
/// Releasing one of GRDB's queues has libdispatch start a thread. With no descriptor left that ends the process, and with
/// no thread left it never returns; a run that is at its limits must end in words and remove what it has made. Closed, a
/// queue is a few kilobytes.
enum OpenDatabases {
  /// More than a run of `lag-demo` opens; those beyond are released, so that a service does not grow.
  private static let mostKept = 1000
  /// The database, its write-ahead log, its index, and some for whoever opens something at the same moment.
  private static let descriptors = 6

  private static let kept = Mutex<[DatabaseQueue]>([])

  /// - Throws: `ErrorNumber` when there is no room for the files, which SQLite does not say; `DatabaseError`.
  static func open(path: String, _ configuration: Configuration) throws -> DatabaseQueue {
    try kept.withLock { kept in
      try checkRoom()
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      if kept.count < mostKept { kept.append(queue) }
      return queue
    }
  }

  private static func checkRoom() throws(ErrorNumber) {
    var opened: [Int32] = []
    defer { for descriptor in opened { close(descriptor) } }
    for _ in 0..<descriptors {
      let descriptor = Foundation.open("/dev/null", O_RDONLY | O_CLOEXEC)
      if descriptor < 0 { throw .current }
      opened.append(descriptor)
    }
  }
}
