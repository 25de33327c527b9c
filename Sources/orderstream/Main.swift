import OrderStreamCore

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
      let invocation = try Invocation.parse(try ProcessArguments.read())
      if let options = invocation.common { console = Console(options) }
      return try execute(invocation, console, start)
    } catch {
      let error = cutShort(CommandError(error))
      console.report(error)
      return error.code
    }
  }

  /// A request to stop ends every wait for a broker, and is the reason then.
  private static func cutShort(_ error: CommandError) -> CommandError {
    guard error.code == .unavailable, let signal = Signals.exitCode else { return error }
    return CommandError(signal, error.what, why: "a signal ended the wait for it")
  }

  private static func execute(_ invocation: Invocation, _ console: Console, _ start: Int64) throws -> ExitCode {
    func context(_ options: CommonOptions, members: Int = 1) throws -> CommandContext {
      try ResourceLimits.check(for: options.brokers, members: members)
      let stop = StopFlag()
      Signals.install(stop: stop)
      return CommandContext(options, console: console, stop: stop, startNanoseconds: start)
    }
    switch invocation {
    case .help(let command): return try show(Help.page(command))
    case .version: return try show("\(Version.line)\n")
    case .completions(let shell): return try show(Completions.script(shell))
    case .produce(let options):
      return try ProduceCommand(options: options, context: context(options.common)).run()
    case .inventory(let options):
      return try InventoryCommand(options: options, context: context(options.run.common)).run()
    case .analytics(let options):
      return try AnalyticsCommand(options: options, context: context(options.run.common)).run()
    case .replay(let options):
      return try ReplayCommand(options: options, context: context(options.common)).run()
    case .lagDemo(let options):
      return try LagDemoCommand(
        options: options, context: context(options.common, members: options.consumers)
      ).run()
    case .status(let options):
      return try StatusCommand(options: options, context: context(options.common)).run()
    case .tail(let options):
      return try TailCommand(options: options, context: context(options.common)).run()
    case .audit(let options):
      return try AuditCommand(options: options, context: context(options.common)).run()
    case .delete(let options):
      return try DeleteCommand(options: options, context: context(options.common)).run()
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
}
