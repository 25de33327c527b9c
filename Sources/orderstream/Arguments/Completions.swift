/// Completion scripts, made from the table: commands, options, and values that can be counted.
enum Completions {
  static func script(_ shell: Shell) -> String {
    switch shell {
    case .bash: BashCompletion.script
    case .zsh: ZshCompletion.script
    case .fish: FishCompletion.script
    }
  }

  /// The ways to write an option: `-b` and `--brokers`.
  static func spellings(_ spec: OptionSpec) -> [String] {
    let short = spec.short.map { "-\($0)" }
    return [short, spec.hasLongForm ? "--\(spec.name.rawValue)" : nil].compactMap { $0 }
  }

  /// A word in single quotes, for any POSIX shell.
  static func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
