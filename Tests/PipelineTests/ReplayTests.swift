import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct ReplayTests {
  private func replay(_ orders: Orders, on broker: any Broker) throws -> Replay {
    Replay(
      broker: broker, consumer: ConsumerOptions(topic: Orders.topic, membership: .sole(group: "replay")),
      partitionCount: orders.partitions, ends: try orders.ends(), time: SystemTime(), stop: StopFlag())
  }

  private func report(_ first: Replay.Pass, _ second: Replay.Pass) -> ReplayReport {
    ReplayReport(
      topic: Orders.topic, initial: first.summary, replay: second.summary, initialFile: "a", replayFile: "b",
      goneRanges: [])
  }

  @Test("A replay computes the same bytes from every record", arguments: BackEnd.all)
  func equal(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(700)
      try broker.produce([TestRecord(value: "poison")], to: Orders.topic)
      let replay = try replay(orders, on: broker)
      let passes = try [false, true].map { try replay.compute(resetsGroup: $0, observer: SilentObserver()) }
      #expect(passes.map(\.run.records) == [701, 701])
      #expect(passes[0].summary.report == passes[1].summary.report)
      #expect(report(passes[0], passes[1]).isMatch)
      #expect(passes[0].summary.agrees(with: try orders.expectedSummary()))
    }
  }

  @Test("Passes over different records differ, in a line that is named", arguments: BackEnd.all)
  func different(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(700)
      let first = try replay(orders, on: broker).compute(resetsGroup: false, observer: SilentObserver())
      try orders.produce(3, firstOrder: 701)
      let second = try replay(orders, on: broker).compute(resetsGroup: true, observer: SilentObserver())
      #expect(second.run.records == 703 && second.summary.totalOrders == 703)
      let report = report(first, second)
      #expect(!report.isMatch)
      #expect(
        report.difference?.description
          == #"line 2: first "  Total orders               700", after the replay "  Total orders               703""#)
    }
  }

  @Test("State that no run could have written is refused in words", arguments: BackEnd.all)
  func impossibleState(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(10)
      let start: [UInt8] = [1, StateKind.metrics.rawValue, 0, 0, 0, 0, 0, 0, 0, 0]
      let one: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0, 0]
      let values: [(String, [UInt8])] = [
        ("hour/\(Int64.max)", start + [1] + one), ("hour/\(Int64.min)", start + [1] + one),
        ("hour/71000000", start + [1] + one), ("hour/473000", start + [1, 60] + one.dropFirst()),
        ("hour/473000", start + [1, 0, 1, 0, 0, 0, 2, 0, 0, 0]), ("hour/473000", start + [2] + one),
        ("hour/473000", start), ("position", start + [1, 2, 3]),
        ("hour/473000", start + [1, 0, 255, 255, 255, 255, 0, 0, 0, 0]),
      ]
      for (index, (key, value)) in values.enumerated() {
        let plan = FaultPlan(tampering: .init(commit: 0, partition: 0, key: key, value: value))
        let run = try Run(orders, on: FaultBroker(broker, plan)).with {
          $0.group = "g\(index)"
          $0.change = { $0.resetsGroup = true }
        }
        guard case .damagedState(let partition, _) = pipelineError({ _ = try run.analytics() }) else {
          Issue.record("state \(index) was taken")
          continue
        }
        #expect(partition == TopicPartition(topic: Orders.topic, partition: 0))
      }
    }
  }
}
