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
    ("orderstream|help|aud", "audit"), ("orderstream|produce|--events|", ""),
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
}
