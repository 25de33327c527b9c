import OrderStreamTestSupport
import Testing

/// Exit 64, and what a user is told.
@Suite("Usage errors")
struct UsageTests {
  @Test(arguments: [
    ("prodce", "'produce'"), ("analytic", "'analytics'"), ("lagdemo", "'lag-demo'"), ("produce --evnts 3", "--events"),
    ("analytics --reset-offset", "--reset-offsets"), ("tail --form earliest", "--from"),
    ("inventory --outputtopic x", "--output-topic"), ("help prodce", "produce"), ("completions bsh", "bash"),
  ])
  func aTypoNamesTheNearest(line: String, nearest: String) throws {
    let outcome = try refused(line)
    #expect(outcome.errors.contains(nearest), "\(outcome)")
  }

  @Test(arguments: [
    "produce --seed 1 --seed 2", "produce --json --json", "analytics -g a --group b", "status -q --quiet",
    "produce --events", "produce --events=x", "produce --events -1", "produce --events 1.5", "produce --rate 0",
    "produce --rate fast", "produce --failure-rate 1.1", "produce --span 10", "produce --start-time yesterday",
    "produce --start-time 2024-02-30T00:00:00Z", "produce --users 0", "produce --partitions 0",
    "produce --input in --seed 1", "produce --input in --events 5", "produce extra", "produce -t bad/name",
    "produce --topic=", "produce --color sometimes", "produce --progress loud", "analytics --max-events x",
    "analytics --idle-timeout 5", "analytics --on-error dlq", "analytics --output=", "inventory --on-error explode",
    "inventory --output-topic order-events", "inventory -t a --output-topic a.dlq", "inventory --execute",
    "audit --output-topic order-events", "tail --from nowhere", "tail -g x", "lag-demo --topic x", "lag-demo -g x",
    "lag-demo --consumers 0", "lag-demo --sample-interval 0", "replay --events x", "status --nope", "help a b",
    "completions", "completions tcsh", "produce --brokers embedded:", "produce -b :9092", "produce -b host:port",
    "--events 5", "produce --quiet=yes", "-X", "nonsense",
  ])
  func aWrongLineIsOneErrorAndAtMostAHint(line: String) throws { _ = try refused(line) }

  @Test func noCommandAtAllIsAUsageError() throws {
    let outcome = try Stage().start([]).end()
    #expect(outcome.code == 64, "\(outcome)")
    #expect(outcome.output.isEmpty && !outcome.errors.isEmpty)
  }

  @Test func aBadVariableIsNamedLikeAFlag() throws {
    let stage = try Stage()
    for (name, value) in [
      ("ORDERSTREAM_TOPIC", "a/b"), ("ORDERSTREAM_GROUP", ""), ("ORDERSTREAM_COLOR", "blue"),
      ("ORDERSTREAM_PROGRESS", "x"), ("ORDERSTREAM_LOG_LEVEL", "loud"), ("ORDERSTREAM_BROKERS", "a:b:c"),
    ] where !value.isEmpty {
      let outcome = try stage.run("analytics", exits: 64, environment: [name: value])
      #expect(outcome.errors.contains(name), "\(outcome)")
    }
    #expect(!stage.hasLog)
  }

  @Test func variablesStandBehindFlagsAndBeforeTheFile() throws {
    let stage = try Stage()
    try stage.write("config", "topic=from-file\n")
    func topic(_ arguments: [String], _ environment: [String: String]) throws -> String? {
      let line = ["produce", "--events", "1", "--json"] + arguments
      return try stage.start(line, environment: environment).end().document["topic"].string
    }
    #expect(try topic(["-F", "config"], [:]) == "from-file")
    #expect(try topic([], ["ORDERSTREAM_CONFIG": "config"]) == "from-file")
    #expect(try topic(["-F", "config"], ["ORDERSTREAM_TOPIC": "from-variable"]) == "from-variable")
    #expect(try topic(["-t", "from-flag", "-F", "config"], ["ORDERSTREAM_TOPIC": "from-variable"]) == "from-flag")
    #expect(try topic([], ["ORDERSTREAM_BROKERS": "embedded:elsewhere"]) == "order-events")
    #expect(try stage.files == ["config", "elsewhere"])
  }

  @Test func aValueMayBeGivenEitherWayAndADoubleDashEndsOptions() throws {
    let stage = try Stage()
    let one = try stage.run("produce", "--dry-run", "--seed=4", "--events=3", "--start-time=2024-01-15T10:30:00")
    let other = try stage.run(
      "produce", "--dry-run", "--seed", "4", "--events", "3", "--start-time", "2024-01-15T10:30:00", "--")
    #expect(one.output == other.output && one.lines.count == 3)
    try stage.run("produce", "--", "--events", exits: 64)
  }

  private func refused(_ line: String, location: SourceLocation = #_sourceLocation) throws -> Outcome {
    let stage = try Stage()
    let outcome = try stage.start(line.split(separator: " ").map(String.init)).end()
    #expect(outcome.code == 64, "\(outcome)", sourceLocation: location)
    #expect(outcome.output.isEmpty, "\(outcome)", sourceLocation: location)
    let lines = outcome.errors.split(separator: "\n")
    #expect(outcome.errorLines.count == 1 && (1...2).contains(lines.count), "\(outcome)", sourceLocation: location)
    #expect(!stage.hasLog, "nothing is opened", sourceLocation: location)
    return outcome
  }
}
