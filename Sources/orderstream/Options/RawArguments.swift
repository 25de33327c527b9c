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
  /// Whether anything at all stands on the line.
  let isEmpty: Bool

  private var rest: ArraySlice<String>
  /// Letters before the command that stand for different options in different commands.
  private var early: [(letter: Character, text: String)] = []

  /// - Parameter arguments: without the name of the program.
  init(_ arguments: [String]) throws(CommandError) {
    rest = arguments[...]
    isEmpty = arguments.isEmpty
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
    if request != nil {
      findRestOfRequest()
    } else {
      try takeEarly()
      try checkBelonging()
    }
  }

  /// Whether `-v` stands beside a request for the version.
  private(set) var wantsDetails = false

  private mutating func takeWord(_ word: String) throws(CommandError) {
    guard command != nil else {
      guard let known = CommandName(rawValue: word) else {
        throw cutList(word, nil) ?? Self.unknownCommand(shown(word))
      }
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
    if let implied = spec.impliedValue, parts.count == 1, rest.first?.first?.isNumber != true {
      return try record(spec, implied, spelling)
    }
    try record(spec, parts.count == 2 ? String(parts[1]) : try nextValue(spec, spelling), spelling)
  }

  private mutating func takeShort(_ argument: String) throws(CommandError) {
    var letters = argument.dropFirst()
    while request == nil, let letter = letters.popFirst() {
      let spelling = "-\(letter)"
      guard let spec = spec(letter) else { throw unknownOption(spelling, letter: letter) }
      if spec.isFlag {
        guard letters.first != "=" else { throw takesNoValue(spelling) }
        try record(spec, "", spelling)
        continue
      }
      let text =
        letters.isEmpty
        ? try nextValue(spec, spelling) : String(letters.first == "=" ? letters.dropFirst() : letters)
      if command == nil, meanings(of: letter).count > 1 {
        early.append((letter, text))
      } else {
        try record(spec, text, spelling)
      }
      return
    }
    if request == .version, letters.contains("v") { wantsDetails = true }
  }

  /// What the letters before the command mean, now that it is known.
  private mutating func takeEarly() throws(CommandError) {
    guard let command else { return }
    for (letter, text) in early {
      let spelling = "-\(letter)"
      guard let spec = CommandTable.spec(command).option(letter) else {
        throw Self.foreign(meanings(of: letter), spelling, command)
      }
      try record(spec, text, spelling)
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

  private mutating func findRestOfRequest() {
    if command == nil { command = rest.lazy.compactMap(CommandName.init(rawValue:)).first }
    if options[.verbose] != nil || rest.contains("-v") || rest.contains("--verbose") { wantsDetails = true }
  }

  /// Options before the command were read without knowing whose they are.
  private func checkBelonging() throws(CommandError) {
    guard let command else { return }
    let own = CommandTable.spec(command)
    for name in OptionName.allCases where own.option(name) == nil {
      if case .flag(let spelling)? = options[name]?.first?.source { throw Self.foreign([name], spelling, command) }
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
    if let command, let own = CommandTable.spec(command).option(letter) { return own }
    return meanings(of: letter).first.flatMap { CommandTable.anyOption[$0] }
  }

  /// The options that a letter stands for, in the order of the table.
  private func meanings(of letter: Character) -> [OptionName] {
    let found = Set(CommandTable.all.compactMap { $0.option(letter)?.name })
    return OptionName.allCases.filter(found.contains)
  }
}

extension RawArguments {
  static func unknownCommand(_ word: String) -> CommandError {
    let names = CommandName.allCases.map(\.rawValue)
    let meant = Habits.commands[word.lowercased()] ?? Suggestion.nearest(to: word, among: names)
    return .usage(
      "command '\(word)'", why: "there is no such command",
      remedy: meant.map { "did you mean '\($0)'?" } ?? "the commands are \(names.joined(separator: ", "))")
  }

  /// Why a stray word is there: a blank behind a comma has cut a list of brokers in two. `nil` when it is not that.
  func cutList(_ word: String, _ command: CommandName?) -> CommandError? {
    guard let list = options[.brokers]?.last, list.text.hasSuffix(",") || word.hasPrefix(",") else { return nil }
    return .usage(
      "argument '\(shown(word))'", why: "a blank has cut the list of \(list.origin) in two",
      remedy: "write \(list.spelling) '\(list.text) \(word)', with quotes", command: command)
  }

  /// A stray word as errors show it. After `-X` it may be a value, so a secret, that a blank has cut off.
  func shown(_ word: String) -> String { options[.property] == nil ? word : "***" }

  private func unknownOption(_ spelling: String, name: String) -> CommandError {
    let specs = command.map { CommandTable.spec($0).options } ?? Array(CommandTable.anyOption.values)
    let names = specs.filter(\.hasLongForm).map(\.name.rawValue).sorted()
    let meant =
      Habits.option(name, of: specs).map(\.advice)
      ?? Suggestion.nearest(to: name, among: names).map { "did you mean --\($0)?" }
    return unknownOption(spelling, remedy: meant)
  }

  private func unknownOption(_ spelling: String, letter: Character) -> CommandError {
    let specs = command.map { CommandTable.spec($0).options } ?? Array(CommandTable.anyOption.values)
    if let habit = Habits.option(String(letter), of: specs) { return unknownOption(spelling, remedy: habit.advice) }
    let letters = Set(specs.compactMap(\.short)).map { "-\($0)" }.sorted { $0.lowercased() < $1.lowercased() }
    return unknownOption(spelling, remedy: "the short options are \(letters.joined(separator: " "))")
  }

  private func unknownOption(_ spelling: String, remedy: String?) -> CommandError {
    let owner = command.map { "'\($0.rawValue)' has no such option" } ?? "there is no such option"
    let page = command.map { "orderstream help \($0.rawValue)" } ?? "orderstream help"
    return .usage("option \(spelling)", why: owner, remedy: remedy ?? "'\(page)' lists them", command: command)
  }

  /// - Parameter names: what the spelling stands for in other commands.
  private static func foreign(_ names: [OptionName], _ spelling: String, _ command: CommandName) -> CommandError {
    let own = CommandTable.spec(command).options
    let remedy: String
    let words = [String(spelling.drop { $0 == "-" })] + names.map(\.rawValue)
    if let habit = words.lazy.compactMap({ Habits.option($0, of: own) }).first {
      remedy = habit.advice
    } else {
      let owners = CommandTable.all.filter { row in names.contains { row.option($0) != nil } }.map(\.name.rawValue)
      remedy =
        "it is an option of \(owners.joined(separator: ", ")); 'orderstream help \(command.rawValue)' lists its own"
    }
    return .usage("option \(spelling)", why: "'\(command.rawValue)' does not take it", remedy: remedy, command: command)
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

  /// As the user wrote the option; the variable or the key where it is none.
  var spelling: String {
    switch source {
    case .flag(let spelling), .defaultValue(let spelling): spelling
    case .environment(let name), .file(_, _, let name): name
    }
  }

  /// The same, on another line of its file.
  func with(line: Int) -> RawValue {
    guard case .file(let path, _, let key) = source else { return self }
    return RawValue(text: text, source: .file(path: path, line: line, key: key))
  }

  /// A wrong value in a file is a matter of configuration, anything else one of usage.
  func error(_ problem: ValueError, command: CommandName?) -> CommandError {
    if case .file = source {
      return CommandError(.configuration, origin, why: problem.why, remedy: problem.remedy)
    }
    return .usage(origin, why: problem.why, remedy: problem.remedy, command: command)
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

  /// Words of a command line with the values of secret properties masked.
  static func masked(_ words: [String]) -> [String] {
    words.map { word in secretValue(of: word).map { String(word[..<$0]) + "***" } ?? word }
  }

  /// Where the value of a secret property begins, in a word that has one: `-Xkey=value` and `-X=key=value` are one word,
  /// `-X key=value` are two.
  private static func secretValue(of word: String) -> String.Index? {
    var pair = word[...]
    if pair.hasPrefix("-X") { pair = pair.dropFirst(pair.hasPrefix("-X=") ? 3 : 2) }
    guard let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
    return Property(key: String(pair[..<equals]), value: "").isSecret ? pair.utf8.index(after: equals) : nil
  }

  /// Overwrites the value of a secret property where the system shows it to every user (`ps`).
  private static func hideSecret(of argument: String, at pointer: UnsafeMutablePointer<CChar>) {
    guard let start = secretValue(of: argument) else { return }
    var position = pointer + argument.utf8.distance(from: argument.startIndex, to: start)
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
