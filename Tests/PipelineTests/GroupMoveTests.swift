import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// A group that is moved to a place, state and offsets together.
@Suite("Groups that are moved to a place")
struct GroupMoveTests {
  @Test("They stand at any place as a new group that has read so far, and go on from there", arguments: BackEnd.all)
  func places(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      var random = SeededRandom(seed: 1510)
      let orders = try Orders(broker)
      try orders.produce(400)
      try broker.produce([TestRecord(value: "no order"), TestRecord(value: nil)], to: Orders.topic)
      try orders.produce(400, firstOrder: 401)
      let full = try Run(orders).analytics().summary
      let ends = try orders.ends()
      // A group of a cluster takes seconds to join.
      for number in 0..<(backEnd.differs(by: .sessions) ? 3 : 40) {
        let place = ends.map { Offset.random(in: 0...$0, using: &random) }
        let fresh = try Run(orders).with { run in
          run.group = "fresh-\(number)"
          run.isSole = true
          run.bound = .ends(place)
        }
        let expected = try fresh.analytics().summary
        let found = try Move(to: at(place), broker).execute()
        #expect(found == expected && found?.report == expected.report, "place \(place)")
        #expect(try committed(broker) == place)
        let rest = try Run(orders).analytics()
        #expect(rest.summary == full && rest.run.records == zip(ends, place).reduce(0) { $0 + $1.0 - $1.1 })
      }
    }
  }

  @Test("Partitions of which no place speaks stay where they are", arguments: BackEnd.all)
  func onePartition(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      let full = try Run(orders).analytics().summary
      let ends = try orders.ends()
      let move = try Move(to: [Place(.offset(7), partition: 1)], broker)
      let step = try #require(move.plan.steps.first)
      #expect(move.plan.steps.count == 1 && step.partition == 1 && step.from == ends[1] && step.to == 7)
      #expect(move.plan.before == full && !move.plan.isThere && move.plan.recordsToRead == 7)
      #expect(try move.execute()?.totalOrders == full.totalOrders - ends[1] + 7)
      #expect(try committed(broker) == [ends[0], 7, ends[2]])
      let again = try Move(to: [Place(.offset(7), partition: 1)], broker)
      #expect(again.plan.isThere && again.plan.before?.totalOrders == full.totalOrders - ends[1] + 7)
      // The offsets of before move it back.
      let back = move.plan.steps.map { Place(.offset($0.origin.offset), partition: $0.partition) }
      #expect(try Move(to: back, broker).execute() == full)
      #expect(try Run(orders).analytics().run.records == 0)
    }
  }

  @Test("A group that has nothing yet is moved too, and so is one whose offsets somebody has moved")
  func newGroup() throws {
    let fixture = EmbeddedFixture()
    let broker = try fixture.open()
    let orders = try Orders(broker)
    try orders.produce(300)
    let move = try Move("new", to: [Place(.beforeEnd(5))], broker)
    #expect(
      move.plan.steps.allSatisfy { $0.from == nil && $0.origin.offset == 0 } && move.plan.before?.totalOrders == 0)
    #expect(try move.execute()?.totalOrders == 285)
    let rest = try Run(orders).with { $0.group = "new" }.analytics()
    #expect(rest.run.records == 15 && rest.summary.totalOrders == 300)

    let stranger = try TestConsumer(broker, topic: Orders.topic, group: "new")
    while stranger.assigned?.count != 3 { try stranger.step(timeout: .milliseconds(20)) }
    try stranger.transaction?.commit([PartitionOffset(partition: 0, offset: 3)])
    stranger.close()
    guard case .offsetsMoved? = pipelineError({ _ = try Run(orders).with { $0.group = "new" }.analytics() }) else {
      Issue.record("offsets without their state were taken")
      return
    }
    #expect(try Move("new", to: [.latest], broker).execute()?.totalOrders == 300)
    #expect(try Run(orders).with { $0.group = "new" }.analytics().run.records == 0)
  }

  // MARK: - Refusals

  @Test("A group with a member is refused, and one of inventory, both unchanged", arguments: BackEnd.all)
  func refused(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(100)
      try Run.createOutputs(orders)
      _ = try Run(orders).with { $0.group = "stock" }.inventory()
      for place in [Place.earliest, .latest] {
        guard case .immovable("stock", "inventory")? = pipelineError({ _ = try Move("stock", to: [place], broker) })
        else {
          Issue.record("a group of inventory was taken")
          return
        }
      }
      _ = try Run(orders).analytics()
      let plan = try Move(to: [.earliest], broker)
      let follower = try Run(orders).with { $0.bound = .follow(idle: nil) }
      let member = BackgroundRun { try follower.analytics() }
      try eventually("the member has its partitions") { !follower.events.assigned.isEmpty }
      // The member may be there before the plan, or come after it.
      for attempt in [{ _ = try Move(to: [.earliest], broker) }, { _ = try plan.execute() }] {
        guard case .groupActive("g")? = pipelineError(attempt) else {
          Issue.record("an active group was moved")
          break
        }
      }
      follower.stop.request()
      _ = try member.join()
      #expect(try committed(broker) == orders.ends())
      #expect(try Run(orders).analytics().summary.totalOrders == 100)
    }
  }

  @Test(
    "A place outside of the log is refused, and where records are gone that it may have counted, unless that is accepted",
    arguments: BackEnd.all)
  func retention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      let full = try Run(orders).analytics().summary
      let ends = try orders.ends()
      func refusal(_ place: Place) -> String? {
        guard case .broker(let error)? = pipelineError({ _ = try Move(to: [place], broker) }),
          error.code == .offsetOutOfRange
        else { return nil }
        return error.why
      }
      #expect(refusal(Place(.offset(ends[1] + 1), partition: 1)) == "the partition ends at \(ends[1])")
      try broker.change(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 1), before: 20))
      #expect(
        refusal(Place(.offset(19), partition: 1))
          == "its records below 20 were removed, so what was counted there is not known")
      let place = Place(.offset(25), partition: 1)
      guard case .beginningGone(let partition, "g", low: 20)? = pipelineError({ _ = try Move(to: [place], broker) })
      else {
        Issue.record("state was recomputed from a part of the records")
        return
      }
      #expect(partition.partition == 1)
      let accepted = try Move(to: [place], broker, acceptsLoss: true)
      #expect(accepted.plan.goneRanges == ["orders[1]@0 to 19"])
      #expect(try accepted.execute()?.totalOrders == full.totalOrders - ends[1] + 5)
      // A partition that is whole, and a group that has nothing to lose.
      _ = try Move(to: [Place(.offset(3), partition: 0)], broker).execute()
      #expect(try Move("new", to: [place], broker).execute()?.totalOrders == 5)
    }
  }

  @Test("A topic that was made anew is another topic", arguments: BackEnd.all)
  func madeAnew(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(50)
      _ = try Run(orders).analytics()
      try broker.change(.deleteTopic(Orders.topic))
      try Orders(broker).produce(60)
      guard case .topicMadeAnew? = pipelineError({ _ = try Move(to: [.latest], broker) }) else {
        Issue.record("another topic's state was taken")
        return
      }
    }
  }

  // MARK: - Ranges

  @Test("A replay over a range counts what lies in it, twice", arguments: BackEnd.all)
  func ranges(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      var random = SeededRandom(seed: 1511)
      let orders = try Orders(broker)
      try orders.produce(600)
      let ends = try orders.ends()
      for number in 0..<(backEnd.differs(by: .sessions) ? 4 : 20) {
        let ranges = ends.map { end in
          let start = Offset.random(in: 0...end, using: &random)
          return start..<Offset.random(in: start...end, using: &random)
        }
        var expected = MetricsCount(topic: Orders.topic)
        let reader = try TopicReader(topic: Orders.topic, broker: broker, stop: StopFlag(), waits: { _ in })
        defer { reader.close() }
        _ = try reader.read(ranges.enumerated().map { PartitionRange(partition: Int32($0), offsets: $1) }) {
          expected.add($0) == nil
        }
        let replay = Replay(
          broker: broker,
          consumer: ConsumerOptions(topic: Orders.topic, membership: .sole(group: "replay-\(number)")),
          partitionCount: orders.partitions, starts: ranges.map(\.lowerBound), ends: ranges.map(\.upperBound),
          time: SystemTime(), stop: StopFlag())
        for resets in [false, true] {
          let pass = try replay.compute(resetsGroup: resets, observer: SilentObserver())
          #expect(pass.summary == expected.summary && pass.run.records == expected.records, "\(ranges)")
        }
      }
    }
  }
}

