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

/// The nearest of several names, for a name that is not known.
enum Suggestion {
  /// - Returns: `nil` when nothing is near: more than a third of the letters would have to change.
  static func nearest(to name: String, among names: [String]) -> String? {
    if name.isEmpty || name.count > 64 { return nil }
    let lowered = name.lowercased()
    let scored = names.map { (name: $0, distance: distance(lowered, $0)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    if best.distance <= max(1, max(name.count, best.name.count) / 3) { return best.name }
    let begun = names.filter { $0.hasPrefix(lowered) }
    return begun.count == 1 && name.count >= 2 ? begun[0] : nil
  }

  /// Insertions, deletions, replacements and swaps of neighbours that turn one name into the other.
  static func distance(_ left: String, _ right: String) -> Int {
    let a = Array(left.unicodeScalars)
    let b = Array(right.unicodeScalars)
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      (before, last) = (last, row)
    }
    return last[b.count]
  }
}

/// The words of the command line, which the system hands over as bytes.
enum ProcessArguments {
  /// Without the name of the program.
  /// - Throws: `usage` when an argument is not UTF-8: it could not be kept as it is.
  static func read() throws(CommandError) -> [String] {
    var arguments: [String] = []
    for index in stride(from: 1, to: Int(CommandLine.argc), by: 1) {
      guard let pointer = CommandLine.unsafeArgv[index] else { break }
      guard let text = String(validatingCString: pointer) else {
        let shown = TerminalText.escaped(UnsafeRawBufferPointer(start: pointer, count: length(pointer)))
        throw .usage("argument '\(shown)'", why: "it is not UTF-8", remedy: "use UTF-8 names")
      }
      arguments.append(text)
      hideSecret(of: text, at: pointer)
    }
    return arguments
  }

  /// Overwrites the value of a secret property where the system shows it to every user (`ps`).
  private static func hideSecret(of argument: String, at pointer: UnsafeMutablePointer<CChar>) {
    var pair = argument[...]
    // -Xkey=value and -X=key=value are one word, -X key=value are two.
    if pair.hasPrefix("-X") { pair = pair.dropFirst(pair.hasPrefix("-X=") ? 3 : 2) }
    guard let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) else { return }
    let property = Property(key: String(pair[..<equals]), value: "")
    guard property.isSecret else { return }
    var position = pointer + argument.utf8.distance(from: argument.startIndex, to: equals) + 1
    while position.pointee != 0 {
      position.pointee = CChar(bitPattern: UInt8(ascii: "*"))
      position += 1
    }
  }

  private static func length(_ pointer: UnsafePointer<CChar>) -> Int {
    var end = pointer
    while end.pointee != 0 { end += 1 }
    return end - pointer
  }
}
