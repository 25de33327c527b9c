import OrderStreamCore

/// Publishes generated orders to a topic, made if it is missing: the work of `produce` and of `replay --events`.
struct OrderPublishing {
  let context: CommandContext
  let topic: String
  let broker: any Broker
  let admin: any Admin

  /// Publishes `count` orders of a random seed, numbered after those that are there, at the wall clock.
  func run(count: Int64) throws(CommandError) -> Result {
    try prepare()
    let options = OrderGenerator.Options(
      seed: Self.randomSeed(), firstOrder: try nextOrderNumber(), count: count)
    return try run(options, schedule: nil)
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

  /// What was published, and the error that ended it early or kept records from being acknowledged.
  struct Result {
    var report: ProduceReport
    var failure: CommandError?
  }

  /// Publishes the orders of `options` to the prepared topic.
  func run(
    _ options: OrderGenerator.Options, schedule: OrderPublisher.Schedule?
  ) throws(CommandError) -> Result {
    let producer = try CommandError.wrap { () throws(BrokerError) in
      try broker.producer(topic: topic, pace: schedule == nil ? .bulk : .interactive)
    }
    var publisher = OrderPublisher(
      options, producer: producer, schedule: schedule, time: context.time, stop: context.stop)
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    var failure: CommandError?
    do throws(BrokerError) {
      try publisher.run { publisher in
        progress.update {
          "produce: \(publisher.sent) of \(options.count) sent, \(producer.deliveries.acknowledged) acknowledged"
        }
      }
    } catch {
      failure = CommandError(error)
    }
    let end = context.time.monotonicNanoseconds
    producer.close()
    progress.finish()

    var result = ProduceReport(topic: topic, deliveries: producer.deliveries)
    result.requested = options.count
    // After an error nothing that follows is delivered; a signal leaves the rest alone.
    let taken = failure == nil ? publisher.sent : options.count
    result.deliveries.failed = taken - result.deliveries.acknowledged
    if failure == nil && result.deliveries.failed > 0 { failure = unanswered(result.deliveries.failed) }
    if result.deliveries.acknowledged < options.count {
      result.completion = .cutShort(by: failure, after: result.deliveries.acknowledged, of: options.count)
    }
    result.failedOrders = publisher.failedOrders
    result.seed = options.seed
    result.firstOrder = options.firstOrder
    result.activeMilliseconds = publisher.startNanoseconds.map { (end - $0) / 1_000_000 } ?? 0
    return Result(report: result, failure: failure)
  }

  /// Records whose fate the broker did not tell in time.
  func unanswered(_ count: Int64) -> CommandError {
    CommandError(
      .unavailable, "cannot append to \(topic)",
      why: "\(count) records were not acknowledged within \(OrderPublisher.flushTimeout.milliseconds / 1000) s",
      remedy: "check the cluster's health")
  }
}
