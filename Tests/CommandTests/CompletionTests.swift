import Foundation
import OrderStreamTestSupport
import Testing

@testable import orderstream

@Suite("Completions")
struct CompletionTests {
  private static func executable(_ program: String) -> String? {
    let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "/bin:/usr/bin").split(separator: ":")
    return directories.map { "\($0)/\(program)" }.first(where: FileManager.default.isExecutableFile)
  }

  /// Runs a program and returns its exit code and stdout; `nil` when it is not installed.
  private func run(_ program: String, _ arguments: String...) throws -> (code: Int32, output: String)? {
    guard let path = Self.executable(program) else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }

  /// Each shell with the option that checks a script's syntax.
  static let shells: [(Shell, String)] = [(.bash, "-n"), (.zsh, "-n"), (.fish, "--no-execute")]
  static let missing = shells.map(\.0.rawValue).filter { executable($0) == nil }

  @Test("no shell is missing", .enabled(if: missing.isEmpty, "not installed: \(missing.joined(separator: ", "))"))
  func everyShell() { #expect(Self.missing.isEmpty) }

  @Test(arguments: shells.filter { !missing.contains($0.0.rawValue) || $0.0 == .bash })
  func aScriptHasNoSyntaxErrors(shell: Shell, option: String) throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("script", Completions.script(shell))
      guard let result = try run(shell.rawValue, option, path) else {
        Issue.record("\(shell.rawValue) is needed for this test")
        return
      }
      #expect(result.code == 0)
    }
  }

  @Test(arguments: Shell.allCases)
  func aScriptHasEveryCommandOptionAndChoice(shell: Shell) {
    let script = Completions.script(shell)
    for command in CommandTable.all {
      #expect(script.contains(command.name.rawValue))
      for option in command.options {
        #expect(script.contains(option.hasLongForm ? option.name.rawValue : String(option.short ?? " ")))
        #expect(option.choices.isEmpty || script.contains(option.choices.joined(separator: " ")))
      }
    }
  }

  @Test(arguments: [
    ("orderstream|pro", "produce"), ("orderstream|-q|lag", "lag-demo"), ("orderstream|-b|x|anal", "analytics"),
    ("orderstream|produce|--dry", "--dry-run"), ("orderstream|tail|--from|l", "latest"),
    ("orderstream|analytics|--on-error|", "skip fail"), ("orderstream|status|--color|=|al", "always"),
    ("orderstream|status|--color|=", "auto always never"), ("orderstream|completions|z", "zsh"),
    ("orderstream|help|aud", "audit"), ("orderstream|report|--out", "--output"), ("orderstream|produce|--events|", ""),
  ])
  func bashCompletes(line: String, expected: String) throws {
    try TemporaryDirectory.with { directory in
      let words = line.split(separator: "|", omittingEmptySubsequences: false).map { "'\($0)'" }
      let path = try directory.file(
        "script",
        """
        \(Completions.script(.bash))
        COMP_WORDS=(\(words.joined(separator: " ")))
        COMP_CWORD=\(words.count - 1)
        _orderstream
        echo "${COMPREPLY[*]}"
        """)
      let result = try #require(try run("bash", "--norc", path))
      #expect(result.output == expected + "\n")
    }
  }

  // MARK: - Names of an embedded log

  /// A log of two topics and one group.
  private func stageWithLog() throws -> Stage {
    let stage = try Stage()
    for topic in ["orders-a", "orders-b"] { try stage.run("produce", "-q", "-n", "1", "-t", topic) }
    try stage.run("analytics", "-q", "-t", "orders-a", "-o", "-", "-g", "counters")
    return stage
  }

  @Test func namesOfTopicsAndGroupsAreThoseOfTheLogThatTheLineNames() throws {
    let stage = try stageWithLog()
    func names(_ words: String...) throws -> [String] { try stage.start(["__complete"] + words).end().lines }
    #expect(try names("topics", "orderstream tail -t ") == ["orders-a", "orders-b"])
    #expect(try names("groups", "orderstream", "analytics", "-g") == ["counters"])
    #expect(try names("topics", "orderstream", "-b", "embedded:\(stage.log)", "tail") == ["orders-a", "orders-b"])
    #expect(try names("topics", "orderstream", "tail", "--brokers=embedded:elsewhere").isEmpty)
    // A cluster is not asked, and what is wrong is not said.
    #expect(try names("topics", "orderstream -b 127.0.0.1:1 tail").isEmpty)
    #expect(try names("topics", "orderstream -b a:b:c tail").isEmpty)
    #expect(try stage.files.isEmpty)
  }

  @Test(arguments: [
    ("tail -t orders-", "orders-a orders-b"), ("analytics -g ", "counters"), ("tail orders-b", "orders-b"),
  ])
  func bashCompletesNames(line: String, expected: String) throws {
    let stage = try stageWithLog()
    let words = line.split(separator: " ", omittingEmptySubsequences: false).map { "'\($0)'" }
    try stage.write(
      "script",
      """
      export XDG_DATA_HOME='\(stage.log)/..'
      \(Completions.script(.bash))
      COMP_WORDS=('\(Spawn.binary)' \(words.joined(separator: " ")))
      COMP_LINE='orderstream \(line)'
      COMP_CWORD=\(words.count)
      _orderstream
      echo "${COMPREPLY[*]}"
      """)
    #expect(try run("bash", "--norc", "\(stage.work)/script")?.output == expected + "\n")
  }

  @Test(
    .enabled(if: executable("fish") != nil, "fish is not installed"),
    arguments: [
      ("orderstream pro", "produce"), ("orderstream -q lag", "lag-demo"), ("orderstream -b x anal", "analytics"),
      ("orderstream --timeout 5s --js", "--json"), ("orderstream -q help aud", "audit"),
      ("orderstream -b embedded tail --from l", "latest"),
    ])
  func fishCompletesBehindAnOption(line: String, expected: String) throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("script", Completions.script(.fish))
      let result = try #require(try run("fish", "--no-config", "-c", "source \(path); complete -C '\(line)'"))
      #expect(result.output.split(separator: "\n").map { $0.prefix { $0 != "\t" } } == [expected[...]])
    }
  }

  @Test func zshTakesOptionsBeforeTheCommand() throws {
    let script = Completions.script(.zsh)
    let start = try #require(script.firstRange(of: "_arguments -C"))
    let end = try #require(script.firstRange(of: "'1:command:->command'"))
    let part = script[start.upperBound..<end.lowerBound]
    for option in OptionSpec.connection + OptionSpec.presentation {
      for spelling in Completions.spellings(option) { #expect(part.contains(spelling), "\(spelling)") }
    }
  }
}
