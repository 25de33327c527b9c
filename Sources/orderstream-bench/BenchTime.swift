import Foundation
import OrderStreamCore

/// The machine's clocks, and what the process has used of the machine.
struct BenchTime: TimeSource {
  var monotonicNanoseconds: Int64 { Self.read(CLOCK_MONOTONIC) }
  var wallMilliseconds: Int64 { Self.read(CLOCK_REALTIME) / 1_000_000 }
  func sleep(_ duration: Duration) { usleep(UInt32(clamping: duration.nanoseconds / 1000)) }

  /// Processor time of all threads of this process, user and system.
  static var processorNanoseconds: Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

  /// Runnable processes of the whole machine, averaged over the last minute.
  static var loadAverage: Double {
    var loads = [0.0, 0.0, 0.0]
    return getloadavg(&loads, 3) > 0 ? loads[0] : -1
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
