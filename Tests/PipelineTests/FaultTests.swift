import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct FaultTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var backEnd: BackEnd
    var failAfter: Int
    var moment: FaultPlan.CommitFault.Moment
    var recovery: BrokerError.Recovery
    var code = BrokerError.Code.internalError

    var testDescription: String { "\(backEnd): commit \(failAfter) fails \(moment), \(code), \(recovery)" }
  }

  static let cases = BackEnd.all.flatMap { backEnd in
    [FaultPlan.CommitFault.Moment.before, .after].flatMap { moment in
      [(BrokerError.Recovery.abort, BrokerError.Code.internalError), (.fatal, .io), (.retry, .busy), (.abort, .fenced)]
        .flatMap { recovery, code in
          [0, 2, 7].map { Case(backEnd: backEnd, failAfter: $0, moment: moment, recovery: recovery, code: code) }
        }
    }
  }

  @Test("A commit that fails, before or after it took effect, doubles nothing and loses nothing", arguments: cases)
  func commit(_ test: Case) throws {
    try test.backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(1000)
      try Run.createOutputs(orders)
      let plan = FaultPlan(
        commitFault: .init(failAfter: test.failAfter, test.moment, code: test.code, recovery: test.recovery))
      let run = try Run(orders, on: FaultBroker(broker, plan))
      let error = pipelineError {
        let result = try run.inventory()
        #expect(result.run.end == .reachedEnds)
        if test.moment == .before { #expect(result.run.records == 1000 && result.counts.orders == 1000) }
      }
      switch test.recovery {
      case .abort: #expect(error == nil && run.events.aborts.map(\.code) == [test.code])
      case .retry: #expect(error == nil && run.events.aborts.isEmpty)
      default:
        guard case .broker(let cause) = error else {
          Issue.record("the run must stop: \(String(describing: error))")
          return
        }
        #expect(cause.code == test.code)
      }
      let rest = try Run(orders).inventory()
      #expect((rest.run.records == 0) == (test.recovery != .fatal))
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 1000 && findings.inventoryEvents == findings.items)
      let metrics = try Run(orders, on: FaultBroker(broker, plan)).with { $0.group = "metrics" }.analytics()
      #expect(metrics.summary.agrees(with: try orders.expectedSummary()))
    }
  }

  @Test("An aborted transaction drops the rest of the batch, which is read again", arguments: BackEnd.all)
  func send(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      try Run.createOutputs(orders)
      for failAfter in [0, 1, 333] {
        let group = "g\(failAfter)"
        let plan = FaultPlan(sendFailsAfter: failAfter)
        let output = try Run(orders, on: FaultBroker(broker, plan)).with { $0.group = group }
        let before = try broker.contents(of: Run.output).count
        let result = try output.inventory()
        #expect(output.events.aborts.count == 1 && result.run.records == 500 && result.counts.orders == 500)
        #expect(try broker.contents(of: Run.output).count - before == Int(result.counts.items))
      }
    }
  }

  @Test("A run gives up after so many aborts in a row, not after so many in all", arguments: BackEnd.all)
  func abortLimit(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      let survivable = FaultPlan(commitFault: .init(failAfter: 1, recovery: .abort, times: 20))
      #expect(try Run(orders, on: FaultBroker(broker, survivable)).analytics().run.records == 500)
      let endless = FaultPlan(commitFault: .init(failAfter: 1, recovery: .abort, times: .max - 1))
      let run = try Run(orders, on: FaultBroker(broker, endless)).with { $0.group = "other" }
      guard case .broker(let error) = pipelineError({ _ = try run.analytics() }) else {
        Issue.record("the run must give up")
        return
      }
      #expect(error.requiresAbort && run.events.aborts.count == 20 && run.events.commits == 1)
    }
  }

  @Test("A commit that is in somebody's way is tried again, so many times", arguments: BackEnd.all)
  func retries(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      let short = FaultPlan(commitFault: .init(failAfter: 1, code: .busy, recovery: .retry, times: 5))
      let patient = try Run(orders, on: FaultBroker(broker, short))
      #expect(try patient.analytics().run.records == 300)
      #expect(patient.events.aborts.isEmpty && patient.events.waits.count == 5)
      let long = FaultPlan(commitFault: .init(failAfter: 1, code: .busy, recovery: .retry, times: .max - 1))
      let run = try Run(orders, on: FaultBroker(broker, long)).with {
        $0.group = "other"
        $0.events = PipelineEvents()
      }
      guard case .broker(let error) = pipelineError({ _ = try run.analytics() }) else {
        Issue.record("the run must give up")
        return
      }
      #expect(error.code == .busy && long.commits == 7 && run.events.commits == 1)
      #expect(try Run(orders).with { $0.group = "other" }.analytics().summary.totalOrders == 300)
    }
  }

  /// Follows until `count` records are committed.
  private func follower(_ orders: Orders, _ plan: FaultPlan, until count: Int64) throws -> Run {
    let stop = StopFlag()
    return try Run(orders, on: FaultBroker(orders.broker, plan)).with {
      $0.bound = .follow(idle: nil)
      $0.stop = stop
      $0.events = PipelineEvents { events, _ in if events.committed >= count { stop.request() } }
    }
  }

  @Test("A service outlives what ends a run with an end: commits and reads that fail for long", arguments: BackEnd.all)
  func service(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      let plans = [
        ("retried", FaultPlan(commitFault: .init(failAfter: 1, code: .busy, recovery: .retry, times: 30))),
        ("aborted", FaultPlan(commitFault: .init(failAfter: 1, code: .timedOut, recovery: .abort, times: 22))),
        ("ended", FaultPlan(commitFault: .init(failAfter: 1, code: .unreachable, recovery: .fatal, times: 3))),
        ("unread", FaultPlan(unansweredReads: 10)),
      ]
      for (group, plan) in plans {
        let run = try follower(orders, plan, until: 500).with { $0.group = group }
        let result = try run.analytics()
        #expect(result.run.end == .stopped && result.run.records == 500, "\(group)")
        #expect(try result.summary.agrees(with: orders.expectedSummary()), "\(group)")
      }
      #expect(throws: PipelineError.self) {
        try Run(orders, on: FaultBroker(broker, FaultPlan(unansweredReads: 10))).with { $0.group = "bounded" }
          .analytics()
      }
    }
  }

  @Test("A service ends when what is wrong does not pass", arguments: BackEnd.all)
  func broken(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      let plan = FaultPlan(commitFault: .init(failAfter: 1, code: .io, recovery: .fatal))
      let run = try follower(orders, plan, until: 500)
      guard case .broker(let error) = pipelineError({ _ = try run.analytics() }) else {
        Issue.record("the run must stop")
        return
      }
      #expect(error.code == .io && run.events.commits == 1)
    }
  }

  @Test("The commit before a poison record that ends the run is not allowed to fail unsaid", arguments: BackEnd.all)
  func poisonAndCommit(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(50)
      try broker.produce([TestRecord(value: "poison")], to: Orders.topic)
      func run(_ group: String, _ fault: FaultPlan.CommitFault) throws -> Run {
        try Run(orders, on: FaultBroker(broker, FaultPlan(commitFault: fault))).with {
          $0.group = group
          $0.partitions = 1
          $0.onPoison = .fail
          $0.events = PipelineEvents()
        }
      }
      let broken = try run("broken", .init(failAfter: 0, code: .io, recovery: .fatal))
      guard case .broker(let error) = pipelineError({ _ = try broken.analytics() }) else {
        Issue.record("the commit's failure must be told")
        return
      }
      #expect(error.code == .io)
      let aborted = try run("aborted", .init(failAfter: 0, recovery: .abort))
      guard case .poison = pipelineError({ _ = try aborted.analytics() }) else {
        Issue.record("the run must stop at the poison")
        return
      }
      #expect(aborted.events.committed == 50 && aborted.events.aborts.count == 1)
    }
  }

  @Test("A maximum stays exact across an abort", arguments: BackEnd.all)
  func maximum(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(500)
      try Run.createOutputs(orders)
      for failAfter in 0...2 {
        let plan = FaultPlan(commitFault: .init(failAfter: failAfter, recovery: .abort, times: 2))
        let run = try Run(orders, on: FaultBroker(broker, plan)).with {
          $0.change = {
            $0.maximumRecords = 150
            $0.commitRecords = 60
          }
        }
        let result = try run.inventory()
        #expect(result.run.end == .reachedMaximum && result.run.records == 150 && result.counts.orders == 150)
      }
      #expect(try broker.audit(group: "g").isClean)
    }
  }

  @Test("A pipeline that cannot open its outputs leaves no member behind", arguments: BackEnd.all)
  func missingOutput(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      guard case .broker(let error) = pipelineError({ _ = try Run(orders).inventory() }) else {
        Issue.record("there is no output topic")
        return
      }
      #expect(error.code == .unknownTopic)
      let admin = try broker.admin()
      defer { admin.close() }
      #expect(try admin.group("g")?.members.isEmpty ?? true)
    }
  }
}
