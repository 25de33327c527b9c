import Testing

@testable import orderstream

@Suite("Command lines")
struct SyntaxTests {
  @Test func aValueMayFollowInTheNextWordOrBehindAnEqualsSign() throws {
    let expected = try parsed("status", "--brokers", "a:1")
    #expect(try parsed("status", "--brokers=a:1") == expected)
    #expect(try parsed("status", "-b", "a:1") == expected)
    #expect(try parsed("status", "-ba:1") == expected)
    #expect(try parsed("status", "-b=a:1") == expected)
  }

  @Test func flagsMayBeBundledWithAValueAtTheEnd() throws {
    let expected = try parsed("status", "-q", "-v", "-b", "a:1")
    #expect(try parsed("status", "-qvb", "a:1") == expected)
    #expect(try parsed("status", "-qvba:1") == expected)
  }

  @Test func optionsMayStandBeforeTheCommand() throws {
    #expect(try parsed("-b", "a:1", "--json", "status") == parsed("status", "--json", "-b", "a:1"))
  }

  @Test func twoDashesEndTheOptions() throws {
    #expect(try parsed("status", "--") == parsed("status"))
    #expect(try refused("status", "--", "--json").what == "argument '--json'")
  }

  @Test func aValueMayBeginWithADashUnlessItIsAnOption() throws {
    #expect(try parsed("tail", "--from", "-10") == parsed("tail", "--from=-10"))
    let error = try refused("tail", "--topic", "--raw")
    #expect(error.code == .usage)
    #expect(error.why == "its value is missing before --raw")
    guard case .tail(let options) = try parsed("tail", "--topic=--raw") else { throw Unexpected() }
    #expect(options.topic == "--raw")
    #expect(try refused("tail", "--topic").why == "its value is missing")
    #expect(try refused("tail", "-t").description.hasPrefix("error: option -t: its value is missing; write -t <name>"))
  }

  @Test func anOptionGivenTwiceIsAUsageErrorUnlessItIsRepeatable() throws {
    #expect(try refused("status", "--json", "--json").why == "it is given twice")
    #expect(try refused("status", "-q", "--quiet").why == "it is given twice")
    #expect(try refused("status", "-vv").why == "it is given twice")
    #expect(try refused("status", "-b", "a:1", "--brokers", "a:1").why == "it is given twice")
    #expect(throws: Never.self) { try parsed("status", "-X", "a=1", "-X", "b=2") }
  }

  @Test func aFlagTakesNoValue() throws {
    #expect(try refused("status", "--json=true").why == "it takes no value")
    #expect(try refused("status", "-q=1").why == "it takes no value")
  }

  @Test func unknownNamesSuggestTheNearest() throws {
    #expect(try refused("prodcue").remedy == "did you mean 'produce'?")
    #expect(try refused("lagdemo").remedy == "did you mean 'lag-demo'?")
    #expect(try refused("produce", "--evnts", "3").remedy == "did you mean --events?")
    #expect(try refused("audit", "--output-topics=x").remedy == "did you mean --output-topic?")
    #expect(try refused("produce", "--xyzzy").remedy == "'orderstream help produce' lists them")
    #expect(try refused("produce", "-Z").what == "option -Z")
    #expect(try refused("status", "--property", "a=b").code == .usage)
  }

  @Test func aMissingCommandIsAUsageError() throws {
    #expect(try parsed() == .summary)
    let error = try refused("--json")
    #expect(error.hint == "run 'orderstream --help' to see what it takes")
    #expect(try refused("--json").code == .usage)
    #expect(try refused("").code == .usage)
  }

  @Test func wordsThatNobodyTakesAreUsageErrors() throws {
    #expect(try refused("status", "analytics").code == .usage)
    #expect(try refused("help", "produce", "more").what == "argument 'more'")
    #expect(try refused("completions", "bash", "zsh").what == "argument 'zsh'")
  }

  @Test func anOptionOfAnotherCommandIsAUsageErrorThatNamesItsCommands() throws {
    let error = try refused("produce", "--group", "x")
    #expect(error.code == .usage)
    #expect(error.remedy.contains("inventory, analytics"))
    #expect(try refused("-t", "x", "lag-demo").code == .usage)
    #expect(try refused("help", "--json").code == .usage)
    #expect(try refused("completions", "bash", "-q").code == .usage)
  }

  @Test func aWordAfterAPropertyIsNeverRepeatedBecauseItMayBeASecret() throws {
    #expect(!(try refused("status", "-X", "sasl.password=", "hunter2").description.contains("hunter2")))
    #expect(!(try refused("-X", "sasl.password=", "hunter2", "status").description.contains("hunter2")))
    #expect(!(try refused("status", "-X", "sasl.passwordhunter2").description.contains("hunter2")))
  }

  @Test func errorsAreOneLineWithoutControlCharacters() throws {
    let error = try refused("status", "a\nb\u{1b}[31m\u{202e}")
    #expect(
      error.description == #"error: argument 'a\nb\x1b[31m\u{202e}': 'status' does not take it; "#
        + "'orderstream help status' lists what it takes")
  }

  @Test func helpAndVersionAreAnsweredBeforeTheRestIsRead() throws {
    #expect(try parsed("--help") == .help(nil))
    #expect(try parsed("-h") == .help(nil))
    #expect(try parsed("help") == .help(nil))
    #expect(try parsed("help", "lag-demo") == .help(.lagDemo))
    #expect(try parsed("produce", "--help", "--bogus") == .help(.produce))
    #expect(try parsed("produce", "-qh") == .help(.produce))
    #expect(try parsed("--help", "produce") == .help(.produce))
    #expect(try parsed("--version") == .version(detailed: false))
    #expect(try parsed("tail", "-V") == .version(detailed: false))
    for line in [["--version", "-v"], ["-v", "--version"], ["-Vv"], ["-vV"], ["-V", "tail", "--verbose"]] {
      #expect(try Invocation.parse(line, environment: { _ in nil }) == .version(detailed: true), "\(line)")
    }
    #expect(try refused("help", "prodcue").remedy == "did you mean 'produce'?")
  }

  @Test func completionsNameAShell() throws {
    for shell in Shell.allCases { #expect(try parsed("completions", shell.rawValue) == .completions(shell)) }
    #expect(try refused("completions").why == "the shell is missing")
    #expect(try refused("completions", "fsh").code == .usage)
  }
}

/// A command line became another command than the one it names.
struct Unexpected: Error {}
