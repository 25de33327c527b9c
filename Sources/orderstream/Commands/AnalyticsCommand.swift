import OrderStreamCore

/// `analytics`: metrics of everything that the group has ever processed on a topic.
struct AnalyticsCommand {
  let options: AnalyticsOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    if let file = options.offsetsFile {
      return try reportAsOf(try OffsetsFile(file, topic: options.run.topic).places(context.console))
    }
    if !options.asOf.isEmpty { return try reportAsOf(options.asOf) }
    let follows = options.run.bounds.follow
    let file = try context.outputFile(options.output)
    let run = try GroupRun(options.run, context)
    defer { run.close() }
    var settings = run.settings(readsHeaders: false)
    settings.resetsGroup = options.resetOffsets
    // A live report shows what is committed, so nothing may be ahead of it.
    settings.commitsWhileReading = !follows
    let metrics = OrderMetrics(
      topic: options.run.topic, onPoison: options.run.onError == .fail ? .fail : .skip)
    metrics.decodesOnTwoThreads = BrokerFactory.embedded(run.broker) != nil
    let live = follows ? LiveMetrics(metrics) : nil
    let progress = Progress("analytics", console: context.console, time: context.time)
    let output = MetricsOutput(
      context: context, reader: GroupReader(topic: options.run.topic, group: options.run.group),
      broker: run.broker.name, file: file, live: live, progress: progress)
    let observer = RunObserver(progress, context: context, live: follows ? output : nil)
    let (loop, outcome) = try run.perform(settings, metrics, observer)
    defer { loop.close() }
    // A broker that did not answer in time is not asked again.
    if outcome.failure != nil && context.stop.isRequested { return outcome.finish(context.console) }
    var report: MetricsReport
    do {
      report = try self.report(loop, metrics, live, outcome)
    } catch {
      // The disk or the broker that failed does not answer now either: what went wrong first is what is told.
      throw outcome.failure ?? error
    }
    report.samples = observer.samples
    try output.final(report, activeMilliseconds: loop.activeNanoseconds / 1_000_000)
    return outcome.finish(context.console)
  }

  /// The group's totals at the end of the run; those of its stored state alone after a failure.
  private func report(
    _ loop: PipelineLoop, _ metrics: OrderMetrics, _ live: LiveMetrics?, _ outcome: RunOutcome
  ) throws -> MetricsReport {
    let summary: MetricsSummary
    var changed: [MetricsTotals.Minute]? = live == nil ? nil : []
    if outcome.failure != nil {
      summary = try loop.storedGroupSummary()
    } else if let live {
      changed = try loop.refresh(live)
      summary = live.summary
    } else {
      summary = try loop.groupSummary(of: metrics)
    }
    var report = MetricsReport(
      summary, processed: loop.committedRecords, lostRecords: loop.lostRecords, completion: outcome.completion,
      changed: changed, latency: loop.latency)
    report.lagSeconds = loop.lagSeconds
    return report
  }
}

extension AnalyticsCommand {
  /// The report as it was at a place, over all records before it: read without a group, whose state stays as it is.
  private func reportAsOf(_ places: [Place]) throws -> ExitCode {
    let file = try context.outputFile(options.output)
    let broker = try context.openBroker(to: .read, outages: .look)
    let admin = try broker.admin()
    defer { admin.close() }
    let topic = options.run.topic
    _ = try SourceTopic(topic, follow: false, context: context, admin: admin)
    let marks = try admin.watermarks(topic: topic)
    let ends = try places.offsets(in: topic, marks, admin: admin, wallMilliseconds: context.time.wallMilliseconds)
    if let missing = ends.firstIndex(where: { $0 == nil }) { throw placeMissing(in: missing) }
    let ranges = zip(marks, ends).enumerated().map { number, range in
      PartitionRange(partition: Int32(number), offsets: range.0.low..<(range.1 ?? range.0.high))
    }
    let start = context.time.monotonicNanoseconds
    var count = MetricsCount(topic: topic, onPoison: options.run.onError == .fail ? .fail : .skip)
    let isWhole = try read(ranges, into: &count, broker)
    let total = ranges.reduce(0) { $0 + Int64($1.offsets.count) }
    let report = MetricsReport(
      count.summary, processed: count.records,
      completion: isWhole ? .whole : .cutShort(by: nil, after: count.records, of: total))
    let output = MetricsOutput(
      context: context, reader: GroupReader(topic: topic, group: nil), broker: broker.name, file: file, live: nil,
      progress: Progress("analytics", console: context.console, time: context.time))
    try output.final(report, activeMilliseconds: (context.time.monotonicNanoseconds - start) / 1_000_000)
    return isWhole ? .success : Signals.exitCode ?? .success
  }

