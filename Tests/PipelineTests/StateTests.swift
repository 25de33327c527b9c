import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// What a group's state says, and what is believed of it.
@Suite struct StateTests {
  private static let resetting: @Sendable (inout PipelineLoop.Settings) -> Void = { $0.resetsGroup = true }

  private func reset(_ run: Run) throws -> AnalyticsResult { try run.with { $0.change = Self.resetting }.analytics() }

  // MARK: - Topics made anew

  @Test(
    "A topic made anew stops a group that has read the old one, whatever its length; a reset starts over",
    arguments: BackEnd.all, [30, 200, 900])
  func sourceMadeAnew(_ backEnd: BackEnd, orders count: Int64) throws {
    try backEnd.run { _, broker in
      let old = try Orders(broker)
      try old.produce(200)
      try Run.createOutputs(old)
      _ = try Run(old).analytics()
      _ = try Run(old).with { $0.group = "i" }.inventory()
      try broker.change(.deleteTopic(Orders.topic))
      let new = try Orders(broker)
      try new.produce(count, firstOrder: 1001)
      guard
        case .topicMadeAnew(topic: Orders.topic, group: "g", isOutput: false) = pipelineError({
          _ = try Run(new).analytics()
        })
      else {
        Issue.record("analytics must not go on with the state of the old topic")
        return
      }
      guard
        case .topicMadeAnew(topic: Orders.topic, group: "i", isOutput: false) = pipelineError({
          _ = try Run(new).with { $0.group = "i" }.inventory()
        })
      else {
        Issue.record("inventory must not go on with the state of the old topic")
        return
      }
      #expect(try reset(Run(new)).summary.totalOrders == count)
      #expect(try Run(new).analytics().run.records == 0, "the reset has made the state the new topic's")
    }
  }

