/// What a witness of two topics has seen, and found wrong.
public struct WitnessFindings: Sendable {
  /// The orders and the inventory events.
  public var input: TopicFindings
  public var output: TopicFindings
  /// Whether new readers have read both topics, and what they saw was compared with what was seen.
  public var isCompared = false
  /// How long orders took to become events.
  public var latency = LatencyFigures()

  public init(input: TopicFindings, output: TopicFindings) {
    self.input = input
    self.output = output
  }

  public var isClean: Bool { input.counts.isEmpty && output.counts.isEmpty }
  public var unverifiable: Int64 { input.unverifiable + output.unverifiable }

  public func count(_ verdict: Verdict) -> Int64 { input.count(verdict) + output.count(verdict) }

  /// How a log betrays who reads it.
  public enum Verdict: String, CaseIterable, Sendable {
    /// A committed reader saw a record of a transaction that was aborted.
    case abortedSeen = "aborted_seen"
    /// An offset held two different records.
    case changed
    /// A record that was seen is gone, and not by retention.
    case vanished
    /// A reader passed an offset without seeing the record that is there.
    case skipped
    /// A reader was given an offset again, or a lower one.
    case wentBack = "went_back"

    /// Whether it is known before the comparison too, as far as it has happened.
    var isSeenLive: Bool { self == .changed || self == .wentBack }
  }

  public struct Violation: Sendable {
    public var verdict: Verdict
    /// `order-events[2]@1047`.
    public var record: String
    /// Whose view it concerns.
    public var reader: Isolation
    /// In words.
    public var detail: String
  }

  /// Of one topic.
  public struct TopicFindings: Sendable {
    /// Coordinates kept of each verdict; all are counted.
    public static let violationLimit = 20

    public var topic: String
    /// Records that the committed reader saw.
    public var committed: Int64 = 0
    /// Records that the uncommitted reader saw; `nil` where a broker has no such view.
    public var uncommitted: Int64?
    /// Records that were seen and that retention has removed since.
    public var unverifiable: Int64 = 0
    /// How many other topics of this name there were after the first one.
    public var madeAnew: Int64 = 0
    /// Whether it was ever there.
    public var isKnown = false
    public private(set) var counts: [Verdict: Int64] = [:]
    public private(set) var violations: [Violation] = []

    public init(topic: String, hasUncommitted: Bool) {
      self.topic = topic
      uncommitted = hasUncommitted ? 0 : nil
    }

    public func count(_ verdict: Verdict) -> Int64 { counts[verdict] ?? 0 }

    mutating func add(
      _ verdict: Verdict, partition: Int32, offset: Offset, reader: Isolation, _ detail: () -> String
    ) {
      counts[verdict, default: 0] += 1
      guard count(verdict) <= Self.violationLimit else { return }
      let place = Coordinates(TopicPartition(topic: topic, partition: partition), offset: offset)
      violations.append(
        Violation(verdict: verdict, record: place.description, reader: reader, detail: detail()))
    }
  }
}
