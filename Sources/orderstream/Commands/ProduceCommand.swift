import OrderStreamCore

/// `produce`: publishes generated orders, or JSON lines of somebody else, and waits for every acknowledgement that `--acks`
/// asks for.
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
      let lines = try InputOrders(path, isExact: options.exact, digests: options.receipt != nil, context)
      guard options.dryRun else {
        return try InputPublishing(options: options, context: context, orders: lines).run()
      }
      try printOrders(lines)
      lines.reportRest()
      return dryRunCode(rejected: lines.counts.rejected)
    }
  }

  private func publish(_ generator: ProduceOptions.Generator) throws -> ExitCode {
    let receipt = try context.receiptFile(options.receipt)
    let broker = try context.openBroker()
    let admin = try broker.admin()
    defer { admin.close() }
    let publishing = OrderPublishing(
      context: context, topic: options.topic, broker: broker, admin: admin, acks: options.acks)
    try publishing.prepare()
    let numbers = try publishing.numbers(firstOrder: generator.firstOrder)
    let outcome = try publishing.run(
      try orders(generator, first: numbers.first), numbers, schedule: options.rate.schedule,
      limit: generator.duration.map { .init(duration: $0, due: options.rate.events(within: $0)) },
      isCounted: generator.isCounted, receipt: receipt)
    let report = outcome.report
    try context.emit(report, broker: broker.name, activeMilliseconds: report.activeMilliseconds)
    if let failure = outcome.failure { context.console.report(failure) }
    var findings: [ExitCode] = []
    if let failure = outcome.receiptFailure {
      context.console.report(failure)
      findings.append(failure.code)
    }
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
  /// How many events are due within a time from the first one on; `nil` without a limit.
  func events(within duration: Duration) -> Int64? {
    guard case .limited(let events, let seconds) = self else { return nil }
    // Event i is due at ⌊i · seconds / events⌋.
    let scaled = Int128(duration.nanoseconds) * Int128(events)
    let step = Int128(seconds) * 1_000_000_000
    return min(ProduceOptions.maxEvents, Int64(clamping: (scaled + step - 1) / step))
  }

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

/// `orderstream produce`, checked.
struct ProduceOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var source: Source
  var acks: Acks
  /// How fast records are sent, generated or read.
  var rate: Rate
  /// Where lines of `--input` go that are not acknowledged.
  var unacknowledged: String?
  /// Where what is acknowledged is written.
  var receipt: String?
  /// Prints the values and opens no broker.
  var dryRun: Bool
  /// Whether lines are records as `tail --exact` prints them.
  var exact: Bool

  enum Source: Hashable, Sendable {
    case generator(Generator)
    /// JSON lines of a file, `-` for stdin.
    case lines(path: String)
  }

  struct Generator: Hashable, Sendable {
    /// How many at most.
    var events: Int64
    /// Whether the user has said how many.
    var isCounted: Bool
    /// Ends the run after that long; `nil` for no limit.
    var duration: Duration?
    /// `nil` unless given.
    var seed: UInt64?
    /// 0…1.
    var failureRate: Double
    var users: Int64
    var eventTime: EventTime
    /// `nil`: one after those in the topic; 1 in a dry run.
    var firstOrder: Int64?
  }

  enum EventTime: Hashable, Sendable {
    case wallClock
    /// Event i of n at start + ⌊i · span / n⌋; without a start the span ends now.
    case spread(start: TimeArgument?, over: Duration)
    /// Event i at start + i / pace; the pace is never `max`.
    case advancing(start: TimeArgument, pace: Rate)
  }

  static let maxEvents: Int64 = 1_000_000_000_000
  static let maxUsers: Int64 = 1_000_000_000
  /// How event time advances when no rate is given.
  static let defaultPace = Rate.limited(events: 1000, seconds: 1)
  /// What `--input` leaves nothing to do for.
  static let generatorOptions: [OptionName] = [
    .events, .duration, .seed, .failureRate, .users, .startTime, .span, .firstOrder,
  ]

  init(_ reader: OptionReader) throws(CommandError) {
    acks = try reader.choice(.acks)
    common = try reader.common().agreeing(with: acks, reader)
    topic = try reader.topic()
    rate = try reader.value(.rate, Rate.parse)
    dryRun = reader.flag(.dryRun)
    exact = reader.flag(.exact)
    unacknowledged = try reader.optional(.unacknowledged, OptionValue.file)
    receipt = try reader.optional(.receipt, OptionValue.file)
    let path = try reader.optional(.input, OptionValue.path)
    if receipt != nil, dryRun {
      throw reader.conflict("option --receipt", "a dry run publishes nothing", "leave one of the two out")
    }
    if let receipt, let unacknowledged, ResultFiles.place(of: receipt) == ResultFiles.place(of: unacknowledged) {
      throw reader.conflict("option --receipt", "it names the file of --unacknowledged too", "name two files")
    }
    if unacknowledged != nil, dryRun || path == nil {
      throw reader.conflict(
        "option --unacknowledged", dryRun ? "a dry run publishes nothing" : "it is for the lines of --input",
        dryRun ? "give one of the two" : "add --input <file>")
    }
    if unacknowledged != nil, acks == .none {
      throw reader.conflict(
        "option --unacknowledged", "with --acks 0 nothing is acknowledged", "leave one of the two out")
    }
    if receipt != nil, acks == .none {
      throw reader.conflict("option --receipt", "with --acks 0 nothing is acknowledged", "leave one of the two out")
    }
    if exact, dryRun || path == nil {
      throw reader.conflict(
        "option --exact", dryRun ? "a dry run publishes nothing" : "it is for the lines of --input",
        dryRun ? "leave one of the two out" : "add --input <file>, or --input -")
    }
    guard let path else {
      source = .generator(try Generator(reader, rate: rate))
      return
    }
    if let extra = Self.generatorOptions.first(where: reader.isGiven) {
      throw reader.conflict(
        "option --input", "--\(extra.rawValue) is for generated orders", "leave one of the two out")
    }
    source = .lines(path: path)
  }
}

