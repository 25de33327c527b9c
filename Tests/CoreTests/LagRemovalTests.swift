import Testing

@testable import OrderStreamCore

@Suite struct LagRemovalTests {
  /// Knows the settings of a topic, and when its records came: one a second in each partition, offset 0 at time 0.
  private final class TimedAdmin: Admin {
    let settings: [String: String]?
    private(set) var questions = 0

    init(_ settings: [String: String]?) { self.settings = settings }

    func settings(_ names: [String], of topic: String, within limit: Duration) throws(BrokerError) -> [String: String]?
    {
      settings
    }
    func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset] {
      questions += 1
      return [max(0, (timestampMs + 999) / 1000)]
    }
    func topics(named name: String?) throws(BrokerError) -> [TopicDescription] { [] }
    func watermarks(topic: String) throws(BrokerError) -> [Watermarks] { [] }
    func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] { [:] }
    func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing { .init([]) }
    func readState(
      group: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
    ) throws(BrokerError) {}
    func apply(_ change: AdminChange) throws(BrokerError) {}
    func close() {}
  }

  private struct Clock: TimeSource {
    let monotonicNanoseconds: Int64 = 0
    let wallMilliseconds: Int64
    func sleep(_ duration: Duration) {}
  }

  /// A group that serves `pace` records a second of what arrives once a second, `behind` records behind at second 10000.
  private static func removal(
    _ settings: [String: String]?, pace: Double, behind: Double, seconds: Double = 20, knowsAge: Bool = true
  ) -> (LagExplanation.Removal, questions: Int) {
    var group = SimulatedGroup(partitions: 1)
    group.run(
      seconds: seconds, ends: { _, t in 10_000 - seconds + t },
      positions: { _, t in 10_000 - behind - pace * (seconds - t) })
    let admin = TimedAdmin(settings)
    let removals = LagRemovals(admin: admin, time: Clock(wallMilliseconds: 10_000_000))
    let marks = Watermarks(low: 0, high: 10_000, stable: 10_000)
    let committed = Offset(10_000 - behind)
    let lag = GroupLag(partitions: [
      .init(
        TopicPartition(topic: "t", partition: 0), committed: committed, watermarks: marks,
        lag: Lag(.seen(marks), committed: committed, beginsAtEarliest: true))
    ])
    let age = LagExplanation.Age(seconds: knowsAge ? behind : nil)
    return (removals.removals(of: lag, group.explanation, ages: [age])[0], admin.questions)
  }

  private static let hour = ["cleanup.policy": "delete", "retention.ms": "3600000", "retention.bytes": "-1"]

  @Test("Nothing is removed where nothing is due before it is read; then nobody is asked for offsets by time")
  func none() {
    for settings in [nil, ["retention.ms": "-1"], ["cleanup.policy": "compact", "retention.ms": "1000"]] {
      let (removal, questions) = Self.removal(settings, pace: 0, behind: 5000)
      #expect(removal == .init(records: 0) && questions == 0)
    }
    let (early, questions) = Self.removal(Self.hour, pace: 11, behind: 1000)
    #expect(early == .init(records: 0) && questions == 0)
    #expect(Self.removal(Self.hour, pace: 0, behind: 0).0 == .init(records: 0))
  }

  @Test("What is due before it is read is counted")
  func some() {
    // It reads nothing: all is due in the end.
    let (all, questions) = Self.removal(Self.hour, pace: 0, behind: 5000)
    #expect(all.records == 5000 && questions > 0 && all.reason?.contains("whole segments") == true, "\(all)")
    // 5000 behind, what is older than 3600 goes at once: 1400; it reads twice as fast as records become due.
    let (first, _) = Self.removal(Self.hour, pace: 2, behind: 5000)
    #expect(first.records.map { abs($0 - 1400) < 20 } == true, "\(first)")
    // At half the pace it loses the half of what comes due until then.
    let (half, _) = Self.removal(Self.hour, pace: 0.5, behind: 3600, knowsAge: false)
    #expect(half.records.map { abs($0 - 1800) < 60 } == true, "\(half)")
  }

  @Test("What nobody tells is unknown and why: the size of a partition, a pace that was not seen")
  func unknown() {
    let bytes = Self.removal(["cleanup.policy": "delete", "retention.bytes": "1000"], pace: 1, behind: 50).0
    #expect(bytes.records == nil && bytes.reason?.contains("retention.bytes") == true)
    let young = Self.removal(Self.hour, pace: 1, behind: 5000, seconds: 0).0
    #expect(young.records == nil && young.reason?.contains("3 looks") == true, "\(young)")
  }
}
