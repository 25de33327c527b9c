#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
import Synchronization

/// The clocks, which whoever starts the domain passes in: it reads none of its own.
public protocol TimeSource: Sendable {
  /// Nanoseconds that never jump, from a zero that all processes of the machine share: members of a group compare them.
  /// They should stand still while the machine sleeps, so that sleep ends no lease. For deadlines and durations.
  var monotonicNanoseconds: Int64 { get }
  /// Milliseconds since 1970 UTC. For record timestamps and the event time of generated orders; never for metrics.
  var wallMilliseconds: Int64 { get }
  /// Blocks the calling thread. For a pace that was asked for, never to wait for a fact.
  func sleep(_ duration: Duration)
}

/// A moment on the monotonic clock by which something must be done.
package struct Deadline: Sendable {
  private let time: any TimeSource
  private let nanoseconds: Int64

  package init(_ duration: Duration, _ time: any TimeSource) {
    self.time = time
    nanoseconds = time.monotonicNanoseconds.saturatingAdd(duration.nanoseconds)
  }

  package var remaining: Duration {
    let left = nanoseconds - time.monotonicNanoseconds
    return left > 0 ? .nanoseconds(left) : .zero
  }

  package var hasPassed: Bool { time.monotonicNanoseconds >= nanoseconds }

  /// What is left, at most `limit`.
  package func remaining(atMost limit: Duration) -> Duration { min(remaining, limit) }
}

/// The clocks of this machine, for whoever starts the domain.
public struct SystemTime: TimeSource {
  /// The longest that a request to stop goes unnoticed by a sleep.
  static let sleepSlice = Duration.milliseconds(50)

  /// The clock that stands still while the machine sleeps, with one zero for all processes.
  private static var monotonicClock: clockid_t {
    #if canImport(Darwin)
      CLOCK_UPTIME_RAW
    #else
      CLOCK_MONOTONIC
    #endif
  }

  private let stop: StopFlag?

  /// - Parameter stop: ends a sleep early once it is requested.
  public init(stop: StopFlag? = nil) {
    self.stop = stop
  }

  public var monotonicNanoseconds: Int64 {
    let now = Self.read(Self.monotonicClock)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }

  public var wallMilliseconds: Int64 {
    let now = Self.read(CLOCK_REALTIME)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  public func sleep(_ duration: Duration) {
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

/// How long something has been so, from the first time that it was asked about. Times are monotonic nanoseconds.
struct Stopwatch {
  private var start: Int64?

  /// Starts it if it does not run; whether it has run for `limit`.
  mutating func hasPassed(_ limit: Duration, at now: Int64) -> Bool {
    let start = start ?? now
    self.start = start
    return now - start >= limit.nanoseconds
  }

  mutating func reset() { start = nil }
}

extension Duration {
  /// Whole nanoseconds, saturating at about 292 years.
  public var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (seconds < 0 ? .min : .max) : product &+ attoseconds / 1_000_000_000
  }

  /// Whole milliseconds, rounded down.
  public var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

extension Int64 {
  /// The sum of numbers that are not negative, or the largest one when it does not fit: deadlines of accepted options may
  /// lie beyond the end of time.
  public func saturatingAdd(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  /// The product of numbers that are not negative, or the largest one when it does not fit.
  public func saturatingMultiply(_ other: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}

/// A request to stop, set once from anywhere (a signal, another thread) and looked at between batches.
public final class StopFlag: Sendable {
  private let requested = Atomic<Bool>(false)

  public init() {}

  public var isRequested: Bool { requested.load(ordering: .acquiring) }

  public func request() { requested.store(true, ordering: .releasing) }
}