  private func placeMissing(in partition: Int) -> CommandError {
    if let file = options.offsetsFile {
      return CommandError(
        .data, "cannot report as of \(file)", why: "it names no offset of partition \(partition)",
        remedy: "add a line \(options.run.topic),\(partition),<offset>")
    }
    return .usage(
      "option --as-of", why: "it names no place in partition \(partition)",
      remedy: "give one for all partitions too, like --as-of latest", command: .analytics)
  }

  /// - Returns: `false` when a request to stop came first.
  private func read(
    _ ranges: [PartitionRange], into count: inout MetricsCount, _ broker: any Broker
  ) throws -> Bool {
    let progress = Progress("analytics", console: context.console, time: context.time)
    defer { progress.finish() }
    let total = ranges.reduce(0) { $0 + Int64($1.offsets.count) }
    let reader = try TopicReader(
      topic: options.run.topic, broker: broker, stop: context.stop, waits: { context.console.note($0.description) })
    defer { reader.close() }
    var failure: PipelineError?
    let isWhole = try reader.read(ranges) { record in
      if count.records % 1000 == 0 { progress.update(count.records, of: total) }
      failure = count.add(record)
      return failure == nil
    }
    if let failure { throw failure }
    return isWhole
  }
}

/// Where the metrics of `analytics` go: stdout, the file, and the terminal's charts.
final class MetricsOutput: LiveReport {
  /// The file of a run that is followed is written at most this often, and at most at this rate: with a million minutes a
  /// report has 28 MB.
  private static let fileInterval = Duration.seconds(1)
  private static let fileBytesPerSecond: Int64 = 10_000_000

  private let context: CommandContext
  private let reader: GroupReader
  private let broker: String
  private let file: AtomicFile?
  /// The totals as they are shown while the run goes on; `nil` for a run that is not followed.
  private let live: LiveMetrics?
  private let progress: Progress
  /// When the file may be written again.
  private var nextFile: Int64 = .min
  /// Whether more has been shown than the file has.
  private var isFileOld = false

  init(
    context: CommandContext, reader: GroupReader, broker: String, file: AtomicFile?, live: LiveMetrics?,
    progress: Progress
  ) {
    self.context = context
    self.reader = reader
    self.progress = progress
    self.broker = broker
    self.file = file
    self.live = live
  }

  /// The result of the run: the report on stdout and, the same bytes, in the file (the file is text also with `--json`).
  func final(_ report: MetricsReport, activeMilliseconds: Int64) throws {
    // The result is known, whatever becomes of its file.
    let written = Result { try write(report) }
    var report = report
    report.reader = reader
    try context.emit(report, broker: broker, activeMilliseconds: activeMilliseconds)
    // The text is that of the file, which depends on the records alone.
    if let line = report.latency?.line, !context.options.json, context.console.screen == nil {
      context.console.note(line)
    }
    try written.get()
  }

  // MARK: - While the run goes on

  func begin(_ loop: PipelineLoop) throws {
    guard let live else { return }
    _ = try loop.refresh(live)
    if context.showsView { show(live.summary, loop.latency, loop.lagSeconds) }
    context.beginLive(liveReport(live, changed: [], loop), broker: broker)
  }

  /// A document, a view on a terminal, or a line; and the file when it is due.
  func report(_ loop: PipelineLoop) throws -> Int64 {
    guard let live else { preconditionFailure("only a run that is followed has live reports") }
    let changed = try loop.refresh(live)
    let report = liveReport(live, changed: changed, loop)
    if context.showsView { show(live.summary, report.latency, report.lagSeconds) }
    let read = context.time.monotonicNanoseconds
    isFileOld = true
    try writeFileIfDue(live)
    if !context.showsView, !context.options.json {
      let buffer = ByteBuffer()
      report.appendLine(to: buffer)
      try context.console.write(buffer)
    }
    try context.emitLive(report, broker: broker, activeMilliseconds: loop.activeNanoseconds / 1_000_000)
    return read
  }

  private func liveReport(
    _ live: LiveMetrics, changed: [MetricsTotals.Minute], _ loop: PipelineLoop
  ) -> LiveMetricsReport {
    var report = LiveMetricsReport(
      live.totals, changed: changed, processed: loop.committedRecords, lostRecords: loop.lostRecords,
      latency: loop.latency ?? LatencyFigures())
    report.reader = reader
    report.lagSeconds = loop.lagSeconds
    return report
  }

