import OrderStreamCore

/// `produce --input`: publishes JSON lines; names the lines that are not orders, and those that the broker refuses, and
/// tells how the job is completed when not all are acknowledged.
struct InputPublishing {
  let options: ProduceOptions
  let context: CommandContext
  let orders: InputOrders

  func run() throws -> ExitCode {
    var file: AtomicFile?
    if let path = options.unacknowledged { file = try context.outputFile(path) }
    let receipt = try context.receiptFile(options.receipt)
    let broker = try context.openBroker()
    // Before anything is made for it.
    try orders.findFirst()
    let inFlight = LinesInFlight(file, refuse: refuse)
    orders.inFlight = inFlight
    let sending: OrderPublishing.Sending
    do {
      sending = try send(to: broker, receipt)
    } catch {
      throw unsent(CommandError(error), inFlight)
    }
    orders.reportRest()
    let rest = keepTheRest(inFlight, sending.lastReports)
    let counts = orders.counts
    var report = sending.report
    report.requested = counts.valid + counts.rejected + rest.lines
    report.rejected = counts.rejected
    if sending.failure != nil || report.deliveries.failed > report.deliveries.refused || rest.lines > 0 || !rest.isAll {
      report.completion = .cutShort(
        by: sending.failure, after: report.deliveries.sent, of: rest.isAll ? report.requested : nil)
    }
    try context.emit(report, broker: broker.name, activeMilliseconds: report.activeMilliseconds)
    return exitCode(report, sending, rest, file)
  }

  /// Makes the topic if it is missing, sends the lines and waits for their acknowledgements.
  /// - Throws: what kept the first one from being sent.
  private func send(to broker: any Broker, _ receipt: ReceiptFile?) throws -> OrderPublishing.Sending {
    let admin = try broker.admin()
    defer { admin.close() }
    let publishing = OrderPublishing(
      context: context, topic: options.topic, broker: broker, admin: admin, acks: options.acks)
    orders.partitionLimit = try publishing.prepare(copyOf: orders.partitionCount)
    var sending = try publishing.send(
      orders, schedule: options.rate.schedule, reports: .all, comesLate: !orders.reader.isFile,
      receipt: receipt.map {
        .init(
          file: $0, source: .input(name: orders.name, isExact: options.exact),
          input: { (orders.linesRead, orders.reader.digest) })
      })
    publishing.settle(&sending, taken: orders.counts.valid)
    return sending
  }

  /// Keeps all lines, or says what becomes of them, after an error that came before the first one was sent.
  private func unsent(_ error: CommandError, _ inFlight: LinesInFlight) -> CommandError {
    guard inFlight.file != nil || !orders.reader.isFile else { return error }
    orders.reportRest()
    let rest = keepTheRest(inFlight, RecordReports())
    if let unwritten = rest.failure { context.console.report(unwritten) }
    var error = error
    if let file = inFlight.file, rest.failure == nil {
      error.addAdvice("no line is on the log, all are in \(file.path): publish them with --input \(file.path)")
    } else if !orders.reader.isFile, rest.lines > 0 {
      error.addAdvice(loss("\(rest.lines) lines"))
    }
    return error
  }

  /// What of the input was never sent.
  private struct Rest {
    /// Those that were read: lines that are not blank.
    var lines: Int64 = 0
    /// Whether nothing of the input is left unread.
    var isAll = false
    /// Why the file of the lines that are not acknowledged could not be written.
    var failure: CommandError?
  }

  /// Brings the lines that are not acknowledged, and those that were not sent, into the file; counts the latter.
  private func keepTheRest(_ inFlight: LinesInFlight, _ reports: RecordReports) -> Rest {
    let reader = orders.reader
    var counter = LineCounter()
    var failure: CommandError?
    do {
      try inFlight.take(reports)
      try inFlight.keepAll()
      if let line = orders.lineInHand {
        counter.addLine()
        try inFlight.keep(line: line)
      }
      if !reader.isAtEnd {
        _ = try reader.rest(context.time) { bytes in
          counter.add(bytes)
          try inFlight.keep(bytes)
        }
      }
      try inFlight.commit()
    } catch {
      failure = CommandError(error)
    }
    return Rest(lines: counter.count, isAll: reader.isAtEnd, failure: failure)
  }

  private func exitCode(
    _ report: ProduceReport, _ sending: OrderPublishing.Sending, _ rest: Rest, _ file: AtomicFile?
  ) -> ExitCode {
    var findings: [ExitCode] = orders.counts.rejected > 0 ? [.data] : []
    let advice = advice(report, rest, file)
    if var failure = sending.failure {
      if let advice { failure.addAdvice(advice) }
      context.console.report(failure)
      findings.append(failure.code.ofUnpublishedEvents)
    } else if let advice {
      context.console.note(advice)
    }
    for unwritten in [sending.receiptFailure, rest.failure].compactMap(\.self) {
      context.console.report(unwritten)
      findings.append(unwritten.code == .creation ? .io : unwritten.code)
    }
    if report.deliveries.failed > 0 { findings.append(.unavailable) }
    if report.completion.isCutShort, let signal = Signals.exitCode { findings.append(signal) }
    return ExitCode.combined(findings)
  }

