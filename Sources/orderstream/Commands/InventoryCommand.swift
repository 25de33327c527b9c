import OrderStreamCore

/// `inventory`: one inventory event for each item of each order, exactly once unless `--guarantee` gives that up.
struct InventoryCommand {
  let options: InventoryOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    let run = try GroupRun(options.run, context)
    defer { run.close() }
    let outputs = [options.outputTopic] + (options.deadLetterTopic.map { [$0] } ?? [])
    let partitions = try createOutputs(outputs, run)
    var settings = run.settings(readsHeaders: true)
    settings.outputs = outputs
    settings.guarantee = options.guarantee
    #if DEBUG
      // A crash test has a small batch committed in parts.
      if let bytes = ProcessEnvironment.lookup("ORDERSTREAM_COMMIT_BYTES").flatMap({ Int($0) }) {
        settings.commitBytes = bytes
      }
    #endif
    let shows = options.run.bounds.follow && context.options.verbose && !context.console.isQuiet
    let emissions = shows ? EmissionLines(topic: options.run.topic, console: context.console, time: context.time) : nil
    let projection = InventoryProjection(
      InventoryProjection.Settings(
        topic: options.run.topic, group: options.run.group, onPoison: onPoison,
        outputPartitions: partitions[InventoryProjection.Output.inventory]),
      time: context.time, listener: emissions)
    let isWeaker = options.guarantee != .exactlyOnce
    let title = isWeaker ? "inventory, \(options.guarantee.rawValue)" : "inventory"
    let progress = Progress(title, console: context.console, time: context.time)
    let output = InventoryOutput(
      topic: options.run.topic, group: options.run.group, outputTopic: options.outputTopic,
      guarantee: options.guarantee, context: context, broker: run.broker.name,
      projection: projection, progress: progress, isView: context.showsView && !shows)
    // What is emitted is read line by line, above the progress.
    let isLive =
      options.run.bounds.follow
      && (context.options.json || context.result.isWatching || context.showsView && !shows)
    let observer = RunObserver(progress, context: context, live: isLive ? output : nil)
    let (loop, outcome) = try run.perform(settings, projection, observer)
    defer { loop.close() }
    emissions?.finish()
    try output.emit(loop, outcome.completion, observer.samples)
    return outcome.finish(context.console)
  }

  private var onPoison: InventoryProjection.OnPoison {
    switch options.run.onError {
    case .dlq: .deadLetter
    case .skip: .skip
    case .fail: .fail
    }
  }

  /// Makes the missing ones with the source's partition count, and returns the partition count of each.
  private func createOutputs(_ outputs: [String], _ run: GroupRun) throws -> [Int32] {
    let source = run.source
    let counts = try outputs.map { output in
      try TopicSetup.ensureDerived(
        output, sourcePartitions: source.partitionCount,
        wishes: context.topicWishes,
        recordsOf: output == options.deadLetterTopic ? source.name : nil, admin: run.admin)
    }
    if let topic = options.deadLetterTopic, let letters = counts.last, letters < source.partitionCount {
      throw CommandError(
        .configuration, "cannot use \(topic) for dead letters",
        why: "it has \(letters) partitions and \(source.name) has \(source.partitionCount)",
        remedy: "add partitions to it, or use --on-error skip")
    }
    return counts
  }
}

/// What `inventory` has committed, on stdout: at the end, and with `--follow` while the run goes on, as documents or as a
/// view on a terminal.
private struct InventoryOutput: LiveReport {
  let topic: String
  let group: String
  let outputTopic: String
  let guarantee: Guarantee
  let context: CommandContext
  let broker: String
  let projection: InventoryProjection
  let progress: Progress
  /// Whether a terminal shows it while the run goes on.
  let isView: Bool

  func begin(_ loop: PipelineLoop) {
    let report = report(loop, .ongoing)
    if isView { show(report) }
    context.beginLive(report, broker: broker)
  }

  func report(_ loop: PipelineLoop) throws -> Int64 {
    let report = report(loop, .ongoing)
    if isView { show(report) }
    try context.emitLive(report, broker: broker, activeMilliseconds: loop.activeNanoseconds / 1_000_000)
    return context.time.monotonicNanoseconds
  }

  func emit(_ loop: PipelineLoop, _ completion: Completion, _ samples: RunSamples) throws {
    var report = report(loop, completion)
    report.samples = samples
    try context.emit(report, broker: broker, activeMilliseconds: loop.activeNanoseconds / 1_000_000)
  }

  private func report(_ loop: PipelineLoop, _ completion: Completion) -> InventoryReport {
    var report = InventoryReport(
      outputTopic: outputTopic, guarantee: guarantee, counts: projection.committedCounts, lostRecords: loop.lostRecords,
      latency: loop.latency, completion: completion)
    report.reader = GroupReader(topic: topic, group: group)
    report.lagSeconds = loop.lagSeconds
    return report
  }

  private func show(_ report: InventoryReport) {
    let (heading, broker, progress) = ("Inventory events: \(topic) to \(outputTopic)", broker, progress)
    context.console.display.show(view: { screen in
      let text = ReportText()
      report.appendView(
        heading: screen.heading(heading, on: broker), state: progress.state(on: screen), to: text, on: screen)
      return text
    })
  }
}

