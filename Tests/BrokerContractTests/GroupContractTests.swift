import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct GroupContractTests {
  @Test("A group goes on where it committed, also after a death and in another process", arguments: BackEnd.all)
  func restart(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 3)
      try broker.produce(3000, to: "t", partitions: 3)
      let first = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      first.batch.recordLimit = 700
      #expect(try TestConsumer.pump([first]) { first.pending.count >= 1200 })
      try first.commit()
      #expect(try TestConsumer.pump([first]) { first.pending.count >= 500 })
      fixture.kill(first.consumer)
      let second = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      defer { second.close() }
      #expect(try TestConsumer.pump([second]) { first.committed.count + second.pending.count >= 3000 })
      let values = Set((first.committed + second.pending).map(\.text))
      #expect(values.count == 3000 && first.committed.count + second.pending.count == 3000)
    }
  }

  @Test("Committed offsets are nil until there are some, and can be read for any partition", arguments: BackEnd.all)
  func committed(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce([TestRecord(partition: 1, value: "a")], to: "t")
      let consumer = try TestConsumer(broker, topic: "t", group: "g")
      defer { consumer.close() }
      #expect(try consumer.consumer.committedOffsets([0, 1]) == [nil, nil])
      #expect(try TestConsumer.pump([consumer]) { consumer.assigned != nil })
      try consumer.transaction?.commit([PartitionOffset(partition: 1, offset: 1)])
      #expect(try consumer.consumer.committedOffsets([1, 0]) == [1, nil])
      let other = try TestConsumer(broker, topic: "t", group: "other")
      defer { other.close() }
      #expect(try other.consumer.committedOffsets([0, 1]) == [nil, nil])
    }
  }

  @Test("Two groups each see everything", arguments: BackEnd.all)
  func twoGroups(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce(1000, to: "t", partitions: 2)
      let members = try ["a", "b"].map { try TestConsumer(broker, topic: "t", group: $0) }
      defer { for member in members { member.close() } }
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.pending.count == 1000 } })
    }
  }

  @Test("Members share the partitions, and no record is committed by two of them", arguments: BackEnd.all)
  func sharing(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 6)
      try broker.produce(6000, to: "t", partitions: 6)
      let first = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      first.batch.recordLimit = 400
      #expect(try TestConsumer.pump([first]) { !first.pending.isEmpty })
      #expect(first.assigned == [0, 1, 2, 3, 4, 5])
      let second = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      second.batch.recordLimit = 400
      #expect(try TestConsumer.pump([first, second]) { first.assigned?.count == 3 && second.assigned?.count == 3 })
      #expect(Set(first.assigned! + second.assigned!) == Set(0..<6))
      let third = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      third.batch.recordLimit = 400
      let members = [first, second, third]
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.assigned?.count == 2 } })
      try second.commit()
      second.close()
      #expect(try TestConsumer.pump([first, third]) { first.assigned?.count == 3 && third.assigned?.count == 3 })
      try broker.produce(600, to: "t", partitions: 6, prefix: "w")
      let all = { members.reduce(0) { $0 + $1.committed.count + $1.pending.count } }
      #expect(try TestConsumer.pump([first, third]) { all() >= 6600 })
      try first.commit()
      try third.commit()
      let seen = members.flatMap(\.committed)
      #expect(seen.count == 6600)
      #expect(Set(seen.map { "\($0.partition)@\($0.offset)" }).count == 6600)
      first.close()
      third.close()
    }
  }

  @Test("A member more than there are partitions is assigned none and takes over later", arguments: BackEnd.all)
  func idleMember(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t")
      let members = try (0..<2).map { _ in try TestConsumer(try fixture.open(), topic: "t", group: "g") }
      #expect(try TestConsumer.pump(members) { members.compactMap(\.assigned).map(\.count).sorted() == [0, 1] })
      let owner = members.first { $0.assigned == [0] }!
      let idle = members.first { $0.assigned == [] }!
      owner.close()
      #expect(try TestConsumer.pump([idle]) { idle.assigned == [0] })
      idle.close()
    }
  }

  @Test("Partitions of a dead member are taken over in time", arguments: BackEnd.all)
  func takeover(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 4)
      let members = try (0..<2).map { _ in try TestConsumer(try fixture.open(), topic: "t", group: "g") }
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.assigned?.count == 2 } })
      fixture.kill(members[0].consumer)
      #expect(try TestConsumer.pump([members[1]], within: backEnd.takeoverLimit) { members[1].assigned?.count == 4 })
      members[1].close()
    }
  }

  @Test("What a dead member has left open keeps its heir waiting no longer than its death", arguments: BackEnd.all)
  func inheritedTransaction(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.createTopic("out")
      try broker.produce(20, to: "t", partitions: 2)
      let dying = try TestConsumer(try fixture.open(), topic: "t", group: "g", outputs: ["out"])
      #expect(try TestConsumer.pump([dying]) { dying.pending.count == 20 })
      for partition in Int32(0)..<2 { try dying.put("k", "committed", partition: partition) }
      try dying.commit()
      let heir = try TestConsumer(try fixture.open(), topic: "t", group: "g", outputs: ["out"])
      #expect(try TestConsumer.pump([dying, heir]) { dying.assigned?.count == 1 && heir.assigned?.count == 1 })
      let partition = try #require(dying.assigned?.first)
      try dying.send(TestRecord(value: "left open"))
      try dying.put("k", "left open", partition: partition)
      if backEnd.differs(by: .controlRecords) {
        let admin = try broker.admin()
        defer { admin.close() }
        #expect(
          try TestConsumer.pump([heir]) {
            let borders = try admin.watermarks(topic: "out")[0]
            return borders.stable < borders.high
          })
      }
      fixture.kill(dying.consumer)
      let start = ContinuousClock.now
      #expect(try TestConsumer.pump([heir], within: backEnd.takeoverLimit) { heir.assigned?.count == 2 })
      #expect(try heir.state([0, 1]) == ["0/k": "committed", "1/k": "committed"])
      try heir.send(TestRecord(value: "the heir's"))
      try heir.commit()
      #expect(try broker.contents(of: "out").map(\.text) == ["the heir's"])
      #expect(ContinuousClock.now - start < backEnd.takeoverLimit)
      heir.close()
    }
  }

  @Test("A stopped member is replaced, and nothing of its old generation lands", arguments: BackEnd.all)
  func zombie(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.createTopic("out")
      try broker.produce(100, to: "t", partitions: 2)
      let zombie = try TestConsumer(try fixture.open(), topic: "t", group: "g", outputs: ["out"])
      #expect(try TestConsumer.pump([zombie]) { zombie.pending.count == 100 })
      try zombie.send(TestRecord(value: "from the grave"))
      try zombie.put("k", "from the grave", partition: 0)
      try fixture.freeze(zombie.consumer)
      let heir = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      #expect(try TestConsumer.pump([heir], within: backEnd.takeoverLimit) { heir.pending.count == 100 })
      try heir.commit()
      let error = #expect(throws: BrokerError.self) { try zombie.commit() }
      #expect(error?.code == .fenced && error?.requiresAbort == true)
      #expect(try broker.contents(of: "out").isEmpty)
      #expect(try heir.state([0, 1]).isEmpty)
      #expect(try heir.consumer.committedOffsets([0, 1]) == [50, 50])
      #expect(try TestConsumer.pump([zombie, heir]) { zombie.assigned?.count == 1 && heir.assigned?.count == 1 })
      #expect(zombie.events.contains(.lost))
      zombie.close()
      heir.close()
    }
  }

  @Test("A stopped member whom nobody replaced goes on", arguments: BackEnd.all)
  func sleeper(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t")
      try broker.produce(10, to: "t")
      let member = try TestConsumer(broker, topic: "t", group: "g")
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
      try fixture.freeze(member.consumer)
      if backEnd.differs(by: .sessions) {
        let error = #expect(throws: BrokerError.self) { try member.commit() }
        #expect(error?.code == .fenced && error?.requiresAbort == true)
        #expect(try TestConsumer.pump([member]) { member.events.contains(.lost) && member.pending.count == 10 })
      }
      try member.commit()
      #expect(try member.consumer.committedOffsets([0]) == [10])
      #expect(member.events.contains(.lost) == backEnd.differs(by: .sessions))
    }
  }

  @Test("A revoked member can still commit, and reads nothing until it has answered", arguments: BackEnd.all)
  func revokedCommit(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce(100, to: "t", partitions: 2)
      let first = try TestConsumer(broker, topic: "t", group: "g")
      #expect(try TestConsumer.pump([first]) { first.pending.count == 100 })
      let second = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      var event = ConsumerEvent.polled
      for _ in 0..<200 where event == .polled {
        event = try first.consumer.poll(into: first.batch, timeout: .milliseconds(20))
        try second.step()
      }
      #expect(event == .revoked)
      #expect(try first.consumer.poll(into: first.batch, timeout: .milliseconds(20)) == .revoked)
      #expect(first.batch.isEmpty && second.assigned == nil)
      try first.commit()
      #expect(try TestConsumer.pump([first, second]) { first.assigned?.count == 1 && second.assigned?.count == 1 })
      #expect(try second.consumer.committedOffsets([0, 1]) == [50, 50])
      first.close()
      second.close()
    }
  }

  @Test("An assignment is offered until it is answered, and is moved by assigning again", arguments: BackEnd.all)
  func seek(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      try broker.produce(100, to: "t")
      let member = try TestConsumer(broker, topic: "t", group: "g")
      defer { member.close() }
      var event = ConsumerEvent.polled
      for _ in 0..<100 where event == .polled {
        event = try member.consumer.poll(into: member.batch, timeout: .milliseconds(50))
      }
      #expect(event == .assigned([0]))
      #expect(try member.consumer.poll(into: member.batch, timeout: .zero) == .assigned([0]))
      for start in [Offset(90), 20] {
        try member.consumer.assign([PartitionOffset(partition: 0, offset: start)])
        _ = try member.consumer.poll(into: member.batch, timeout: .seconds(5))
        #expect(member.batch.entries.first?.offset == start)
        #expect(member.batch.entries.last?.offset == 99)
      }
    }
  }

  @Test(
    "After each move of the positions records come from there on, in order, each once, and of no other partition",
    arguments: BackEnd.all)
  func moves(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      try broker.produce(300, to: "t", partitions: 3)
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .sole(group: "g")))
      defer { consumer.close() }
      let batch = RecordBatch(recordLimit: 15, byteLimit: 1 << 20)
      let moves: [[Int32: Offset]] = [
        [0: 0, 1: 0, 2: 0], [0: 60, 1: 10], [0: 61, 1: 9, 2: 5], [2: 0], [0: 5, 2: 70], [0: 0, 1: 99, 2: 99],
      ]
      for (round, positions) in moves.enumerated() {
        try consumer.assign(positions.map { PartitionOffset(partition: $0.key, offset: $0.value) })
        var next = positions
        // The next move comes in the middle of what was fetched, and after the last one all is read.
        let isLast = round == moves.count - 1
        let deadline = ContinuousClock().now + .seconds(10)
        var polls = 0
        while isLast ? next.values.contains(where: { $0 < 100 }) : polls < 2 {
          try #require(ContinuousClock().now < deadline)
          #expect(try consumer.poll(into: batch, timeout: .milliseconds(50)) == .polled)
          if !batch.isEmpty { polls += 1 }
          for entry in batch.entries {
            #expect(next[entry.partition] == entry.offset, "move \(round)")
            next[entry.partition] = entry.offset.next
          }
          for end in batch.ends { #expect(next[end.partition] == end.offset, "move \(round)") }
        }
      }
    }
  }

  @Test("Members notice partitions that were added", arguments: BackEnd.all)
  func addedPartitions(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      let member = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.assigned == [0, 1] })
      try broker.change(.addPartitions(topic: "t", total: 4))
      try broker.produce(4, to: "t", partitions: 4)
      // Some may have been committed when the old partitions were given back.
      let read = { member.committed.count + member.pending.count }
      #expect(try TestConsumer.pump([member]) { member.assigned == [0, 1, 2, 3] && read() == 4 })
    }
  }

  @Test("A sole consumer has all partitions at once", arguments: BackEnd.all)
  func sole(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      for _ in 0..<2 {
        let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .sole(group: "g")))
        let batch = RecordBatch()
        var event = ConsumerEvent.polled
        for _ in 0..<100 where event == .polled { event = try consumer.poll(into: batch, timeout: .milliseconds(50)) }
        #expect(event == .assigned([0, 1, 2]))
        consumer.close()
      }
    }
  }
}
