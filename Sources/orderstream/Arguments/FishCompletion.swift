/// Completion for fish.
enum FishCompletion {
  static var script: String {
    var lines = ["# fish completion for orderstream", "complete -c orderstream -f"]
    for command in CommandTable.all {
      lines.append(
        "complete -c orderstream -n __fish_use_subcommand -a \(command.name.rawValue) -d \(quoted(command.summary))")
    }
    lines.append("complete -c orderstream -n __fish_use_subcommand -s h -l help -d 'Print the help page.'")
    lines.append("complete -c orderstream -n __fish_use_subcommand -l version -d 'Print the version.'")
    for command in CommandTable.all {
      let condition = "complete -c orderstream -n '__fish_seen_subcommand_from \(command.name.rawValue)'"
      lines += command.options.map { "\(condition)\(option($0))" }
      if let positional = command.positional {
        lines.append("\(condition) -a \(quoted(positional.choices.joined(separator: " ")))")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func option(_ spec: OptionSpec) -> String {
    var words = ""
    if let short = spec.short { words += " -s \(short)" }
    if spec.hasLongForm { words += " -l \(spec.name.rawValue)" }
    switch spec.completion {
    case _ where spec.isFlag: break
    case .nothing: words += " -x"
    case .file: words += " -r -F"
    case .brokers: words += " -x -a 'embedded localhost:9092'"
    case .choice(let values): words += " -x -a \(quoted(values.joined(separator: " ")))"
    }
    return "\(words) -d \(quoted(spec.help))"
  }

  private static func quoted(_ text: String) -> String {
    "'" + text.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "'"
  }
}
