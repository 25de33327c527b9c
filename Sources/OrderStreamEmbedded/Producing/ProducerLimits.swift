import OrderStreamCore

/// The bounds of a producer's queue.
struct ProducerLimits {
  /// Records that are neither acknowledged nor failed; `send` blocks above it.
  var queuedRecords = 100_000
  var queuedBytes = 24 << 20
  /// A flush starts when this much is waiting in full chunks, or when the oldest record has waited for `linger`.
  var flushBytes: Int
  var linger: Duration

  init(_ pace: ProducerPace) {
    switch pace {
    case .bulk:
      flushBytes = 2 << 20
      linger = .milliseconds(20)
    case .interactive:
      flushBytes = 256 << 10
      linger = .milliseconds(5)
    }
  }
}
