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
          let needed = command.name == .delete ? ["--group", "g"] : []
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
