import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// The members of scenarios, which behave as they are told.
@Suite("Members of scenarios")
struct ScenarioMemberTests {
  /// Runs a member on another thread while `body` watches what the group has committed.
  private static func run(
    _ broker: any Broker, _ fixture: any BrokerFixture, _ wishes: ScenarioMember.Orders.Wishes,
    _ body: (ScenarioMember.Orders, _ committed: () throws -> [Offset]) throws -> Void
  ) throws {
    let orders = ScenarioMember.Orders(wishes)
    let other = try fixture.open()
    let thread = BackgroundRun {
      let member = try ScenarioMember(
        topic: Orders.topic, group: "g", broker: other, orders: orders, time: SystemTime())
      defer { member.close() }
      try member.run()
    }
    let admin = try broker.admin()
    defer { admin.close() }
    let result = Result {
      try body(orders) {
        let committed = try admin.group("g")?.committed ?? [:]
        return (0..<3).map { committed[TopicPartition(topic: Orders.topic, partition: $0)] ?? 0 }
      }
    }
    orders.stop.request()
    try thread.join()
    try result.get()
  }

  private static func has(_ committed: () throws -> [Offset], _ offsets: [Offset]) throws -> Bool {
    try wait { try committed() == offsets }
  }

  private static func wait(_ holds: () throws -> Bool) throws -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(20)
    while clock.now < end {
      if try holds() { return true }
      SystemTime().sleep(.milliseconds(5))
    }
    return false
  }

  @Test("A member at a pace does as much of each partition as of the others", arguments: BackEnd.all)
  func fair(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try Orders(broker).produce(900)
      var wishes = ScenarioMember.Orders.Wishes()
      wishes.perSecond = 400
      try Self.run(broker, fixture, wishes) { orders, committed in
        let hasBegun = try Self.wait { try committed().reduce(0, +) >= 150 }
        #expect(hasBegun)
        let found = try committed()
        #expect(found.max()! - found.min()! <= 2 && found.reduce(0, +) < 600, "\(found)")
        orders.wishes.withLock { $0.perSecond = nil }
        let hasReadAll = try Self.wait { try committed().reduce(0, +) == 900 }
        #expect(hasReadAll)
      }
    }
  }

  @Test("A paused member commits nothing, and one that is set back reads again", arguments: BackEnd.all)
  func pausedAndRewound(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      let ends = try orders.ends()
      try Self.run(broker, fixture, ScenarioMember.Orders.Wishes()) { orders, committed in
        let hasRead = try Self.has(committed, ends)
        #expect(hasRead)
        orders.wishes.withLock { wishes in
          wishes.isPaused = true
          wishes.rewinds = 1
          wishes.rewindBy = 40
        }
        let back = ends.map { $0 - 40 }
        let isBack = try Self.has(committed, back)
        #expect(isBack)
        orders.wishes.withLock { $0.isPaused = false }
        let hasReadAgain = try Self.has(committed, ends)
        #expect(hasReadAgain)
      }
    }
  }
}
