import OrderStreamCore

/// `audit --follow`: watches both topics until it is asked to end, then compares, then audits.
struct AuditWitness {
  /// Live reports come at most this often.
  private static let liveInterval = Duration.seconds(1)

  let options: AuditOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    let start = context.time.monotonicNanoseconds
    let spool = try SpoolFile()
    let end = options.duration.map { start.saturatingAdd($0.nanoseconds) } ?? .max
    let isOver = { [context] in context.time.monotonicNanoseconds >= end }
    guard
      let found = try TopicWait(topic: options.topic, context: context).find(follow: true, isOver: isOver)
    else { return try finish(nothingSeen, broker: context.options.brokers.documentName, since: start, nil) }
    defer { found.admin.close() }
    let witness = Witness(
      topic: options.topic, outputTopic: options.outputTopic, broker: found.broker, admin: found.admin,
      storage: spool, time: context.time, stop: context.stop, note: { context.console.note($0) })
    var failure: CommandError?
    do { try watch(witness, found.broker.name, until: isOver) } catch { failure = CommandError(error) }
    witness.close()
    found.admin.close()
    if let failure, !failure.code.reportsFirst(committed: witness.recordsSeen) { throw failure }
    var report = report(witness, .whole)
    if failure == nil, Signals.timeOut == nil {
      do { try check(witness, &report) } catch { failure = CommandError(error) }
    } else {
      report.completion = .cutShort(by: failure, after: witness.recordsSeen, of: nil)
    }
    if let failure { report.completion = .cutShort(by: failure, after: witness.recordsSeen, of: nil) }
    return try finish(report, broker: found.broker.name, since: start, failure)
  }

  private var nothingSeen: WitnessReport {
    func none(_ topic: String) -> WitnessFindings.TopicFindings { .init(topic: topic, hasUncommitted: false) }
    return WitnessReport(
      topic: options.topic, outputTopic: options.outputTopic,
      witness: WitnessFindings(input: none(options.topic), output: none(options.outputTopic)),
      completion: Signals.timeOut == nil ? .whole : .cutShort(by: nil, after: 0, of: nil))
  }

  private func report(_ witness: Witness, _ completion: Completion) -> WitnessReport {
    WitnessReport(
      topic: options.topic, outputTopic: options.outputTopic, witness: witness.findings, completion: completion)
  }

  // MARK: - Watching

  private func watch(_ witness: Witness, _ broker: String, until isOver: () -> Bool) throws {
    let progress = Progress("audit: watching", console: context.console, time: context.time)
    defer { progress.finish() }
    let idle = options.bounds.idleTimeout
    context.beginLive(report(witness, .ongoing), broker: broker)
    if context.showsView { show(report(witness, .ongoing), broker, progress) }
    var (nextLive, hasNews) = (context.time.monotonicNanoseconds, false)
    while !context.stop.isRequested, !isOver() {
      hasNews = try witness.turn() || hasNews
      if let idle, let idleTime = witness.idleTime, idleTime >= idle { return }
      let now = context.time.monotonicNanoseconds
      guard hasNews, now >= nextLive else { continue }
      (nextLive, hasNews) = (now + Self.liveInterval.nanoseconds, false)
      let findings = witness.findings
      let found = WitnessFindings.Verdict.allCases.reduce(0) { $0 + findings.count($1) }
      progress.update(witness.recordsSeen, detail: found > 0 ? "\(found) violations" : nil)
      let report = report(witness, .ongoing)
      if context.showsView { show(report, broker, progress) }
      try context.emitLive(report, broker: broker, activeMilliseconds: context.elapsedMilliseconds)
    }
  }

  private func show(_ report: WitnessReport, _ broker: String, _ progress: Progress) {
    let heading = "Witness of \(report.topic) and \(report.outputTopic)"
    context.console.display.show(view: { screen in
      let text = ReportText()
      report.appendView(
        heading: screen.heading(heading, on: broker), state: progress.state(on: screen), to: text, on: screen)
      return text
    })
  }

  // MARK: - The end

  /// Compares and audits. What ended the watch does not end this: it takes as long as reading both topics takes, and a
  /// second signal ends it at once.
  private func check(_ witness: Witness, _ report: inout WitnessReport) throws {
    let context = context.stop.isRequested ? context.goingOn() : context
    context.console.display.clear()
    let broker = try BrokerFactory.open(context, to: .read, outages: .run)
    let admin = try broker.admin()
    defer { admin.close() }
    try witness.awaitEnds(admin, stop: context.stop)
    var progress = Progress("audit: comparing", console: context.console, time: context.time)
    defer { progress.finish() }
    // Whatever keeps the audit from its work, what was seen is compared.
    let audit = Result { try self.audit(broker, admin, context) { progress.update($0, of: $1) } }
    let ranges = (try? audit.get())?.ranges
    func ends(_ topic: String) throws -> [Range<Offset>]? {
      guard try admin.topic(topic) != nil else { return nil }
      return try admin.watermarks(topic: topic).map { $0.low..<$0.high }
    }
    let isCompared = try witness.compare(
      input: try ranges?.source ?? ends(options.topic), output: try ranges?.output ?? ends(options.outputTopic),
      broker: broker, stop: context.stop,
      waits: { context.console.note($0.description) }, progress: { progress.update($0, of: $1) })
    report.witness = witness.findings
    var isWhole = isCompared
    if isCompared, let audit = try audit.get() {
      // What was seen takes as much memory as an audit has to spare.
      ResourceLimits.releaseFreeMemory()
      progress.finish()
      progress = Progress("audit", console: context.console, time: context.time)
      isWhole = try audit.run()
      report.audit = AuditReport(
        topic: options.topic, outputTopic: options.outputTopic, findings: audit.findings,
        completion: isWhole ? .whole : .ongoing, group: audit.group)
    }
    if !isWhole { report.completion = .cutShort(by: nil, after: witness.recordsSeen, of: nil) }
  }

  /// The audit with its ends frozen; `nil` where a topic is missing.
  private func audit(
    _ broker: any Broker, _ admin: any Admin, _ context: CommandContext,
    progress: @escaping (_ read: Int64, _ inAll: Int64) -> Void
  ) throws -> Audit? {
    for topic in [options.topic, options.outputTopic] where try admin.topic(topic) == nil { return nil }
    let command = AuditCommand(options: options, context: context)
    return try Audit(
      Audit.Settings(
        topic: options.topic, outputTopic: options.outputTopic, group: try command.groupOfWitness(broker, admin),
        deadLetterTopic: options.deadLetterTopic),
      broker: broker, admin: admin, stop: context.stop, waits: { context.console.note($0.description) },
      progress: progress)
  }

  private func finish(
    _ report: WitnessReport, broker: String, since start: Int64, _ failure: CommandError?
  ) throws -> ExitCode {
    let active = (context.time.monotonicNanoseconds - start) / 1_000_000
    try context.emit(report, broker: broker, activeMilliseconds: active)
    if let failure {
      context.console.report(failure)
      return failure.code.isFinding || report.isClean ? failure.code : .refuted
    }
    let ending = report.completion.isWhole ? Signals.timeOut : Signals.exitCode
    let code = ExitCode.combined([ending ?? .success, report.isClean ? .success : .refuted])
    guard code == .success, let findings = report.audit?.findings else { return code }
    try AuditCommand(options: options, context: context).acceptLoss(findings)
    return code
  }
}
