import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// Reading while a commit is under way.
@Suite struct CommitTests {
  private func run(_ orders: Orders, _ plan: FaultPlan, _ change: (inout Run) -> Void = { _ in }) throws -> Run {
    try Run(orders, on: FaultBroker(orders.broker, plan)).with {
      $0.change = {
        $0.commitsWhileReading = true
        $0.batchRecords = 100
        // Only what is due by count, so that the number of commits says something.
        $0.commitInterval = .seconds(20)
      }
      change(&$0)
    }
  }

  @Test("What is read meanwhile is committed as soon as the commit has ended", arguments: BackEnd.all)
  func coalescing(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(2000)
      let slow = try run(orders, FaultPlan(pollsPerCommit: 3))
      let result = try slow.analytics()
      #expect(result.run.records == 2000 && slow.events.committed == 2000)
      #expect(try result.summary.agrees(with: orders.expectedSummary()))
      // A commit of 100 records, then at least three more batches before the next one.
      #expect((2...8).contains(slow.events.commits), "\(slow.events.commits)")
    }
  }

  @Test(
    "A commit that fails behind the reading counts nothing twice and nothing less",
    arguments: FailingCommit.cases([0, 1]))
  func failing(_ test: FailingCommit) throws {
    try test.backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(1500)
      let plan = FaultPlan(
        commitFault: .init(failAfter: test.failAfter, test.moment, code: test.code, recovery: test.recovery),
        pollsPerCommit: 1)
      let first = try run(orders, plan)
      let error = pipelineError { _ = try first.analytics() }
      #expect((error == nil) == (test.recovery != .fatal))
      #expect(first.events.aborts.map(\.code) == (test.recovery == .abort ? [test.code] : []))
      let rest = try Run(orders).analytics()
      #expect(try rest.summary.agrees(with: orders.expectedSummary()))
      if test.recovery != .fatal { #expect(rest.run.records == 0) }
      if test.moment == .before { #expect(first.events.committed + rest.run.records == 1500) }
    }
  }

  @Test("A maximum is exact", arguments: BackEnd.all)
  func maximum(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(1000)
      // The third run finds only 300 left.
      for (failAfter, expected) in [(0, 350), (1, 350), (2, 300)] {
        let plan = FaultPlan(commitFault: .init(failAfter: failAfter, recovery: .abort), pollsPerCommit: 2)
        let run = try run(orders, plan) { run in
          run.change = {
            $0.commitsWhileReading = true
            $0.batchRecords = 60
            $0.commitRecords = 60
            $0.maximumRecords = 350
          }
        }
        let result = try run.analytics()
        #expect(result.run.records == Int64(expected))
      }
      #expect(try Run(orders).analytics().summary.totalOrders == 1000)
    }
  }

  @Test("A run that stops or fails counts the commit that was under way", arguments: BackEnd.all)
  func ending(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(600)
      try broker.produce([TestRecord(value: "poison")], to: Orders.topic)
      try orders.produce(600, firstOrder: 601)
      let stop = StopFlag()
      let stopped = try run(orders, FaultPlan(pollsPerCommit: .max)) {
        $0.partitions = 1
        $0.stop = stop
        $0.events = PipelineEvents { _, loop in if (loop.remainingBelowEnds ?? .max) < 1000 { stop.request() } }
      }
      let first = try stopped.analytics()
      #expect(first.run.end == .stopped && first.run.records == first.summary.totalOrders)
      #expect((201..<600).contains(first.run.records), "\(first.run.records)")

      let failing = try run(orders, FaultPlan(pollsPerCommit: .max)) {
        $0.partitions = 1
        $0.onPoison = .fail
      }
      guard case .poison = pipelineError({ _ = try failing.analytics() }) else {
        Issue.record("the run must stop at the poison")
        return
      }
      let rest = try Run(orders).with { $0.partitions = 1 }.analytics()
      #expect(first.run.records + failing.events.committed + rest.run.records == 1201)
      #expect(rest.summary.totalOrders == 1200 && rest.summary.rejected == 1)
    }
  }

  @Test("A commit that does not end does not keep a run that shall stop", arguments: BackEnd.all)
  func hanging(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(1000)
      for isReading in [true, false] {
        let stop = StopFlag()
        let plan = FaultPlan(hangsAfter: 1)
        defer { plan.release() }
        let hanging = try run(orders, plan) {
          $0.partitions = 1
          $0.group = "reading-\(isReading)"
          $0.stop = stop
          $0.change = {
            $0.commitsWhileReading = isReading
            $0.commitRecords = 100
          }
        }
        let runner = BackgroundRun { pipelineError { _ = try hanging.analytics() } }
        #expect(PipelineEvents.wait { hanging.events.commits == 1 })
        let asked = ContinuousClock().now
        stop.request()
        guard case .broker(let error) = try runner.join() else {
          Issue.record("the run must say that its commit did not end")
          return
        }
        #expect(error.code == .timedOut && ContinuousClock().now - asked < .seconds(5))
        let rest = try Run(orders).with {
          $0.partitions = 1
          $0.group = "reading-\(isReading)"
        }.analytics()
        #expect(rest.summary.totalOrders == 1000)
      }
    }
  }

  @Test("Closing waits for a commit that is under way", arguments: BackEnd.all)
  func closing(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("in")
      try broker.produce(10, to: "in")
      let member = try TestConsumer(broker, topic: "in", group: "g")
      #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
      try member.put("k", "1", partition: 0)
      let cycle = CommitCycle(
        PipelineLoop.Settings(
          consumer: ConsumerOptions(topic: "in", membership: .member(group: "g")), partitionCount: 1,
          bound: .follow(idle: nil)),
        transaction: try #require(member.transaction), time: SystemTime(), stop: StopFlag(), observer: SilentObserver())
      try cycle.start([PartitionOffset(partition: 0, offset: 10)])
      cycle.close()
      member.consumer.close()
      let next = try TestConsumer(try fixture.open(), topic: "in", group: "g")
      defer { next.close() }
      #expect(try next.consumer.committedOffsets([0]) == [10])
      #expect(try next.state([0]) == ["0/k": "1"])
    }
  }

  @Test("Partitions that go to another member take along the commit that was under way", arguments: BackEnd.all)
  func revoked(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 4)
      try orders.produce(4000)
      let member = try run(orders, FaultPlan(pollsPerCommit: 3)) {
        $0.partitions = 4
        $0.change = {
          $0.commitsWhileReading = true
          $0.batchRecords = 50
          $0.commitRecords = 50
          $0.delayPerRecord = .microseconds(100)
        }
      }
      let members = (0..<3).map { _ in
        let own = member.with { $0.events = PipelineEvents() }
        return BackgroundRun { try own.analytics() }
      }
      let results = try members.map { try $0.join() }
      #expect(results.reduce(0) { $0 + $1.run.records } == 4000)
      for result in results { #expect(try result.summary.agrees(with: orders.expectedSummary())) }
    }
  }
}

