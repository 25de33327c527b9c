/// The help pages, made from the table.
enum Help {
  static let columns = 80
  private static let helpColumn = 30

  /// The main page, or the page of a command; ends with a line feed.
  static func page(_ command: CommandName?) -> String {
    command.map { commandPage(CommandTable.spec($0)) } ?? mainPage
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
    let short = spec.short.map { "-\($0)" }
    let long = spec.hasLongForm ? "--\(spec.name.rawValue)" : nil
    let names = short == nil ? "    \(long ?? "")" : [short, long].compactMap { $0 }.joined(separator: ", ")
    var text = spec.help
    if spec.isRepeatable { text += " May be repeated." }
    if let value = spec.defaultValue ?? spec.defaultNote { text += " [default: \(value)]" }
    if let variable = spec.environment { text += " [env: \(variable)]" }
    return entry("  \(names)\(spec.placeholder.map { " \($0)" } ?? "")", text, column: helpColumn)
  }

  /// A left part and a text beside it, or below it where it does not fit.
  private static func entry(_ left: String, _ text: String, column: Int) -> [String] {
    var lines = wrapped(text, indent: column)
    guard left.count + 2 <= column, let first = lines.first else { return [left] + lines }
    lines[0] = left + first.dropFirst(left.count)
    return lines
  }

  private static func wrapped(_ text: String, indent: Int) -> [String] {
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
