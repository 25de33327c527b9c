import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Commits without a transaction, outputs and offsets one after the other.
@Suite struct TwoStepContractTests {
  static let weaker = [Guarantee.atLeastOnce, .atMostOnce]

  /// A member with 100 records in hand, of two partitions.
  private func member(
    _ broker: any Broker, _ guarantee: Guarantee, outputs: [String] = ["out", "dead"]
  ) throws -> TestConsumer {
    try broker.createTopic("in", partitions: 2)
    for output in outputs { try broker.createTopic(output, partitions: 2) }
    try broker.produce(100, to: "in", partitions: 2)
    let member = try TestConsumer(broker, topic: "in", group: "g", outputs: outputs, guarantee: guarantee)
    #expect(try TestConsumer.pump([member]) { member.pending.count == 100 })
    return member
  }

  @Test("Outputs and offsets are there after the commit, without any state", arguments: BackEnd.all, weaker)
  func commit(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { _, broker in
      let member = try member(broker, guarantee)
      defer { member.close() }
      for number in 0..<3000 { try member.send(TestRecord(partition: Int32(number % 2), value: "o\(number)")) }
      var letter = TestRecord(partition: 1, key: "poison", value: nil)
      letter.headers = [TestRecord.Header("error-code", Array("x".utf8))]
      try member.send(letter, to: 1)
      #expect(member.transaction!.pendingBytes > 3000 * 4)
      if guarantee == .atMostOnce { #expect(try broker.contents(of: "out").isEmpty) }
      #expect(try member.consumer.committedOffsets([0, 1]) == [nil, nil])
      try member.commit()
      #expect(member.transaction!.pendingBytes == 0)
      let out = try broker.contents(of: "out")
      for partition in 0..<2 {
        let values = out.filter { $0.partition == partition }.map(\.text)
        #expect(values == stride(from: partition, to: 3000, by: 2).map { "o\($0)" })
      }
      let dead = try broker.contents(of: "dead")
      #expect(dead.count == 1 && dead[0].key.map { String(decoding: $0, as: UTF8.self) } == "poison")
      #expect(dead[0].value == nil && dead[0].headers == letter.headers && dead[0].partition == 1)
      let committed = try member.consumer.committed([0, 1])
      #expect(committed.map { $0?.offset } == [50, 50] && committed.allSatisfy { $0?.committer?.isEmpty == false })
      #expect(try member.state([0, 1]).isEmpty)
      // Once more, with nothing to send.
      try member.commit()
      #expect(try broker.contents(of: "out").count == 3000)
    }
  }

  @Test("After an abort it goes on from the committed offsets", arguments: BackEnd.all, weaker)
  func abort(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { _, broker in
      let member = try member(broker, guarantee)
      defer { member.close() }
      try member.send(TestRecord(value: "dropped"))
      try member.abort()
      #expect(try TestConsumer.pump([member]) { member.pending.count == 100 })
      try member.send(TestRecord(value: "kept"))
      try member.commit()
      let out = try broker.contents(of: "out").map(\.text)
      // What was sent may have arrived before it was given up.
      #expect(out == ["kept"] || guarantee == .atLeastOnce && out == ["dropped", "kept"])
      #expect(try member.consumer.committedOffsets([0, 1]) == [50, 50])
    }
  }

  @Test(
    "Who does not own a partition commits nothing: its outputs stay with at-least-once, and never come with at-most-once",
    arguments: BackEnd.all, weaker)
  func foreignPartition(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in", partitions: 2)
      try broker.createTopic("out")
      try broker.produce(2, to: "in", partitions: 2)
      let members = try (0..<2).map { _ in
        try TestConsumer(try fixture.open(), topic: "in", group: "g", outputs: ["out"], guarantee: guarantee)
      }
      defer { for member in members { member.close() } }
      #expect(try TestConsumer.pump(members) { members.allSatisfy { $0.assigned?.count == 1 } })
      let before = try members[1].consumer.committedOffsets([0, 1])
      try members[0].send(TestRecord(value: "x"))
      let error = #expect(throws: BrokerError.self) {
        try members[0].transaction?.commit((0..<2).map { PartitionOffset(partition: $0, offset: 77) })
      }
      #expect(error?.code == .fenced && error?.requiresAbort == true)
      #expect(try broker.contents(of: "out").map(\.text) == (guarantee == .atLeastOnce ? ["x"] : []))
      #expect(try members[1].consumer.committedOffsets([0, 1]) == before)
    }
  }

  @Test("A record that an output cannot take is refused before anything is sent", arguments: BackEnd.all, weaker)
  func tooLarge(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    // Made before the member joins: its group does not wait for it.
    let record = TestRecord(value: String(repeating: "x", count: 40 << 20))
    try backEnd.run { _, broker in
      let member = try member(broker, guarantee, outputs: ["out"])
      defer { member.close() }
      let error = #expect(throws: BrokerError.self) { try member.send(record) }
      #expect(error?.code == .recordTooLarge)
      try member.send(TestRecord(value: "small"))
      try member.commit()
      #expect(try broker.contents(of: "out").map(\.text) == ["small"])
    }
  }
}
