import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Runs of `inventory` without transactions.
@Suite struct GuaranteeTests {
  static let weaker = [Guarantee.atLeastOnce, .atMostOnce]

  private func run(
    _ orders: Orders, on broker: (any Broker)? = nil, _ guarantee: Guarantee,
    _ change: @escaping @Sendable (inout PipelineLoop.Settings) -> Void = { _ in }
  ) throws -> Run {
    try Run(orders, on: broker).with {
      $0.events = PipelineEvents()
      $0.change = { settings in
        settings.guarantee = guarantee
        change(&settings)
      }
    }
  }

  @Test(
    "Where nothing fails each of them is exact, over restarts, poison and exact numbers", arguments: BackEnd.all, weaker
  )
  func undisturbed(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      try broker.produce([TestRecord(partition: 1, key: "k", value: "no order")], to: Orders.topic)
      try Run.createOutputs(orders)
      let first = try run(orders, guarantee) { $0.maximumRecords = 123 }.inventory()
      #expect(first.run.end == .reachedMaximum && first.run.records == 123)
      let admin = try broker.admin()
      defer { admin.close() }
      // So its lag is known where it has committed nothing yet.
      #expect(try admin.group("g")?.beginsAtEarliest == true)
      let second = try run(orders, guarantee).inventory()
      #expect(second.run.end == .reachedEnds && first.counts.orders + second.counts.orders == 500)
      #expect(try run(orders, guarantee).inventory().run.records == 0)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 500)
      #expect(try broker.contents(of: Run.deadLetters).count == 1)
    }
  }

  @Test(
    "Members that come and go hand over between commits, so nothing is lost or doubled", arguments: BackEnd.all, weaker)
  func rebalance(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 4)
      try orders.produce(400)
      try Run.createOutputs(orders)
      let ends = try orders.ends().map { $0 + 10 }
      // Waits for ten orders more in each partition, and would commit only in a minute.
      let first = try run(orders, guarantee) {
        $0.bound = .ends(ends)
        $0.commitRecords = 10_000
        $0.commitInterval = .seconds(60)
      }
      let member = BackgroundRun { try first.inventory() }
      #expect(PipelineEvents.wait { first.events.remaining == 40 })
      let second = try run(orders, on: try fixture.open(), guarantee) { $0.bound = .follow(idle: nil) }
      let other = BackgroundRun { try second.inventory() }
      #expect(PipelineEvents.wait { second.events.assigned.last?.isEmpty == false })
      try orders.produce(300, firstOrder: 401)
      #expect(PipelineEvents.wait { second.events.committed > 0 })
      for run in [first, second] { run.stop.request() }
      let counts = try [member.join(), other.join()].map(\.counts.orders)
      let rest = try run(orders, guarantee).inventory()
      #expect(counts.reduce(rest.counts.orders, +) == 700)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 700)
      #expect(first.events.aborts.isEmpty && second.events.aborts.isEmpty)
    }
  }

  @Test("What a failed commit leaves is read again at least once, and never twice at most once", arguments: BackEnd.all)
  func failedCommit(_ backEnd: BackEnd) throws {
    for guarantee in Self.weaker {
      try backEnd.run { _, broker in
        let orders = try Orders(broker)
        try orders.produce(500)
        try Run.createOutputs(orders)
        let plan = FaultPlan(commitFault: .init(failAfter: 2, recovery: .abort, times: 2))
        let failing = try run(orders, on: FaultBroker(broker, plan), guarantee)
        #expect(try failing.inventory().run.end == .reachedEnds)
        #expect(plan.aborts == 2)
        let findings = try broker.audit()
        #expect(findings.count(.lost) == 0 && findings.orders == 500)
        // Nothing of it was committed, so nothing was sent.
        if guarantee == .atMostOnce { #expect(findings.isClean) }
      }
    }
  }

  @Test("A group keeps its guarantee: state and none do not follow each other", arguments: BackEnd.all, weaker)
  func mixed(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(60)
      try Run.createOutputs(orders)
      _ = try run(orders, .exactlyOnce).inventory()
      let refused = pipelineError { _ = try run(orders, guarantee).inventory() }
      guard case .guaranteeMixed(group: "g", guarantee) = refused else {
        Issue.record("the group has state: \(String(describing: refused))")
        return
      }
      #expect("\(refused!)".contains("use another --group"))
      let other = try run(orders, guarantee).with { $0.group = "other" }
      _ = try other.inventory()
      let gone = pipelineError { _ = try run(orders, .exactlyOnce).with { $0.group = "other" }.inventory() }
      guard case .stateGone(topic: Orders.topic, group: "other", _) = gone else {
        Issue.record("the group has no state: \(String(describing: gone))")
        return
      }
      #expect("\(gone!)".contains("--guarantee"))
      // Neither of the refused runs has moved anything.
      #expect(try run(orders, .exactlyOnce).inventory().run.records == 0)
      #expect(try other.inventory().run.records == 0)
    }
  }

  @Test("Records that are gone stop a run without state too, unless their loss is accepted", arguments: BackEnd.all)
  func gone(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(50)
      try Run.createOutputs(orders)
      _ = try run(orders, .atLeastOnce) { $0.maximumRecords = 10 }.inventory()
      let admin = try broker.admin()
      defer { admin.close() }
      try admin.apply(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 0), before: 30))
      guard case .rangeGone(_, from: 10, to: 30) = pipelineError({ _ = try run(orders, .atLeastOnce).inventory() })
      else {
        Issue.record("twenty records are gone")
        return
      }
      let accepted = try run(orders, .atLeastOnce) { $0.acceptsLoss = true }.inventory()
      #expect(accepted.run.records == 20)
    }
  }
}
