/// How lag built, peaked and drained in `lag-demo`, and whether every event was seen exactly once.
public struct LagReport: Report {
  public struct Sample: Sendable, Equatable {
    /// Since the start of production.
    public var milliseconds: Int64
    /// Events acknowledged so far.
    public var produced: Int64
    /// Events consumed and committed so far.
    public var consumed: Int64
    /// Sum of the lag of all partitions; `nil` when it could not be asked.
    public var lag: Int64?

    public init(milliseconds: Int64, produced: Int64, consumed: Int64, lag: Int64?) {
      self.milliseconds = milliseconds
      self.produced = produced
      self.consumed = consumed
      self.lag = lag
    }
  }

  public let command: StaticString = "lag-demo"
  public var topic: String
  public var group: String
  public var produced: Int64 = 0
  public var consumed: Int64 = 0
  public var lost: Int64 = 0
  public var duplicated: Int64 = 0
  public var failedDeliveries: Int64 = 0
  /// Last acknowledgement to lag 0; `nil` when it did not drain.
  public var drainMilliseconds: Int64?
  public var samples: [Sample] = []
  /// When it was ended before the lag had drained, nothing is proved, and nothing is refuted. In consumed events.
  public var completion = Completion.whole

  public init(topic: String, group: String) {
    self.topic = topic
    self.group = group
  }

  /// Of the samples that know it; `nil` when none does.
  public var peakLag: Int64? { samples.compactMap(\.lag).max() }

  /// The claim: it drained, and every event was seen exactly once.
  public var isTrue: Bool { drainMilliseconds != nil && lost == 0 && duplicated == 0 && consumed == produced }

  public func appendBody(to text: ByteBuffer) {
    TextRows.append(title: "Consumer lag on \(topic)", to: text)
    TextRows.append("Produced", produced, to: text)
    TextRows.append("Consumed", consumed, to: text)
    TextRows.append("Peak lag", peakLag.map(String.init) ?? "unknown", to: text)
    TextRows.append("Time to drain", drainMilliseconds.map(TextRows.seconds) ?? "NOT DRAINED", to: text)
    TextRows.append("Lost", lost, to: text)
    TextRows.append("Duplicated", duplicated, to: text)
    if completion.isWhole { TextRows.append("Result", result, to: text) }
  }

  private var result: String {
    isTrue ? "lag drained, every event was seen exactly once" : "THE CLAIM IS FALSE"
  }

  public var consequence: String? { "the lag had not drained" }

  public func appendMembers(to json: inout JSONWriter) {
    json.member("topic", topic)
    json.member("group", group)
    json.member("produced", produced)
    json.member("consumed", consumed)
    json.member("lost", lost)
    json.member("duplicated", duplicated)
    json.member("failed_deliveries", failedDeliveries)
    json.member("peak_lag", peakLag)
    json.member("drain_ms", drainMilliseconds)
    json.key("samples")
    json.beginArray()
    for sample in samples {
      json.beginObject()
      json.member("t_ms", sample.milliseconds)
      json.member("produced", sample.produced)
      json.member("consumed", sample.consumed)
      json.member("lag", sample.lag)
      json.endObject()
    }
    json.endArray()
  }

  /// Lag over time as a chart for a terminal.
  public func chart(width: Int) -> [String] {
    BarChart.sampled(
      samples.compactMap { sample in
        sample.lag.map { BarChart.Bar(label: TextRows.seconds(sample.milliseconds), value: $0) }
      }
    ).lines(width: width)
  }
}
