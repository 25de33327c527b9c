import Synchronization

/// Measures how long the records of one producer take from being sent until they are acknowledged. The sender starts it,
/// the producer records; any thread.
///
/// With a schedule a record counts as sent when it was due, so that a broker that stops for two seconds is told as slow
/// for all that should have been sent meanwhile, and not for the one record that waited ("coordinated omission").
public final class AcknowledgementLatency: Sendable {
  /// From when the time of a record counts.
  public enum Origin: Sendable {
    /// From its sending. At full speed the clock is read once for so many records.
    case sending(stride: Int)
    /// From when it was due.
    case schedule(OrderPublisher.Schedule)

    /// For a sender that never waits. Its latencies are those of a full queue, 65 ms and more on an embedded log that takes
    /// a million records a second: a bucket of the histogram is 64 µs wide there.
    public static let fullSpeed = Origin.sending(stride: 64)
    /// For a sender that waits for what it sends.
    public static let eachSending = Origin.sending(stride: 1)
  }

  public let origin: Origin
  public let time: any TimeSource
  private let start = Atomic<Int64>(0)
  private let recorder = Mutex(LatencyRecorder())

  public init(from origin: Origin, time: any TimeSource) {
    self.origin = origin
    self.time = time
  }

  /// The run begins at this moment of the monotonic clock, from which its schedule and its first second count. Before the
  /// first record is sent.
  func begin(at nanoseconds: Int64) { start.store(nanoseconds, ordering: .releasing) }

  /// When a record was due on the monotonic clock; `nil` without a schedule.
  /// - Parameter sequence: as in `RecordReports`.
  public func due(_ sequence: Int64) -> Int64? {
    guard case .schedule(let schedule) = origin else { return nil }
    return start.load(ordering: .acquiring).saturatingAdd(schedule(sequence))
  }

  /// Records that were sent, or due, at these moments of the monotonic clock were acknowledged at that one.
  public func acknowledge(_ sent: some Sequence<TimeRuns>, at now: Int64) {
    let border = start.load(ordering: .acquiring).saturatingAdd(LatencyRecorder.firstPart.nanoseconds)
    recorder.withLock { recorder in
      for runs in sent { recorder.record(runs, at: now, border: border, in: .nanoseconds) }
    }
  }

  public var figures: LatencyFigures { recorder.withLock { $0.figures } }
}
