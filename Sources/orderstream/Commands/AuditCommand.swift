import OrderStreamCore

/// `audit`: proves that every item of every valid order has exactly one inventory event, or names what has not.
struct AuditCommand {
  let options: AuditOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let broker = try context.openBroker(onlyLooks: true, outages: .look)
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    _ = try SourceTopic(options.topic, follow: false, context: context, admin: admin)
    _ = try SourceTopic(
      options.outputTopic, follow: false, context: context, admin: admin, remedy: "run orderstream inventory first")
    if let group = options.group,
      try CommandError.wrap({ () throws(BrokerError) in try admin.group(group)?.committed.isEmpty ?? true })
    {
      context.console.note("the group \(group) has committed nothing, so every order without events is pending")
    }
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    defer { progress.finish() }
    let start = context.time.monotonicNanoseconds
    let audit = try CommandError.wrap { () throws(BrokerError) in
      try Audit(
        Audit.Settings(topic: options.topic, outputTopic: options.outputTopic, group: options.group), broker: broker,
        admin: admin, stop: context.stop, waits: { context.console.note($0.description) },
        progress: { line in progress.update { line } })
    }
    var failure: CommandError?
    var isWhole = false
    do throws(BrokerError) { isWhole = try audit.run() } catch { failure = CommandError(error) }
    progress.finish()
    if let failure, !failure.code.comesAfterWork(committed: audit.recordsRead) { throw failure }
    let findings = audit.findings
    let completion: Completion =
      isWhole ? .whole : .cutShort(by: failure, after: audit.recordsRead, of: audit.recordsInAll)
    let active = (context.time.monotonicNanoseconds - start) / 1_000_000
    try context.emit(
      AuditReport(
        topic: options.topic, outputTopic: options.outputTopic, findings: findings, completion: completion),
      broker: broker.name, activeMilliseconds: active)
    if let failure {
      context.console.report(failure)
      return failure.code
    }
    if !isWhole { return ExitCode.combined([Signals.exitCode ?? .success, findings.isClean ? .success : .refuted]) }
    return try exitCode(findings)
  }

  private func exitCode(_ findings: AuditFindings) throws(CommandError) -> ExitCode {
    if !findings.isClean { return .refuted }
    if findings.unverifiable > 0 && !options.acceptLoss {
      throw CommandError(
        .input, "cannot verify \(findings.unverifiable) items of \(options.topic)",
        why: "retention has removed their orders or their inventory events",
        remedy: "accept that with --accept-loss, or audit before retention does its work")
    }
    return .success
  }
}
