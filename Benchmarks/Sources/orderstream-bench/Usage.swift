import Foundation

/// What this process has used of the machine, and how busy that is.
enum Usage {
  /// Processor time of all threads of this process, user and system, in nanoseconds.
  static var processorNanoseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Runnable processes of the whole machine, averaged over the last minute.
  static var loadAverage: Double {
    var loads = [0.0, 0.0, 0.0]
    return getloadavg(&loads, 3) > 0 ? loads[0] : -1
  }
}
