import OrderStreamCore

/// Publishes orders to a topic, made if it is missing: the work of `produce`, with either source, and of `replay --events`.
struct OrderPublishing {
  let context: CommandContext
  let topic: String
  let broker: any Broker
  let admin: any Admin
  var acks = Acks.all

  /// Publishes `count` orders of a random seed, numbered after those that are there, at the wall clock.
  func run(count: Int64) throws -> Sending {
    try prepare()
    let numbers = try numbers(firstOrder: nil)
    let options = OrderGenerator.Options(seed: Self.randomSeed(), firstOrder: numbers.first, count: count)
    return try run(options, numbers, schedule: nil)
  }

  /// A seed that JSON readers keep exactly: below 2⁵³.
  static func randomSeed() -> UInt64 { UInt64.random(in: 0..<(1 << 53)) }

  /// Makes the topic if it is missing.
  /// - Parameter partitions: how many the topic has that records are copied from; `nil` where that is nobody's matter.
  /// - Returns: how many it has.
  @discardableResult
  func prepare(copyOf partitions: Int32? = nil) throws -> Int32 {
    var wishes = context.topicWishes
    if let partitions, let other = try wishes.partitions ?? admin.topic(topic)?.partitionCount, other != partitions {
      throw CommandError(
        .configuration, "cannot copy into \(topic)",
        why: "the records are of a topic with \(partitions) partitions and this one has \(other)",
        remedy: wishes.partitions == nil ? "name another topic with --topic" : "leave --partitions out")
    }
    wishes.partitions = wishes.partitions ?? partitions
    return try TopicSetup.ensure(topic, wishes: wishes, admin: admin)
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
      .data, "cannot number new orders of \(topic)", why: "the highest order number that there is has been used",
      remedy: "name a free range with --first-order")
  }

  private func scan(_ numbering: OrderNumbering) throws -> OrderNumbering.Look {
    let progress = Progress("produce: reading order numbers", console: context.console, time: context.time)
    defer { progress.finish() }
    return try numbering.scan { progress.update($0, detail: "--first-order takes a number without reading them") }
  }

  /// `--duration`.
  struct TimeLimit {
    var duration: Duration
    /// How many orders are due within it; `nil` at full speed.
    var due: Int64?
  }

  /// A receipt of what is acknowledged.
  struct ReceiptRequest {
    var file: ReceiptFile
    var source: Receipt.Head.Source
    /// The lines of an input that were read, and their digest where it was read to its end.
    var input: (() -> (lines: Int64, digest: Digest?))?
  }

  /// What sending the orders of a source came to.
  struct Sending {
    var report: ProduceReport
    /// The error that ended it early, or kept records from being acknowledged.
    var failure: CommandError?
    /// Why the receipt is not whole, where another error ended the run.
    var receiptFailure: CommandError?
    /// Orders that the producer was given.
    let sent: Int64
    /// What the source was not told any more.
    let lastReports: RecordReports
  }

  /// Sends the orders of a source to the prepared topic, and waits for their acknowledgements.
  /// - Parameters:
  ///   - reports: which records the source hears of.
  ///   - count: how many orders there are, where that is known.
  ///   - comesLate: whether an order may not be there when it is due, so that its latency counts from its sending.
  ///   - receipt: where to write what is acknowledged; `nil` for nowhere.
  func send(
    _ orders: any OrderSource, schedule: OrderPublisher.Schedule?, reports: RecordReports.Detail, count: Int64? = nil,
    comesLate: Bool = false, receipt: ReceiptRequest? = nil
  ) throws -> Sending {
    let observer = receipt?.file.observer()
    let origin = schedule.map(AcknowledgementLatency.Origin.schedule) ?? .fullSpeed
    let latency = AcknowledgementLatency(from: comesLate ? .eachSending : origin, time: context.time)
    let producer = try broker.producer(
      ProducerOptions(
        topic: topic, pace: schedule == nil ? .bulk : .interactive, acks: acks, reports: reports, latency: latency,
        observer: observer))
    defer { producer.close() }
    if let receipt, let observer {
      try receipt.file.begin(observer, head(receipt.source, producer), stop: context.stop)
    }
    var publisher = OrderPublisher(
      orders, producer: producer, schedule: schedule, time: context.time, stop: context.stop, latency: latency,
      observer: observer)
    let title = acks == .all ? "produce" : "produce, acks \(acks.rawValue)"
    let progress = Progress(title, console: context.console, time: context.time)
    var failure: CommandError?
    var samples = RunSamples(acks == .none ? .sent : .acknowledged, since: context.time.monotonicNanoseconds)
    func takeSample(_ deliveries: DeliveryCounts, at now: Int64) {
      samples.take(at: now, deliveries.sent, deliveries.acknowledgedByPartition)
    }
    do {
      try publisher.run { _ in
        let deliveries = producer.deliveries
        progress.update(deliveries.sent, of: count)
        let now = context.time.monotonicNanoseconds
        if samples.isDue(at: now) { takeSample(deliveries, at: now) }
      }
    } catch {
      failure = CommandError(error)
    }
    let end = context.time.monotonicNanoseconds
    producer.close()
    progress.finish()
    var receiptFailure = receipt?.file.finish {
      $0.end(sent: publisher.sent, at: context.time.wallMilliseconds, input: receipt?.input?())
    }
    if failure == nil { swap(&failure, &receiptFailure) }
    var report = ProduceReport(topic: topic, deliveries: producer.deliveries)
    report.acks = acks
    report.deliveries.refused += publisher.refusedAtOnce
    report.failedOrders = publisher.failedOrders
    report.receipt = receipt?.file.path
    report.latency = latency.figures
    takeSample(report.deliveries, at: end)
    report.samples = samples
    if publisher.sent > 0, let start = publisher.startNanoseconds {
      report.activeMilliseconds = (end - start) / 1_000_000
    }
    noteReordering(report.deliveries)
    return Sending(
      report: report, failure: failure, receiptFailure: receiptFailure, sent: publisher.sent,
      lastReports: producer.takeReports())
  }

  private func head(_ source: Receipt.Head.Source, _ producer: any Producer) throws -> Receipt.Head {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return Receipt.Head(
      run: String(repeating: "0", count: 16 - digits.count) + digits, broker: broker.name, topic: topic,
      topicID: try admin.topic(topic)?.id, partitionCount: producer.partitionCount,
      startedMilliseconds: context.time.wallMilliseconds, version: Version.number, acks: acks.rawValue, source: source)
  }

  /// Counts as failed what was taken up and is not acknowledged, and gives the reason where the broker gave none.
  func settle(_ sending: inout Sending, taken: Int64) {
    sending.report.deliveries.failed = taken - sending.report.deliveries.sent
    let missing = sending.report.deliveries.failed - sending.report.deliveries.refused
    if sending.failure == nil && missing > 0 { sending.failure = unanswered(missing) }
  }

  /// Publishes the orders of `options` to the prepared topic. The report is complete, and so is the failure's advice.
  /// - Parameters:
  ///   - limit: ends the run after a time, however many orders there are.
  ///   - isCounted: whether the user has said how many.
  ///   - receipt: where to write what is acknowledged; `nil` for nowhere.
  func run(
    _ options: OrderGenerator.Options, _ numbers: Numbers, schedule: OrderPublisher.Schedule?,
    limit: TimeLimit? = nil, isCounted: Bool = true, receipt: ReceiptFile? = nil
  ) throws -> Sending {
    let look = numbers.look
    let time = context.time
    let end = limit.map { time.monotonicNanoseconds.saturatingAdd($0.duration.nanoseconds) }
    let orders = GeneratedOrders(
      options, limit: limit?.due ?? .max, isOver: end.map { end in { time.monotonicNanoseconds >= end } },
      trace: { look.trace(firstOrder: options.firstOrder, count: $0) })
    // Without a number and without a pace nobody knows it before the time is over.
    let isOpen = !isCounted && limit?.due == nil
    var sending = try send(
      orders, schedule: schedule, reports: .refusals, count: isOpen ? nil : orders.count,
      receipt: receipt.map { ReceiptRequest(file: $0, source: .orders(options)) })
    orders.note(sending.lastReports)
    // After an error nothing that follows is delivered; a signal leaves the rest alone. What the time has left out was not
    // asked for, but by number.
    let count = isOpen && orders.count == options.count ? sending.sent : orders.count
    settle(&sending, taken: sending.failure == nil ? sending.sent : count)
    sending.report.requested = isCounted ? options.count : count
    sending.report.seed = options.seed
    sending.report.firstOrder = options.firstOrder
    let (sent, refused) = (sending.report.deliveries.sent, sending.report.deliveries.refused)
    let isEndless = isOpen && orders.count == options.count
    if sent + refused < count || isEndless {
      sending.report.completion = .cutShort(by: sending.failure, after: sent, of: isEndless ? nil : count)
      if isCounted {
        sending.failure?.addAdvice(
          "\(sent) of \(options.count) orders \(acks == .none ? "were sent" : "are on the log"); "
            + "--events \(options.count - sent) publishes as many as are missing")
      }
    }
    nameRefusals(orders, of: refused)
    return sending
  }

  private func nameRefusals(_ orders: GeneratedOrders, of count: Int64) {
    for refusal in orders.refusals.sorted(by: { $0.sequence < $1.sequence }) {
      let id = OrderNumber.id(orders.options.firstOrder + refusal.sequence)
      context.console.report(
        CommandError(
          .unavailable, "cannot publish \(id) to \(topic)", why: refusal.error.why, remedy: refusal.error.remedy),
        endsRun: false)
    }
    let rest = count - Int64(orders.refusals.count)
    if rest > 0 { context.console.reportMore(rest, "orders were refused") }
  }

  /// The order within a partition is a promise, so a change of it is said.
  private func noteReordering(_ deliveries: DeliveryCounts) {
    guard deliveries.reordered > 0 else { return }
    context.console.warning(
      "\(deliveries.reordered) records may stand behind later ones of their partition of \(topic): they shared a batch with "
        + "one that the broker refused, and were sent again alone")
  }

  /// Records whose fate the broker did not tell in time.
  private func unanswered(_ count: Int64) -> CommandError {
    CommandError(
      .unavailable, "cannot append to \(topic)",
      why:
        "\(count) records were not \(acks == .none ? "sent" : "acknowledged") within \(OrderPublisher.flushTimeout.milliseconds / 1000) s",
      remedy: "check the cluster's health")
  }
}
