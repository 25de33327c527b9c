import Foundation
import OrderStreamCore

/// Lets one writer at a time into a log, fairly: between threads and between processes.
///
/// A writer takes *turn*, then *write*, then releases *turn*. One that writes all the time must queue for *turn* like
/// everybody else, so the next in line gets *write* as soon as it is released. With SQLite's own busy waiting a
/// committer beside a busy producer starves.
///
/// Locks are tried in short steps and not waited for in the kernel, because a holder may be stopped (SIGSTOP) for good,
/// and a wait without an end tells nobody.
final class WriteLock {
  private static let shortSteps = 100
  private static let shortStepMicroseconds: UInt32 = 100
  private static let longStepMicroseconds: UInt32 = 500

  private let turn: Descriptor
  private let write: Descriptor

  init(_ directory: LogDirectory) throws(BrokerError) {
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
    let deadline = MachineClock.nanoseconds + limit.nanoseconds
    do {
      guard try Self.wait(for: turn, until: deadline) else { throw Self.timedOut(limit) }
      defer { turn.unlock() }
      guard try Self.wait(for: write, until: deadline) else { throw Self.timedOut(limit) }
    } catch {
      throw StorageErrors.broker(error, "cannot lock the log")
    }
  }

  func release() { write.unlock() }

  private static func wait(for lock: borrowing Descriptor, until deadline: Int64) throws(ErrorNumber) -> Bool {
    var steps = 0
    while try !lock.tryLock(.exclusive) {
      if MachineClock.nanoseconds >= deadline { return false }
      steps += 1
      MachineClock.sleep(microseconds: steps <= shortSteps ? shortStepMicroseconds : longStepMicroseconds)
    }
    return true
  }

  private static func timedOut(_ limit: Duration) -> BrokerError {
    BrokerError(
      .busy, "cannot write to the log", why: "another process has held its write lock for \(limit.milliseconds) ms",
      remedy: "look for a stopped orderstream process, then try again", recovery: .retry)
  }
}

/// A clock that never jumps and that all processes of this machine read alike, which `TimeSource` does not promise.
/// It stands still while the machine sleeps, so that sleep ends no lease.
enum MachineClock {
  static var nanoseconds: Int64 {
    #if canImport(Darwin)
      Int64(clock_gettime_nsec_np(CLOCK_UPTIME_RAW))
    #else
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    #endif
  }

  static func sleep(microseconds: UInt32) { usleep(microseconds) }
}
