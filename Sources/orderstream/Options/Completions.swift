import OrderStreamCore
import OrderStreamEmbedded

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

  /// The options that stand before a command most often.
  static let anywhere = OptionSpec.connection + OptionSpec.presentation

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
        local program=${COMP_WORDS[0]}
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
    if command.positional?.completion == .file {
      return """
            \(command.name.rawValue)) if [[ $cur == -?* ]]; then COMPREPLY=($(compgen -W \
        '\(options.joined(separator: " "))' -- "$cur")); else \(files("-f")) fi ;;
        """
    }
    let words = (command.positional?.choices ?? []) + options
    let names = command.positional.map { Self.names($0.completion) } ?? ""
    let list = names.isEmpty ? "'\(words.joined(separator: " "))'" : "\"\(words.joined(separator: " ")) \(names)\""
    return "    \(command.name.rawValue)) COMPREPLY=($(compgen -W \(list) -- \"$cur\")) ;;"
  }

  /// What prints the names that an embedded log has.
  private static func names(_ completion: OptionSpec.Completion) -> String {
    completion.namesKind.map { "$(\"$program\" \(NameCompletion.command) \($0) \"$COMP_LINE\" 2>/dev/null)" } ?? ""
  }

  private static func reply(_ completion: OptionSpec.Completion) -> String {
    switch completion {
    case .nothing: ""
    case .file: files("-f")
    case .brokers: "COMPREPLY=($(compgen -W 'embedded localhost:9092' -- \"$cur\"));"
    case .choice(let values): "COMPREPLY=($(compgen -W '\(values.joined(separator: " "))' -- \"$cur\"));"
    case .topic, .group: "COMPREPLY=($(compgen -W \"\(names(completion))\" -- \"$cur\"));"
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
      local program=$words[1]
      local -a line_words; line_words=("${words[@]}")
      commands=(
    \(CommandTable.all.map { "    " + Completions.quoted("\($0.name.rawValue):\($0.summary)") }.joined(separator: "\n"))
      )
      _arguments -C -s \\
    \(Completions.anywhere.map { "    \(option($0)) \\" }.joined(separator: "\n"))
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
      let words = "(\(positional.choices.joined(separator: " ")))"
      let action = positional.completion.namesKind.map(names) ?? (positional.completion == .file ? "_files" : words)
      specs.append(
        Completions.quoted("\(positional.isRepeatable ? "*" : "1"):\(command.name.rawValue):\(action)"))
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
    case .topic: return ":\(name):\(names("topics"))"
    case .group: return ":\(name):\(names("groups"))"
    }
  }

  /// What prints the names that an embedded log has.
  private static func names(_ kind: String) -> String {
    "($($program \(NameCompletion.command) \(kind) \"${line_words[@]}\" 2>/dev/null))"
  }

  private static func escaped(_ text: String) -> String {
    text.map { "[]:\\".contains($0) ? "\\\($0)" : String($0) }.joined()
  }
}

/// Completion for fish.
enum FishCompletion {
  static var script: String {
    let takingValue = Set(CommandTable.all.flatMap(\.options).filter { !$0.isFlag }.flatMap(Completions.spellings))
    var lines = [
      "# fish completion for orderstream",
      """
      # The command on the line so far; options and their values may stand before it.
      function __orderstream_command
        set -l tokens (commandline -opc)
        set -e tokens[1]
        set -l isValue 0
        for token in $tokens
          if test $isValue = 1
            set isValue 0
            continue
          end
          switch $token
            case \(takingValue.sorted().joined(separator: " "))
              set isValue 1
            case '-*'
            case '*'
              echo $token
              return 0
          end
        end
        return 1
      end
      function __orderstream_names
        set -l tokens (commandline -opc)
        $tokens[1] \(NameCompletion.command) $argv[1] $tokens 2>/dev/null
      end
      complete -c orderstream -f
      """,
    ]
    let first = "complete -c orderstream -n 'not __orderstream_command >/dev/null'"
    for command in CommandTable.all {
      lines.append("\(first) -a \(command.name.rawValue) -d \(quoted(command.summary))")
    }
    lines += Completions.anywhere.map { "\(first)\(option($0))" }
    for command in CommandTable.all {
      let condition = "complete -c orderstream -n 'contains -- \(command.name.rawValue) (__orderstream_command)'"
      lines += command.options.map { "\(condition)\(option($0))" }
      if command.positional?.completion == .file {
        lines.append("\(condition) -F")
      } else if let positional = command.positional {
        let values = positional.completion.namesKind.map(names) ?? positional.choices.joined(separator: " ")
        lines.append("\(condition) -a \(quoted(values))")
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
    case .topic: words += " -x -a \(quoted(names("topics")))"
    case .group: words += " -x -a \(quoted(names("groups")))"
    }
    return "\(words) -d \(quoted(spec.help))"
  }

  /// What prints the names that an embedded log has.
  private static func names(_ kind: String) -> String { "(__orderstream_names \(kind))" }

  private static func quoted(_ text: String) -> String {
    "'" + text.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "'"
  }
}

extension OptionSpec.Completion {
  /// What `NameCompletion` calls names of this kind; `nil` for others.
  var namesKind: String? {
    switch self {
    case .topic: "topics"
    case .group: "groups"
    default: nil
    }
  }
}

/// The names of an embedded log's topics and groups, for the completion scripts: quick, and silent where there are none. A
/// cluster is not asked: a key that is pressed does not wait for a network.
enum NameCompletion {
  static let command = "__complete"

  /// The names for the arguments of a completion script, one a line; `nil` when it is not one that asks.
  /// - Parameter arguments: `__complete topics`, and the words of the line so far, or all of them in one.
  static func answer(_ arguments: [String]) -> String? {
    guard arguments.count >= 2, arguments[0] == command else { return nil }
    var words = Array(arguments.dropFirst(2))
    if words.count == 1 { words = words[0].split(separator: " ").map(String.init) }
    return (try? names(arguments[1], words))?.map { "\($0)\n" }.joined() ?? ""
  }

  private static func names(_ kind: String, _ words: [String]) throws -> [String] {
    // Only what says where the log is: the rest of the line may be unfinished.
    var line = ["status"]
    for (index, word) in words.enumerated() {
      for spelling in ["-b", "--brokers", "-F", "--config"] where word.hasPrefix(spelling) {
        if word == spelling {
          if index + 1 < words.count { line += [word, words[index + 1]] }
        } else if !spelling.hasPrefix("--") || word.hasPrefix("\(spelling)=") {
          line.append(word)
        }
      }
    }
    guard case .status(let options) = try Invocation.parse(line), case .embedded(let named) = options.common.brokers
    else { return [] }
    let directory = try named ?? BrokerSpec.defaultDirectory(ProcessEnvironment.lookup)
    guard AbsentLog(directory: directory) == nil else { return [] }
    let broker = try EmbeddedBroker.open(directory: directory, onlyLooks: true, log: SilentLog(), time: SystemTime())
    let admin = try broker.admin()
    defer { admin.close() }
    if kind == "groups" { return try admin.groups(named: nil).map(\.group) }
    return try admin.topics(named: nil).filter { !$0.isInternal }.map(\.name)
  }
}
