import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Topics that change under a running consumer, on the embedded log, by way of the `Admin` port.
@Suite struct ChangingTopicTests {
  private let fixture = EmbeddedFixture()

  /// A slow follower that has committed something and has most of the records before it.
  private func start(_ run: Run) throws -> BackgroundRun<AnalyticsResult> {
    let slow = run.with { run in
      let change = run.change
      run.bound = .follow(idle: .milliseconds(500))
      run.change = {
        change(&$0)
        $0.commitRecords = 20
        $0.commitInterval = .milliseconds(10)
        $0.delayPerRecord = .microseconds(500)
      }
    }
    let member = BackgroundRun { try slow.analytics() }
    #expect(PipelineEvents.wait { slow.events.committed >= 40 })
    return member
  }

  private func followed(_ orders: Int64) throws -> (Orders, Run) {
    let source = try Orders(try fixture.open(), partitions: 2)
    try source.produce(orders)
    return (source, try Run(source))
  }

  /// What retention does: removes the records below `before` in both partitions.
  private func trim(_ orders: Orders, before: Offset) throws {
    for partition in 0..<2 as Range<Int32> {
      try orders.broker.change(
        .deleteRecords(TopicPartition(topic: Orders.topic, partition: partition), before: before))
    }
  }

  @Test("Records that retention removes before a running consumer has them stop it with the range that is gone")
  func goneWhileConsuming() throws {
    let (orders, run) = try followed(2000)
    let member = try start(run)
    try trim(orders, before: 900)
    guard case .rangeGone(let partition, let from, to: 900) = pipelineError({ _ = try member.join() }) else {
      Issue.record("the records are gone")
      return
    }
    let member2 = pipelineError { _ = try run.with { $0.bound = .follow(idle: .zero) }.analytics() }
    #expect("\(try #require(member2))".contains("--accept-loss"))
    let admin = try orders.broker.admin()
    defer { admin.close() }
    #expect(try admin.group("g")?.committed[partition] == from, "the range begins where the group stands")
  }

  @Test("With the loss accepted a running consumer goes on, and counts what is gone")
  func acceptedWhileConsuming() throws {
    let (orders, run) = try followed(2000)
    let member = try start(run.with { $0.change = { $0.acceptsLoss = true } })
    try trim(orders, before: 900)
    let result = try member.join()
    #expect(result.lost > 0 && result.run.records + result.lost == 2000)
    #expect(result.summary.totalOrders == result.run.records)
  }

  @Test("A topic that is deleted while it is consumed ends the run in words")
  func deletedWhileConsuming() throws {
    let (orders, run) = try followed(2000)
    let member = try start(run)
    try orders.broker.change(.deleteTopic(Orders.topic))
    guard case .broker(let error) = pipelineError({ _ = try member.join() }) else {
      Issue.record("the topic is gone")
      return
    }
    #expect(error.code == .unknownTopic && error.description.contains(Orders.topic), "\(error)")
  }

  @Test(
    "A topic that is made anew while it is consumed is another one: the run ends, and so does the next until a reset")
  func recreatedWhileConsuming() throws {
    let (orders, run) = try followed(2000)
    let member = try start(run)
    try orders.broker.change(.deleteTopic(Orders.topic))
    let again = try Orders(orders.broker, partitions: 2)
    try again.produce(70)
    guard case .broker(let error) = pipelineError({ _ = try member.join() }) else {
      Issue.record("the topic is another one")
      return
    }
    #expect(error.code == .unknownTopic && error.description.contains(Orders.topic), "\(error)")
    guard
      case .topicMadeAnew(topic: Orders.topic, group: "g", isOutput: false) = pipelineError({
        _ = try Run(again).analytics()
      })
    else {
      Issue.record("the state is of another topic")
      return
    }
    let result = try Run(again).with { $0.change = { $0.resetsGroup = true } }.analytics()
    #expect(result.run.records == 70 && result.summary.totalOrders == 70)
  }

  @Test("Partitions that are added while a topic is followed are followed too, and counted in the group's totals")
  func addedWhileConsuming() throws {
    let (orders, run) = try followed(200)
    let member = try start(run)
    try orders.broker.change(.addPartitions(topic: Orders.topic, total: 5))
    try orders.produce(300, firstOrder: 201)
    let result = try member.join()
    #expect(result.run.records == 500 && result.summary.totalOrders == 500)
    #expect(result.summary.agrees(with: try orders.expectedSummary()))
    let bounded = try Run(orders).with { $0.partitions = 5 }.analytics()
    #expect(bounded.run.records == 0 && bounded.summary.totalOrders == 500)
  }
}
