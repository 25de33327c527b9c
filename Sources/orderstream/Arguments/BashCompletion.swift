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