extension CommonOptions {
  /// Without the properties that say what `--acks` says; librdkafka is told by that.
  fileprivate func agreeing(with acks: Acks, _ reader: OptionReader) throws(CommandError) -> CommonOptions {
    guard acks != .all else { return self }
    var own = self
    for property in properties {
      let name = property.key.hasPrefix("topic.") ? String(property.key.dropFirst("topic.".count)) : property.key
      let agrees: Bool
      switch name {
      case "acks", "request.required.acks": agrees = property.value == acks.rawValue
      case "enable.idempotence": agrees = property.value == "false"
      default: continue
      }
      if !agrees {
        throw reader.conflict(
          "option --acks", "\(property.key)=\(property.value) says something else", "leave one of the two out")
      }
      own.properties.removeAll { $0.key == property.key }
    }
    return own
  }
}

extension ProduceOptions.Generator {
  init(_ reader: OptionReader, rate: Rate) throws(CommandError) {
    duration = try reader.optional(.duration, OptionValue.someDuration)
    isCounted = reader.isGiven(.events) || duration == nil
    let most = ProduceOptions.maxEvents
    events = isCounted ? try reader.integer(.events, in: 0...most) : most
    seed = try reader.optionalInteger(.seed, in: UInt64.min...UInt64.max)
    failureRate = try reader.value(.failureRate, OptionValue.fraction)
    users = try reader.integer(.users, in: 1...ProduceOptions.maxUsers)
    firstOrder = try reader.optionalInteger(.firstOrder, in: 1...Int64.max)
    let start = try reader.optional(.startTime, TimeArgument.parse)
    let span = try reader.optional(.span, OptionValue.duration)
    if duration != nil, reader.flag(.dryRun) {
      throw reader.conflict("option --duration", "a dry run takes no time", "say how many with --events <n>")
    }
    if span != nil, !isCounted {
      throw reader.conflict(
        "option --span", "it is spread over a number of events, which --duration alone does not say",
        "add --events <n>")
    }
    eventTime =
      switch (start, span) {
      case (nil, nil): .wallClock
      case (_, let span?): .spread(start: start, over: span)
      case (let start?, nil): .advancing(start: start, pace: rate == .max ? ProduceOptions.defaultPace : rate)
      }
    try check(reader)
  }

  private func check(_ reader: OptionReader) throws(CommandError) {
    if let firstOrder, firstOrder.addingReportingOverflow(max(events - 1, 0)).overflow {
      throw reader.conflict(
        "option --first-order", "\(events) orders from \(firstOrder) on do not fit into 64 bits",
        "give a smaller number")
    }
    // Of the last event, which is before the end of the span.
    let length: Int64
    let start: TimeArgument
    switch eventTime {
    case .wallClock, .spread(nil, _): return
    case .spread(let given?, let span):
      let last = Int128(max(events - 1, 0)) * Int128(span.nanoseconds) / Int128(max(events, 1))
      (start, length) = (given, Int64(last))
    case .advancing(let given, let pace): (start, length) = (given, pace.nanoseconds(ofEvent: max(events - 1, 0)))
    }
    let passed = length / 1_000_000_000 + (Int64(start.nanoseconds) + length % 1_000_000_000) / 1_000_000_000
    guard start.seconds >= TimeArgument.earliestSeconds, start.seconds <= TimeArgument.latestSeconds - passed else {
      throw reader.conflict(
        "option --start-time", "event times would leave the years 0001 to 9999", "choose another start, span or rate")
    }
  }
}

