import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The clocks of this machine.
struct SystemTime: TimeSource {
  /// The longest that a request to stop goes unnoticed by a sleep.
  static let sleepSlice = Duration.milliseconds(50)

  private let stop: StopFlag?

  /// - Parameter stop: ends a sleep early once it is requested.
  init(stop: StopFlag? = nil) {
    self.stop = stop
  }

  var monotonicNanoseconds: Int64 {
    let now = Self.read(CLOCK_MONOTONIC)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }

  var wallMilliseconds: Int64 {
    let now = Self.read(CLOCK_REALTIME)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  func sleep(_ duration: Duration) {
    let deadline = monotonicNanoseconds.addingReportingOverflow(duration.nanoseconds)
    let end = deadline.overflow ? Int64.max : deadline.partialValue
    while stop?.isRequested != true {
      let rest = end - monotonicNanoseconds
      if rest <= 0 { return }
      let slice = stop == nil ? rest : min(rest, Self.sleepSlice.nanoseconds)
      var request = timespec(tv_sec: Int(slice / 1_000_000_000), tv_nsec: Int(slice % 1_000_000_000))
      nanosleep(&request, nil)
    }
  }

  private static func read(_ clock: clockid_t) -> timespec {
    var now = timespec()
    let result = clock_gettime(clock, &now)
    precondition(result == 0, "the monotonic and the wall clock can always be read")
    return now
  }
}
