/// Shells that completions are written for.
enum Shell: String, CaseIterable, Sendable {
  case bash, zsh, fish
}

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

/// Completion for bash 3.2 and later; needs no bash-completion package.
enum BashCompletion {
  static var script: String {
    let commands = CommandTable.all
    let names = commands.map(\.name.rawValue)
    let takingValue = Set(commands.flatMap(\.options).filter { !$0.isFlag }.flatMap(Completions.spellings))
    return """
      # bash completion for orderstream
      _orderstream() {
        local cur prev command word index
        cur=${COMP_WORDS[COMP_CWORD]}
        prev=${COMP_WORDS[COMP_CWORD-1]}
        # '=' is a word of its own: --color=al is three.
        if [[ $cur == '=' ]]; then
          cur=''
        elif [[ $prev == '=' ]]; then
          prev=${COMP_WORDS[COMP_CWORD-2]}
        fi
        command=''
        for ((index = 1; index < COMP_CWORD; index++)); do
          word=${COMP_WORDS[index]}
          case $word in
            \(takingValue.sorted().joined(separator: "|")))
              [[ ${COMP_WORDS[index+1]} == '=' ]] && ((index++))
              ((index++)) ;;
            -*) ;;
            *) command=$word; break ;;
          esac
        done
        COMPREPLY=()
        case $command:$prev in
      \(commands.flatMap(values).joined(separator: "\n"))
        esac
        case $command in
          '') COMPREPLY=($(compgen -W '\(names.joined(separator: " ")) --help --version' -- "$cur")) ;;
      \(commands.map(words).joined(separator: "\n"))
        esac
      }
      complete -F _orderstream orderstream

      """
  }

  private static func values(_ command: CommandSpec) -> [String] {
    command.options.filter { !$0.isFlag }.map { option in
      let patterns = Completions.spellings(option).map { "\(command.name.rawValue):\($0)" }.joined(separator: "|")
      return "    \(patterns)) \(reply(option.completion)) return ;;"
    }
  }

  private static func words(_ command: CommandSpec) -> String {
    let options = command.options.flatMap(Completions.spellings)
    let words = (command.positional?.choices ?? []) + options
    return "    \(command.name.rawValue)) COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$cur\")) ;;"
  }

  private static func reply(_ completion: OptionSpec.Completion) -> String {
    switch completion {
    case .nothing: ""
    case .file: files("-f")
    case .brokers: "COMPREPLY=($(compgen -W 'embedded localhost:9092' -- \"$cur\"));"
    case .choice(let values): "COMPREPLY=($(compgen -W '\(values.joined(separator: " "))' -- \"$cur\"));"
    }
  }

  /// Names with blanks stay whole.
  private static func files(_ kind: String) -> String {
    "compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen \(kind) -- \"$cur\"));"
  }
}

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
