/// All commands with their options: the one table that the parser, the help pages and the completions read. The row
/// of a command is in the file of the command, with its options.
enum CommandTable {
  static let all: [CommandSpec] = [
    .produce, .inventory, .analytics, .replay, .lagDemo, .status, .tail, .audit, .delete, .backup, .report,
    .helpPage, .completions,
  ]

  static func spec(_ name: CommandName) -> CommandSpec {
    guard let spec = all.first(where: { $0.name == name }) else {
      preconditionFailure("every command has its row in the table")
    }
    return spec
  }

  /// One row for every option name, for reading options before the command is known.
  static let anyOption: [OptionName: OptionSpec] = Dictionary(
    all.flatMap(\.options).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}

/// The commands, in the order of the help page.
enum CommandName: String, CaseIterable, Sendable {
  case produce, inventory, analytics, replay
  case lagDemo = "lag-demo"
  case status, tail, audit, delete, backup, report, help, completions
}

/// One command, as the parser, the help pages and the completions read it.
struct CommandSpec: Sendable {
  let name: CommandName
  /// One line for the list of commands.
  let summary: String
  /// What it does, in a paragraph or two.
  let details: String
  /// The positional argument that it takes, with its values: `[command]`, `<bash|zsh|fish>`.
  var positional: Positional?
  let options: [OptionSpec]
  let examples: [Example]

  struct Positional: Sendable {
    let placeholder: String
    /// The words that are allowed, where they can be counted.
    var choices: [String] = []
    var completion = OptionSpec.Completion.nothing
    var isRequired = false
    /// Whether there may be several.
    var isRepeatable = false
  }

  struct Example: Sendable {
    let text: String
    let command: String
  }

  func option(_ name: OptionName) -> OptionSpec? { options.first { $0.name == name } }

  func option(_ letter: Character) -> OptionSpec? { options.first { $0.short == letter } }
}

/// Every long option, by its name without the dashes. One name has one meaning and one arity in all commands. A letter may
/// stand for different options in different commands (`-n`), but it takes a value in all of them or in none.
enum OptionName: String, CaseIterable, Sendable {
  case brokers, topic, group, partitions
  case replicationFactor = "replication-factor"
  case property = "property"
  case config, instance, wait, timeout, json, quiet, verbose, color, progress
  case topicConfig = "topic-config"
  case events, duration, rate, seed
  case failureRate = "failure-rate"
  case users
  case startTime = "start-time"
  case span
  case firstOrder = "first-order"
  case input, unacknowledged, receipt
  case dryRun = "dry-run"
  case outputTopic = "output-topic"
  case onError = "on-error"
  case guarantee, acks
  case follow
  case idleTimeout = "idle-timeout"
  case maxEvents = "max-events"
  case resetOffsets = "reset-offsets"
  case output, execute
  case consumerDelay = "consumer-delay"
  case consumers
  case sampleInterval = "sample-interval"
  case drainTimeout = "drain-timeout"
  case keep, scenario, from, to, last, partition, key, raw
  case acceptLoss = "accept-loss"
  case noGroup = "no-group"
  case dlq
  case before, watch, window
  case failIf = "fail-if"
  case certificate, verify, against, exact
  case asOf = "as-of"
  case offsetsFile = "offsets-file"
  case undoFile = "undo-file"
  case report
  case csv
  case metricsFile = "metrics-file"
  case junit
  case help, version, man
}

/// One option of one command, as the parser, the help pages and the completions read it.
struct OptionSpec: Sendable {
  /// What a shell offers for the value.
  enum Completion: Hashable, Sendable {
    case nothing, file, brokers, topic, group
    case choice([String])
  }

