/// The text of an option, and where it came from.
struct RawValue: Hashable, Sendable {
  enum Source: Hashable, Sendable {
    /// The command line, as the user spelled the option.
    case flag(String)
    case environment(String)
    case file(path: String, line: Int, key: String)
    case defaultValue(String)
  }

  var text: String
  var source: Source

  /// What an error names: `option --rate`, `ORDERSTREAM_COLOR`, `team.properties:3 (brokers)`.
  var origin: String {
    switch source {
    case .flag(let spelling): "option \(spelling)"
    case .environment(let name): name
    case .file(let path, let line, let key): "\(path):\(line) (\(key))"
    case .defaultValue(let spelling): "default of \(spelling)"
    }
  }

  /// A wrong value in a file is a matter of configuration, anything else one of usage.
  func error(_ problem: ValueError, command: CommandName?) -> CommandError {
    if case .file = source {
      return CommandError(.configuration, origin, why: problem.why, remedy: problem.remedy)
    }
    return .usage(origin, why: problem.why, remedy: problem.remedy, command: command)
  }
}
