import OrderStreamCore
import OrderStreamThreads
import Synchronization

/// `lag-demo`: a producer outruns throttled consumers on a topic of its own; lag builds, peaks and drains.
struct LagDemoCommand {
  /// Time that draining may take beyond what the delay of the consumers explains.
  static let drainAllowance: Duration = .seconds(60)

  let options: LagDemoOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    if let scenario = options.scenario {
      return try ScenarioCommand(scenario: scenario, keep: options.keep, context: context).run()
    }
    let broker = try context.openBroker()
    let admin = try broker.admin()
    defer { admin.close() }
    let name = "lag-demo-\(PrivateName.random())"
    let partitions = try TopicSetup.ensure(name, wishes: context.topicWishes, admin: admin)
    defer { if !options.keep { context.removeTraces(group: name, topic: name, admin) } }
    let experiment = LagRun(
      options: options, context: context, broker: broker, name: name, partitionCount: partitions)
    let outcome = try experiment.run(admin)
    try context.emit(
      outcome.report, broker: broker.name, activeMilliseconds: outcome.activeMilliseconds)
    if outcome.report.isTrue && outcome.report.hasNoLag {
      context.console.note(
        "hardly any lag was built, because the consumers kept up: raise --rate or --consumer-delay to see some")
    }
    if options.keep { context.console.note("topic \(name) and group \(name) are kept") }
    if let failure = outcome.failure { context.console.report(failure) }
    return exitCode(outcome)
  }

  private func exitCode(_ outcome: LagRun.Outcome) -> ExitCode {
    var findings: [ExitCode] = []
    if let failure = outcome.failure {
      guard failure.code.isFinding else { return failure.code }
      findings.append(failure.code)
    }
    if let signal = Signals.exitCode, outcome.report.completion.isCutShort {
      return ExitCode.combined(findings + [signal])
    }
    if outcome.report.failedDeliveries > 0 { findings.append(.unavailable) }
    if !outcome.report.isTrue { findings.append(.refuted) }
    return ExitCode.combined(findings)
  }
}

/// One experiment of `lag-demo`: a producer thread, consumer threads, and the sampling on the calling thread.
struct LagRun {
  struct Outcome {
    var report: LagReport
    var activeMilliseconds: Int64
    /// Why a producer or a consumer failed.
    var failure: CommandError?
  }

  /// What the producer's thread tells the others.
  private final class ProducerProgress: Sendable {
    struct State {
      var acknowledged: Int64 = 0
      var failed: Int64 = 0
      /// Monotonic clock at the last acknowledgement; `nil` while it produces.
      var endNanoseconds: Int64?
      var failure: CommandError?
    }
    let state = Mutex(State())
    var snapshot: State { state.withLock { $0 } }
  }

  let options: LagDemoOptions
  let context: CommandContext
  let broker: any Broker
  /// What the terminal shows is made anew this often, however often samples are taken.
  private static let viewInterval = Duration.milliseconds(100)
  /// How long the lag may be unknown before the run is given up.
  private static let silenceLimit = Duration.seconds(30)

  /// Of the topic and of the group.
  let name: String
  let partitionCount: Int32

  func run(_ admin: any Admin) throws -> Outcome {
    let recorder = LagRecorder(firstOrder: 1, count: Int(options.events))
    let production = ProducerProgress()
    // Consumers outlive the request to stop just long enough to commit; they have a flag of their own.
    let consumersStop = StopFlag()
    let start = context.time.monotonicNanoseconds
    var consumers: [BackgroundThread<CommandError?>] = []
    let producer: BackgroundThread<Void>
    do throws(NoRoomForThread) {
      for _ in 0..<options.consumers { consumers.append(try startConsumer(recorder, stop: consumersStop)) }
      producer = try startProducer(production)
    } catch {
      consumersStop.request()
      for consumer in consumers { _ = consumer.join() }
      throw CommandError(.temporary, "cannot run lag-demo", why: error.description, remedy: NoRoomForThread.remedy)
    }

    var report = LagReport(topic: name, group: name)
    let sampling = Result {
      try sample(admin, production, recorder, since: start, into: &report)
    }
    if case .failure = sampling { context.stop.request() }
    producer.join()
    consumersStop.request()
    let failures = consumers.compactMap { $0.join() }

    let end = production.snapshot
    report.produced = end.acknowledged
    report.failedDeliveries = end.failed
    report.consumed = recorder.consumed
    var unanswered: CommandError?
    var lag: Int64 = 0
    do {
      try sampling.get()
      if report.drainMilliseconds == nil {
        switch try GroupLagLook(name: name, admin: admin).look().total {
        case .known(let records): lag = records
        case .unknown(let reason): throw unknownLag(reason)
        }
      }
    } catch {
      let error = CommandError(error)
      guard error.code.isFinding else { throw error }
      unanswered = error
      // Nobody can be asked, so nothing is called lost.
      lag = end.acknowledged
    }
    (report.lost, report.duplicated) = recorder.verdict(produced: end.acknowledged, lag: lag)
    let failure = unanswered ?? failures.first ?? end.failure
    if report.drainMilliseconds == nil && (failure != nil || context.stop.isRequested) {
      report.completion = .cutShort(by: failure, after: report.consumed, of: options.events)
    }
    return Outcome(
      report: report, activeMilliseconds: (context.time.monotonicNanoseconds - start) / 1_000_000,
      failure: failure)
  }