  let name: OptionName
  var short: Character?
  /// `nil` for a flag, which takes no value.
  var placeholder: String?
  /// The default as the user would write it; the parser reads it from here.
  var defaultValue: String?
  /// The default in words, where it is no fixed value.
  var defaultNote: String?
  var help: String
  var isRepeatable = false
  /// The environment variable that stands in for the option.
  var environment: String?
  /// The keys of a `-F` file that stand in for the option.
  var fileKeys: [String] = []
  var completion = Completion.nothing
  /// What an option stands for that may also be given without a value; one in the next word begins with a digit.
  var impliedValue: String?
  /// Options without a long form: `-X`.
  var hasLongForm = true

  var isFlag: Bool { placeholder == nil }

  /// The values that are allowed, where they can be counted.
  var choices: [String] {
    if case .choice(let values) = completion { values } else { [] }
  }

  /// How messages call it: `--brokers`, `-X`.
  var spelling: String {
    if !hasLongForm, let short { return "-\(short)" }
    return "--\(name.rawValue)"
  }

  /// This option with another default.
  func defaulting(to value: String?, note: String? = nil) -> OptionSpec {
    var copy = self
    copy.defaultValue = value
    copy.defaultNote = note
    return copy
  }

  /// This option with another help sentence.
  func saying(_ help: String) -> OptionSpec {
    var copy = self
    copy.help = help
    return copy
  }

  /// This option with another letter, or with none.
  func letter(_ short: Character?) -> OptionSpec {
    var copy = self
    copy.short = short
    return copy
  }

  /// This option, any number of times.
  var repeatable: OptionSpec {
    var copy = self
    copy.isRepeatable = true
    return copy
  }

  /// This option from the command line alone: neither the environment nor a file says it.
  var onlyAsFlag: OptionSpec {
    var copy = self
    copy.environment = nil
    copy.fileKeys = []
    return copy
  }
}

extension CommandSpec {
  static let helpPage = CommandSpec(
    name: .help, summary: "explain orderstream, or one command",
    details: "Prints the page of a command; with --man as the source of a manual page.",
    positional: .init(placeholder: "[command]", choices: CommandName.allCases.map(\.rawValue)),
    options: [
      OptionSpec(name: .man, help: "Print the page as a manual page, in the format of man(7)."), .help, .version,
      .verbose.saying("With --version: say what this build is made of."),
    ],
    examples: [
      .init(text: "all options of produce", command: "orderstream help produce"),
      .init(
        text: "a manual page",
        command: "orderstream help --man produce > ~/.local/share/man/man1/orderstream-produce.1"),
    ])

  static let completions = CommandSpec(
    name: .completions, summary: "print a completion script for a shell",
    details: "Prints a script that completes commands, options and their values.",
    positional: .init(placeholder: "<bash|zsh|fish>", choices: Shell.allCases.map(\.rawValue), isRequired: true),
    options: [.help, .version],
    examples: [
      .init(text: "bash, in ~/.bashrc", command: "source <(orderstream completions bash)"),
      .init(text: "zsh, in a directory of $fpath", command: "orderstream completions zsh > ~/.zfunc/_orderstream"),
      .init(
        text: "fish", command: "orderstream completions fish > ~/.config/fish/completions/orderstream.fish"),
    ])
}

/// What people write who come from other tools of the trade, and what it is called here.
enum Habits {
  /// By what somebody writes: what to write instead.
  struct Habit {
    let name: OptionName
    /// With its value, where the habit says which: `--from earliest`.
    var value: String?

    var advice: String {
      let spec = CommandTable.anyOption[name]
      let spelling = spec?.spelling ?? "--\(name.rawValue)"
      let text = value ?? spec?.placeholder
      return "write \(text.map { "\(spelling) \($0)" } ?? spelling)"
    }
  }

  static let commands: [String: String] = [
    "consume": "tail", "consumer": "tail", "cat": "tail", "read": "tail", "print": "tail", "kcat": "tail",
    "producer": "produce", "publish": "produce", "send": "produce", "generate": "produce", "perf": "produce",
    "topics": "status", "topic": "status", "groups": "status", "group": "status", "list": "status", "ls": "status",
    "lag": "status", "describe": "status", "info": "status", "metadata": "status",
    "rm": "delete", "remove": "delete", "drop": "delete", "verify": "audit", "check": "audit", "stats": "analytics",
    "metrics": "analytics", "page": "report", "html": "report", "reserve": "inventory", "stock": "inventory",
    "rewind": "replay", "copy": "backup", "cp": "backup", "snapshot": "backup", "save": "backup",
    "demo": "lag-demo", "completion": "completions", "version": "--version", "man": "help --man",
  ]

