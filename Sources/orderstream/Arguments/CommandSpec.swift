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
    let choices: [String]
    let isRequired: Bool
  }

  struct Example: Sendable {
    let text: String
    let command: String
  }

  func option(_ name: OptionName) -> OptionSpec? { options.first { $0.name == name } }
}
