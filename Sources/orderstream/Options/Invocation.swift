/// What one command line asks for, with everything checked that can be checked before anything is opened.
enum Invocation: Hashable, Sendable {
  /// The main page, or the page of a command.
  case help(CommandName?)
  case version
  case completions(Shell)
  case produce(ProduceOptions)
  case inventory(InventoryOptions)
  case analytics(AnalyticsOptions)
  case replay(ReplayOptions)
  case lagDemo(LagDemoOptions)
  case status(StatusOptions)
  case tail(TailOptions)
  case audit(AuditOptions)
  case delete(DeleteOptions)

  /// - Parameter arguments: without the name of the program.
  /// - Throws: `usage`; `input` for a `-F` file that cannot be read; `configuration` for what is wrong inside it.
  static func parse(
    _ arguments: [String], environment: @escaping Environment = ProcessEnvironment.lookup
  ) throws(CommandError) -> Invocation {
    let raw = try RawArguments(arguments)
    if let request = raw.request { return request == .version ? .version : .help(raw.command) }
    guard let name = raw.command else {
      throw .usage("command line", why: "the command is missing", remedy: "name one, like 'orderstream produce'")
    }
    let spec = CommandTable.spec(name)
    let word = try positional(raw, spec)
    switch name {
    case .help: return .help(try word.map(page))
    case .completions: return .completions(try shell(word))
    default: break
    }
    let reader = try OptionReader(spec, raw, environment: environment)
    switch name {
    case .produce: return .produce(try ProduceOptions(reader))
    case .inventory: return .inventory(try InventoryOptions(reader))
    case .analytics: return .analytics(try AnalyticsOptions(reader))
    case .replay: return .replay(try ReplayOptions(reader))
    case .lagDemo: return .lagDemo(try LagDemoOptions(reader))
    case .status: return .status(try StatusOptions(reader))
    case .tail: return .tail(try TailOptions(reader))
    case .audit: return .audit(try AuditOptions(reader))
    case .delete: return .delete(try DeleteOptions(reader))
    case .help, .completions: preconditionFailure("help and completions are answered without options")
    }
  }

  /// The options that all commands share; `nil` for help, version and completions.
  var common: CommonOptions? {
    switch self {
    case .help, .version, .completions: nil
    case .produce(let options): options.common
    case .inventory(let options): options.run.common
    case .analytics(let options): options.run.common
    case .replay(let options): options.common
    case .lagDemo(let options): options.common
    case .status(let options): options.common
    case .tail(let options): options.common
    case .audit(let options): options.common
    case .delete(let options): options.common
    }
  }

  private static func positional(_ raw: RawArguments, _ spec: CommandSpec) throws(CommandError) -> String? {
    let most = spec.positional == nil ? 0 : 1
    if raw.positionals.count > most {
      throw .usage(
        "argument '\(raw.shown(raw.positionals[most]))'", why: "'\(spec.name.rawValue)' does not take it",
        remedy: "leave it out, or name the option that it belongs to", command: spec.name)
    }
    return raw.positionals.first
  }

  private static func page(_ text: String) throws(CommandError) -> CommandName {
    guard let name = CommandName(rawValue: text) else { throw RawArguments.unknownCommand(text) }
    return name
  }

  private static func shell(_ text: String?) throws(CommandError) -> Shell {
    let names = Shell.allCases.map(\.rawValue)
    let remedy = "name one of \(names.joined(separator: ", "))"
    guard let text else {
      throw .usage("completions", why: "the shell is missing", remedy: remedy, command: .completions)
    }
    guard let shell = Shell(rawValue: text) else {
      let nearest = Suggestion.nearest(to: text, among: names)
      throw .usage(
        "shell '\(text)'", why: "there are no completions for it",
        remedy: nearest.map { "did you mean '\($0)'?" } ?? remedy, command: .completions)
    }
    return shell
  }
}
