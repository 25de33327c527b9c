import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

/// A member that was stopped past its lease, and goes on while its heir commits.
@Suite struct WakingZombieTests {
  private static let ordersPerRound: Int64 = 60

  private static let rounds = 100
  /// Where members are known by sessions, one whose thread stands still goes on beating its heart, and its heir gets
  /// nothing: there only a stopped process shows it (docs/faults.md).
  private static let backEnds = BackEnd.all.filter { !$0.differs(by: .sessions) }

  @Test(
    "A member that wakes while its heir commits ends as lost, never as offsets that somebody moved",
    arguments: backEnds)
  func wakes(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker, partitions: 1)
      try Run.createOutputs(orders)
      let other = try fixture.open()
      for round in 0..<Self.rounds {
        try orders.produce(Self.ordersPerRound, firstOrder: Int64(round) * Self.ordersPerRound + 1)
        // One commit an order, so that one is under way whenever the zombie looks.
        let heir = try Run(orders, on: other).with {
          $0.events = PipelineEvents()
          $0.change = { $0.commitRecords = 1 }
        }
        let work = Mutex<BackgroundRun<InventoryResult>?>(nil)
        let pausing = PausingBroker(
          broker,
          beforeCommit: { consumer in
            // Right before its first commit, once.
            guard work.withLock({ $0 == nil }) else { return }
            do {
              try fixture.freeze(consumer)
              work.withLock { $0 = BackgroundRun { try heir.inventory() } }
              #expect(PipelineEvents.wait { heir.events.commits >= 1 + round % 20 })
            } catch {
              Issue.record(error)
            }
          },
          beforeState: {
            // Whenever it looks the heir commits between its reading of offsets and of state, as long as there is work.
            let commits = heir.events.commits
            if work.withLock({ $0 == nil }) || commits >= Self.ordersPerRound { return }
            _ = PipelineEvents.wait(within: .milliseconds(500)) { heir.events.commits > commits }
          })
        let zombie = try Run(orders, on: pausing).with {
          $0.events = PipelineEvents()
          $0.change = { $0.commitRecords = 10 }
        }
        let result = try zombie.inventory()
        let inherited = try #require(work.withLock { $0 }).join()
        #expect(result.run.end == .reachedEnds && inherited.run.end == .reachedEnds, "round \(round)")
        #expect(result.run.records + inherited.run.records == Self.ordersPerRound, "round \(round)")
        #expect(zombie.events.aborts.allSatisfy { $0.code == .fenced }, "round \(round)")
      }
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == Int64(Self.rounds) * Self.ordersPerRound)
    }
  }
}