/// With outputs the next batch is only polled while a commit is under way, and applied behind it.
@Suite struct PollDuringCommitTests {
  /// Batches of 50 records and a commit for each of them, which lasts until the next batch was polled.
  private func run(
    _ orders: Orders, _ plan: FaultPlan, on broker: (any Broker)? = nil, _ guarantee: Guarantee = .exactlyOnce
  ) throws -> Run {
    try Run(orders, on: FaultBroker(broker ?? orders.broker, plan)).with {
      $0.events = PipelineEvents()
      $0.change = {
        $0.guarantee = guarantee
        $0.batchRecords = 50
        $0.commitRecords = 50
        $0.commitInterval = .seconds(20)
      }
    }
  }

  @Test(
    "A commit that fails behind a batch that was polled meanwhile loses nothing and doubles nothing",
    arguments: FailingCommit.cases([1]))
  func failing(_ test: FailingCommit) throws {
    try test.backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let plan = FaultPlan(
        commitFault: .init(failAfter: test.failAfter, test.moment, code: test.code, recovery: test.recovery),
        pollsPerCommit: 1)
      let first = try run(orders, plan)
      let error = pipelineError { _ = try first.inventory() }
      #expect((error == nil) == (test.recovery != .fatal))
      #expect(first.events.aborts.map(\.code) == (test.recovery == .abort ? [test.code] : []))
      #expect(plan.recordsAhead > 0)
      let rest = try Run(orders).inventory()
      if test.recovery != .fatal { #expect(rest.run.records == 0) }
      if test.moment == .before { #expect(first.events.committed + rest.run.records == 300) }
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 300 && findings.inventoryEvents == findings.items)
    }
  }

