import OrderStreamCore
import OrderStreamKafka

/// The help pages, made from the table.
enum Help {
  static let columns = 80
  private static let helpColumn = 30

  /// The main page, or the page of a command; ends with a line feed.
  static func page(_ command: CommandName?) -> String {
    command.map { commandPage(CommandTable.spec($0)) } ?? mainPage
  }

  /// For a line without a word: less than a screen.
  static var summary: String {
    var lines = ["Usage: orderstream <command> [options]", ""]
    lines += CommandTable.all.flatMap { entry("  \($0.name.rawValue)", $0.summary, column: 15) }
    lines += ["", "Begin with:", "  orderstream produce --events 10000", "  orderstream analytics", ""]
    lines += ["'orderstream help' says more, 'orderstream help <command>' has its options."]
    return lines.joined(separator: "\n") + "\n"
  }

  private static var mainPage: String {
    var lines = [Version.line, ""]
    lines += wrapped(
      """
      Runs an order-event pipeline (orders, inventory events, live metrics) on a Kafka cluster, or with no set-up at \
      all on a durable log of its own, and proves what it did: nothing lost, nothing doubled, replay to the byte.
      """, indent: 0)
    lines += ["", "Usage: orderstream <command> [options]", "", "Commands:"]
    lines += CommandTable.all.flatMap { entry("  \($0.name.rawValue)", $0.summary, column: 15) }
    lines += ["", "Common options:"]
    let shared = OptionSpec.connection + OptionSpec.presentation
    lines += shared.flatMap(option)
    lines += ["", "Environment:"]
    lines += entry("  ORDERSTREAM_LOG_LEVEL", logLevelHelp, column: helpColumn)
    lines += [.topic, .group, .instance].flatMap { (spec: OptionSpec) in
      entry("  \(spec.environment ?? "")", "\(spec.help) Stands in for \(spec.spelling).", column: helpColumn)
    }
    lines += wrapped(
      "A flag wins over the environment, the environment over the file of -F, the file over the default.", indent: 2)
    lines += ["", "Values:"]
    lines += entry("  <duration>", "500ms, 10s, 5m, 1h30m, 0", column: 15)
    lines += entry("  <time>", "RFC 3339, like 2024-01-15T10:30:00Z; without a zone UTC", column: 15)
    lines += entry(
      "  <place>",
      """
      in each partition: earliest, latest (or end), an offset, +<n> (after the start), -<n> (before the end), a time, \
      -<duration> (before now), @<ms since 1970>; for one partition like 2=1047
      """, column: 15)
    lines += entry("  <key>=<value>", "a property, or a configuration of a topic, as Kafka names it", column: 15)
    lines += entry("  <name>", "1 to 200 letters, digits, '.', '_' and '-'", column: 15)
    lines += ["", "Examples:", "  orderstream produce --events 10000", "  orderstream inventory && orderstream audit"]
    lines += ["  orderstream analytics -b localhost:9092 --follow", "", "Exit codes:"]
    lines += ExitCode.allCases.sorted { $0.rawValue < $1.rawValue }.flatMap {
      entry("  \($0.rawValue)", $0.meaning, column: 7)
    }
    lines += ["", "Run 'orderstream help <command>' for the options of a command."]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func commandPage(_ command: CommandSpec) -> String {
    let name = command.name.rawValue
    let words = ["Usage: orderstream", name, command.positional?.placeholder, "[options]"].compactMap { $0 }
    var lines = wrapped("orderstream \(name): \(command.summary)", indent: 0) + [""]
    lines += wrapped(command.details, indent: 0)
    lines += ["", words.joined(separator: " ")]
    let shared = Set((OptionSpec.connection + OptionSpec.presentation).map(\.name))
    for (title, options) in [
      ("Options:", command.options.filter { !shared.contains($0.name) }),
      ("Common options:", command.options.filter { shared.contains($0.name) }),
    ] where !options.isEmpty {
      lines += ["", title] + options.flatMap(option)
    }
    lines += ["", "Examples:"]
    for example in command.examples {
      lines += ["  # \(example.text)"] + brokenCommand(example.command)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let logLevelHelp =
    "Log lines on stderr from this level up: debug, info, notice, warning (the default) or error."

  private static func option(_ spec: OptionSpec) -> [String] {
    let names = Completions.spellings(spec).joined(separator: ", ")
    let margin = spec.short == nil ? "    " : ""
    return entry("  \(margin)\(names)\(spec.placeholder.map { " \($0)" } ?? "")", text(spec), column: helpColumn)
  }

  /// What an option does, with its default and its variable.
  fileprivate static func text(_ spec: OptionSpec) -> String {
    var text = spec.help
    if spec.isRepeatable { text += " May be repeated." }
    if let value = spec.defaultValue ?? spec.defaultNote { text += " [default: \(value)]" }
    if let variable = spec.environment { text += " [env: \(variable)]" }
    return text
  }

  /// A left part and a text beside it, or below it where it does not fit.
  fileprivate static func entry(_ left: String, _ text: String, column: Int) -> [String] {
    var lines = wrapped(text, indent: column)
    guard left.count + 2 <= column, let first = lines.first else { return [left] + lines }
    lines[0] = left + first.dropFirst(left.count)
    return lines
  }

  fileprivate static func wrapped(_ text: String, indent: Int) -> [String] {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = ""
    for word in words(text) {
      if !line.isEmpty, indent + line.count + 1 + word.count > columns {
        lines.append(margin + line)
        line = ""
      }
      line += line.isEmpty ? word : " \(word)"
    }
    return line.isEmpty ? lines : lines + [margin + line]
  }

  /// Words that stay on one line; `[default: x]` is one.
  private static func words(_ text: String) -> [String] {
    var words: [String] = []
    var isOpen = false
    for word in text.split(separator: " ").map(String.init) {
      if isOpen, let last = words.popLast() { words.append("\(last) \(word)") } else { words.append(word) }
      isOpen = word.hasPrefix("[") ? !word.hasSuffix("]") : isOpen && !word.hasSuffix("]")
    }
    return words
  }

  /// A command that is too long goes on in a second line, as a shell takes it.
  private static func brokenCommand(_ command: String) -> [String] {
    let line = "  \(command)"
    guard line.count > columns, let blank = line.prefix(columns - 2).lastIndex(of: " ") else { return [line] }
    return ["\(line[..<blank]) \\", "    \(line[line.index(after: blank)...])"]
  }
}

/// Manual pages in the format of man(7), made from the same table.
enum ManualPage {
  static func text(_ command: CommandName?) -> String {
    command.map { page(CommandTable.spec($0)) } ?? mainPage
  }

  private static var mainPage: String {
    var lines = heading("orderstream", "run an order-event pipeline on Kafka or an embedded log, and prove what it did")
    lines += [".SH SYNOPSIS", ".B orderstream", ".I command", "[\\fIoptions\\fR]", ".SH DESCRIPTION"]
    lines += ["Each command has a page of its own, like \\fBorderstream\\-produce\\fR(1).", ".SH COMMANDS"]
    for spec in CommandTable.all { lines += [".TP", ".B \(escaped(spec.name.rawValue))", escaped(spec.summary)] }
    lines += options("COMMON OPTIONS", OptionSpec.connection + OptionSpec.presentation) + [".SH EXIT STATUS"]
    for code in ExitCode.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
      lines += [".TP", ".B \(code.rawValue)", escaped(code.meaning)]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func page(_ spec: CommandSpec) -> String {
    let name = spec.name.rawValue
    var lines = heading("orderstream-\(name)", spec.summary)
    lines += [".SH SYNOPSIS", ".B orderstream \(escaped(name))"]
    if let positional = spec.positional { lines.append(escaped(positional.placeholder)) }
    lines += ["[\\fIoptions\\fR]", ".SH DESCRIPTION", escaped(spec.details)]
    lines += options("OPTIONS", spec.options) + [".SH EXAMPLES"]
    for example in spec.examples { lines += [".TP", escaped(example.text), ".B \(escaped(example.command))"] }
    lines += [".SH SEE ALSO", ".BR orderstream (1)"]
    return lines.joined(separator: "\n") + "\n"
  }

  private static func heading(_ name: String, _ summary: String) -> [String] {
    [
      ".TH \(escaped(name.uppercased())) 1 \"\" \"\(Version.line)\" \"orderstream\"", ".SH NAME",
      "\(escaped(name)) \\- \(escaped(summary))",
    ]
  }

  private static func options(_ title: String, _ specs: [OptionSpec]) -> [String] {
    [".SH \(title)"]
      + specs.flatMap { spec in
        let names = Completions.spellings(spec).map { "\\fB\(escaped($0))\\fR" }.joined(separator: ", ")
        return [
          ".TP", names + (spec.placeholder.map { " \\fI\(escaped($0))\\fR" } ?? ""), escaped(Help.text(spec)),
        ]
      }
  }

  /// Text that no request of roff can be in.
  private static func escaped(_ text: String) -> String {
    let plain = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
    return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&\(plain)" : plain
  }
}

/// What `-X list` and `-X dump` print.
enum PropertyListing {
  /// Every property with its default and its meaning.
  static func all(columns: Int) -> String {
    var lines = [
      "Properties of librdkafka \(PropertyCatalog.version), for -X <property>=<value> and the file of -F.", "",
    ]
    let entries = PropertyCatalog.entries()
    for entry in entries where entry.aliasOf == nil {
      let names = [entry.name] + entries.filter { $0.aliasOf == entry.name }.map(\.name)
      let standard = entry.defaultValue.isEmpty ? "" : " [default: \(entry.defaultValue)]"
      let rule = entry.rule.map { rule in
        " Not to be changed: \(rule.reason)" + (rule.harmless.first.map { " (\($0))" } ?? "") + "."
      }
      lines += ["  \(names.joined(separator: ", "))"] + Help.wrapped(entry.meaning + (rule ?? "") + standard, indent: 6)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The values in force and where each is from: options first, then properties, those that are the same for all kinds of
  /// client once.
  static func inForce(_ settings: Settings) throws -> String {
    var lines = ["Options of \(settings.title)"]
    lines += settings.options.map { "  \($0.name) = \($0.value)  (\($0.origin))" }
    let pairs = settings.properties.map { ($0.key, $0.value) }
    try KafkaBroker.check(properties: pairs)
    let clients = try PropertyCatalog.settings(properties: pairs)
    lines += ["", "Properties of librdkafka \(PropertyCatalog.version)"]
    let names = Set(clients.flatMap { $0.1.map(\.name) }).sorted()
    for name in names {
      var values: [(text: String, clients: [String])] = []
      for (client, list) in clients {
        guard let setting = list.first(where: { $0.name == name }) else { continue }
        let text = line(setting, settings.origins)
        if let index = values.firstIndex(where: { $0.text == text }) {
          values[index].clients.append(client)
        } else {
          values.append((text, [client]))
        }
      }
      for (text, of) in values {
        lines.append("  \(name) = \(text)" + (values.count == 1 ? "" : ", \(of.joined(separator: ", "))"))
      }
    }
    return TerminalText.escaped(lines.joined(separator: "\n"), multiline: true) + "\n"
  }

  private static func line(_ setting: PropertyCatalog.Setting, _ origins: [String: String]) -> String {
    let isSecret = SecretProperty.isSecret(setting.name) && !setting.value.isEmpty && setting.origin == .user
    let origin =
      switch setting.origin {
      case .librdkafka: "default"
      case .orderstream: "orderstream"
      case .user: origins[setting.givenName] ?? "given"
      }
    return "\(isSecret ? "***" : setting.value)  (\(origin))"
  }
}

/// What is in force for a command line, without running it.
struct Settings: Hashable, Sendable {
  struct Option: Hashable, Sendable {
    var name: String
    var value: String
    var origin: String
  }

  /// The command, or all of them.
  var title: String
  var options: [Option]
  var properties: [Property]
  var origins: [String: String]

  init(_ raw: RawArguments, environment: @escaping Environment) throws(CommandError) {
    let spec = CommandTable.spec(raw.command ?? .status)
    let reader = try OptionReader(spec, raw, environment: environment)
    title = raw.command.map { "orderstream \($0.rawValue)" } ?? "orderstream"
    options = spec.options.compactMap { option in
      guard option.name != .property, !option.isFlag else { return nil }
      if let given = reader.text(option.name) {
        return Option(name: option.name.rawValue, value: given.text, origin: given.origin)
      }
      guard let standard = option.defaultValue ?? option.defaultNote else { return nil }
      return Option(name: option.name.rawValue, value: standard, origin: "default")
    }
    (properties, origins) = try reader.properties()
  }
}
