/// Completion for zsh: autoloaded from `$fpath`, or sourced after `compinit`.
enum ZshCompletion {
  static var script: String {
    """
    #compdef orderstream
    _orderstream() {
      local curcontext="$curcontext" state line
      local -a commands
      commands=(
    \(CommandTable.all.map { "    " + Completions.quoted("\($0.name.rawValue):\($0.summary)") }.joined(separator: "\n"))
      )
      _arguments -C '(- *)'{-h,--help}'[print the help page]' '(- *)--version[print the version]' \\
        '1:command:->command' '*::argument:->argument'
      case $state in
        command) _describe command commands ;;
        argument)
          case $line[1] in
    \(CommandTable.all.map(arguments).joined(separator: "\n"))
          esac ;;
      esac
    }
    if [ "$funcstack[1]" = "_orderstream" ]; then
      _orderstream "$@"
    else
      compdef _orderstream orderstream
    fi

    """
  }

  private static func arguments(_ command: CommandSpec) -> String {
    var specs = command.options.map(option)
    if let positional = command.positional {
      specs.append(Completions.quoted("1:\(command.name.rawValue):(\(positional.choices.joined(separator: " ")))"))
    }
    let list = specs.map { "          \($0)" }.joined(separator: " \\\n")
    return "        \(command.name.rawValue)) _arguments -s \\\n\(list) ;;"
  }

  private static func option(_ spec: OptionSpec) -> String {
    let spellings = Completions.spellings(spec)
    let text = "[\(escaped(spec.help))]\(action(spec))"
    // A value may follow in the same word: -bvalue, --brokers=value.
    let forms = spellings.map { spec.isFlag ? $0 : $0 + ($0.hasPrefix("--") ? "=" : "+") }
    let exclusion = spec.isRepeatable ? "*" : "(\(spellings.joined(separator: " ")))"
    let names =
      forms.count == 1
      ? Completions.quoted(exclusion + forms[0]) : "\(Completions.quoted(exclusion)){\(forms.joined(separator: ","))}"
    return names + Completions.quoted(text)
  }

  private static func action(_ spec: OptionSpec) -> String {
    guard let placeholder = spec.placeholder else { return "" }
    let name = escaped(placeholder.filter { $0 != "<" && $0 != ">" })
    switch spec.completion {
    case .nothing: return ":\(name): "
    case .file: return ":\(name):_files"
    case .brokers: return ":\(name):(embedded localhost\\:9092)"
    case .choice(let values): return ":\(name):(\(values.joined(separator: " ")))"
    }
  }

  private static func escaped(_ text: String) -> String {
    text.map { "[]:\\".contains($0) ? "\\\($0)" : String($0) }.joined()
  }
}
