import Foundation
import OrderStreamCore
import OrderStreamThreads

/// The sign of life of one group member: a file that the member keeps locked, and in which it renews a time stamp.
///
/// The kernel frees the lock on any kind of death, so a dead member is known at once. A stopped one (SIGSTOP) keeps its
/// lock but not its stamp, so it is known once its lease has passed. Neither takes the write lock or the database.
final class MemberFile: Sendable {
  /// How old a stamp may be before others take the member for dead.
  static let lease = Duration.seconds(3)
  private static let stampBytes = 8

  private let file: Descriptor
  private let time: any TimeSource

  /// Makes and locks the file. Only under the write lock, so that nobody reaps it in between.
  init(creating id: String, in directory: LogDirectory, _ time: any TimeSource) throws(BrokerError) {
    self.time = time
    do {
      file = try Descriptor(opening: directory.member(id), flags: O_RDWR | O_CREAT | O_EXCL)
      guard try file.tryLock(.exclusive) else {
        throw BrokerError(.busy, "cannot join the group", why: "the member \(id) exists", recovery: .retry)
      }
    } catch {
      throw StorageErrors.broker(error, "cannot create a member of the group")
    }
    try renew()
  }

  /// Renews the lease. Any thread.
  func renew() throws(BrokerError) { try stamp(time.monotonicNanoseconds) }

  /// For tests: makes the lease look that old.
  func backdate(by age: Duration) throws(BrokerError) { try stamp(time.monotonicNanoseconds - age.nanoseconds) }

  private func stamp(_ nanoseconds: Int64) throws(BrokerError) {
    do {
      try withUnsafeBytes(of: nanoseconds.littleEndian) { bytes throws(ErrorNumber) in
        try file.write(bytes, at: 0)
      }
    } catch {
      throw StorageErrors.system(error, "cannot renew the lease of the group member")
    }
  }

  /// Whether the member of that id holds its lock and has renewed its lease in time. One that cannot be looked at is
  /// taken for alive: a wrong "alive" delays, a wrong "dead" disturbs.
  static func isAlive(_ id: String, in directory: LogDirectory, _ time: any TimeSource) -> Bool {
    do {
      let file = try Descriptor(opening: directory.member(id), flags: O_RDONLY)
      if try file.tryLock(.shared) { return false }
      var stamp: Int64 = 0
      let count = try withUnsafeMutableBytes(of: &stamp) { buffer throws(ErrorNumber) in
        try file.read(into: buffer, at: 0)
      }
      // Wrapping, because a damaged file may hold any number.
      return count < stampBytes || time.monotonicNanoseconds &- Int64(littleEndian: stamp) <= lease.nanoseconds
    } catch {
      return error.code != ENOENT
    }
  }

  static func remove(_ id: String, in directory: LogDirectory) { unlink(directory.member(id)) }
}

/// Renews a member's lease from a thread of its own, for as long as the process runs, however long the member works on
/// one batch. It does not keep the file: its lock goes when the member lets go.
final class Heartbeat {
  private static let interval = Duration.milliseconds(500)

  private let stopped = DispatchSemaphore(value: 0)
  private let thread: BackgroundThread<Void>

  /// - Throws: `io` when there is no thread for it.
  init(_ file: MemberFile, log: any LogSink) throws(BrokerError) {
    do {
      thread = try BackgroundThread { [stopped, weak file] in
        while stopped.wait(timeout: .now() + .nanoseconds(Int(Self.interval.nanoseconds))) == .timedOut {
          do throws(BrokerError) { try file?.renew() } catch { log.log(.warning, error.description) }
        }
      }
    } catch {
      throw BrokerError(
        .io, "cannot join the group", why: error.description, remedy: NoRoomForThread.remedy, recovery: .fatal)
    }
  }

  /// Returns when nothing renews the lease any more. Idempotent.
  func stop() {
    stopped.signal()
    thread.join()
  }
}

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
            .groupActive, what, why: "another process is the member with that name",
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
