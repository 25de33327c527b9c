import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Members that have a name of their own (`--instance`).
@Suite struct InstanceContractTests {
  private func member(
    _ broker: any Broker, _ instance: String?, group: String = "g"
  ) throws(BrokerError) -> any Consumer {
    var options = ConsumerOptions(topic: "t", membership: .member(group: group))
    options.instance = instance
    return try broker.consumer(options)
  }

  private func waitForAssignment(_ consumer: any Consumer) throws -> [Int32] {
    let batch = RecordBatch()
    var assigned: [Int32]?
    try eventually("an assignment") {
      switch try consumer.poll(into: batch, timeout: .milliseconds(50)) {
      case .assigned(let partitions): assigned = partitions
      case .revoked, .lost: try consumer.unassign()
      case .polled: break
      }
      return assigned != nil
    }
    try consumer.assign((assigned ?? []).map { PartitionOffset(partition: $0, offset: 0) })
    return assigned ?? []
  }

  @Test("The later one of two members of one name is refused, and the earlier one goes on", arguments: BackEnd.all)
  func twins(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      let first = try member(broker, "pod-1")
      defer { first.close() }
      #expect(try waitForAssignment(first) == [0, 1])
      for other in [broker, try fixture.open()] {
        let error = #expect(throws: BrokerError.self) { try self.member(other, "pod-1").close() }
        #expect(
          error?.code == .groupActive && error?.recovery == BrokerError.Recovery.none, "\(String(describing: error))")
        #expect(error?.what.contains("pod-1") == true && error?.remedy.contains("--instance") == true)
      }
      // Nobody has disturbed it.
      let batch = RecordBatch()
      for _ in 0..<20 { #expect(try first.poll(into: batch, timeout: .milliseconds(50)) == .polled) }
      // The name belongs to its group, and others are free.
      let elsewhere = try member(broker, "pod-1", group: "other")
      #expect(try waitForAssignment(elsewhere) == [0, 1])
      elsewhere.close()
    }
  }

  @Test("A name is free again when its member has left or died, and the new one has the place", arguments: BackEnd.all)
  func restart(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      for dies in [false, true, false] {
        let before = try member(broker, "pod-1")
        #expect(try waitForAssignment(before) == [0, 1])
        if dies { fixture.kill(before) } else { before.close() }
        let start = ContinuousClock.now
        let after = try member(broker, "pod-1")
        #expect(try waitForAssignment(after) == [0, 1])
        #expect(ContinuousClock.now - start < .seconds(5), "on the same machine nothing is waited for")
        after.close()
      }
    }
  }

  @Test("Members of different names share the partitions", arguments: BackEnd.all)
  func several(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      let names: [String?] = ["a", "b", nil]
      let members = try names.map { try member(broker, $0) }
      let batch = RecordBatch()
      var owned: [Int: [Int32]] = [:]
      try eventually("all partitions") {
        for (index, consumer) in members.enumerated() {
          switch try consumer.poll(into: batch, timeout: .milliseconds(20)) {
          case .assigned(let partitions):
            owned[index] = partitions
            try consumer.assign(partitions.map { PartitionOffset(partition: $0, offset: 0) })
          case .revoked, .lost:
            owned[index] = nil
            try consumer.unassign()
          case .polled: break
          }
        }
        return owned.count == 3 && owned.values.flatMap { $0 }.sorted() == [0, 1]
      }
      for consumer in members { consumer.close() }
    }
  }
}