/// A move, as the command makes it.
private struct Move {
  let plan: GroupMove
  private let broker: any Broker

  init(_ group: String = "g", to places: [Place], _ broker: any Broker, acceptsLoss: Bool = false) throws {
    self.broker = broker
    let admin = try broker.admin()
    defer { admin.close() }
    let topic = try #require(try admin.topic(Orders.topic))
    plan = try GroupMove(
      of: group, on: topic, to: places, broker: broker, admin: admin, now: 0, acceptsLoss: acceptsLoss,
      stop: StopFlag())
  }

  func execute() throws -> MetricsSummary? {
    let stop = StopFlag()
    let state = try #require(try plan.recompute(broker: broker, stop: stop, waits: { _ in }, progress: { _ in }))
    return try plan.apply(state, broker: broker, time: SystemTime(), stop: stop, waits: { _ in })
  }
}

private func at(_ offsets: [Offset]) -> [Place] {
  offsets.enumerated().map { Place(.offset($1), partition: Int32($0)) }
}

/// What the group `g` has committed.
private func committed(_ broker: any Broker) throws -> [Offset?] {
  let admin = try broker.admin()
  defer { admin.close() }
  let committed = try admin.group("g")?.committed ?? [:]
  return (0..<3).map { committed[TopicPartition(topic: Orders.topic, partition: $0)] }
}