  private static let options: [String: [Habit]] = [
    "bootstrap-server": [.init(name: .brokers)], "bootstrap-servers": [.init(name: .brokers)],
    "broker": [.init(name: .brokers)], "broker-list": [.init(name: .brokers)], "server": [.init(name: .brokers)],
    "from-beginning": [.init(name: .from, value: "earliest"), .init(name: .resetOffsets)],
    "offset": [.init(name: .from)], "start": [.init(name: .from)], "since": [.init(name: .from)],
    "o": [.init(name: .from)], "p": [.init(name: .partition), .init(name: .partitions)],
    "until": [.init(name: .to)], "end": [.init(name: .to)], "k": [.init(name: .key)],
    "c": [.init(name: .maxEvents), .init(name: .events)], "l": [.init(name: .input)],
    "count": [.init(name: .events), .init(name: .last), .init(name: .maxEvents)],
    "limit": [.init(name: .events), .init(name: .last), .init(name: .maxEvents)],
    "lines": [.init(name: .last)], "n": [.init(name: .maxEvents), .init(name: .events)],
    "num-records": [.init(name: .events)], "messages": [.init(name: .events), .init(name: .maxEvents)],
    "num-messages": [.init(name: .events), .init(name: .maxEvents)],
    "max-messages": [.init(name: .maxEvents), .init(name: .events)],
    "events": [.init(name: .maxEvents)], "max-events": [.init(name: .events)], "last": [.init(name: .maxEvents)],
    "throughput": [.init(name: .rate)], "speed": [.init(name: .rate)], "runtime": [.init(name: .duration)],
    "consumer-group": [.init(name: .group)], "group-id": [.init(name: .group)], "groupid": [.init(name: .group)],
    "G": [.init(name: .group)], "replicas": [.init(name: .replicationFactor)],
    "num-partitions": [.init(name: .partitions)], "partition-count": [.init(name: .partitions)],
    "J": [.init(name: .json)], "format": [.init(name: .json)], "pretty": [.init(name: .json)],
    "silent": [.init(name: .quiet)], "debug": [.init(name: .verbose)], "d": [.init(name: .verbose)],
    "no-color": [.init(name: .color, value: "never")], "no-progress": [.init(name: .progress, value: "none")],
    "force": [.init(name: .execute)], "yes": [.init(name: .execute)], "y": [.init(name: .execute)],
    "really": [.init(name: .execute)], "confirm": [.init(name: .execute)],
    "command-config": [.init(name: .config)], "config-file": [.init(name: .config)],
    "producer-config": [.init(name: .config)], "consumer-config": [.init(name: .config)],
    "producer.config": [.init(name: .config)], "consumer.config": [.init(name: .config)],
    "property": [.init(name: .property)], "producer-property": [.init(name: .property)],
    "consumer-property": [.init(name: .property)], "set": [.init(name: .property)],
    "file": [.init(name: .input), .init(name: .output)], "reset": [.init(name: .resetOffsets)],
    "tail": [.init(name: .follow)], "forever": [.init(name: .follow)], "watch": [.init(name: .follow)],
    "delay": [.init(name: .consumerDelay)], "time": [.init(name: .duration), .init(name: .timeout)],
    "duration": [.init(name: .idleTimeout), .init(name: .timeout)], "idle": [.init(name: .idleTimeout)],
  ]

  /// The option of a command that somebody means by another name.
  static func option(_ name: String, of specs: [OptionSpec]) -> Habit? {
    options[name]?.first { habit in specs.contains { $0.name == habit.name } }
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
