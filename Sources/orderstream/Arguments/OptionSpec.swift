/// One option of one command, as the parser, the help pages and the completions read it.
struct OptionSpec: Sendable {
  /// What a shell offers for the value.
  enum Completion: Hashable, Sendable {
    case nothing, file, brokers
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
