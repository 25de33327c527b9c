import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct DeletionTests {
  /// An admin that refuses some changes, and tells of a state topic.
  private final class StubbornAdmin: Admin {
    let inner: any Admin
    var refused: Set<AdminChange> = []
    var stateOf: String?

    init(_ inner: any Admin) { self.inner = inner }

    func topics(named name: String?) throws(BrokerError) -> [TopicDescription] {
      let topics = try inner.topics(named: name)
      guard let stateOf else { return topics }
      return topics + [TopicDescription(name: "state", partitionCount: 1, isInternal: true, stateOf: stateOf)]
    }

    func watermarks(topic: String) throws(BrokerError) -> [Watermarks] { try inner.watermarks(topic: topic) }

    func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] {
      try inner.looks(at: topics, within: limit)
    }

    func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset] {
      try inner.offsets(topic: topic, at: timestampMs)
    }

    func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing {
      try inner.groupListing(named: name, within: limit)
    }

    func readState(
      group: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
    ) throws(BrokerError) {
      try inner.readState(group: group, within: limit, body)
    }

    func apply(_ change: AdminChange) throws(BrokerError) {
      if refused.contains(change) { throw BrokerError(.unauthorized, "cannot", why: "it is refused by plan") }
      try inner.apply(change)
    }

    func close() { inner.close() }
  }

  private static func run(_ body: (any Broker, StubbornAdmin) throws -> Void) throws {
    try BackEnd.all[0].run { _, broker in
      for topic in ["a", "b"] { try broker.createTopic(topic, partitions: 2) }
      try broker.produce(10, to: "a", partitions: 2)
      let admin = StubbornAdmin(try broker.admin())
      defer { admin.close() }
      try body(broker, admin)
    }
  }

  @Test("Each thing is tried, and what is left is named")
  func partial() throws {
    try Self.run { _, admin in
      admin.refused = [.deleteTopic("a"), .deleteGroup("g")]
      admin.stateOf = "g"
      let deletion = Deletion(Deletion.Request(topics: ["a", "b"], groups: ["g"]), admin: admin, now: 0)
      let (plan, refusals) = try deletion.plan()
      #expect(refusals.isEmpty && plan.records == 10 && plan.groups.map(\.name) == ["g"], "its state is still there")
      let outcome = deletion.execute(plan, stop: StopFlag())
      #expect(outcome.left == ["group g", "topic a"] && outcome.gone.topics.map(\.name) == ["b"])
      #expect(outcome.failures.map(\.code) == [.unauthorized, .unauthorized] && !outcome.isCutShort)
      #expect(try admin.inner.topics(named: nil).map(\.name) == ["a"])
    }
  }

  @Test("A request to stop leaves the rest, by name")
  func stopped() throws {
    try Self.run { _, admin in
      let deletion = Deletion(Deletion.Request(topics: ["a"], before: .latest), admin: admin, now: 0)
      let plan = try deletion.plan().plan
      let stop = StopFlag()
      stop.request()
      let outcome = deletion.execute(plan, stop: stop)
      #expect(outcome.isCutShort && outcome.left == ["records of a[0]", "records of a[1]"] && outcome.failures.isEmpty)
      #expect(try admin.watermarks(topic: "a").map(\.low) == [0, 0])
    }
  }

  @Test("What somebody else has removed meanwhile is gone")
  func faster() throws {
    try Self.run { broker, admin in
      let deletion = Deletion(Deletion.Request(topics: ["a"]), admin: admin, now: 0)
      let plan = try deletion.plan().plan
      try broker.change(.deleteTopic("a"))
      let outcome = deletion.execute(plan, stop: StopFlag())
      #expect(outcome.left.isEmpty && outcome.gone.topics.map(\.name) == ["a"])
    }
  }

  @Test(
    "A place is within the borders of a partition",
    arguments: [
      (Place(.earliest), [2, 0]), (Place(.latest), [5, 5]), (Place(.offset(3)), [3, 3]), (Place(.offset(1)), [2, 1]),
      (Place(.afterStart(1)), [3, 1]), (Place(.afterStart(.max)), [5, 5]), (Place(.beforeEnd(1)), [4, 4]),
      (Place(.beforeEnd(.max)), [2, 0]), (Place(.time(milliseconds: 0)), [2, 0]),
      (Place(.time(milliseconds: .max)), [5, 5]), (Place(.ago(.zero)), [5, 5]),
      (Place(.offset(4), partition: 1), [nil, 4]),
    ] as [(Place, [Offset?])])
  func places(place: Place, expected: [Offset?]) throws {
    try Self.run { _, admin in
      try admin.apply(.deleteRecords(TopicPartition(topic: "a", partition: 0), before: 2))
      let marks = try admin.watermarks(topic: "a")
      // Records have the time at which they were sent.
      let found = try place.offsets(in: "a", marks, admin: admin, wallMilliseconds: .max)
      #expect(found == expected)
      let error = #expect(throws: BrokerError.self) {
        try Place(.latest, partition: 2).offsets(in: "a", marks, admin: admin, wallMilliseconds: 0)
      }
      #expect(error?.code == .unknownPartition)
    }
  }
}
