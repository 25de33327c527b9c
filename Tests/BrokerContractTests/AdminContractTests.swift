import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct AdminContractTests {
  @Test("Topics are described by name, an unknown one is an empty list", arguments: BackEnd.all)
  func topics(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let admin = try broker.admin()
      defer { admin.close() }
      for (name, partitions) in [("b", Int32(2)), ("a.x_Y-1", 1), ("__hidden", 3)] {
        try admin.apply(.createTopic(name: name, partitions: partitions, replicationFactor: nil))
      }
      let found = try admin.topics(named: nil)
      #expect(found.map(\.name) == ["__hidden", "a.x_Y-1", "b"])
      #expect(found.map(\.partitionCount) == [3, 1, 2] && found.map(\.isInternal) == [true, false, false])
      #expect(try admin.topics(named: "b").map(\.name) == ["b"])
      #expect(try admin.topics(named: "none").isEmpty)
    }
  }

  @Test("Names and topics that cannot be are refused with their code", arguments: BackEnd.all)
  func refusals(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      func code(_ body: () throws -> Void) -> BrokerError.Code? {
        do {
          try body()
          return nil
        } catch { return (error as? BrokerError)?.code }
      }
      #expect(code { try broker.createTopic("t") } == .topicExists)
      #expect(code { try broker.createTopic("a b") } == .invalidTopic)
      #expect(code { try broker.createTopic("") } == .invalidTopic)
      #expect(code { try broker.createTopic(String(repeating: "x", count: 201)) } == .invalidTopic)
      #expect(code { try broker.change(.deleteTopic("none")) } == .unknownTopic)
      #expect(code { try broker.change(.addPartitions(topic: "none", total: 2)) } == .unknownTopic)
      #expect(code { _ = try broker.producer(topic: "none", pace: .bulk) } == .unknownTopic)
      #expect(
        code { _ = try broker.consumer(ConsumerOptions(topic: "none", membership: .none)) } == .unknownTopic)
      let admin = try broker.admin()
      defer { admin.close() }
      #expect(code { _ = try admin.watermarks(topic: "none") } == .unknownTopic)
    }
  }

  @Test("Watermarks follow appends and removals", arguments: BackEnd.all)
  func watermarks(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      let admin = try broker.admin()
      defer { admin.close() }
      try broker.produce(4000, to: "t", partitions: 2)
      #expect(
        try admin.watermarks(topic: "t") == Array(repeating: Watermarks(low: 0, high: 2000, stable: 2000), count: 2))
      try admin.apply(.deleteRecords(TopicPartition(topic: "t", partition: 1), before: 1500))
      #expect(try admin.watermarks(topic: "t")[1] == Watermarks(low: 1500, high: 2000, stable: 2000))
      #expect(try broker.contents(of: "t").filter { $0.partition == 1 }.map(\.offset) == Array(1500..<2000))
      try admin.apply(.deleteRecords(TopicPartition(topic: "t", partition: 1), before: 2000))
      try broker.produce([TestRecord(partition: 1, value: "next")], to: "t")
      #expect(try broker.contents(of: "t").filter { $0.partition == 1 }.map(\.offset) == [2000])
    }
  }

  @Test("Offsets are found by record timestamp", arguments: BackEnd.all)
  func offsetsByTime(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce((0..<3000).map { TestRecord(timestampMs: Int64($0) * 10, value: "v") }, to: "t")
      let admin = try broker.admin()
      defer { admin.close() }
      #expect(try admin.offsets(topic: "t", at: 0) == [0, 0])
      #expect(try admin.offsets(topic: "t", at: 15_001) == [1501, 0])
      #expect(try admin.offsets(topic: "t", at: 15_010) == [1501, 0])
      #expect(try admin.offsets(topic: "t", at: 1_000_000) == [3000, 0])
      try admin.apply(.deleteRecords(TopicPartition(topic: "t", partition: 0), before: 2000))
      #expect(try admin.offsets(topic: "t", at: 0) == [2000, 0])
    }
  }

  @Test("A group is described with its members, their partitions and its committed offsets", arguments: BackEnd.all)
  func groups(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce(10, to: "t", partitions: 2)
      let admin = try broker.admin()
      defer { admin.close() }
      #expect(try admin.groups(named: "g").isEmpty)
      let members = try (0..<2).map { _ in try TestConsumer(try fixture.open(), topic: "t", group: "g") }
      let read = { members.reduce(0) { $0 + $1.committed.count + $1.pending.count } }
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.assigned?.count == 1 } && read() == 10 })
      for member in members { try member.commit() }
      let active = try #require(try admin.group("g"))
      #expect(active.state == "Stable" && active.members.count == 2)
      #expect(active.members.map(\.id) == active.members.map(\.id).sorted())
      #expect(
        Set(active.members.flatMap(\.partitions)) == Set((0..<2).map { TopicPartition(topic: "t", partition: $0) }))
      #expect(active.members.allSatisfy { !$0.host.isEmpty && $0.partitions.count == 1 })
      members[0].close()
      fixture.kill(members[1].consumer)
      let clock = ContinuousClock()
      let deadline = clock.now + backEnd.takeoverLimit
      var empty = try #require(try admin.groups(named: nil).first)
      while empty.state != "Empty" && clock.now < deadline {
        empty = try #require(try admin.groups(named: nil).first)
      }
      #expect(empty.state == "Empty" && empty.members.isEmpty)
      #expect(Array(empty.committed.values) == [5, 5])
    }
  }

  @Test("Looks show every partition of several topics; one that is gone is missing", arguments: BackEnd.all)
  func looks(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("a", partitions: 2)
      try broker.createTopic("b")
      try broker.produce(20, to: "a", partitions: 2)
      try broker.change(.deleteRecords(TopicPartition(topic: "a", partition: 1), before: 4))
      let admin = try broker.admin()
      defer { admin.close() }
      func marks(_ low: Offset, _ high: Offset) -> PartitionLook {
        .seen(Watermarks(low: low, high: high, stable: high))
      }
      let (a, b) = (TopicLook(partitions: [marks(0, 10), marks(4, 10)]), TopicLook(partitions: [marks(0, 0)]))
      func looks(at topics: [String]) throws -> [String: TopicLook] {
        try admin.looks(at: topics, within: .seconds(5)).mapValues { look in
          // Partitions have replicas on a cluster, and none on the embedded log.
          let isPlaced = look.placements.allSatisfy { $0.leader != nil && !$0.inSync.isEmpty && !$0.isUnderReplicated }
          #expect(isPlaced && [0, look.partitions.count].contains(look.placements.count), "\(look)")
          return TopicLook(partitions: look.partitions, reason: look.reason)
        }
      }
      #expect(try looks(at: ["a", "none", "b"]) == ["a": a, "b": b])
      #expect(try looks(at: ["a"]) == ["a": a])
      #expect(try admin.looks(at: ["none"], within: .seconds(5)).isEmpty)
      #expect(try admin.looks(at: [], within: .seconds(5)).isEmpty)
      try broker.change(.addPartitions(topic: "b", total: 3))
      #expect(try admin.looks(at: ["b"], within: .seconds(5))["b"]?.partitions.count == 3)
    }
  }

  @Test(
    "The lag of a group of this program counts what it has not begun, and not what is gone", arguments: BackEnd.all)
  func lag(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      try broker.createTopic("other")
      try broker.produce(30, to: "t", partitions: 3)
      let member = try TestConsumer(broker, topic: "t", group: "g")
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.assigned?.count == 3 })
      try member.transaction?.commit([PartitionOffset(partition: 0, offset: 5)])
      let admin = try broker.admin()
      defer { admin.close() }
      func lag() throws -> GroupLag {
        let group = try #require(try admin.group("g"))
        #expect(group.beginsAtEarliest && group.membersKnown && group.committed.count == 1)
        return GroupLag(of: group, in: ["t"], looks: try admin.looks(at: ["t"], within: .seconds(5)))
      }
      #expect(try lag().total == .known(25))
      try admin.apply(.deleteRecords(TopicPartition(topic: "t", partition: 0), before: 7))
      try admin.apply(.deleteRecords(TopicPartition(topic: "t", partition: 1), before: 10))
      #expect(try lag().partitions.map(\.lag) == [.known(3), .known(0), .known(10)])
      try broker.produce([TestRecord(partition: 1, value: "next")], to: "t")
      #expect(try lag().total == .known(14))
    }
  }

  @Test("A group is removed with its offsets and state, but not while it has a member", arguments: BackEnd.all)
  func deleteGroup(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      try broker.produce(10, to: "t")
      let member = try TestConsumer(broker, topic: "t", group: "g")
      #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
      try member.put("k", "v", partition: 0)
      try member.commit()
      let error = #expect(throws: BrokerError.self) { try broker.change(.deleteGroup("g")) }
      #expect(error?.code == .groupActive)
      member.close()
      try broker.change(.deleteGroup("g"))
      try broker.change(.deleteGroup("g"))
      let next = try TestConsumer(broker, topic: "t", group: "g")
      defer { next.close() }
      #expect(try next.consumer.committedOffsets([0]) == [nil])
      #expect(try next.state([0]).isEmpty)
    }
  }

  @Test("A topic that is made again starts empty", arguments: BackEnd.all)
  func recreateTopic(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t")
      try broker.produce(5000, to: "t")
      try broker.change(.deleteTopic("t"))
      try broker.createTopic("t", partitions: 2)
      let admin = try fixture.open().admin()
      defer { admin.close() }
      #expect(try admin.watermarks(topic: "t") == Array(repeating: Watermarks(low: 0, high: 0, stable: 0), count: 2))
      #expect(try broker.contents(of: "t").isEmpty)
    }
  }
}
