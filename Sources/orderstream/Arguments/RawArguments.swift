/// A command line taken apart: which options were given, with which text. Nothing is looked up or converted yet.
///
/// `--opt value`, `--opt=value`, `-b value`, `-bvalue`, `-b=value`, `-qv`; options may stand before or after the
/// command; `--` ends them. Each option is known, belongs to the command, and is given once unless it is repeatable.
struct RawArguments: Sendable {
  private(set) var command: CommandName?
  private(set) var options: [OptionName: [RawValue]] = [:]
  private(set) var positionals: [String] = []
  /// What `--help` or `--version` asked for; the rest of the line was not read.
  private(set) var request: OptionName?

  private var rest: ArraySlice<String>

  /// - Parameter arguments: without the name of the program.
  init(_ arguments: [String]) throws(CommandError) {
    rest = arguments[...]
    var optionsEnded = false
    while request == nil, let argument = rest.popFirst() {
      if optionsEnded || argument == "-" || !argument.hasPrefix("-") {
        try takeWord(argument)
      } else if argument == "--" {
        optionsEnded = true
      } else if argument.hasPrefix("--") {
        try takeLong(argument)
      } else {
        try takeShort(argument)
      }
    }
    // Nothing of a help request is checked further; the command that it is about may still follow.
    if request != nil { findCommandOfRequest() } else { try checkBelonging() }
  }

  private mutating func takeWord(_ word: String) throws(CommandError) {
    guard command != nil else {
      guard let known = CommandName(rawValue: word) else { throw Self.unknownCommand(shown(word)) }
      command = known
      return
    }
    positionals.append(word)
  }

  private mutating func takeLong(_ argument: String) throws(CommandError) {
    let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard let option = OptionName(rawValue: name), let spec = spec(option), spec.hasLongForm else {
      throw unknownOption("--\(name)", name: name)
    }
    let spelling = "--\(name)"
    if spec.isFlag {
      guard parts.count == 1 else { throw takesNoValue(spelling) }
      return try record(spec, "", spelling)
    }
    try record(spec, parts.count == 2 ? String(parts[1]) : try nextValue(spec, spelling), spelling)
  }

  private mutating func takeShort(_ argument: String) throws(CommandError) {
    var letters = argument.dropFirst()
    while request == nil, let letter = letters.popFirst() {
      let spelling = "-\(letter)"
      guard let spec = spec(letter) else { throw unknownOption(spelling, name: nil) }
      if spec.isFlag {
        guard letters.first != "=" else { throw takesNoValue(spelling) }
        try record(spec, "", spelling)
        continue
      }
      if letters.isEmpty { return try record(spec, try nextValue(spec, spelling), spelling) }
      return try record(spec, String(letters.first == "=" ? letters.dropFirst() : letters), spelling)
    }
  }

  private mutating func nextValue(_ spec: OptionSpec, _ spelling: String) throws(CommandError) -> String {
    let example = "write \(spelling) \(spec.placeholder ?? "")"
    guard let value = rest.popFirst() else {
      throw .usage("option \(spelling)", why: "its value is missing", remedy: example, command: command)
    }
    // A value may begin with a dash; an option of ours in its place is an omission.
    let name = value.dropFirst(2).split(separator: "=", maxSplits: 1).first.map(String.init) ?? ""
    let isLong = value.hasPrefix("--") && OptionName(rawValue: name).flatMap(self.spec)?.hasLongForm == true
    let isShort = value.count == 2 && value.hasPrefix("-") && value.last.flatMap(self.spec) != nil
    if value == "--" || isLong || isShort {
      throw .usage(
        "option \(spelling)", why: "its value is missing before \(value)",
        remedy: "\(example), or \(spelling)=\(value) if that is the value", command: command)
    }
    return value
  }

  private mutating func record(_ spec: OptionSpec, _ text: String, _ spelling: String) throws(CommandError) {
    if spec.name == .help || spec.name == .version {
      request = spec.name
      return
    }
    options[spec.name, default: []].append(RawValue(text: text, source: .flag(spelling)))
  }

  private mutating func findCommandOfRequest() {
    if command == nil { command = rest.lazy.compactMap(CommandName.init(rawValue:)).first }
  }

  /// Options before the command were read without knowing whose they are.
  private func checkBelonging() throws(CommandError) {
    guard let command else { return }
    let own = CommandTable.spec(command)
    for name in OptionName.allCases where own.option(name) == nil {
      if case .flag(let spelling)? = options[name]?.first?.source { throw Self.foreign(name, spelling, command) }
    }
    for spec in own.options where !spec.isRepeatable {
      guard let values = options[spec.name], values.count > 1, case .flag(let spelling)? = values.last?.source else {
        continue
      }
      throw .usage("option \(spelling)", why: "it is given twice", remedy: "give it once", command: command)
    }
  }

  /// The option as the command has it; before the command is known, as any command has it.
  private func spec(_ name: OptionName) -> OptionSpec? {
    CommandTable.anyOption[name]
  }

  private func spec(_ letter: Character) -> OptionSpec? {
    CommandTable.anyOption.values.first { $0.short == letter }
  }
}

extension RawArguments {
  static func unknownCommand(_ word: String) -> CommandError {
    let nearest = Suggestion.nearest(to: word, among: CommandName.allCases.map(\.rawValue))
    return .usage(
      "command '\(word)'", why: "there is no such command",
      remedy: nearest.map { "did you mean '\($0)'?" }
        ?? "the commands are \(CommandName.allCases.map(\.rawValue).joined(separator: ", "))")
  }

  /// A stray word as errors show it. After `-X` it may be a value, so a secret, that a blank has cut off.
  func shown(_ word: String) -> String { options[.property] == nil ? word : "***" }

  private func unknownOption(_ spelling: String, name: String?) -> CommandError {
    let options = command.map { CommandTable.spec($0).options } ?? Array(CommandTable.anyOption.values)
    let names = options.filter(\.hasLongForm).map(\.name.rawValue).sorted()
    let nearest = name.flatMap { Suggestion.nearest(to: $0, among: names) }
    let owner = command.map { "'\($0.rawValue)' has no such option" } ?? "there is no such option"
    return .usage(
      "option \(spelling)", why: owner,
      remedy: nearest.map { "did you mean --\($0)?" } ?? "leave it out",
      command: command)
  }

  private static func foreign(_ name: OptionName, _ spelling: String, _ command: CommandName) -> CommandError {
    let owners = CommandTable.all.filter { $0.option(name) != nil }.map(\.name.rawValue)
    return .usage(
      "option \(spelling)", why: "'\(command.rawValue)' does not take it",
      remedy: "leave it out, it is an option of \(owners.joined(separator: ", "))", command: command)
  }

  private func takesNoValue(_ spelling: String) -> CommandError {
    .usage("option \(spelling)", why: "it takes no value", remedy: "write \(spelling) alone", command: command)
  }
}
