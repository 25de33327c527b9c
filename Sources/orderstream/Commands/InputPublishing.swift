import OrderStreamCore

/// `produce --input`: publishes JSON lines as they are, keyed by their `order_id`; names the lines that are not orders, and
/// those that the broker refuses.
struct InputPublishing {
  /// Lines between two looks at what became of those before, at full speed.
  private static let reportStride: Int64 = 256

  let options: ProduceOptions
  let context: CommandContext
  let orders: InputOrders

  init(options: ProduceOptions, context: CommandContext, path: String) throws {
    self.options = options
    self.context = context
    orders = try InputOrders(path, context)
  }

  func run() throws -> ExitCode { options.dryRun ? try printOrders() : try publish() }

  private func printOrders() throws -> ExitCode {
    let output = BufferedOutput(context.console)
    try orders.forEach { _, value, _ in
      output.buffer.append(value)
      output.buffer.append(UInt8(ascii: "\n"))
      try output.lineDone()
    }
    try output.flush()
    orders.reportRest()
    var findings: [ExitCode] = orders.counts.rejected > 0 ? [.data] : []
    if context.stop.isRequested, let signal = Signals.exitCode { findings.append(signal) }
    return ExitCode.combined(findings)
  }

  private func publish() throws -> ExitCode {
    var file: AtomicFile?
    if let path = options.unacknowledged { file = try context.outputFile(path) }
    let broker = try context.openBroker()
    // Before anything is made for it.
    try orders.findFirst()
    let admin = try broker.admin()
    defer { admin.close() }
    let publishing = OrderPublishing(context: context, topic: options.topic, broker: broker, admin: admin)
    try publishing.prepare()
    let producer = try broker.producer(
      topic: options.topic, pace: options.rate.schedule == nil ? .bulk : .interactive, reports: .all)
    defer { producer.close() }
    var run = Run(producer, LinesInFlight(file, refuse: refuse))
    run.start = context.time.monotonicNanoseconds
    do {
      try send(&run)
    } catch {
      run.failure = CommandError(error)
    }
    let end = context.time.monotonicNanoseconds
    producer.close()
    orders.reportRest()

    let counts = orders.counts
    let unwritten = keepTheRest(&run)
    var report = ProduceReport(topic: options.topic, deliveries: producer.deliveries)
    report.requested = counts.valid + counts.rejected + run.rest.count
    report.deliveries.failed = counts.valid - report.deliveries.acknowledged
    report.deliveries.refused += run.refusedAtOnce
    report.failedOrders = counts.failed
    report.rejected = counts.rejected
    report.activeMilliseconds = run.sent > 0 ? (end - run.start) / 1_000_000 : 0
    let missing = report.deliveries.failed - report.deliveries.refused
    if run.failure == nil && missing > 0 { run.failure = publishing.unanswered(missing) }
    if run.failure != nil || missing > 0 || run.isCutShort {
      report.completion = .cutShort(
        by: run.failure, after: report.deliveries.acknowledged, of: run.readToEnd ? report.requested : nil)
    }
    try context.emit(report, broker: broker.name, activeMilliseconds: report.activeMilliseconds)
    publishing.noteReordering(report.deliveries)
    return exitCode(report, run, unwritten)
  }

  // MARK: - One run

  private struct Run {
    let producer: any Producer
    let inFlight: LinesInFlight
    var start: Int64 = 0
    /// Calls of `send`.
    var sent: Int64 = 0
    var refusedAtOnce: Int64 = 0
    /// Lines that were never taken up.
    var rest = LineCounter()
    /// Whether nothing of the input is left unread.
    var readToEnd = false
    var failure: CommandError?

    init(_ producer: any Producer, _ inFlight: LinesInFlight) {
      self.producer = producer
      self.inFlight = inFlight
    }

    var isCutShort: Bool { rest.count > 0 || !readToEnd }
  }

