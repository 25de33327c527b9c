import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// A batch whose outputs are large is committed in parts, at a record's border.
@Suite struct PartTests {
  /// One poll brings everything, and only its bytes make a commit due: a part is some eight orders.
  private static func inParts(_ settings: inout PipelineLoop.Settings) {
    settings.commitBytes = 6000
    settings.commitRecords = 10_000
    settings.commitInterval = .seconds(20)
  }

  private func run(_ orders: Orders, on broker: (any Broker)? = nil) throws -> Run {
    try Run(orders, on: broker).with { $0.change = Self.inParts }
  }

  private func expectExact(_ orders: Orders, _ count: Int64) throws {
    let findings = try orders.broker.audit()
    #expect(findings.isClean && findings.orders == count && findings.inventoryEvents == findings.items)
    let rest = try Run(orders).inventory()
    #expect(rest.run.records == 0)
  }

  @Test("Each record counts once, dead letters too, in one partition and in several", arguments: BackEnd.all, [1, 3])
  func parts(_ backEnd: BackEnd, partitions: Int32) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: partitions)
      try orders.produce(200)
      try broker.produce([TestRecord(value: "poison")], to: Orders.topic)
      try orders.produce(100, firstOrder: 201)
      try Run.createOutputs(orders)
      let run = try run(orders).with { $0.partitions = partitions }
      let result = try run.inventory()
      #expect(result.run.end == .reachedEnds && result.run.records == 301)
      #expect(result.counts.orders == 300 && result.counts.rejected == 1)
      #expect(run.events.commits > 20, "\(run.events.commits)")
      try expectExact(orders, 300)
    }
  }

  @Test("No more is pending than a part and one order")
  func pending() throws {
    try #require(BackEnd.all.first).run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let plan = FaultPlan()
      _ = try run(orders, on: FaultBroker(broker, plan)).with { $0.partitions = 1 }.inventory()
      // Four items are 1 kB, and the state some bytes.
      #expect((6000...7400).contains(plan.mostPending), "\(plan.mostPending)")
    }
  }

  @Test("A part that fails drops the rest of its batch, which is read again", arguments: FailingCommit.cases([2]))
  func failing(_ test: FailingCommit) throws {
    try test.backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      try Run.createOutputs(orders)
      let plan = FaultPlan(
        commitFault: .init(failAfter: test.failAfter, test.moment, code: test.code, recovery: test.recovery))
      let error = pipelineError { _ = try run(orders, on: FaultBroker(broker, plan)).inventory() }
      #expect((error == nil) == (test.recovery != .fatal))
      if error != nil { _ = try run(orders).inventory() }
      try expectExact(orders, 200)
    }
  }

  @Test("A maximum inside a batch of parts is exact", arguments: BackEnd.all)
  func maximum(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(100)
      try Run.createOutputs(orders)
      for (maximum, records) in [(1, 1), (33, 33), (8, 8), (90, 58), (5, 0)] as [(Int64, Int64)] {
        let result = try run(orders).with { run in
          run.change = {
            Self.inParts(&$0)
            $0.maximumRecords = maximum
          }
        }.inventory()
        #expect(result.run.records == records && result.counts.orders == records)
      }
      try expectExact(orders, 100)
    }
  }

  @Test(
    "A run that is asked to stop between parts commits what it has done, and the next one takes the rest",
    arguments: BackEnd.all)
  func stopping(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      try Run.createOutputs(orders)
      let stop = StopFlag()
      let stopped = try run(orders).with {
        $0.stop = stop
        $0.events = PipelineEvents { events, _ in if events.commits == 3 { stop.request() } }
      }
      let first = try stopped.inventory()
      #expect(first.run.end == .stopped && (1..<200).contains(first.run.records))
      let second = try run(orders).inventory()
      #expect(first.run.records + second.run.records == 200)
      try expectExact(orders, 200)
    }
  }

  @Test("A run is not idle while it has the rest of a batch")
  func idling() throws {
    try #require(BackEnd.all.first).run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try orders.produce(50)
      try Run.createOutputs(orders)
      let slow = try run(orders).with {
        $0.partitions = 1
        $0.bound = .follow(idle: .milliseconds(200))
        // Between its parts a commit took longer than that.
        $0.events = PipelineEvents { events, _ in if events.commits == 1 { SystemTime().sleep(.milliseconds(250)) } }
      }
      let result = try slow.inventory()
      #expect(result.run.end == .idle && result.run.records == 50)
    }
  }

  @Test("Members that come and go between parts double nothing", arguments: BackEnd.all)
  func members(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 4)
      try orders.produce(600)
      try Run.createOutputs(orders)
      let member = try run(orders).with { run in
        run.partitions = 4
        run.change = {
          Self.inParts(&$0)
          $0.batchRecords = 50
        }
      }
      let members = (0..<3).map { _ in
        let own = member.with { $0.events = PipelineEvents() }
        return BackgroundRun { try own.inventory() }
      }
      #expect(try members.map { try $0.join() }.reduce(0) { $0 + $1.run.records } == 600)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 600 && findings.inventoryEvents == findings.items)
    }
  }
}
