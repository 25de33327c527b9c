import OrderStreamCore

/// `produce --input`: publishes JSON lines as they are, keyed by their `order_id`; names each line that is no order, and
/// each that the broker refuses.
struct InputPublishing {
  /// Lines between two looks at what became of those before, at full speed.
  private static let reportStride: Int64 = 256

  let options: ProduceOptions
  let context: CommandContext
  let path: String

  func run(_ lines: LineReader) throws(CommandError) -> ExitCode {
    if options.dryRun {
      let output = BufferedOutput(context.console)
      var counts = Counts()
      try forEachOrder(of: lines, &counts) { _, value, _ throws(CommandError) in
        output.buffer.append(value)
        output.buffer.append(UInt8(ascii: "\n"))
        try output.lineDone()
      }
      try output.flush()
      if context.stop.isRequested, let signal = Signals.exitCode { counts.findings.append(signal) }
      return ExitCode.combined(counts.findings)
    }
    return try publish(lines)
  }

  private func publish(_ lines: LineReader) throws(CommandError) -> ExitCode {
    var file: AtomicFile?
    if let path = options.unacknowledged { file = try context.outputFile(path) }
    let broker = try context.openBroker()
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    let publishing = OrderPublishing(context: context, topic: options.topic, broker: broker, admin: admin)
    try publishing.prepare()
    let producer = try CommandError.wrap { () throws(BrokerError) in
      try broker.producer(
        topic: options.topic, pace: options.rate.schedule == nil ? .bulk : .interactive, reports: .all)
    }
    defer { producer.close() }
    var run = Run(producer, LinesInFlight(file, refuse: refuse))
    run.start = context.time.monotonicNanoseconds
    do throws(CommandError) {
      try send(lines, &run)
    } catch {
      run.failure = error
    }
    let end = context.time.monotonicNanoseconds
    producer.close()

    let unwritten = keepTheRest(lines, &run)
    var report = ProduceReport(topic: options.topic, deliveries: producer.deliveries)
    report.requested = run.counts.valid + run.counts.rejected + run.rest.count
    report.deliveries.failed = run.counts.valid - report.deliveries.acknowledged
    report.deliveries.refused += run.refusedAtOnce
    report.failedOrders = run.counts.failed
    report.rejected = run.counts.rejected
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
    var counts = Counts()
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

  private func send(_ lines: LineReader, _ run: inout Run) throws(CommandError) {
    let (producer, inFlight) = (run.producer, run.inFlight)
    let schedule = options.rate.schedule
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    defer { progress.finish() }
    var (counts, sent, refused) = (Counts(), Int64(0), Int64(0))
    defer { (run.counts, run.sent, run.refusedAtOnce) = (counts, sent, refused) }
    try forEachOrder(of: lines, &counts) { order, value, number throws(CommandError) in
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
        guard error.code == .recordTooLarge else { throw CommandError(error) }
        refused += 1
        var report = RecordReports()
        report.refused = [RecordReports.Refusal(sequence: sent, error: error)]
        try inFlight.take(report)
      }
      sent += 1
      if schedule != nil || sent % Self.reportStride == 0 { try inFlight.take(producer.takeReports()) }
      progress.update { "produce: \(sent) sent, \(producer.deliveries.acknowledged) acknowledged" }
    }
    try CommandError.wrap { () throws(BrokerError) in
      try producer.finish(
        queued: sent - refused, timeout: OrderPublisher.flushTimeout, stop: context.stop, time: context.time)
    }
  }

  /// Brings the lines that are not acknowledged, and those that were not read, into the file; counts the latter.
  /// - Returns: why the file could not be written.
  private func keepTheRest(_ lines: LineReader, _ run: inout Run) -> CommandError? {
    var rest = LineCounter()
    defer { (run.rest, run.readToEnd) = (rest, lines.isAtEnd) }
    do throws(CommandError) {
      try run.inFlight.take(run.producer.takeReports())
      try run.inFlight.keepAll()
      if !lines.isAtEnd {
        _ = try lines.rest(context.time) { bytes throws(CommandError) in
          rest.add(bytes)
          try run.inFlight.keep(bytes)
        }
      }
      try run.inFlight.commit()
      return nil
    } catch {
      return error
    }
  }

  private func exitCode(_ report: ProduceReport, _ run: Run, _ unwritten: CommandError?) -> ExitCode {
    var findings = run.counts.findings
    let advice = advice(report, run, isWritten: unwritten == nil)
    if var failure = run.failure {
      if let advice { failure.addAdvice(advice) }
      context.console.report(failure)
      findings.append(failure.code.ofMissingEvents)
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

  private var name: String { path == "-" ? "stdin" : path }

  private func refuse(line: Int64, _ error: BrokerError) {
    context.console.report(
      CommandError(.unavailable, "cannot publish line \(line) of \(name)", why: error.why, remedy: error.remedy),
      endsRun: false)
  }

  // MARK: - Lines

  struct Counts {
    var valid: Int64 = 0
    /// Valid orders whose status is `failed`.
    var failed: Int64 = 0
    var rejected: Int64 = 0
    var findings: [ExitCode] = []
  }

  /// Calls `body` for each valid line with its number, names each bad one; `counts` holds also when it throws.
  private func forEachOrder(
    of lines: LineReader, _ counts: inout Counts,
    _ body: (DecodedOrder, UnsafeRawBufferPointer, _ line: Int64) throws(CommandError) -> Void
  ) throws(CommandError) {
    let decoder = OrderDecoder()
    var number: Int64 = 0
    while !context.stop.isRequested, let line = try lines.next() {
      number += 1
      var poison: Poison?
      switch line {
      case .tooLong: poison = .tooLong
      case .text(let bytes):
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
        poison = decoder.decode(bytes)
        if poison == nil {
          counts.valid += 1
          if decoder.order.isFailed { counts.failed += 1 }
          try body(decoder.order, bytes, number)
        }
      }
      if let poison { reject(line: number, poison, &counts) }
    }
  }

  private func reject(line: Int64, _ poison: Poison, _ counts: inout Counts) {
    counts.rejected += 1
    if counts.rejected == 1 { counts.findings.append(.data) }
    context.console.report(
      CommandError(
        .data, "cannot publish line \(line) of \(name)", why: "\(poison.message) (\(poison.code))",
        remedy: "the other lines go through; correct it and publish it alone"),
      endsRun: false)
  }
}
