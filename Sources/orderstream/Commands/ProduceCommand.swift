import OrderStreamCore

/// `produce`: publishes generated orders, or JSON lines of somebody else, and waits for every acknowledgement.
struct ProduceCommand {
  let options: ProduceOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    switch options.source {
    case .generator(let generator):
      guard options.dryRun else { return try publish(generator) }
      try printOrders(GeneratedOrders(try orders(generator, first: generator.firstOrder ?? 1)))
      return dryRunCode(rejected: 0)
    case .lines(let path):
      let lines = try InputOrders(path, context)
      guard options.dryRun else {
        return try InputPublishing(options: options, context: context, orders: lines).run()
      }
      try printOrders(lines)
      lines.reportRest()
      return dryRunCode(rejected: lines.counts.rejected)
    }
  }

  private func publish(_ generator: ProduceOptions.Generator) throws -> ExitCode {
    let broker = try context.openBroker()
    let admin = try broker.admin()
    defer { admin.close() }
    let publishing = OrderPublishing(context: context, topic: options.topic, broker: broker, admin: admin)
    try publishing.prepare()
    let numbers = try publishing.numbers(firstOrder: generator.firstOrder)
    let outcome = try publishing.run(
      try orders(generator, first: numbers.first), numbers, schedule: options.rate.schedule)
    let report = outcome.report
    try context.emit(report, broker: broker.name, activeMilliseconds: report.activeMilliseconds)
    if let failure = outcome.failure { context.console.report(failure) }
    var findings: [ExitCode] = []
    if let failure = outcome.failure { findings.append(failure.code.ofUnpublishedEvents) }
    if report.deliveries.failed > 0 { findings.append(.unavailable) }
    if let signal = Signals.exitCode, report.completion.isCutShort { findings.append(signal) }
    return ExitCode.combined(findings)
  }

  /// `--dry-run`: the values, one a line, with no broker.
  private func printOrders(_ orders: any OrderSource) throws {
    let output = BufferedOutput(context.console)
    var number: Int64 = 0
    while !context.stop.isRequested, try orders.advance() {
      output.buffer.append(orders.take(sequence: number, wallMilliseconds: context.time.wallMilliseconds).value)
      output.buffer.append(UInt8(ascii: "\n"))
      number += 1
      try output.lineDone()
    }
    try output.flush()
  }

  private func dryRunCode(rejected: Int64) -> ExitCode {
    var findings: [ExitCode] = rejected > 0 ? [.data] : []
    if context.stop.isRequested, let signal = Signals.exitCode { findings.append(signal) }
    return ExitCode.combined(findings)
  }

  private func orders(
    _ generator: ProduceOptions.Generator, first: Int64
  ) throws -> OrderGenerator.Options {
    let options = OrderGenerator.Options(
      seed: generator.seed ?? OrderPublishing.randomSeed(), failureRate: generator.failureRate,
      users: Int(generator.users), firstOrder: first, count: generator.events, eventTime: eventTime(generator))
    if let problem = options.problem {
      throw CommandError.usage(
        "cannot generate these orders", why: problem, remedy: "change the generator options", command: .produce)
    }
    return options
  }

  private func eventTime(_ generator: ProduceOptions.Generator) -> EventTime {
    switch generator.eventTime {
    case .wallClock:
      return .wallClock
    case .advancing(let start, let pace):
      return .stepped(
        startSeconds: start.seconds, startNanoseconds: start.nanoseconds, perSecond: pace.perSecond)
    case .spread(let start?, let span):
      return .span(
        startSeconds: start.seconds, startNanoseconds: start.nanoseconds, spanNanoseconds: span.nanoseconds)
    case .spread(nil, let span):
      // The span ends now.
      let start = context.time.wallMilliseconds * 1_000_000 - span.nanoseconds
      let second = start >= 0 ? start / 1_000_000_000 : (start - 999_999_999) / 1_000_000_000
      return .span(
        startSeconds: second, startNanoseconds: Int32(start - second * 1_000_000_000), spanNanoseconds: span.nanoseconds
      )
    }
  }
}

extension Rate {
  /// When each event is due; `nil` for as fast as possible.
  var schedule: OrderPublisher.Schedule? {
    if self == .max { return nil }
    return { index in nanoseconds(ofEvent: index) }
  }

  /// Events a second; infinite without a limit.
  var perSecond: Double {
    switch self {
    case .max: .infinity
    case .limited(let events, let seconds): Double(events) / Double(seconds)
    }
  }
}