  @Test("A maximum is exact, and what was polled beyond it is the next run's", arguments: BackEnd.all)
  func maximum(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      try Run.createOutputs(orders)
      var found: [Int64] = []
      for _ in 0..<3 {
        let limited = try run(orders, FaultPlan(pollsPerCommit: 1)).with { run in
          let change = run.change
          run.change = {
            change(&$0)
            $0.maximumRecords = 120
          }
        }
        found.append(try limited.inventory().run.records)
      }
      #expect(found == [120, 120, 60])
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 300)
    }
  }

  @Test("A run that stops leaves what was polled meanwhile to the next one", arguments: BackEnd.all)
  func stopping(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let stop = StopFlag()
      let plan = FaultPlan(pollsPerCommit: 1)
      let stopped = try run(orders, plan).with {
        $0.stop = stop
        $0.events = PipelineEvents { events, _ in if events.committed >= 100 { stop.request() } }
      }
      let first = try stopped.inventory()
      #expect(first.run.end == .stopped && first.run.records == first.counts.orders && plan.recordsAhead > 0)
      let rest = try Run(orders).inventory()
      #expect(first.run.records + rest.run.records == 300)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 300 && findings.inventoryEvents == findings.items)
    }
  }

  @Test("Without a transaction each order is written once where nothing fails", arguments: BackEnd.all)
  func weaker(_ backEnd: BackEnd) throws {
    for guarantee in [Guarantee.atLeastOnce, .atMostOnce] {
      try backEnd.run { _, broker in
        let orders = try Orders(broker)
        try orders.produce(300)
        try Run.createOutputs(orders)
        let plan = FaultPlan(pollsPerCommit: 1)
        #expect(try run(orders, plan, guarantee).inventory().run.records == 300)
        #expect(plan.recordsAhead > 0)
        let findings = try broker.audit()
        #expect(findings.isClean && findings.orders == 300)
      }
    }
  }

  @Test(
    "Without a transaction a commit that fails keeps the guarantee", arguments: BackEnd.all,
    [Guarantee.atLeastOnce, .atMostOnce])
  func weakerFailing(_ backEnd: BackEnd, _ guarantee: Guarantee) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let plan = FaultPlan(commitFault: .init(failAfter: 2, recovery: .abort), pollsPerCommit: 1)
      #expect(try run(orders, plan, guarantee).inventory().run.end == .reachedEnds)
      #expect(plan.aborts == 1 && plan.recordsAhead > 0)
      let findings = try broker.audit()
      #expect(findings.count(.lost) == 0 && findings.orders == 300)
      // The outputs of a commit that failed were not sent, as its offsets were not committed.
      if guarantee == .atMostOnce { #expect(findings.isClean) }
    }
  }

  @Test("Members that come and go while a commit is under way lose nothing and double nothing", arguments: BackEnd.all)
  func rebalance(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 4)
      try orders.produce(1200)
      try Run.createOutputs(orders)
      let members = try (0..<3).map { _ in
        let member = try run(orders, FaultPlan(pollsPerCommit: 1)).with {
          let change = $0.change
          $0.partitions = 4
          $0.change = {
            change(&$0)
            $0.delayPerRecord = .microseconds(100)
          }
        }
        return BackgroundRun { try member.inventory() }
      }
      #expect(try members.map { try $0.join() }.reduce(0) { $0 + $1.run.records } == 1200)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 1200 && findings.inventoryEvents == findings.items)
    }
  }

  @Test(
    "Large outputs are committed in parts, and the rest of their batch comes before the next one",
    arguments: BackEnd.all)
  func parts(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let plan = FaultPlan()
      let inParts = try run(orders, plan).with {
        let change = $0.change
        $0.change = {
          change(&$0)
          // Fewer than a batch's.
          $0.commitBytes = 10_000
        }
      }
      #expect(try inParts.inventory().run.records == 300)
      #expect(plan.commits > 6)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 300 && findings.inventoryEvents == findings.items)
    }
  }
}

/// A commit that fails, on one back end.
struct FailingCommit: Sendable, CustomTestStringConvertible {
  var backEnd: BackEnd
  var failAfter: Int
  var moment: FaultPlan.CommitFault.Moment
  var recovery: BrokerError.Recovery
  var code: BrokerError.Code

  var testDescription: String { "\(backEnd): commit \(failAfter) fails \(moment), \(code), \(recovery)" }

  /// Every way to fail, on every back end.
  /// - Parameter failAfter: How many commits succeed before. There are two at least: one of the first batch, and one of what
  ///   came while it was under way.
  static func cases(_ failAfter: [Int]) -> [FailingCommit] {
    let ways: [(BrokerError.Recovery, BrokerError.Code)] = [
      (.abort, .internalError), (.fatal, .io), (.retry, .busy), (.abort, .fenced),
    ]
    return BackEnd.all.flatMap { backEnd in
      [FaultPlan.CommitFault.Moment.before, .after].flatMap { moment in
        ways.flatMap { recovery, code in
          failAfter.map {
            FailingCommit(backEnd: backEnd, failAfter: $0, moment: moment, recovery: recovery, code: code)
          }
        }
      }
    }
  }
}