  // MARK: - Threads

  private func startProducer(_ production: ProducerProgress) throws(NoRoomForThread) -> BackgroundThread<Void> {
    try BackgroundThread { [self] in
      do {
        let producer = try broker.producer(topic: name, pace: .interactive)
        func note() {
          let counts = producer.deliveries
          production.state.withLock { state in
            state.acknowledged = counts.acknowledged
            state.failed = counts.failed
          }
        }
        defer {
          producer.close()
          note()
        }
        var publisher = OrderPublisher(
          GeneratedOrders(OrderGenerator.Options(seed: OrderPublishing.randomSeed(), count: options.events)),
          producer: producer, schedule: options.rate.schedule, time: context.time, stop: context.stop)
        try publisher.run { _ in note() }
      } catch {
        production.state.withLock { $0.failure = CommandError(error) }
      }
      production.state.withLock { $0.endNanoseconds = context.time.monotonicNanoseconds }
    }
  }

  private func startConsumer(
    _ recorder: LagRecorder, stop: StopFlag
  ) throws(NoRoomForThread) -> BackgroundThread<CommandError?> {
    let membership: ConsumerOptions.Membership =
      options.consumers == 1 ? .sole(group: name) : .member(group: name)
    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: name, membership: membership, readsHeaders: false),
      partitionCount: partitionCount,
      bound: .follow(idle: nil))
    settings.delayPerRecord = options.consumerDelay
    settings.commitInterval = min(options.sampleInterval, settings.commitInterval)
    return try BackgroundThread { [settings, broker] in
      do {
        let loop = try PipelineLoop(
          settings, broker: broker, processor: LagProcessor(recorder: recorder), time: SystemTime(stop: stop),
          stop: stop, observer: SilentObserver())
        defer { loop.close() }
        _ = try loop.run()
        return nil
      } catch {
        // Nobody can drain what this consumer leaves; the sampling must not wait for it.
        context.stop.request()
        return CommandError(error)
      }
    }
  }

  // MARK: - Sampling

  /// Takes a sample every interval until the lag has drained, the time is over, or a stop is requested. The last sample
  /// is taken after the drain.
  private func sample(
    _ admin: any Admin, _ production: ProducerProgress, _ recorder: LagRecorder,
    since start: Int64, into report: inout LagReport
  ) throws {
    let progress = context.showsView ? nil : Progress("lag-demo", console: context.console, time: context.time)
    defer { progress?.finish() }
    report.drainLimitMilliseconds = drainTimeout.milliseconds
    var nextView = start
    var next = start
    var lastAnswer = start
    while true {
      // Read in this order: what was acknowledged before the lag is read is in the lag or consumed.
      let produced = production.snapshot
      let lag = try GroupLagLook(name: name, admin: admin).look()
      let now = context.time.monotonicNanoseconds
      switch lag.total {
      case .known: lastAnswer = now
      case .unknown(let reason):
        // A broker that is away for a while costs samples.
        guard now - lastAnswer < Self.silenceLimit.nanoseconds else { throw unknownLag(reason) }
      }
      let sample = LagReport.Sample(
        milliseconds: (now - start) / 1_000_000, produced: produced.acknowledged, consumed: recorder.consumed,
        lag: lag.total.records, lagByPartition: lag.parts)
      report.samples.append(sample)
      progress?.update(
        sample.consumed, of: options.events,
        detail: "\(sample.produced.grouped) produced, lag \(sample.lag.map(\.grouped) ?? "unknown")")
      if context.showsView && now >= nextView {
        show(report)
        nextView = now + Self.viewInterval.nanoseconds
      }
      if let end = produced.endNanoseconds {
        if sample.lag == 0 && sample.consumed >= produced.acknowledged {
          report.drainMilliseconds = max(0, now - end) / 1_000_000
          return
        }
        if now - end > drainTimeout.nanoseconds { return }
      }
      if context.stop.isRequested { return }
      next = next.saturatingAdd(options.sampleInterval.nanoseconds)
      if next > now { context.time.sleep(.nanoseconds(next - now)) } else { next = now }
    }
  }

  private func show(_ report: LagReport) {
    let (heading, broker) = ("Consumer lag of \(options.events.grouped) orders", broker.name)
    context.console.display.show(view: { screen in
      let text = ReportText()
      report.appendView(heading: screen.heading(heading, on: broker), to: text, on: screen)
      return text
    })
  }

  private var drainTimeout: Duration {
    if let given = options.drainTimeout { return given }
    let twice = options.consumerDelay.nanoseconds.saturatingMultiply(options.events).saturatingMultiply(2)
    return .nanoseconds(twice.saturatingAdd(LagDemoCommand.drainAllowance.nanoseconds))
  }

  private func unknownLag(_ reason: String) -> CommandError {
    CommandError(
      .unavailable, "cannot tell the lag of the group \(name) on \(broker.name)", why: reason,
      remedy: "check the brokers and run again")
  }
}

