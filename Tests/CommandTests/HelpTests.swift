import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import orderstream

@Suite("The table, the help pages and the completions")
struct HelpTests {
  @Test func everyCommandHasItsRow() {
    #expect(CommandTable.all.map(\.name) == CommandName.allCases)
    #expect(Set(CommandTable.anyOption.keys) == Set(OptionName.allCases))
  }

  @Test func anOptionHasOneSpellingAndOneArityInAllCommands() {
    for command in CommandTable.all {
      #expect(Set(command.options.map(\.name)).count == command.options.count)
      let letters = command.options.compactMap(\.short)
      #expect(Set(letters).count == letters.count)
      for option in command.options {
        let first = CommandTable.anyOption[option.name]
        // In tail, -n is the last n records, and --max-events has no letter.
        let isOther = command.name == .tail && option.name == .maxEvents
        #expect(
          first?.isFlag == option.isFlag && (first?.short == option.short || isOther), "\(option.spelling)")
        #expect(first?.hasLongForm == option.hasLongForm)
      }
    }
  }

  @Test func aLetterThatHasSeveralMeaningsTakesAValueInAllOfThem() {
    let options = CommandTable.all.flatMap(\.options)
    for letter in Set(options.compactMap(\.short)) {
      #expect(Set(options.filter { $0.short == letter }.map(\.isFlag)).count == 1, "-\(letter)")
    }
  }

  @Test func everyDefaultAndEveryChoiceOfTheTableIsAccepted() throws {
    for command in CommandTable.all {
      for option in command.options {
        for value in option.choices + [option.defaultValue].compactMap({ $0 }) {
          let needed: [String] =
            switch command.name {
            case .delete: ["--group", "g"]
            case .backup: ["directory"]
            case .report: ["document.json"]
            case .lagDemo where LagScenario(rawValue: value)?.whyOnlyOnCluster != nil: ["--brokers", "h:1"]
            default: []
            }
          _ = try Invocation.parse(
            [command.name.rawValue, option.spelling, value] + needed, environment: { _ in nil })
        }
      }
    }
  }

  @Test func everyExampleCanBeRun() throws {
    for example in CommandTable.all.flatMap(\.examples) {
      let words = example.command.split(separator: " ").map(String.init)
      guard words.first == "orderstream" else { continue }
      let end = words.firstIndex { ["|", ">", "&&"].contains($0) } ?? words.endIndex
      _ = try Invocation.parse(Array(words[1..<end]), environment: { _ in nil })
    }
  }

  @Test(arguments: CommandName.allCases)
  func aPageNamesEveryOptionWithItsDefaultAndVariable(name: CommandName) {
    let spec = CommandTable.spec(name)
    let page = Help.page(name)
    #expect(page.hasPrefix("orderstream \(name.rawValue): ") && page.hasSuffix("\n"))
    for option in spec.options {
      #expect(page.contains(option.spelling))
      if let value = option.defaultValue { #expect(page.contains("[default: \(value)]")) }
      if let variable = option.environment { #expect(page.contains("[env: \(variable)]")) }
    }
    #expect(!spec.examples.isEmpty)
  }

  @Test func pagesFitIntoEightyColumns() {
    for page in [Help.page(nil)] + CommandName.allCases.map(Help.page) {
      for line in page.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }
  }

  @Test func theMainPageHasCommandsVariablesAndExitCodes() {
    let page = Help.page(nil)
    #expect(page.hasPrefix("orderstream 0.1.0\n"))
    for command in CommandName.allCases { #expect(page.contains("\n  \(command.rawValue) ")) }
    for code in ExitCode.allCases { #expect(page.contains("\n  \(code.rawValue) ")) }
    for variable in ["BROKERS", "TOPIC", "GROUP", "CONFIG", "COLOR", "PROGRESS", "LOG_LEVEL"] {
      #expect(page.contains("ORDERSTREAM_\(variable)"))
    }
  }

  @Test func theShortHelpFitsOnAScreenAndNamesEveryCommand() {
    let lines = Help.summary.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count <= 24 && lines.allSatisfy { $0.count <= 80 })
    for command in CommandName.allCases { #expect(Help.summary.contains("\n  \(command.rawValue) ")) }
  }

  @Test func manualPagesHaveEveryOptionAndNoRequestInTheirText() {
    for name in [nil] + CommandName.allCases.map(Optional.some) {
      let page = ManualPage.text(name)
      #expect(page.hasPrefix(".TH ORDERSTREAM") && page.hasSuffix("\n"))
      for option in name.map({ CommandTable.spec($0).options }) ?? OptionSpec.presentation {
        for spelling in Completions.spellings(option) {
          #expect(page.contains("\\fB\(spelling.replacing("-", with: "\\-"))\\fR"), "\(spelling)")
        }
      }
      let requests: Set = [".TH", ".SH", ".TP", ".B", ".I", ".BR"]
      for line in page.split(separator: "\n") where line.hasPrefix(".") || line.hasPrefix("'") {
        #expect(requests.contains(String(line.prefix { $0 != " " })), "\(line)")
      }
    }
  }

  @Test func xListHasEveryPropertyWithItsDefaultAndWhatMayNotBeChanged() throws {
    #expect(try parsed("-X", "list") == .properties)
    #expect(try parsed("produce", "-X", "list") == .properties)
    let text = PropertyListing.all(columns: 80)
    for part in [
      "\n  security.protocol\n", "[default: plaintext]", "\n  queue.buffering.max.ms, linger.ms\n", "(all)",
      "\n  sasl.mechanisms, sasl.mechanism\n",
    ] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(text.split(separator: "\n").count > 200)
  }

  @Test func xDumpSaysWhereEachValueIsFromAndHidesSecrets() throws {
    try TemporaryDirectory.with { directory in
      let path = try directory.file("p", "brokers=k:1\nsasl.password=hunter2\nsasl.username=al\nacks=all\n")
      guard
        case .settings(let settings) = try parsed(
          "analytics", "-F", path, "-X", "dump", "-X", "linger.ms=7", environment: ["ORDERSTREAM_GROUP": "g"])
      else { throw Unexpected() }
      let text = try PropertyListing.inForce(settings)
      for line in [
        "  brokers = k:1  (\(path):1 (brokers))", "  group = g  (ORDERSTREAM_GROUP)",
        "  topic = order-events  (default)",
        "  sasl.password = ***  (\(path):2 (sasl.password))", "  sasl.username = al  (\(path):3 (sasl.username))",
        "  queue.buffering.max.ms = 7  (option -X)", "  enable.idempotence = true  (orderstream)",
        "  security.protocol = plaintext  (default)",
      ] {
        #expect(text.contains("\n\(line)"), "\(line)")
      }
      #expect(!text.contains("hunter2"))
    }
  }

  @Test func detailsOfTheVersionNameWhatTheBuildIsMadeOf() {
    #expect(Version.details.hasPrefix("orderstream 0.1.0\n"))
    for part in ["commit", "librdkafka", "SQLite", "simdjson", "Swift"] {
      #expect(Version.details.contains("\n  \(part) "), "\(part)")
    }
  }

  @Test func suggestionsAreNearOrNone() {
    #expect(Suggestion.distance("abc", "abc") == 0)
    #expect(Suggestion.distance("abc", "acb") == 1)
    #expect(Suggestion.distance("", "abc") == 3)
    #expect(Suggestion.distance("kitten", "sitting") == 3)
    #expect(Suggestion.nearest(to: "x", among: ["produce"]) == nil)
    #expect(Suggestion.nearest(to: "comp", among: ["produce", "completions"]) == "completions")
    #expect(Suggestion.nearest(to: "Tail", among: ["tail"]) == "tail")
  }
}
