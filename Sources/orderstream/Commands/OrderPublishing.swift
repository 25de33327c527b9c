import OrderStreamCore

/// Publishes generated orders to a topic, made if it is missing: the work of `produce` and of `replay --events`.
struct OrderPublishing {
  let context: CommandContext
  let topic: String
  let broker: any Broker
  let admin: any Admin

  /// Publishes `count` orders of a random seed, numbered after those that are there, at the wall clock.
  func run(count: Int64) throws(CommandError) -> ProduceReport {
    try prepare()
    let options = OrderGenerator.Options(
      seed: Self.randomSeed(), firstOrder: try nextOrderNumber(), count: count)
    return try run(options, schedule: nil, report: { _ in })
  }

  /// A seed that JSON readers keep exactly: below 2⁵³.
  static func randomSeed() -> UInt64 { UInt64.random(in: 0..<(1 << 53)) }

  /// Makes the topic if it is missing.
  func prepare() throws(CommandError) {
    _ = try CommandError.wrap { () throws(BrokerError) in
      try TopicSetup.ensure(topic, wishes: context.topicWishes, admin: admin)
    }
  }

  func nextOrderNumber() throws(CommandError) -> Int64 {
    let number = try CommandError.wrap { () throws(BrokerError) in
      try OrderNumbering.firstNumber(topic: topic, broker: broker, admin: admin, time: context.time)
    }
    if let number { return number }
    throw CommandError(
      .data, "cannot number new orders of \(topic)", why: "it has the order with the last number there is",
      remedy: "name a free range with --first-order")
  }

  /// Publishes the orders of `options` to the prepared topic.
  /// - Parameter report: hears of an error that ended the run early or kept records from being acknowledged.
  func run(
    _ options: OrderGenerator.Options, schedule: OrderPublisher.Schedule?, report: (BrokerError) -> Void
  ) throws(CommandError) -> ProduceReport {
    let producer = try CommandError.wrap { () throws(BrokerError) in
      try broker.producer(topic: topic, pace: schedule == nil ? .bulk : .interactive)
    }
    var publisher = OrderPublisher(
      options, producer: producer, schedule: schedule, time: context.time, stop: context.stop)
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    do throws(BrokerError) {
      try publisher.run { publisher in
        progress.update {
          "produce: \(publisher.sent) of \(options.count) sent, \(producer.deliveries.acknowledged) acknowledged"
        }
      }
    } catch {
      report(error)
    }
    let end = context.time.monotonicNanoseconds
    producer.close()
    progress.finish()

    var result = ProduceReport(topic: topic, deliveries: producer.deliveries)
    result.requested = context.stop.isRequested ? publisher.sent : options.count
    result.deliveries.failed = result.requested - result.deliveries.acknowledged
    result.failedOrders = publisher.failedOrders
    result.seed = options.seed
    result.firstOrder = options.firstOrder
    result.activeMilliseconds = publisher.startNanoseconds.map { (end - $0) / 1_000_000 } ?? 0
    return result
  }
}
