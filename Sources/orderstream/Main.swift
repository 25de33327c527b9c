import BuildFacts
import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamKafka

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@main
struct Main {
  static func main() {
    let start = SystemTime().monotonicNanoseconds
    FileDescriptor.secureStandardStreams()
    Signals.ignoreWriteSignals()
    Signals.reportCrashes()
    ResourceLimits.forbidDumps()
    ResourceLimits.allowManyFiles()
    armFailpoint()
    exit(run(start).rawValue)
  }

  /// In debug builds a crash test may name the place where this process ends (see `Failpoint`).
  private static func armFailpoint() {
    #if DEBUG
      guard let text = ProcessEnvironment.lookup("ORDERSTREAM_FAILPOINT") else { return }
      let signal = ProcessEnvironment.lookup("ORDERSTREAM_FAILPOINT_SIGNAL").flatMap { Int32($0) } ?? SIGKILL
      let die: @Sendable (StaticString) -> Void = { name in
        // A sweep learns from it which places there are.
        let line = "failpoint \(name)\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
        // To this thread, so that it does not take one more step.
        raise(signal)
      }
      if let place = Int(text) {
        Failpoint.arm(place: place, action: die)
      } else {
        Failpoint.arm(name: text, action: die)
      }
    #endif
  }

  private static func run(_ start: Int64) -> ExitCode {
    var console = Console()
    // Whatever happens, the terminal is in order afterwards.
    defer { console.display.end() }
    do {
      let arguments = try ProcessArguments.read()
      if let names = NameCompletion.answer(arguments) { return try show(names) }
      let invocation = try Invocation.parse(arguments)
      if let options = invocation.common { console = Console(options) }
      let code = try execute(invocation, facts(arguments), console, start)
      if code == .temporary, Signals.timeOut != nil, let limit = invocation.common?.timeout {
        console.report(timeOut(limit))
      }
      return code
    } catch {
      let error = cutShort(CommandError(error))
      console.report(error)
      return error.code
    }
  }

  /// A request to stop ends every wait for a broker, and is the reason then.
  private static func cutShort(_ error: CommandError) -> CommandError {
    guard error.code == .unavailable, let signal = Signals.exitCode else { return error }
    if Signals.timeOut != nil {
      return CommandError(
        signal, error.what, why: "--timeout ended the wait for it",
        remedy: "give it more time, or see why nobody answers")
    }
    return CommandError(signal, error.what, why: "a signal ended the wait for it")
  }

  private static func timeOut(_ limit: Duration) -> CommandError {
    CommandError(
      .temporary, "the run was stopped in order",
      why: "it took longer than --timeout allows (\(limit.milliseconds) ms)",
      remedy: "give it more time; what is committed or acknowledged is kept")
  }

  /// What was run, for documents.
  private static func facts(_ arguments: [String]) -> RunFacts {
    var facts = RunFacts()
    facts.version = Version.number
    facts.command = ["orderstream"] + ProcessArguments.masked(arguments)
    facts.environment = OptionReader.environmentNames.compactMap { name in
      ProcessEnvironment.lookup(name).flatMap { $0.isEmpty ? nil : (name, $0) }
    }
    return facts
  }

  private static func execute(
    _ invocation: Invocation, _ facts: RunFacts, _ console: Console, _ start: Int64
  ) throws -> ExitCode {
    func run(
      _ options: CommonOptions, members: Int = 1, _ work: (CommandContext) throws -> ExitCode
    ) throws -> ExitCode {
      let stop = StopFlag()
      Signals.install(stop: stop)
      if let limit = options.timeout {
        Signals.limit(to: limit - .nanoseconds(SystemTime().monotonicNanoseconds - start))
      }
      let context = CommandContext(
        options, facts: facts, console: console, stop: stop, startNanoseconds: start)
      var failure: CommandError?
      var code = ExitCode.success
      do {
        try context.result.begin(context)
        try ResourceLimits.check(for: options.brokers, members: members)
        code = try work(context)
      } catch {
        failure = cutShort(CommandError(error))
        code = failure?.code ?? code
      }
      let finalCode = context.result.hasFailed ? code.withFailedCondition : code
      do {
        try context.result.finish(finalCode, failure, context)
      } catch {
        if let failure { console.report(failure) }
        throw error
      }
      if let failure {
        guard finalCode != code else { throw failure }
        console.report(failure)
      }
      return finalCode
    }
    switch invocation {
    case .help(let command): return try show(Help.page(command))
    case .summary:
      Console().writeError(Help.summary)
      return .usage
    case .manual(let command): return try show(ManualPage.text(command))
    case .version(let isDetailed): return try show(isDetailed ? Version.details : "\(Version.line)\n")
    case .properties: return try show(PropertyListing.all(columns: Help.columns))
    case .settings(let settings): return try show(try PropertyListing.inForce(settings))
    case .completions(let shell): return try show(Completions.script(shell))
    case .produce(let options):
      return try run(options.common) { try ProduceCommand(options: options, context: $0).run() }
    case .inventory(let options):
      return try run(options.run.common) { try InventoryCommand(options: options, context: $0).run() }
    case .analytics(let options):
      return try run(options.run.common) { try AnalyticsCommand(options: options, context: $0).run() }
    case .replay(let options):
      return try run(options.common) { try ReplayCommand(options: options, context: $0).run() }
    case .lagDemo(let options):
      return try run(options.common, members: options.consumers) {
        try LagDemoCommand(options: options, context: $0).run()
      }
    case .lagMember(let options):
      return try run(options.common) { try LagMemberCommand(options: options, context: $0).run() }
    case .status(let options):
      return try run(options.common) { try StatusCommand(options: options, context: $0).run() }
    case .tail(let options):
      return try run(options.common) { try TailCommand(options: options, context: $0).run() }
    case .audit(let options):
      return try run(options.common) { try AuditCommand(options: options, context: $0).run() }
    case .delete(let options):
      return try run(options.common) { try DeleteCommand(options: options, context: $0).run() }
    case .backup(let options):
      return try run(options.common) { try BackupCommand(options: options, context: $0).run() }
    case .report(let options):
      return try ReportCommand(options: options, console: Console(quiet: options.quiet)).run()
    }
  }

  private static func show(_ text: String) throws -> ExitCode {
    try Console().write(text)
    return .success
  }
}

/// What `orderstream --version` prints.
enum Version {
  static let number = "0.1.0"
  static let line = "orderstream \(number)"

  /// The line, and what this build is made of.
  static var details: String {
    let parts = [
      ("commit", BuildFacts.commit), ("librdkafka", PropertyCatalog.version),
      ("SQLite", EmbeddedBroker.databaseVersion),
      ("simdjson", OrderDecoder.parserVersion), ("Swift", BuildFacts.swift),
    ]
    return parts.reduce("\(line)\n") { text, part in
      text + "  \(part.0)" + String(repeating: " ", count: 12 - part.0.count) + "\(part.1)\n"
    }
  }
}
