import OrderStreamCore

/// A moment on the monotonic clock by which something must be done.
struct Deadline: Sendable {
  private let time: any TimeSource
  private let nanoseconds: Int64

  init(_ duration: Duration, _ time: any TimeSource) {
    self.time = time
    let (sum, overflow) = time.monotonicNanoseconds.addingReportingOverflow(duration.nanoseconds)
    nanoseconds = overflow ? .max : sum
  }

  var remaining: Duration {
    let left = nanoseconds - time.monotonicNanoseconds
    return left > 0 ? .nanoseconds(left) : .zero
  }

  var hasPassed: Bool { remaining == .zero }

  /// What is left, at most `limit`.
  func remaining(atMost limit: Duration) -> Duration { min(remaining, limit) }
}
