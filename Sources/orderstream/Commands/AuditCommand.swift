import OrderStreamCore

/// `audit`: proves that every item of every valid order has exactly one inventory event, or names what has not.
struct AuditCommand {
  let options: AuditOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let broker = try context.openBroker(onlyLooks: true)
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    _ = try SourceTopic(options.topic, follow: false, context: context, admin: admin)
    _ = try SourceTopic(
      options.outputTopic, follow: false, context: context, admin: admin, remedy: "run orderstream inventory first")
    let group = try self.group(admin)
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    defer { progress.finish() }
    let start = context.time.monotonicNanoseconds
    let (findings, isComplete) = try CommandError.wrap { () throws(BrokerError) in
      let audit = try Audit(
        Audit.Settings(topic: options.topic, outputTopic: options.outputTopic, group: group), broker: broker,
        admin: admin, stop: context.stop, waits: { context.console.note($0.description) },
        progress: { line in progress.update { line } })
      let isComplete = try audit.run()
      return (audit.findings, isComplete)
    }
    progress.finish()
    let active = (context.time.monotonicNanoseconds - start) / 1_000_000
    var report = AuditReport(
      topic: options.topic, outputTopic: options.outputTopic, findings: findings, isComplete: isComplete, group: group)
    if options.group == .inventory, group != nil { report.finishingCommand = finishingCommand(broker) }
    try context.emit(report, broker: broker.name, activeMilliseconds: active)
    // A violation that was found is one, whatever was not read.
    if !isComplete { return findings.isClean ? Signals.exitCode ?? .success : .refuted }
    return try exitCode(report)
  }

  /// Whose uncommitted items are pending; `nil` for nobody's.
  private func group(_ admin: any Admin) throws(CommandError) -> String? {
    let name: String
    switch options.group {
    case .none: return nil
    case .named(let group): name = group
    case .inventory: name = Self.inventoryGroup
    }
    let committed = try CommandError.wrap { () throws(BrokerError) in try admin.group(name)?.committed ?? [:] }
    let hasCommitted = committed.keys.contains { $0.topic == options.topic }
    if options.group == .inventory { return hasCommitted && Self.writes(to: options.outputTopic) ? name : nil }
    if !hasCommitted {
      context.console.note(
        "the group \(name) has committed nothing of \(options.topic), so every item that is not there is pending")
    }
    return name
  }

  private static let inventoryGroup = "inventory"

  /// Whether the group `inventory` writes to this topic: the default one, unless it was told otherwise.
  private static func writes(to outputTopic: String) -> Bool { outputTopic == OptionSpec.outputTopic.defaultValue }

  /// The command that finishes what is pending.
  private func finishingCommand(_ broker: any Broker) -> String {
    var words = ["orderstream", "inventory"]
    if context.options.brokers != .embedded(directory: nil) { words += ["-b", broker.name] }
    if options.topic != OptionSpec.topic.defaultValue { words += ["-t", options.topic] }
    if options.outputTopic != OptionSpec.outputTopic.defaultValue { words += ["--output-topic", options.outputTopic] }
    return words.joined(separator: " ")
  }

  private func exitCode(_ report: AuditReport) throws(CommandError) -> ExitCode {
    let findings = report.findings
    if !findings.isClean || report.isUnfinished { return .refuted }
    if findings.unverifiable > 0 && !options.acceptLoss {
      throw CommandError(
        .input, "cannot verify \(findings.unverifiable) items of \(options.topic)",
        why: "retention has removed their orders or their inventory events",
        remedy: "accept that with --accept-loss, or audit before retention does its work")
    }
    return .success
  }
}