/// Shows on stderr what a follower emits, once it is committed: a few lines a second, and how many were left out.
private final class EmissionLines: EmissionListener {
  private static let mostPerSecond = 20
  private static let second: Int64 = 1_000_000_000

  private let topic: String
  private let console: Console
  private let time: any TimeSource
  /// Of the open transaction: no more than can be shown, and how many there are in all.
  private var pending: (lines: [String], count: Int64) = ([], 0)
  /// Shown and left out since the second began.
  private var (shown, left) = (0, Int64(0))
  private var secondEnd: Int64 = 0
  private let arrow: String, times: String, dots: String

  init(topic: String, console: Console, time: any TimeSource) {
    let isASCII = console.errorScreen?.isUnicode == false
    (arrow, times, dots) = isASCII ? ("->", "x", "...") : ("→", "×", "…")
    self.topic = topic
    self.console = console
    self.time = time
  }

  func emits(_ emission: Emission) {
    pending.count += 1
    guard pending.lines.count < Self.mostPerSecond else { return }
    pending.lines.append(line(emission))
  }

  func committed() {
    defer { pending = ([], 0) }
    let now = time.monotonicNanoseconds
    if now >= secondEnd {
      tellLeft()
      (shown, secondEnd) = (0, now.saturatingAdd(Self.second))
    }
    let lines = pending.lines.prefix(Self.mostPerSecond - shown)
    for line in lines { console.logLine(line) }
    shown += lines.count
    left += pending.count - Int64(lines.count)
  }

  func forgets() { pending = ([], 0) }

  /// At the end of the run.
  func finish() { tellLeft() }

  private func tellLeft() {
    if left > 0 { console.logLine("\(dots) and \(left) more") }
    left = 0
  }

  /// `order_000008 placed → reserve sushi × 3`
  private func line(_ emission: Emission) -> String {
    switch emission {
    case .event(let order, let item):
      let (status, action) = order.isFailed ? ("failed", "release") : ("placed", "reserve")
      let (id, name) = (String(decoding: order.orderID, as: UTF8.self), String(decoding: item.itemID, as: UTF8.self))
      return "\(id) \(status) \(arrow) \(action) \(name) \(times) \(item.quantity)"
    case .deadLetter(let record, let poison):
      return "\(topic)[\(record.partition)]@\(record.offset) \(arrow) \(topic).dlq (\(poison.code))"
    }
  }
}

/// `orderstream inventory`, checked.
struct InventoryOptions: Hashable, Sendable {
  var run: GroupRunOptions
  var outputTopic: String
  var guarantee: Guarantee

  /// Where bad records go, `nil` unless `--on-error dlq`.
  var deadLetterTopic: String? { run.onError == .dlq ? "\(run.topic).dlq" : nil }

  init(_ reader: OptionReader) throws(CommandError) {
    run = try GroupRunOptions(reader)
    outputTopic = try reader.outputTopic(source: run.topic)
    guarantee = try reader.choice(.guarantee)
    guard let deadLetterTopic else { return }
    if deadLetterTopic.utf8.count > BrokerName.maxLength {
      throw reader.conflict(
        "option --topic",
        "the name of its dead-letter topic, '\(deadLetterTopic)', is longer than \(BrokerName.maxLength)",
        "use a shorter name, or --on-error skip")
    }
    if deadLetterTopic == outputTopic {
      throw reader.conflict(
        "option --output-topic", "'\(outputTopic)' is the dead-letter topic", "use another name, or --on-error skip")
    }
  }
}

extension CommandSpec {
  static let inventory = CommandSpec(
    name: .inventory, summary: "turn orders into inventory events, exactly once",
    details: """
      Consumes orders and emits one InventoryEvent per item. Output, dead letters, state and offsets are committed in \
      one transaction, unless --guarantee asks for less. Ends when the group has reached the end of the topic as it was at the start. With --follow and -v \
      it shows on stderr what it emits, at most 20 lines a second.
      """,
    options: [
      .outputTopic.saying("Topic to write the inventory events to."),
      .onError(
        [.dlq, .skip, .fail],
        help: "A record that is not an order: 'dlq' copies it to <topic>.dlq, 'skip' counts it, 'fail' stops (exit 65)."
      ),
      OptionSpec(
        name: .guarantee, placeholder: "<what>", defaultValue: Guarantee.exactlyOnce.rawValue,
        help: """
          What a crash may do to the events: nothing with 'exactly-once'. The others write without transactions and keep no \
          state: 'at-least-once' commits offsets after the events, which may be there twice, 'at-most-once' before them, \
          and they may be lost. A group keeps one of them.
          """, completion: .choice(Guarantee.allCases.map(\.rawValue))),
      .follow, .idleTimeout, .maxEvents, .acceptLoss, .topic, .group.defaulting(to: "inventory"), .instance,
    ] + OptionSpec.creation + OptionSpec.results(.page, .csv, .metrics) + OptionSpec.connection
      + OptionSpec.presentation,
    examples: [
      .init(text: "everything that is there now", command: "orderstream inventory"),
      .init(text: "a service on a cluster", command: "orderstream inventory -b localhost:9092 --follow"),
      .init(
        text: "see what a weaker guarantee does",
        command: "orderstream inventory --guarantee at-least-once -g weak --output-topic weak-events"),
      .init(text: "see what it does", command: "orderstream inventory --follow -v"),
    ])
}
