import Testing

@testable import OrderStreamCore

@Suite struct LagTests {
  /// A row of the definition: last stable offset − max(committed, low), or unknown and why.
  struct Row: Sendable, CustomTestStringConvertible {
    var says: String
    var low: Offset = 0
    var stable: Offset = 10
    var high: Offset = 10
    var committed: Offset?
    var isOurs = false
    var lag: Int64?
    var reason: String?

    var testDescription: String { says }
  }

  static let rows: [Row] = [
    Row(says: "behind", committed: 3, lag: 7),
    Row(says: "at the end", committed: 10, lag: 0),
    Row(says: "at the stable offset below an open transaction", stable: 6, committed: 6, lag: 0),
    Row(says: "past the stable offset, because it reads what is not committed", stable: 6, committed: 8, lag: 0),
    Row(says: "beyond the end", committed: 11, reason: "committed beyond the end at 10"),
    Row(says: "far beyond the end", committed: .max, reason: "committed beyond the end at 10"),
    Row(says: "beyond the end of nothing", stable: 0, high: 0, committed: 1, reason: "committed beyond the end at 0"),
    Row(says: "below the low watermark: what is gone does not count", low: 4, committed: 1, lag: 6),
    Row(says: "below the low watermark of an empty partition", low: 10, committed: 1, lag: 0),
    Row(says: "nothing committed", reason: "nothing committed"),
    Row(says: "nothing committed by a group of ours", isOurs: true, lag: 10),
    Row(says: "nothing committed by a group of ours, the start is gone", low: 4, isOurs: true, lag: 6),
    Row(says: "nothing committed in a partition that never had a record", stable: 0, high: 0, lag: 0),
    Row(says: "nothing committed in a partition whose records are gone", low: 10, lag: 0),
    Row(says: "nothing committed below the first open transaction", stable: 0, high: 5, lag: 0),
    Row(says: "offsets at the limit", stable: .max, high: .max, committed: 0, lag: .max),
  ]

  @Test("Lag is known, or unknown for a reason", arguments: rows)
  func definition(_ row: Row) {
    let look = PartitionLook.seen(Watermarks(low: row.low, high: row.high, stable: row.stable))
    let lag = Lag(look, committed: row.committed, beginsAtEarliest: row.isOurs)
    #expect(lag.records == row.lag && lag.reason == row.reason)
    #expect((lag.records == nil) != (lag.reason == nil))
    for committed in [nil, row.committed] {
      let doubted = Lag(look, committed: committed, beginsAtEarliest: row.isOurs, doubt: "t was made anew")
      #expect(doubted == .unknown(reason: "t was made anew"))
      let unseen = Lag(.unseen(reason: "no leader"), committed: committed, beginsAtEarliest: row.isOurs)
      #expect(unseen == .unknown(reason: "no leader"))
    }
  }

  private static func place(_ topic: String, _ partition: Int32) -> TopicPartition {
    TopicPartition(topic: topic, partition: partition)
  }

  private static func look(_ highs: Offset...) -> TopicLook {
    TopicLook(partitions: highs.map { .seen(Watermarks(low: 0, high: $0, stable: $0)) })
  }

  private static func group(_ committed: [TopicPartition: Offset]) -> GroupDescription {
    GroupDescription(group: "g", state: "Empty", members: [], committed: committed)
  }

  @Test("A group's lag counts every partition of its topics, and is unknown as soon as one is")
  func group() {
    var group = Self.group([Self.place("a", 0): 4, Self.place("b", 1): 10])
    let looks = ["a": Self.look(10, 10), "b": Self.look(0, 10)]
    let lag = GroupLag(of: group, in: ["b", "a"], looks: looks)
    #expect(lag.partitions.map(\.topicPartition.description) == ["a[0]", "a[1]", "b[0]", "b[1]"])
    #expect(lag.partitions.map(\.lag.records) == [6, nil, 0, 0])
    #expect(lag.total == .unknown(reason: "a[1]: nothing committed") && lag.atLeast == 6)
    group.beginsAtEarliest = true
    #expect(GroupLag(of: group, in: ["a", "b"], looks: looks).total == .known(16))
    #expect(GroupLag(of: group, in: ["b"], looks: looks).total == .known(0))
    #expect(GroupLag(of: group, in: [], looks: looks).total.records == nil)
  }

  @Test("A topic or partition that is gone, or that was made anew, makes the lag unknown and says so")
  func gone() {
    var group = Self.group([Self.place("a", 0): 4, Self.place("a", 3): 4, Self.place("gone", 1): 4])
    group.beginsAtEarliest = true
    let looks = ["a": Self.look(10)]
    let lag = GroupLag(of: group, in: ["a", "gone"], looks: looks)
    #expect(
      lag.partitions.map(\.lag.reason) == [
        nil, "the topic has no such partition any more", "the topic gone is gone",
      ])
    #expect(lag.total.records == nil && lag.atLeast == 6)
    group.doubts["a"] = "a was made anew since group g read it"
    #expect(
      GroupLag(of: group, in: ["a"], looks: looks).partitions[0].lag
        == .unknown(reason: "a was made anew since group g read it"))
  }

  @Test("What cannot be asked is unknown: members' partitions without committed offsets, a topic that nobody describes")
  func unasked() {
    var group = Self.group([:])
    group.members = [GroupDescription.Member(id: "m", host: "h", partitions: [Self.place("a", 1)])]
    group.beginsAtEarliest = true
    group.committedFailure = BrokerError(.timedOut, "cannot read", why: "no coordinator")
    let lag = GroupLag(of: group, in: ["a"], looks: ["a": Self.look(10, 10)])
    #expect(lag.partitions.count == 2)
    #expect(lag.partitions.allSatisfy { $0.lag.reason == "the committed offsets are not known: no coordinator" })
    group.committedFailure = nil
    let refused = GroupLag(of: group, in: ["a"], looks: ["a": TopicLook(partitions: [], reason: "not allowed")])
    #expect(refused.partitions.map(\.lag) == [.unknown(reason: "not allowed")])
  }
}
