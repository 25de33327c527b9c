import Foundation

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
