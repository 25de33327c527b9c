import OrderStreamCore

/// Publishes generated orders to a topic, made if it is missing: the work of `produce` and of `replay --events`.
struct OrderPublishing {
  let context: CommandContext
  let topic: String
  let broker: any Broker
  let admin: any Admin

  /// Publishes `count` orders of a random seed, numbered after those that are there, at the wall clock.
  func run(count: Int64) throws -> Outcome {
    try prepare()
    let numbers = try numbers(firstOrder: nil)
    let options = OrderGenerator.Options(seed: Self.randomSeed(), firstOrder: numbers.first, count: count)
    return try run(options, numbers, schedule: nil)
  }

  /// A seed that JSON readers keep exactly: below 2⁵³.
  static func randomSeed() -> UInt64 { UInt64.random(in: 0..<(1 << 53)) }

  /// Makes the topic if it is missing.
  func prepare() throws {
    _ = try TopicSetup.ensure(topic, wishes: context.topicWishes, admin: admin)
  }

  /// The first number of a run, and what the topic's records say about the numbers before it.
  struct Numbers {
    var first: Int64
    var look: OrderNumbering.Look
  }

  /// - Parameter given: the user's own choice; `nil` for a number that nobody has used.
  func numbers(firstOrder given: Int64?) throws -> Numbers {
    let numbering = try OrderNumbering(
      topic: topic, broker: broker, admin: admin, time: context.time)
    var look = try numbering.look()
    if let given { return Numbers(first: given, look: look) }
    if look.next == nil { look = try scan(numbering) }
    if let next = look.next, next < .max { return Numbers(first: next, look: look) }
    throw CommandError(
      .data, "cannot number new orders of \(topic)", why: "it has the order with the last number there is",
      remedy: "name a free range with --first-order")
  }

  private func scan(_ numbering: OrderNumbering) throws -> OrderNumbering.Look {
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    defer { progress.finish() }
    return try numbering.scan { count in
      progress.update {
        "produce: \(count) order numbers read; --first-order takes a number without reading them"
      }
    }
  }

  /// What was published, and the error that ended it early or kept records from being acknowledged.
  struct Outcome {
    var report: ProduceReport
    var failure: CommandError?
  }

  /// Publishes the orders of `options` to the prepared topic.
  func run(
    _ options: OrderGenerator.Options, _ numbers: Numbers, schedule: OrderPublisher.Schedule?
  ) throws -> Outcome {
    let producer = try broker.producer(topic: topic, pace: schedule == nil ? .bulk : .interactive)
    var publisher = OrderPublisher(
      options, producer: producer, schedule: schedule, time: context.time, stop: context.stop,
      trace: numbers.look.trace(firstOrder: options.firstOrder, count: options.count))
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    var failure: CommandError?
    do {
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

    var report = ProduceReport(topic: topic, deliveries: producer.deliveries)
    report.requested = options.count
    // After an error nothing that follows is delivered; a signal leaves the rest alone.
    let taken = failure == nil ? publisher.sent : options.count
    report.deliveries.failed = taken - report.deliveries.acknowledged
    report.deliveries.refused += publisher.refusedAtOnce
    let (acknowledged, refused) = (report.deliveries.acknowledged, report.deliveries.refused)
    if failure == nil && report.deliveries.failed > refused {
      failure = unanswered(report.deliveries.failed - refused)
    }
    if acknowledged + refused < options.count {
      report.completion = .cutShort(by: failure, after: acknowledged, of: options.count)
      failure?.addAdvice(
        "\(acknowledged) of \(options.count) orders are on the log; --events \(options.count - acknowledged) publishes as "
          + "many as are missing")
    }
    nameRefusals(publisher, options, of: refused)
    noteReordering(report.deliveries)
    report.failedOrders = publisher.failedOrders
    report.seed = options.seed
    report.firstOrder = options.firstOrder
    report.activeMilliseconds = publisher.startNanoseconds.map { (end - $0) / 1_000_000 } ?? 0
    return Outcome(report: report, failure: failure)
  }

  private func nameRefusals(_ publisher: OrderPublisher, _ options: OrderGenerator.Options, of count: Int64) {
    for refusal in publisher.refusals.sorted(by: { $0.sequence < $1.sequence }) {
      let id = OrderNumber.id(options.firstOrder + refusal.sequence)
      context.console.report(
        CommandError(
          .unavailable, "cannot publish \(id) to \(topic)", why: refusal.error.why, remedy: refusal.error.remedy),
        endsRun: false)
    }
    let rest = count - Int64(publisher.refusals.count)
    if rest > 0 { context.console.reportMore(rest, "orders were refused") }
  }

  /// The order within a partition is a promise, so a change of it is said.
  func noteReordering(_ deliveries: DeliveryCounts) {
    guard deliveries.reordered > 0 else { return }
    context.console.warning(
      "\(deliveries.reordered) records may stand behind later ones of their partition of \(topic): they shared a batch with "
        + "one that the broker refused, and were sent again alone")
  }

  /// Records whose fate the broker did not tell in time.
  func unanswered(_ count: Int64) -> CommandError {
    CommandError(
      .unavailable, "cannot append to \(topic)",
      why: "\(count) records were not acknowledged within \(OrderPublisher.flushTimeout.milliseconds / 1000) s",
      remedy: "check the cluster's health")
  }
}
