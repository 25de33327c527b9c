@testable import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

@Suite struct MemberTests {
  @Test("A member without partitions waits for the others and reports the group's totals", arguments: BackEnd.all)
  func idleMember(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 1)
      let runs = try (0..<2).map { _ in
        try Run(orders, on: try fixture.open()).with {
          $0.bound = .ends([400])
          $0.events = PipelineEvents()
        }
      }
      let members = runs.map { run in BackgroundRun { try run.analytics() } }
      // The one without work has said that it waits before there is anything to do.
      #expect(PipelineEvents.wait { runs.contains { $0.events.waits.contains(.otherMembers) } })
      #expect(runs.map { $0.events.assigned.last ?? [-1] }.sorted { $0.count < $1.count } == [[], [0]])
      try orders.produce(400)
      let results = try members.map { try $0.join() }
      #expect(results.map(\.run.end) == [.reachedEnds, .reachedEnds])
      #expect(results.map(\.run.records).sorted() == [0, 400])
      let expected = try orders.expectedSummary()
      #expect(results.allSatisfy { $0.summary.agrees(with: expected) })
    }
  }

  @Test("Members share the work and each reports the same bytes", arguments: BackEnd.all)
  func shared(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 6)
      let runs = try (0..<3).map { _ in
        try Run(orders, on: try fixture.open()).with {
          $0.bound = .ends(Array(repeating: 1, count: 6))
          $0.events = PipelineEvents()
        }
      }
      let members = runs.map { run in BackgroundRun { try run.analytics() } }
      #expect(PipelineEvents.wait { runs.allSatisfy { $0.events.assigned.last?.count == 2 } })
      try orders.produce(300)
      let results = try members.map { try $0.join() }
      #expect(results.reduce(0) { $0 + $1.run.records } == 6)
      let alone = try Run(orders).with {
        $0.group = "alone"
        $0.bound = .ends(Array(repeating: 1, count: 6))
      }.analytics()
      #expect(results.allSatisfy { $0.summary.report == alone.summary.report })
    }
  }

  @Test("A member commits what it has in hand when its partitions are taken away", arguments: BackEnd.all)
  func revoked(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 2)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let ends = try orders.ends()
      // Waits for ten orders more in each partition, and would commit only in a minute.
      let first = try Run(orders).with {
        $0.bound = .ends(ends.map { $0 + 10 })
        $0.change = {
          $0.commitRecords = 10_000
          $0.commitInterval = .seconds(60)
        }
      }
      let member = BackgroundRun { try first.inventory() }
      #expect(PipelineEvents.wait { first.events.remaining == 20 })
      #expect(first.events.commits == 0)
      let second = try TestConsumer(try fixture.open(), topic: Orders.topic, group: "g")
      #expect(try TestConsumer.pump([second], within: .seconds(20)) { second.assigned != nil })
      #expect(try second.consumer.committedOffsets([0, 1]) == ends && first.events.committed == 300)
      second.close()
      first.stop.request()
      let result = try member.join()
      #expect(result.run.end == .stopped && result.run.records == 300)
      #expect(try broker.audit().isClean)
    }
  }

  @Test("A reset is refused while another member is active, and changes nothing", arguments: BackEnd.all)
  func reset(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 2)
      try orders.produce(100)
      let first = try Run(orders).with { $0.bound = .follow(idle: nil) }
      let member = BackgroundRun { try first.analytics() }
      #expect(PipelineEvents.wait { first.events.committed == 100 })
      let second = try Run(orders, on: try fixture.open()).with {
        $0.events = PipelineEvents()
        $0.change = { $0.resetsGroup = true }
      }
      guard case .groupActive(group: "g") = pipelineError({ _ = try second.analytics() }) else {
        Issue.record("the other member is active")
        return
      }
      first.stop.request()
      let result = try member.join()
      #expect(result.run.records == 100 && result.summary.totalOrders == 100)
      #expect(try Run(orders).analytics().run.records == 0)
    }
  }

  @Test("A member that was stopped past its lease lands nothing of its old generation", arguments: BackEnd.all)
  func zombie(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 2)
      try orders.produce(300)
      try Run.createOutputs(orders)
      let heir = try Run(orders, on: try fixture.open()).with { $0.events = PipelineEvents() }
      let records = Atomic<Int64>(-1)
      // In the middle of a transaction the process stops; the heir does all the work, and the process goes on.
      let zombie = try Run(orders).with {
        $0.events = PipelineEvents { events, loop in
          guard records.load(ordering: .relaxed) < 0, !events.assigned.isEmpty, events.remaining! < 300 else { return }
          do {
            try fixture.freeze(loop.consumer)
            records.store(try heir.inventory().run.records, ordering: .relaxed)
          } catch {
            Issue.record(error)
          }
        }
        $0.change = { $0.commitInterval = .seconds(60) }
      }
      let result = try zombie.inventory()
      #expect(result.run.end == .reachedEnds)
      #expect(zombie.events.aborts.allSatisfy { $0.code == .fenced })
      #expect(records.load(ordering: .relaxed) + result.run.records == 300)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 300)
    }
  }

  @Test("Members that come and go lose and double nothing", arguments: BackEnd.all)
  func storm(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 4)
      try Run.createOutputs(orders)
      let follower = try Run(orders).with { $0.bound = .follow(idle: nil) }
      let member = BackgroundRun { try follower.inventory() }
      var records: Int64 = 0
      for round in 0..<4 {
        try orders.produce(250, firstOrder: Int64(round) * 250 + 1)
        let visitor = try Run(orders, on: try fixture.open()).with { $0.events = PipelineEvents() }
        records += try visitor.inventory().run.records
      }
      follower.stop.request()
      records += try member.join().run.records
      #expect(records == 1000)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 1000)
    }
  }
}
