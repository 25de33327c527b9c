/// What one command line asks for, with everything checked that can be checked before anything is opened.
enum Invocation: Hashable, Sendable {
  /// The main page, or the page of a command.
  case help(CommandName?)
  /// What the program is, for a line without a word.
  case summary
  /// The main page, or the page of a command, as a manual page.
  case manual(CommandName?)
  case version(detailed: Bool)
  case completions(Shell)
  /// `-X list`.
  case properties
  /// `-X dump`: the values in force for this command.
  case settings(Settings)
  case produce(ProduceOptions)
  case inventory(InventoryOptions)
  case analytics(AnalyticsOptions)
  case replay(ReplayOptions)
  case lagDemo(LagDemoOptions)
  case status(StatusOptions)
  case tail(TailOptions)
  case audit(AuditOptions)
  case delete(DeleteOptions)
  case backup(BackupOptions)
  case report(ReportOptions)
  /// A process that `lag-demo` starts to kill it.
  case lagMember(LagMemberOptions)

  /// - Parameter arguments: without the name of the program.
  /// - Throws: `usage`; `input` for a `-F` file that cannot be read; `configuration` for what is wrong inside it.
  static func parse(
    _ arguments: [String], environment: @escaping Environment = ProcessEnvironment.lookup
  ) throws(CommandError) -> Invocation {
    if let options = try LagMemberOptions(arguments, environment) { return .lagMember(options) }
    let raw = try RawArguments(arguments)
    if raw.isEmpty { return .summary }
    if let request = raw.request {
      return request == .version ? .version(detailed: raw.wantsDetails) : .help(raw.command)
    }
    let questions = raw.options[.property]?.map(\.text) ?? []
    if questions.contains("list") { return .properties }
    if questions.contains("dump") { return .settings(try Settings(raw, environment: environment)) }
    guard let name = raw.command else {
      throw .usage("command line", why: "the command is missing", remedy: "name one, like 'orderstream produce'")
    }
    let spec = CommandTable.spec(name)
    let words = try positionals(raw, spec)
    let word = words.first
    switch name {
    case .help:
      let command = try word.map(page)
      return raw.options[.man] == nil ? .help(command) : .manual(command)
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
    case .tail: return .tail(try TailOptions(reader, topic: word))
    case .audit: return .audit(try AuditOptions(reader))
    case .delete: return .delete(try DeleteOptions(reader))
    case .backup: return .backup(try BackupOptions(reader, directory: word))
    case .report: return .report(try ReportOptions(reader, documents: words))
    case .help, .completions: preconditionFailure("help and completions are answered without options")
    }
  }

  /// The options that all commands with a broker share; `nil` for the others.
  var common: CommonOptions? {
    switch self {
    case .help, .summary, .manual, .version, .completions, .properties, .settings, .report: nil
    case .produce(let options): options.common
    case .inventory(let options): options.run.common
    case .analytics(let options): options.run.common
    case .replay(let options): options.common
    case .lagDemo(let options): options.common
    case .lagMember(let options): options.common
    case .status(let options): options.common
    case .tail(let options): options.common
    case .audit(let options): options.common
    case .delete(let options): options.common
    case .backup(let options): options.common
    }
  }

  private static func positionals(_ raw: RawArguments, _ spec: CommandSpec) throws(CommandError) -> [String] {
    let most = spec.positional.map { $0.isRepeatable ? Int.max : 1 } ?? 0
    if raw.positionals.count > most {
      throw stray(raw, raw.positionals[most], spec)
    }
    return raw.positionals
  }

  /// A word that no option and no place on the line takes: what it most likely is.
  private static func stray(_ raw: RawArguments, _ word: String, _ spec: CommandSpec) -> CommandError {
    let what = "argument '\(raw.shown(word))'"
    if let error = raw.cutList(word, spec.name) { return error }
    let why = "'\(spec.name.rawValue)' does not take it"
    if raw.options[.property] != nil {
      return .usage(
        what, why: why, remedy: "write a property as one word, with quotes: -X 'property=value'", command: spec.name)
    }
    if spec.positional?.completion == .topic {
      return .usage(what, why: why, remedy: "name one topic, and run it again for the other", command: spec.name)
    }
    let isNumber = (try? OptionValue.integer(word, in: 0...Int64.max)) != nil
    var meant: [String] = []
    if isNumber, let count = spec.option("n" as Character) {
      meant = ["\(count.spelling) \(word)"]
    } else if (try? OptionValue.name(word)) != nil {
      meant = [OptionName.topic, .group].compactMap(spec.option).map { "\($0.spelling) \(TerminalText.escaped(word))" }
    }
    let remedy =
      meant.isEmpty
      ? "'orderstream help \(spec.name.rawValue)' lists what it takes" : "write \(meant.joined(separator: " or "))"
    return .usage(what, why: why, remedy: remedy, command: spec.name)
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
