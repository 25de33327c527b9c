import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct OffsetTests {
  @Test("Offsets that somebody moved stop a run in words, and a reset repairs it", arguments: BackEnd.all)
  func moved(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 2)
      try orders.produce(200)
      let before = try Run(orders).analytics()
      let end = try orders.ends()[1]
      let intruder = try TestConsumer(broker, topic: Orders.topic, group: "g")
      #expect(try TestConsumer.pump([intruder]) { intruder.assigned != nil })
      try intruder.transaction?.commit([PartitionOffset(partition: 1, offset: 3)])
      intruder.close()
      let error = pipelineError { _ = try Run(orders).analytics() }
      guard case .offsetsMoved(Orders.topic, group: "g", let moved) = error else {
        Issue.record("not .offsetsMoved: \(String(describing: error))")
        return
      }
      #expect(moved == [MovedOffset(partition: 1, committed: 3, covered: end)])
      #expect(error!.description.contains("--reset-offsets"))
      let reset = try Run(orders).with { $0.change = { $0.resetsGroup = true } }.analytics()
      #expect(reset.run.records == 200 && reset.summary.report == before.summary.report)
    }
  }

  @Test("A difference between offsets and state that does not stay is no error", arguments: BackEnd.all)
  func passingDifference(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      let before = try Run(orders).analytics()
      let once = FaultBroker(broker, FaultPlan(staleCommittedReads: 1))
      #expect(try Run(orders, on: once).analytics().summary == before.summary)
      let always = FaultBroker(broker, FaultPlan(staleCommittedReads: 100))
      guard case .offsetsMoved = pipelineError({ _ = try Run(orders, on: always).analytics() }) else {
        Issue.record("a difference that stays must be an error")
        return
      }
    }
  }

  @Test("State wins when the group's offsets have expired", arguments: BackEnd.all)
  func expired(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      _ = try Run(orders).analytics()
      try orders.produce(100, firstOrder: 201)
      let result = try Run(orders, on: FaultBroker(broker, FaultPlan(offsetsExpired: true))).analytics()
      #expect(result.run.records == 100)
      #expect(result.summary.agrees(with: try orders.expectedSummary()))
    }
  }

  @Test("A group with the state of another job is refused, also by a reset", arguments: BackEnd.all)
  func foreignState(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(100)
      try Run.createOutputs(orders)
      _ = try Run(orders).inventory()
      guard case .foreignState(group: "g", let why) = pipelineError({ _ = try Run(orders).analytics() }) else {
        Issue.record("the state of inventory must not become metrics")
        return
      }
      #expect(why == "it belongs to inventory")
      let reset = pipelineError { _ = try Run(orders).with { $0.change = { $0.resetsGroup = true } }.analytics() }
      guard case .foreignState = reset else {
        Issue.record("recomputing metrics must not erase what inventory has done")
        return
      }
      #expect(try Run(orders).inventory().run.records == 0)
    }
  }

  @Test("A reset recomputes the same bytes, from what retention has left", arguments: BackEnd.all)
  func reset(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      let before = try Run(orders).analytics()
      let run = try Run(orders).with { $0.change = { $0.resetsGroup = true } }
      let again = try run.analytics()
      #expect(again.run.records == 500 && again.summary.report == before.summary.report)
      try broker.change(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 0), before: 40))
      #expect(try Run(orders).analytics().summary == before.summary)
      let shorter = try run.analytics()
      #expect(shorter.run.records == 460)
      #expect(shorter.summary.agrees(with: try orders.expectedSummary()))
    }
  }

  @Test("Records that went before they were read stop a run, or are counted once", arguments: BackEnd.all)
  func gone(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(100)
      _ = try Run(orders).analytics()
      let start = try orders.ends()[0]
      try orders.produce(300, firstOrder: 101)
      try broker.change(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 0), before: start + 7))
      guard case .rangeGone(_, from: start, to: start + 7) = pipelineError({ _ = try Run(orders).analytics() }) else {
        Issue.record("records are gone")
        return
      }
      // The loss is met again after each abort.
      let plan = FaultPlan(commitFault: .init(failAfter: 0, recovery: .abort, times: 3))
      let result = try Run(orders, on: FaultBroker(broker, plan)).with { $0.change = { $0.acceptsLoss = true } }
        .analytics()
      #expect(result.lost == 7 && result.run.records == 293 && result.summary.totalOrders == 393)
    }
  }

  @Test("A topic that was made anew stops a group that was further", arguments: BackEnd.all)
  func recreated(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(10)
      let member = try TestConsumer(broker, topic: Orders.topic, group: "g")
      #expect(try TestConsumer.pump([member]) { member.assigned != nil })
      // A position beyond the end, with state that agrees: what is left of a longer topic of the same name.
      var value: [UInt8] = [1, StateKind.metrics.rawValue]
      withUnsafeBytes(of: Int64(50).littleEndian) { value += $0 }
      value += [UInt8](repeating: 0, count: 8)
      member.close()
      let plan = FaultPlan(tampering: .init(commit: 0, partition: 0, key: "position", value: value))
      let faulty = try TestConsumer(FaultBroker(broker, plan), topic: Orders.topic, group: "g")
      #expect(try TestConsumer.pump([faulty]) { faulty.assigned != nil })
      try faulty.transaction?.commit([PartitionOffset(partition: 0, offset: 50)])
      faulty.close()
      guard case .beyondEnd(_, group: "g", position: 50, end: 10) = pipelineError({ _ = try Run(orders).analytics() })
      else {
        Issue.record("the group is further than the topic")
        return
      }
    }
  }
}
