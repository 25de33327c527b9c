import OrderStreamCore
import OrderStreamThreads

/// Renews a member's lease from a thread of its own, for as long as the process runs, however long the member works on
/// one batch.
final class Heartbeat: @unchecked Sendable {
  // `isStopped` and `file` are touched only while `monitor` is locked.
  private static let intervalNanoseconds: Int64 = 500_000_000

  private let monitor = Monitor()
  private var isStopped = false
  /// `nil` once the thread has ended, so that the lock goes when its other owner lets go.
  private var file: MemberFile?
  private let log: any LogSink

  /// - Throws: `busy` when there is no thread for it.
  init(_ file: MemberFile, log: any LogSink) throws(BrokerError) {
    self.file = file
    self.log = log
    do { _ = try BackgroundThread { [self] in run() } } catch {
      // Nobody waits for a thread that never began.
      self.file = nil
      throw BrokerError(
        .io, "cannot join the group", why: error.description, remedy: NoRoomForThread.remedy, recovery: .fatal)
    }
  }

  /// Returns when nothing renews the lease any more. Idempotent.
  func stop() {
    monitor.locked {
      isStopped = true
      monitor.signalWork()
      while file != nil { monitor.waitForProgress(until: nil) }
    }
  }

  private func run() {
    monitor.lock()
    while !isStopped {
      monitor.waitForWork(until: MachineClock.nanoseconds + Self.intervalNanoseconds)
      if isStopped { break }
      do throws(BrokerError) {
        try file?.renew()
      } catch {
        log.log(.warning, error.description)
      }
    }
    file = nil
    monitor.signalProgress()
    monitor.unlock()
  }
}
