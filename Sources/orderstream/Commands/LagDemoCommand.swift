import OrderStreamCore
import Synchronization

/// `lag-demo`: a producer outruns throttled consumers on a topic of its own; lag builds, peaks and drains.
struct LagDemoCommand {
  /// Time that draining may take beyond what the delay of the consumers explains.
  static let drainAllowance: Duration = .seconds(60)

  let options: LagDemoOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let broker = try context.openBroker()
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    let name = "lag-demo-\(PrivateName.random())"
    let partitions = try CommandError.wrap { () throws(BrokerError) in
      try TopicSetup.ensure(name, wishes: context.topicWishes, admin: admin)
    }
    defer { if !options.keep { context.removeTraces(group: name, topic: name, admin) } }
    let experiment = LagRun(
      options: options, context: context, broker: broker, name: name, partitionCount: partitions)
    let result = try experiment.run(admin)
    try context.emit(result.report, broker: broker.name, activeMilliseconds: result.activeMilliseconds)
    context.draw("Lag over time") { result.report.chart(width: $0) }
    if options.keep { context.console.note("topic \(name) and group \(name) are kept") }
    if let failure = result.failure { context.console.report(failure) }
    return exitCode(result)
  }

  private func exitCode(_ result: LagRun.Result) -> ExitCode {
    var findings: [ExitCode] = []
    if let failure = result.failure {
      guard failure.code.isFinding else { return failure.code }
      findings.append(failure.code)
    }
    if let signal = Signals.exitCode, result.report.completion.isCutShort {
      return ExitCode.combined(findings + [signal])
    }
    if result.report.failedDeliveries > 0 { findings.append(.unavailable) }
    if !result.report.isTrue { findings.append(.refuted) }
    return ExitCode.combined(findings)
  }
}
