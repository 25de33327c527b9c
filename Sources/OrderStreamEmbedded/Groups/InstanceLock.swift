import Foundation
import OrderStreamCore

/// Keeps the name of a member (`--instance`) to one process: a locked file, which the kernel frees on any kind of death.
final class InstanceLock {
  private let file: Descriptor
  private let path: String

  /// - Throws: `groupActive` when another process has the name.
  init(_ instance: String, group: GroupRow, in directory: LogDirectory) throws(BrokerError) {
    let what = "cannot join the group \(group.name) as \(instance)"
    path = directory.member("instance-\(group.id)-\(instance)")
    do {
      while true {
        let file = try Descriptor(opening: path, flags: O_RDWR | O_CREAT)
        guard try file.tryLock(.exclusive) else {
          throw BrokerError(
            .groupActive, what, why: "another process is the member of that name",
            remedy: "give each member a name of its own with --instance, or stop the other one first", recovery: .none)
        }
        // The last holder may have removed the file in between; then the lock is on nothing.
        if try file.identity() == FileIdentity(at: path) {
          self.file = file
          return
        }
      }
    } catch {
      throw StorageErrors.broker(error, what)
    }
  }

  deinit {
    // While it is locked, so that nobody else has it.
    if (try? file.identity()) == FileIdentity(at: path) { unlink(path) }
  }
}
