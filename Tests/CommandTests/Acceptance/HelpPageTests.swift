import OrderStreamTestSupport
import Testing

@Suite("Help, version and completions as a user gets them")
struct HelpPageTests {
  private static let common = [
    "--brokers", "-b", "-X", "--config", "-F", "--wait", "--json", "--quiet", "-q", "--verbose", "-v", "--color",
    "--progress",
  ]

  /// The options of each command, as the contract lists them.
  private static let options: [String: [String]] = [
    "produce": [
      "--topic", "-t", "--partitions", "--replication-factor", "--events", "--rate", "--seed", "--failure-rate",
      "--users", "--start-time", "--span", "--first-order", "--input", "--dry-run",
    ],
    "inventory": [
      "--topic", "--group", "-g", "--output-topic", "--on-error", "--follow", "--idle-timeout", "--max-events",
      "--instance", "--partitions", "--replication-factor",
    ],
    "analytics": [
      "--topic", "--group", "--reset-offsets", "--output", "--on-error", "--follow", "--idle-timeout", "--max-events",
      "--instance", "--partitions", "--replication-factor",
    ],
    "replay": ["--topic", "--group", "--events", "--execute", "--partitions", "--replication-factor"],
    "lag-demo": [
      "--events", "--rate", "--consumer-delay", "--consumers", "--sample-interval", "--drain-timeout", "--keep",
      "--partitions", "--replication-factor", "--scenario", "--seed", "--duration",
    ],
    "status": ["--group"],
    "tail": ["--topic", "--from", "--follow", "--max-events", "--raw"],
    "audit": ["--topic", "--output-topic", "--group", "--no-group", "--accept-loss", "--dlq", "--receipt"],
    "delete": ["--topic", "--group", "--before", "--execute"],
    "backup": [],
  ]

  private static let defaults: [String: [String]] = [
    "produce": ["10000", "max", "0.05", "1000", "order-events"],
    "inventory": ["inventory-events", "dlq", "inventory", "order-events"],
    "analytics": ["metrics_output.txt", "analytics", "order-events"], "lag-demo": ["1000", "500/s", "10ms", "100ms"],
    "tail": ["earliest", "order-events"], "audit": ["inventory-events", "order-events"],
  ]

  @Test(arguments: options.keys.sorted())
  func aPageListsEveryOptionAndDefaultOfTheContract(command: String) throws {
    let stage = try Stage()
    let page = try stage.run("help", command)
    #expect(page.errors.isEmpty && !stage.hasLog)
    let words = Set(page.text.split { " \n,[]=".contains($0) }.map(String.init))
    for option in try #require(Self.options[command]) + Self.common {
      #expect(words.contains(option), "\(option) is missing in the page of \(command)")
    }
    for value in Self.defaults[command] ?? [] { #expect(page.text.contains("[default: \(value)]"), "\(value)") }
    #expect(try stage.run(command, "--help").output == page.output)
    #expect(try stage.run(command, "-h").output == page.output)
    #expect(try stage.run("--help", command).output == page.output)
  }

  @Test(arguments: options.keys.sorted())
  func everyOptionOfTheContractIsTakenByItsCommand(command: String) throws {
    // An option without its value, or a flag given twice, is refused for that and not as unknown.
    let stage = try Stage()
    for option in try #require(Self.options[command]) + Self.common {
      let outcome = try stage.run(command, option, option, exits: 64)
      #expect(outcome.errors.contains("its value is missing") || outcome.errors.contains("given twice"), "\(outcome)")
    }
  }

  @Test func theMainPageNamesEveryCommandVariableAndExitCode() throws {
    let stage = try Stage()
    let page = try stage.run("--help")
    #expect(try stage.run("help").output == page.output && page.errors.isEmpty)
    for command in Self.options.keys { #expect(page.text.contains("\n  \(command) "), "\(command)") }
    for name in ["BROKERS", "TOPIC", "GROUP", "CONFIG", "COLOR", "PROGRESS", "LOG_LEVEL"] {
      #expect(page.text.contains("ORDERSTREAM_" + name))
    }
    for code in [0, 1, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78, 129, 130, 141, 143] {
      #expect(page.text.contains("\n  \(code) "), "\(code)")
    }
    #expect(!stage.hasLog)
  }

  @Test func theVersionIsOneLine() throws {
    let stage = try Stage()
    let outcome = try stage.run("--version")
    #expect(outcome.lines.count == 1 && outcome.text.hasPrefix("orderstream ") && outcome.errors.isEmpty)
    #expect(try stage.run("produce", "--version").output == outcome.output)
    #expect(!stage.hasLog)
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsAreAScript(shell: String) throws {
    let outcome = try Stage().start(["completions", shell]).end()
    #expect(outcome.code == 0 && outcome.errors.isEmpty && outcome.lines.count > 10)
    for command in Self.options.keys { #expect(outcome.text.contains(command)) }
    #expect(outcome.text.contains("consumer-delay"))
  }
}