/// `orderstream lag-demo`, checked.
struct LagDemoOptions: Hashable, Sendable {
  var common: CommonOptions
  var events: Int64
  var rate: Rate
  /// What one record costs a consumer; may be 0.
  var consumerDelay: Duration
  var consumers: Int
  var sampleInterval: Duration
  /// `nil`: the command works it out from the events and the delay.
  var drainTimeout: Duration?
  var keep: Bool
  /// A cause of lag that is made in place of all that.
  var scenario: ScenarioOptions?

  static let maxEvents: Int64 = 100_000_000
  static let maxConsumers = 100
  static let shortestSampleInterval = Duration.milliseconds(1)

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    events = try reader.integer(.events, in: 1...Self.maxEvents)
    rate = try reader.value(.rate, Rate.parse)
    consumerDelay = try reader.value(.consumerDelay, OptionValue.duration)
    consumers = try reader.integer(.consumers, in: 1...Self.maxConsumers)
    sampleInterval = try reader.value(.sampleInterval, OptionValue.duration(atLeast: Self.shortestSampleInterval))
    drainTimeout = try reader.optional(.drainTimeout, OptionValue.duration)
    keep = reader.flag(.keep)
    scenario = try ScenarioOptions(reader, common)
    if let scenario { consumers = scenario.mostMembers }
  }
}

extension CommandSpec {
  static let lagDemo = CommandSpec(
    name: .lagDemo, summary: "a producer outruns its consumer: lag builds, peaks, drains",
    details: """
      Works on a topic and a group of its own, which it removes afterwards, and samples the lag. Succeeds only if the \
      lag drained and every event was seen exactly once. With --scenario it makes a cause of lag for real instead, has \
      'orderstream status' in a process of its own say what it is, and succeeds only if that is right.
      """,
    options: [
      OptionSpec(
        name: .events, short: "n", placeholder: "<n>", defaultValue: "1000", help: "How many orders to produce."),
      OptionSpec(
        name: .rate, placeholder: "<rate>", defaultValue: "500/s",
        help: "How fast to produce: '500', '500/s' or 'max'.",
        completion: .choice(["max"])),
      OptionSpec(
        name: .consumerDelay, placeholder: "<duration>", defaultValue: "10ms", help: "What one record costs a consumer."
      ),
      OptionSpec(name: .consumers, placeholder: "<n>", defaultValue: "1", help: "Members of the consumer group."),
      OptionSpec(
        name: .sampleInterval, placeholder: "<duration>", defaultValue: "100ms", help: "Time between two samples."),
      OptionSpec(
        name: .drainTimeout, placeholder: "<duration>", defaultNote: "from the number of events and the delay",
        help: "Give up when the lag has not drained this long after the last event."),
      OptionSpec(name: .keep, help: "Keep the topic and the group."),
    ] + ScenarioOptions.specs + OptionSpec.creation + OptionSpec.results(.page, .csv, .metrics, .junit)
      + OptionSpec.connection
      + OptionSpec.presentation,
    examples: [
      .init(text: "watch it", command: "orderstream lag-demo"),
      .init(text: "three consumers keep up better", command: "orderstream lag-demo --consumers 3 --events 3000"),
      .init(text: "see whether a stall is called one", command: "orderstream lag-demo --scenario stall"),
    ])
}
