import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct TransactionContractTests {
  @Test("Outputs, state and offsets become visible together at the commit", arguments: BackEnd.all)
  func atomicCommit(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in", partitions: 2)
      try broker.createTopic("out", partitions: 2)
      try broker.createTopic("dead")
      try broker.produce(100, to: "in", partitions: 2)
      let member = try TestConsumer(broker, topic: "in", group: "g", outputs: ["out", "dead"])
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 100 })
      for number in 0..<3000 { try member.send(TestRecord(partition: Int32(number % 2), value: "o\(number)")) }
      try member.send(TestRecord(key: "poison", value: "x"), to: 1)
      try member.put("a", "1", partition: 0)
      try member.put("b", "2", partition: 1)
      #expect(member.transaction!.pendingBytes > 3000 * 4)
      let watcher = try fixture.open()
      #expect(try watcher.contents(of: "out").isEmpty && watcher.contents(of: "dead").isEmpty)
      #expect(try member.consumer.committedOffsets([0, 1]) == [nil, nil])
      #expect(try member.state([0, 1]).isEmpty)
      try member.commit()
      #expect(member.transaction!.pendingBytes == 0)
      let out = try watcher.contents(of: "out")
      for partition in 0..<2 {
        #expect(
          out.filter { $0.partition == partition }.map(\.text)
            == stride(from: partition, to: 3000, by: 2).map { "o\($0)" })
      }
      #expect(try watcher.contents(of: "dead").map(\.text) == ["x"])
      #expect(try member.consumer.committedOffsets([0, 1]) == [50, 50])
      #expect(try member.state([0, 1]) == ["0/a": "1", "1/b": "2"])
    }
  }

  @Test("Nothing of an aborted transaction is ever seen", arguments: BackEnd.all)
  func abort(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("in")
      try broker.createTopic("out")
      try broker.produce(10, to: "in")
      let member = try TestConsumer(broker, topic: "in", group: "g", outputs: ["out"])
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
      try member.send(TestRecord(value: "dropped"))
      try member.put("k", "dropped", partition: 0)
      try member.abort()
      #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
      try member.send(TestRecord(value: "kept"))
      try member.commit()
      #expect(try broker.contents(of: "out").map(\.text) == ["kept"])
      #expect(try member.state([0]).isEmpty)
    }
  }

  @Test("The last write to a state key wins, removal too, across restarts", arguments: BackEnd.all)
  func state(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in", partitions: 2)
      let member = try TestConsumer(broker, topic: "in", group: "g")
      #expect(try TestConsumer.pump([member]) { member.assigned != nil })
      try member.put("a", "1", partition: 0)
      try member.put("a", "2", partition: 0)
      try member.put("b", "1", partition: 0)
      try member.put("a", "other partition", partition: 1)
      try member.put("empty", "", partition: 1)
      try member.commit()
      try member.put("b", nil, partition: 0)
      try member.put("never", nil, partition: 0)
      try member.put("a", "3", partition: 0)
      try member.put("c", "x", partition: 0)
      try member.put("c", nil, partition: 0)
      try member.commit()
      member.close()
      let next = try TestConsumer(try fixture.open(), topic: "in", group: "g")
      defer { next.close() }
      #expect(try next.state([0]) == ["0/a": "3"])
      #expect(try next.state([0, 1]) == ["0/a": "3", "1/a": "other partition", "1/empty": ""])
    }
  }

  @Test("Offsets are refused for a partition that the member does not own", arguments: BackEnd.all)
  func foreignPartition(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in", partitions: 2)
      try broker.createTopic("out")
      try broker.produce(2, to: "in", partitions: 2)
      let members = try (0..<2).map { _ in
        try TestConsumer(try fixture.open(), topic: "in", group: "g", outputs: ["out"])
      }
      defer { for member in members { member.close() } }
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.assigned?.count == 1 } })
      let before = try members[1].consumer.committedOffsets([0, 1])
      try members[0].send(TestRecord(value: "x"))
      let error = #expect(throws: BrokerError.self) {
        try members[0].transaction?.commit((0..<2).map { PartitionOffset(partition: $0, offset: 77) })
      }
      #expect(error?.code == .fenced && error?.requiresAbort == true)
      #expect(try broker.contents(of: "out").isEmpty)
      #expect(try members[1].consumer.committedOffsets([0, 1]) == before)
    }
  }

  @Test("Outputs of several members and of a producer go behind each other without a gap", arguments: BackEnd.all)
  func sharedOutput(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in", partitions: 2)
      try broker.createTopic("out")
      let members = try (0..<2).map { _ in
        try TestConsumer(try fixture.open(), topic: "in", group: "g", outputs: ["out"])
      }
      defer { for member in members { member.close() } }
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.assigned?.count == 1 } })
      for round in 0..<5 {
        for member in members {
          try member.send(TestRecord(value: "m\(round)"))
          try member.commit()
        }
        try broker.produce(1, to: "out")
      }
      let offsets = try broker.contents(of: "out").map(\.offset)
      #expect(offsets.count == 15 && offsets == offsets.sorted())
      if !backEnd.differs(by: .controlRecords) { #expect(offsets == Array(0..<15)) }
    }
  }

  @Test("A consumer reads on while a commit is under way", arguments: BackEnd.all)
  func readingBesideACommit(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in")
      try broker.produce(100, to: "in")
      let member = try TestConsumer(broker, topic: "in", group: "g")
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 100 })
      try broker.produce(50, to: "in")
      try member.put("k", "1", partition: 0)
      let transaction = try #require(member.transaction)
      // The other thread has it until it is joined.
      nonisolated(unsafe) let shared = transaction
      let commit = BackgroundRun { try shared.commit([PartitionOffset(partition: 0, offset: 100)]) }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 150 })
      try commit.join()
      #expect(try member.consumer.committedOffsets([0]) == [100])
      #expect(try member.state([0]) == ["0/k": "1"])
      try member.put("k", "2", partition: 0)
      try member.commit()
      #expect(try member.consumer.committedOffsets([0]) == [member.positions[0]])
    }
  }

  @Test("A committed offset says that a member of this program committed it", arguments: BackEnd.all)
  func committer(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in", partitions: 2)
      try broker.produce(10, to: "in", partitions: 1)
      let member = try TestConsumer(broker, topic: "in", group: "g")
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
      try member.transaction?.commit([PartitionOffset(partition: 0, offset: 10)])
      let committed = try member.consumer.committed([0, 1])
      #expect(committed[0]?.offset == 10 && committed[0]?.committer?.isEmpty == false && committed[1] == nil)
      try member.transaction?.commit([PartitionOffset(partition: 0, offset: 10)])
      #expect(try member.consumer.committed([0])[0]?.committer == committed[0]?.committer)
    }
  }
}