  private func send(_ run: inout Run) throws {
    let (producer, inFlight) = (run.producer, run.inFlight)
    let schedule = options.rate.schedule
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    defer { progress.finish() }
    var (sent, refused) = (Int64(0), Int64(0))
    defer { (run.sent, run.refusedAtOnce) = (sent, refused) }
    try orders.forEach { order, value, number in
      if let schedule {
        let due = run.start + schedule(sent) - context.time.monotonicNanoseconds
        if due > 0 { context.time.sleep(.nanoseconds(due)) }
      }
      let record = OutgoingRecord(
        partition: Partitioner.partition(key: order.orderID, count: producer.partitionCount),
        timestampMs: context.time.wallMilliseconds, key: order.orderID, value: value)
      inFlight.add(sent, line: number, value)
      do throws(BrokerError) {
        try producer.send(record)
      } catch {
        guard error.code == .recordTooLarge else { throw error }
        refused += 1
        var report = RecordReports()
        report.refused = [RecordReports.Refusal(sequence: sent, error: error)]
        try inFlight.take(report)
      }
      sent += 1
      if schedule != nil || sent % Self.reportStride == 0 { try inFlight.take(producer.takeReports()) }
      progress.update { "produce: \(sent) sent, \(producer.deliveries.acknowledged) acknowledged" }
    }
    try producer.finish(
      queued: sent - refused, timeout: OrderPublisher.flushTimeout, stop: context.stop,
      time: context.time)
  }

  /// Brings the lines that are not acknowledged, and those that were not read, into the file; counts the latter.
  /// - Returns: why the file could not be written.
  private func keepTheRest(_ run: inout Run) -> CommandError? {
    let lines = orders.reader
    var rest = LineCounter()
    defer { (run.rest, run.readToEnd) = (rest, lines.isAtEnd) }
    do {
      try run.inFlight.take(run.producer.takeReports())
      try run.inFlight.keepAll()
      if !lines.isAtEnd {
        _ = try lines.rest(context.time) { bytes in
          rest.add(bytes)
          try run.inFlight.keep(bytes)
        }
      }
      try run.inFlight.commit()
      return nil
    } catch {
      return CommandError(error)
    }
  }

  private func exitCode(_ report: ProduceReport, _ run: Run, _ unwritten: CommandError?) -> ExitCode {
    var findings: [ExitCode] = orders.counts.rejected > 0 ? [.data] : []
    let advice = advice(report, run, isWritten: unwritten == nil)
    if var failure = run.failure {
      if let advice { failure.addAdvice(advice) }
      context.console.report(failure)
      findings.append(failure.code.ofUnpublishedEvents)
    } else if let advice {
      context.console.note(advice)
    }
    if let unwritten {
      context.console.report(unwritten)
      findings.append(unwritten.code == .creation ? .io : unwritten.code)
    }
    if report.deliveries.failed > 0 { findings.append(.unavailable) }
    if report.completion.isCutShort, let signal = Signals.exitCode { findings.append(signal) }
    return ExitCode.combined(findings)
  }

  /// What is on the log, and how the rest gets there without anything twice; `nil` when all of it is.
  private func advice(_ report: ProduceReport, _ run: Run, isWritten: Bool) -> String? {
    let acknowledged = report.deliveries.acknowledged
    guard acknowledged + report.rejected < report.requested || report.completion.isCutShort else { return nil }
    let total = run.readToEnd ? " of \(report.requested)" : ""
    let state = "\(acknowledged)\(total) lines are on the log"
    guard let file = run.inFlight.file, isWritten else {
      if acknowledged == 0 { return "no line is acknowledged, so the same command may be run again" }
      return
        "\(state) and the same command would publish them twice: with --unacknowledged <file> a run keeps the others"
    }
    return "\(state), the others are in \(file.path): publish them with --input \(file.path)"
      + (report.deliveries.uncertain > 0
        ? "; \(report.deliveries.uncertain) of them may be on the log all the same, their answer is missing" : "")
      + (!run.readToEnd ? "; \(name) was not read to its end, so what came later is not there" : "")
  }

  private var name: String { orders.name }

  private func refuse(line: Int64, _ error: BrokerError) {
    context.console.report(
      CommandError(.unavailable, "cannot publish line \(line) of \(name)", why: error.why, remedy: error.remedy),
      endsRun: false)
  }
}