  func turned() throws {
    if let live { try writeFileIfDue(live) }
  }

  /// Brings the file to where stdout is, not too often.
  private func writeFileIfDue(_ live: LiveMetrics) throws {
    guard isFileOld, file != nil, context.time.monotonicNanoseconds >= nextFile else { return }
    try write(MetricsReport(live.summary, processed: 0, completion: .ongoing))
  }

  private func show(_ summary: MetricsSummary, _ latency: LatencyFigures?, _ lagSeconds: Double?) {
    let (heading, broker, progress) = ("Order metrics of \(reader.topic)", broker, progress)
    context.console.display.show(view: { screen in
      let text = ReportText()
      var report = MetricsReport(summary, processed: 0, latency: latency)
      report.lagSeconds = lagSeconds
      report.appendView(
        heading: screen.heading(heading, on: broker), state: progress.state(on: screen), to: text, on: screen)
      return text
    })
  }

  private func write(_ report: MetricsReport) throws {
    guard let file else { return }
    let start = context.time.monotonicNanoseconds
    let text = ByteBuffer()
    report.appendText(to: text)
    try file.write(text.bytes)
    isFileOld = false
    let rest = Int64(text.count) * (1_000_000_000 / Self.fileBytesPerSecond)
    nextFile = start + max(Self.fileInterval.nanoseconds, rest)
  }
}

/// `orderstream analytics`, checked. `--on-error` is never `dlq`.
struct AnalyticsOptions: Hashable, Sendable {
  var run: GroupRunOptions
  var resetOffsets: Bool
  /// The file for the report; `-` for none, as `CommandContext.outputFile` takes it.
  var output: String
  /// The report is of what lies before these places, without a group: first the one for all partitions, if there is one,
  /// then those for single ones; empty for the group's report.
  var asOf: [Place]
  /// The file with these places, in their stead.
  var offsetsFile: String?

  init(_ reader: OptionReader) throws(CommandError) {
    run = try GroupRunOptions(reader)
    resetOffsets = reader.flag(.resetOffsets)
    output = try reader.value(.output, OptionValue.path)
    asOf = try reader.places(.asOf)
    offsetsFile = try reader.offsetsFile(besides: .asOf)
    let others: [OptionName] = [.group, .resetOffsets, .follow, .idleTimeout, .maxEvents, .acceptLoss, .instance]
    if !asOf.isEmpty || offsetsFile != nil, let other = others.first(where: reader.isGiven) {
      throw reader.conflict(
        "option --\(offsetsFile == nil ? "as-of" : "offsets-file")",
        "it reads without a group, and --\(other.rawValue) is for a run of one",
        "leave one of the two out")
    }
  }
}

extension CommandSpec {
  static let analytics = CommandSpec(
    name: .analytics, summary: "compute order metrics, print and save them",
    details: """
      Metrics of all orders that the group has ever processed on this topic. A restart goes on where the group \
      stopped; every member reports the group's totals. The average is over the minutes that have orders. Current is \
      the latest minute that has orders, by event time: an event of the year 2999 is current until a later one comes.
      """,
    options: [
      OptionSpec(
        name: .resetOffsets, help: "Forget the group's state and offsets and compute again from the earliest record."),
      OptionSpec(
        name: .output, short: "o", placeholder: "<file|->", defaultValue: "metrics_output.txt",
        help: "File for the report, besides stdout ('-': no file).", completion: .file),
      OptionSpec(
        name: .asOf, placeholder: "<place>",
        help: """
          Report what lies before this place in each partition ('2=1047': in one of them), without a group: what the \
          report was when a group had read so far.
          """, isRepeatable: true, completion: .choice(["latest"])),
      .offsetsFile.saying("In place of --as-of: the offsets of this file, as kafka-consumer-groups.sh writes them."),
      .onError([.skip, .fail], help: "A record that is not an order: 'skip' counts it, 'fail' stops (exit 65)."),
      .follow, .idleTimeout, .maxEvents, .acceptLoss, .topic, .group.defaulting(to: "analytics"), .instance,
    ] + OptionSpec.creation + OptionSpec.results(.page, .csv, .metrics) + OptionSpec.connection
      + OptionSpec.presentation,
    examples: [
      .init(text: "the report of everything up to now", command: "orderstream analytics"),
      .init(text: "what it was an hour ago", command: "orderstream analytics --as-of -1h --output -"),
      .init(text: "a live view", command: "orderstream analytics --follow"),
      .init(text: "one number for a script", command: "orderstream analytics --json --output - | jq .total_orders"),
    ])
}