extension CommandSpec {
  static let produce = CommandSpec(
    name: .produce, summary: "publish OrderPlaced events",
    details: """
      Publishes generated orders, or JSON lines of your own, and waits for every acknowledgement. The same generator \
      options give the same events, byte for byte, on every machine and broker.
      """,
    options: [
      OptionSpec(
        name: .events, short: "n", placeholder: "<n>", defaultValue: "10000",
        help: "How many orders to generate; with --duration no more than that, and any number if it is not given."),
      OptionSpec(
        name: .duration, placeholder: "<duration>",
        help: "Generate orders for this long; with --events, whichever comes first."),
      OptionSpec(
        name: .rate, placeholder: "<rate>", defaultValue: "max",
        help: """
          How fast to send them: '500', '500/s', '0.5/s' or 'max'. A rate is a schedule from the first order on: after a \
          pause (a suspended process, a slow broker) what is overdue is sent at once.
          """, completion: .choice(["max"])),
      OptionSpec(
        name: .acks, placeholder: "<whose>", defaultValue: Acks.all.rawValue,
        help: """
          Whose word makes an event acknowledged: 'all' replicas in sync, '1' for the leader alone, '0' for nobody's: then \
          events are sent, and whether they are on the log nobody knows.
          """, completion: .choice(Acks.allCases.map(\.rawValue))),
      OptionSpec(name: .seed, placeholder: "<n>", help: "Seed of the generator."),
      OptionSpec(
        name: .failureRate, placeholder: "<0..1>", defaultValue: "0.05", help: "Share of orders with status 'failed'."),
      OptionSpec(name: .users, placeholder: "<n>", defaultValue: "1000", help: "How many users place them."),
      OptionSpec(
        name: .startTime, placeholder: "<time>", defaultNote: "the wall clock",
        help:
          "Event time of the first order, RFC 3339. Without --span, event time advances by 1/rate (1000/s if unset)."),
      OptionSpec(
        name: .span, placeholder: "<duration>",
        help: "Spread event times evenly over this long, from --start-time, or else ending now."),
      OptionSpec(
        name: .firstOrder, placeholder: "<n>", defaultNote: "one that no finished run has used",
        help: "Number of the first order. Producers that run at the same time need ranges of their own."),
      OptionSpec(
        name: .input, placeholder: "<file|->",
        help: "Publish these JSON lines as they are instead of generating orders ('-': stdin).", completion: .file),
      OptionSpec(
        name: .exact,
        help: """
          With --input: each line is a record as 'tail --exact' prints it, published to the byte into the same partition, \
          whatever its value is. A missing topic gets as many partitions as that of the lines.
          """),
      OptionSpec(
        name: .unacknowledged, placeholder: "<file>",
        help: """
          With --input: write the lines that were not acknowledged, or not read, to this file. Publishing it with \
          --input completes the job, and nothing is there twice. Empty after a run that published all.
          """, completion: .file),
      OptionSpec(
        name: .receipt, placeholder: "<file>",
        help: """
          Append a receipt to this file: what was acknowledged, by partition, offset and SHA-256, so that 'orderstream \
          audit --receipt' can prove later that it is on the log.
          """, completion: .file),
      OptionSpec(
        name: .dryRun,
        help: "Print the events, one a line, and open no broker. Order numbers start at 1 or --first-order."),
      .topic,
    ] + OptionSpec.creation + OptionSpec.results(.page, .csv, .metrics, .junit) + OptionSpec.connection
      + OptionSpec.presentation,
    examples: [
      .init(
        text: "10 000 orders of one day, the same every time",
        command: "orderstream produce --seed 7 --start-time 2024-01-15T00:00:00Z --span 24h"),
      .init(
        text: "your own orders to a cluster", command: "orderstream produce -b localhost:9092 --input orders.jsonl"),
      .init(
        text: "an exact copy of a topic",
        command: "orderstream tail -b localhost:9092 --exact | orderstream produce -b embedded:copy --input - --exact"),
    ])
}