  /// What is on the log, and how the rest gets there without anything twice; `nil` when all of it is.
  private func advice(_ report: ProduceReport, _ rest: Rest, _ file: AtomicFile?) -> String? {
    // Of those that nobody acknowledges no more is known.
    let acknowledged = report.deliveries.sent
    guard acknowledged + report.rejected < report.requested || report.completion.isCutShort else { return nil }
    let total = rest.isAll ? " of \(report.requested)" : ""
    let state = "\(acknowledged)\(total) lines \(report.acks == .none ? "were sent" : "are on the log")"
    guard let file, rest.failure == nil else {
      if !orders.reader.isFile {
        let lines = report.requested - acknowledged - report.rejected
        return "\(state); " + (lines > 0 ? loss("\(lines) more") : "no other was read from \(orders.name)")
      }
      if acknowledged == 0 { return "no line is acknowledged, so the same command may be run again" }
      return
        "\(state) and the same command would publish them twice: with --unacknowledged <file> a run keeps the others"
    }
    return "\(state), the others are in \(file.path): publish them with --input \(file.path)"
      + (report.deliveries.uncertain > 0
        ? "; \(report.deliveries.uncertain) of them may be on the log all the same, their answer is missing" : "")
      + (!rest.isAll ? "; \(orders.name) was not read to its end, so what came later is not there" : "")
  }

  /// What becomes of lines that are not acknowledged where their input cannot be read again and no file keeps them.
  private func loss(_ lines: String) -> String {
    "\(lines) were read from \(orders.name), which cannot be read again: with --unacknowledged <file> a run keeps them"
  }

  private func refuse(line: Int64, _ error: BrokerError) {
    context.console.report(
      CommandError(
        .unavailable, "cannot publish line \(line) of \(orders.name)", why: error.why, remedy: error.remedy),
      endsRun: false)
  }
}

/// The lines of `produce --input` that the producer has and no report has come for: at most as many as its queue holds.
/// Those that are not acknowledged go to the file of `--unacknowledged`.
final class LinesInFlight {
  private struct Line {
    /// In the input, from 1.
    var number: Int64
    /// Empty where no file wants them.
    var bytes: [UInt8]
  }

  private static let flushBytes = 64 << 10

  /// Where lines go that are not acknowledged; `nil`: nowhere.
  let file: AtomicFile?
  private var draft: AtomicFile.Draft?
  private let pending = ByteBuffer(capacity: LinesInFlight.flushBytes)
  private var lines: [Int64: Line] = [:]
  /// Hears of each line that the broker refused.
  private let refuse: (_ line: Int64, BrokerError) -> Void

  init(_ file: AtomicFile?, refuse: @escaping (_ line: Int64, BrokerError) -> Void) {
    self.file = file
    self.refuse = refuse
  }

  /// A line that is about to be sent.
  /// - Parameter sequence: as in `RecordReports`.
  func add(_ sequence: Int64, line number: Int64, _ bytes: UnsafeRawBufferPointer) {
    lines[sequence] = Line(number: number, bytes: file == nil ? [] : Array(bytes))
  }

  /// Lets go of what is acknowledged, names what was refused, and keeps what failed.
  func take(_ reports: RecordReports) throws {
    for sequence in reports.acknowledged { lines[sequence] = nil }
    for refusal in reports.refused.sorted(by: { $0.sequence < $1.sequence }) {
      if let line = lines[refusal.sequence] { refuse(line.number, refusal.error) }
    }
    try keep((reports.refused.map(\.sequence) + reports.failed).sorted())
  }

  /// Keeps every line for which no acknowledgement came; the producer is closed.
  func keepAll() throws { try keep(lines.keys.sorted()) }

  private func keep(_ sequences: [Int64]) throws {
    for sequence in sequences {
      guard let line = lines.removeValue(forKey: sequence), file != nil else { continue }
      line.bytes.withUnsafeBytes { pending.append($0) }
      pending.append(UInt8(ascii: "\n"))
      if pending.count >= Self.flushBytes { try flush() }
    }
  }

  /// Keeps a line that was never sent.
  func keep(line: UnsafeRawBufferPointer) throws {
    guard file != nil else { return }
    pending.append(line)
    pending.append(UInt8(ascii: "\n"))
  }

  /// Keeps bytes of the input that were never lines.
  func keep(_ bytes: UnsafeRawBufferPointer) throws {
    guard file != nil else { return }
    try flush()
    try open()?.append(bytes)
  }

  /// Replaces the file, also by an empty one: what an earlier run left there is not this run's.
  func commit() throws {
    try flush()
    try open()?.commit()
  }

  private func flush() throws {
    defer { pending.removeAll() }
    if !pending.isEmpty { try open()?.append(pending.bytes) }
  }

  private func open() throws -> AtomicFile.Draft? {
    if draft == nil { draft = try file?.draft() }
    return draft
  }
}

/// Counts lines that are not blank in bytes that come in pieces.
struct LineCounter {
  private(set) var count: Int64 = 0
  private var isInLine = false

  /// A line that is known as one.
  mutating func addLine() { count += 1 }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      switch byte {
      case 0x0A: isInLine = false
      case 0x20, 0x09, 0x0D: continue
      default:
        if !isInLine { count += 1 }
        isInLine = true
      }
    }
  }
}
