import Foundation
import OrderStreamCore

/// The sign of life of one group member: a file that the member keeps locked, and in which it renews a time stamp.
///
/// The kernel frees the lock on any kind of death, so a dead member is known at once. A stopped one (SIGSTOP) keeps its
/// lock but not its stamp, so it is known once its lease has passed. Neither takes the write lock or the database.
final class MemberFile {
  /// How old a stamp may be before others take the member for dead.
  static let leaseNanoseconds: Int64 = 3_000_000_000
  private static let stampBytes = 8

  private let file: Descriptor

  /// Makes and locks the file. Only under the write lock, so that nobody reaps it in between.
  init(creating id: String, in directory: LogDirectory) throws(BrokerError) {
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
  func renew() throws(BrokerError) { try stamp(MachineClock.nanoseconds) }

  /// For tests: makes the lease look `age` nanoseconds old.
  func backdate(by age: Int64) throws(BrokerError) { try stamp(MachineClock.nanoseconds - age) }

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
  static func isAlive(_ id: String, in directory: LogDirectory) -> Bool {
    do {
      let file = try Descriptor(opening: directory.member(id), flags: O_RDONLY)
      if try file.tryLock(.shared) { return false }
      var stamp: Int64 = 0
      let count = try withUnsafeMutableBytes(of: &stamp) { buffer throws(ErrorNumber) in
        try file.read(into: buffer, at: 0)
      }
      // Wrapping, because a damaged file may hold any number.
      return count < stampBytes || MachineClock.nanoseconds &- Int64(littleEndian: stamp) <= leaseNanoseconds
    } catch {
      return error.code != ENOENT
    }
  }

  static func remove(_ id: String, in directory: LogDirectory) { unlink(directory.member(id)) }
}