  @Test(
    "An output made anew stops the group that has written the old one; another group writes all", arguments: BackEnd.all
  )
  func outputMadeAnew(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      try Run.createOutputs(orders)
      _ = try Run(orders).inventory()
      try orders.produce(100, firstOrder: 201)
      _ = try Run(orders).inventory()
      try broker.change(.deleteTopic(Run.output))
      try broker.createTopic(Run.output, partitions: orders.partitions)
      guard
        case .topicMadeAnew(topic: Run.output, group: "g", isOutput: true) = pipelineError({
          _ = try Run(orders).inventory()
        })
      else {
        Issue.record("the events of the first 300 orders are gone")
        return
      }
      #expect(try Run(orders).with { $0.group = "again" }.inventory().run.records == 300)
      #expect(try broker.audit().isClean)
      guard
        case .topicMadeAnew(topic: Run.output, group: "g", isOutput: true) = pipelineError({
          _ = try Run(orders).inventory()
        })
      else {
        Issue.record("the events there are another group's")
        return
      }
    }
  }

  @Test("State outlives offsets that have expired, also behind retention", arguments: BackEnd.all)
  func expiredBehindRetention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      _ = try Run(orders).analytics()
      for (partition, end) in try orders.ends().enumerated() {
        try broker.change(
          .deleteRecords(TopicPartition(topic: Orders.topic, partition: Int32(partition)), before: end))
      }
      try orders.produce(50, firstOrder: 201)
      let result = try Run(orders, on: FaultBroker(broker, FaultPlan(offsetsExpired: true))).analytics()
      #expect(result.run.records == 50 && result.summary.totalOrders == 250)
    }
  }

  // MARK: - State of the first version

  /// The state that 0.1.0 would have written for every record that is there, and its offsets.
  private func writeFirstFormat(_ orders: Orders) throws {
    let member = try TestConsumer(orders.broker, topic: Orders.topic, group: "g")
    defer { member.close() }
    #expect(try TestConsumer.pump([member]) { member.assigned?.count == Int(orders.partitions) })
    let ends = try orders.ends()
    for (partition, end) in ends.enumerated() where end > 0 {
      var position: [UInt8] = [1, StateKind.metrics.rawValue]
      withUnsafeBytes(of: end.littleEndian) { position += $0 }
      let hour = position + [1, 0] + [UInt8(truncatingIfNeeded: end), 0, 0, 0, 0, 0, 0, 0]
      position += [UInt8](repeating: 0, count: 8)
      for (key, value) in [("position", position), ("hour/473000", hour)] {
        try Array(key.utf8).withUnsafeBytes { key in
          try value.withUnsafeBytes { value in
            try member.transaction?.putState(partition: Int32(partition), key: key, value: value)
          }
        }
      }
    }
    try member.transaction?.commit(ends.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) })
  }

  @Test("State that 0.1.0 wrote is gone on with, and from then on proves itself", arguments: BackEnd.all)
  func firstFormat(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(100)
      try writeFirstFormat(orders)
      try orders.produce(30, firstOrder: 101)
      let result = try Run(orders).analytics()
      #expect(result.run.records == 30 && result.summary.totalOrders == 130)
      let plan = FaultPlan(tampering: .init(commit: 0, partition: 0, key: "hour/473000", value: nil))
      try orders.produce(30, firstOrder: 131)
      #expect(pipelineError { _ = try Run(orders, on: FaultBroker(broker, plan)).analytics() } == nil)
      guard case .damagedState = pipelineError({ _ = try Run(orders).analytics() }) else {
        Issue.record("an hour of the old state is missing")
        return
      }
    }
  }

  @Test("State that 0.1.0 wrote is not taken for that of a topic made anew", arguments: BackEnd.all)
  func firstFormatMadeAnew(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let old = try Orders(broker)
      try old.produce(100)
      try writeFirstFormat(old)
      let expired = FaultBroker(broker, FaultPlan(offsetsExpired: true))
      #expect(try Run(old, on: expired).with { $0.bound = .ends(try! old.ends()) }.analytics().run.records == 0)
      try broker.change(.deleteTopic(Orders.topic))
      let new = try Orders(broker)
      try new.produce(400, firstOrder: 1001)
      guard case .topicMadeAnew = pipelineError({ _ = try Run(new).analytics() }) else {
        Issue.record("the new topic is longer, and another one")
        return
      }
    }
  }

  // MARK: - Missing and altered records

  @Test("A state record that is removed, altered or exchanged is named, and a reset heals it", arguments: BackEnd.all)
  func damaged(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      let hour = "hour/473698"
      let older: [UInt8] =
        [1, StateKind.metrics.rawValue] + [UInt8](repeating: 0, count: 8) + [1, 30, 1, 0, 0, 0, 0, 0, 0, 0]
      let cases: [(key: String, value: [UInt8]?)] = [
        (hour, nil), (hour, older), ("hour/1", older), ("position", nil), (hour, Array("garbage".utf8)),
        ("position", [103, 1, 2]), ("position", []), ("nothing/of/ours", [1]),
      ]
      for (index, entry) in cases.enumerated() {
        let run = try Run(orders).with { $0.group = "g\(index)" }
        // The last commit of a run is the one that counts.
        _ = try run.analytics()
        let plan = FaultPlan(tampering: .init(commit: 0, partition: 1, key: entry.key, value: entry.value))
        let intruder = try TestConsumer(FaultBroker(broker, plan), topic: Orders.topic, group: run.group)
        #expect(try TestConsumer.pump([intruder]) { intruder.assigned?.count == 3 })
        let ends = try orders.ends()
        try intruder.transaction?.commit(ends.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) })
        intruder.close()
        let error = pipelineError { _ = try run.analytics() }
        guard case .damagedState(let place, let why) = error else {
          Issue.record("case \(index): \(entry.key) was believed: \(String(describing: error))")
          continue
        }
        #expect(place == TopicPartition(topic: Orders.topic, partition: 1) && !why.isEmpty)
        #expect(try reset(run).summary.totalOrders == 300, "case \(index)")
        #expect(try run.analytics().run.records == 0)
      }
    }
  }

  @Test(
    "Offsets without state are refused: of another program in any case, of this one until a reset",
    arguments: BackEnd.all)
  func offsetsWithoutState(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(60)
      let foreign = FaultBroker(broker, FaultPlan(foreignOffset: 5))
      for change in [{ _ in }, Self.resetting] as [@Sendable (inout PipelineLoop.Settings) -> Void] {
        guard
          case .foreignOffsets(topic: Orders.topic, group: "g") = pipelineError({
            _ = try Run(orders, on: foreign).with { $0.change = change }.analytics()
          })
        else {
          Issue.record("these offsets are another program's")
          return
        }
      }
      let member = try TestConsumer(broker, topic: Orders.topic, group: "h")
      #expect(try TestConsumer.pump([member]) { member.assigned != nil })
      try member.transaction?.commit([PartitionOffset(partition: 2, offset: 3)])
      member.close()
      let run = try Run(orders).with { $0.group = "h" }
      guard
        case .stateGone(topic: Orders.topic, group: "h", partitions: [2]) = pipelineError({
          _ = try run.analytics()
        })
      else {
        Issue.record("the state of these offsets is gone")
        return
      }
      #expect(try reset(run).summary.totalOrders == 60)
    }
  }

  // MARK: - Partitions that come

  @Test("A bounded member reports the totals of partitions that came after its start, too", arguments: BackEnd.all)
  func grownTopic(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 2)
      try orders.produce(100)
      // Its ends are those of two partitions.
      let early = try Run(orders)
      try broker.change(.addPartitions(topic: Orders.topic, total: 5))
      try orders.produce(200, firstOrder: 101)
      let late = try Run(orders).with { $0.partitions = 5 }
      #expect(try late.analytics().summary.totalOrders == 300)
      #expect(try early.analytics().summary.totalOrders == 300)
    }
  }
}
