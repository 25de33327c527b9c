import OrderStreamTestSupport
import Testing

@testable import orderstream

/// What newcomers write, what they are told in one line, and what they write then. The advice is followed to the letter:
/// each of its words that is to be written stands in the second line, and that line works.
@Suite("Mistakes of newcomers")
struct MistakeTests {
  struct Mistake: Sendable, CustomTestStringConvertible {
    let line: String
    /// Stands in the error, and, where it is to be written, in the second line too.
    let advice: String
    let instead: String
    /// What of the advice the second line has; the advice itself unless the reader fills in a value or follows a sentence.
    let written: String?
    var code = ExitCode.usage

    init(_ line: String, _ advice: String, _ instead: String, writes written: String? = nil, code: ExitCode = .usage) {
      self.line = line
      self.advice = advice
      self.instead = instead
      self.written = written
      self.code = code
    }

    var testDescription: String { line }
  }

  static let onTheCommandLine: [Mistake] = [
    // Commands.
    Mistake("prodce", "produce", "produce"),
    Mistake("consume", "tail", "tail"),
    Mistake("topics", "status", "status"),
    Mistake("verify", "audit", "audit"),
    Mistake("cp b", "backup", "backup b"),
    Mistake("rm -t x", "delete", "delete -t x"),
    Mistake("version", "--version", "--version"),
    Mistake("man", "help --man", "help --man"),
    Mistake("help prodce", "produce", "help produce"),
    Mistake("completions", "bash", "completions bash"),
    Mistake("completions tcsh", "zsh", "completions zsh"),
    Mistake("--json", "orderstream produce", "produce --json", writes: "produce"),
    // Words that stand alone.
    Mistake("produce 100", "--events 100", "produce --events 100"),
    Mistake("produce orders", "--topic orders", "produce --topic orders"),
    Mistake("inventory 5", "--max-events 5", "inventory --max-events 5"),
    Mistake("status analytics", "--group analytics", "status --group analytics"),
    Mistake("delete orders", "--topic orders", "delete --topic orders"),
    Mistake("tail a b", "one topic", "tail a", writes: "a"),
    Mistake("tail a -t a", "name the topic once", "tail a", writes: "a"),
    // Options of other tools, and of other commands.
    Mistake("--bootstrap-server h:9092 status", "--brokers", "--brokers h:9092 status"),
    Mistake("produce --count 3", "--events", "produce --events 3"),
    Mistake("produce --num-records 3", "--events", "produce --events 3"),
    Mistake("produce --throughput 5", "--rate", "produce --rate 5"),
    Mistake("produce --max-events 3", "--events", "produce --events 3"),
    Mistake("inventory --events 5", "--max-events", "inventory --max-events 5"),
    Mistake("tail --offset 5", "--from", "tail --from 5"),
    Mistake("tail --from-beginning", "--from earliest", "tail --from earliest"),
    Mistake("tail -o 5", "--from", "tail --from 5"),
    Mistake("tail -p 2", "--partition", "tail --partition 2"),
    Mistake("tail -c 5", "--max-events", "tail --max-events 5"),
    Mistake("analytics --from-beginning", "--reset-offsets", "analytics --reset-offsets"),
    Mistake("analytics --consumer-group g", "--group", "analytics --group g"),
    Mistake("status --format json", "--json", "status --json"),
    Mistake("status --no-color", "--color never", "status --color never"),
    Mistake("delete -t x --force", "--execute", "delete -t x --execute"),
    Mistake("produce --replicas 3", "--replication-factor", "produce --replication-factor 3"),
    Mistake("status --command-config f", "--config", "status --config f"),
    Mistake("produce -g x", "help produce", "help produce"),
    Mistake("lag-demo --topic x", "help lag-demo", "help lag-demo"),
    Mistake("produce --xyzzy", "help produce", "help produce"),
    Mistake("produce -Z", "-t", "produce -t x"),
    // Spelling.
    Mistake("produce --evnts 3", "--events", "produce --events 3"),
    Mistake("produce --dryrun", "--dry-run", "produce --dry-run"),
    Mistake("analytics --reset", "--reset-offsets", "analytics --reset-offsets"),
    Mistake("audit --output-topics x", "--output-topic", "audit --output-topic x"),
    Mistake("status --colour never", "--color", "status --color never"),
    // Brokers.
    Mistake("status -b localhost", "localhost:9092", "status -b localhost:9092"),
    Mistake("status -b /tmp/x", "embedded:/tmp/x", "status -b embedded:/tmp/x"),
    Mistake("status -b ./x", "embedded:./x", "status -b embedded:./x"),
    Mistake("status -b file:///tmp/x", "embedded:/tmp/x", "status -b embedded:/tmp/x"),
    Mistake("status -b embeded:/x", "embedded:/x", "status -b embedded:/x"),
    Mistake("status -b embeded", "embedded", "status -b embedded"),
    Mistake("status -b embedded:", "embedded", "status -b embedded"),
    Mistake("status -b kafka://h:9092", "h:9092", "status -b h:9092"),
    Mistake(
      "status -b SASL_SSL://h:9093", "h:9093 and add -X security.protocol=sasl_ssl",
      "status -b h:9093 -X security.protocol=sasl_ssl", writes: "-X security.protocol=sasl_ssl"),
    Mistake("status -b ::1:9092", "[::1]:9092", "status -b [::1]:9092"),
    Mistake("status -b h:kafka", "h:9092", "status -b h:9092"),
    Mistake("status -b a:1,,b:2", "host:port[,host:port...]", "status -b a:1,b:2", writes: "a:1"),
    // Values.
    Mistake("produce --events 1e3", "whole number", "produce --events 1000", writes: "1000"),
    Mistake("produce --events 10,000", "whole number", "produce --events 10000", writes: "10000"),
    Mistake("produce --rate 0", "max", "produce --rate max"),
    Mistake("produce --rate fast", "500/s", "produce --rate 500/s"),
    Mistake("produce --failure-rate 5%", "0.05", "produce --failure-rate 0.05"),
    Mistake("produce --span 10", "10s", "produce --span 10s"),
    Mistake("produce --start-time yesterday", "2024-01-15T10:30:00Z", "produce --start-time 2024-01-15T10:30:00Z"),
    Mistake("produce -t bad/name", "letters, digits", "produce -t bad-name", writes: "bad-name"),
    Mistake("produce --json=true", "--json", "produce --json"),
    Mistake("produce --topic-config x", "--topic-config key=value", "produce --topic-config key=value"),
    Mistake("tail --from newest", "latest", "tail --from latest"),
    Mistake("tail -t", "-t", "tail -t x"),
    Mistake("tail -t --raw", "-t", "tail -t x --raw"),
    Mistake("status --color alwys", "always", "status --color always"),
    Mistake("status --timeout 0", "10s", "status --timeout 10s"),
    Mistake("status -X client.id", "-X property=value", "status -X client.id=me", writes: "-X client.id=me"),
    Mistake("status -X bootstrap.servers=a:1", "--brokers", "status --brokers a:1", code: .configuration),
    Mistake("analytics --output=", "name a file", "analytics --output=metrics.txt", writes: "metrics.txt"),
    Mistake("analytics --on-error dlq", "skip", "analytics --on-error skip"),
    // Options that do not go together.
    Mistake("status --json --json", "give it once", "status --json", writes: "--json"),
    Mistake("tail --raw --json", "leave one of the two out", "tail --raw", writes: "--raw"),
    Mistake("tail -f --to latest", "leave one of the two out", "tail -f", writes: "-f"),
    Mistake("produce --input in --seed 1", "leave one of the two out", "produce --input in", writes: "--input in"),
    Mistake("produce --unacknowledged rest", "--input", "produce --unacknowledged rest --input in"),
    Mistake("produce --dry-run --receipt r", "leave one of the two out", "produce --receipt r", writes: "r"),
    Mistake(
      "produce --input in --unacknowledged r --receipt ./r", "name two files", "produce --input in --receipt r",
      writes: "--input in"),
    Mistake("produce --duration 5s --span 1h", "--events", "produce --duration 5s --span 1h --events 9"),
    Mistake("produce --duration 5s --dry-run", "--events", "produce --events 9 --dry-run"),
    Mistake("inventory --output-topic order-events", "two topics", "inventory --output-topic x", writes: "x"),
    Mistake(
      "inventory -t a --output-topic a.dlq", "--on-error skip", "inventory -t a --output-topic a.dlq --on-error skip"),
    Mistake("audit --group g --no-group", "leave one of the two out", "audit --no-group", writes: "--no-group"),
    Mistake("delete", "--topic", "delete --topic x"),
    Mistake("delete -g g --before -7d", "--topic", "delete -g g --before -7d --topic x"),
  ]

  @Test("sixty mistakes at the least")
  func sixty() { #expect(Self.onTheCommandLine.count + Self.atWork.count >= 60) }

  private static func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

  @Test("one line says what to write, and that works", arguments: onTheCommandLine)
  func mistake(_ mistake: Mistake) throws {
    let environment: Environment = { _ in nil }
    let error = try #require(throws: CommandError.self) {
      try Invocation.parse(Self.words(mistake.line), environment: environment)
    }
    #expect(error.code == mistake.code && !error.description.contains("\n"), "\(error)")
    #expect(error.remedy.contains(mistake.advice), "\(error)")
    #expect(mistake.instead.contains(mistake.written ?? mistake.advice), "the second line is not what was advised")
    let second = Result { try Invocation.parse(Self.words(mistake.instead), environment: environment) }
    guard case .failure(let problem) = second else { return }
    // The file of -F is not there.
    #expect(CommandError(problem).code == .input && mistake.instead.contains("--config"), "\(problem)")
  }

  @Test("a blank after a comma of a list of brokers is told of, whatever follows")
  func cutLists() throws {
    for error in [try refused("status", "-b", "a:1,", "b:2"), try refused("-b", "a:1,", "b:2", "status")] {
      #expect(error.remedy.contains("'a:1, b:2'"), "\(error)")
    }
    #expect(throws: Never.self) { try parsed("status", "-b", "a:1, b:2") }
  }

  // MARK: - What only a run can find

  /// On a log with twenty orders.
  static let atWork: [Mistake] = [
    Mistake(
      "analytics -t nosuch -o -", "produce to it first", "produce -n 1 -t nosuch", writes: "produce", code: .input),
    Mistake("audit -t order-events", "run orderstream inventory first", "inventory", writes: "inventory", code: .input),
    Mistake("tail absent", "produce to it first", "produce -n 1 -t absent", writes: "produce", code: .input),
    Mistake("tail --partition 9", "0 to 5", "tail --partition 5", writes: "5", code: .input),
    Mistake(
      "produce -n 1 --partitions 3", "--partitions 6", "produce -n 1 --partitions 6", writes: "--partitions 6",
      code: .configuration),
    Mistake("delete -t missing", "orderstream status", "status", code: .input),
    Mistake(
      "delete -t order-events --before 99999999", "--before latest", "delete -t order-events --before latest",
      code: .input),
    Mistake("status -X acks=1", "acks=all", "status -X acks=all", code: .configuration),
    Mistake(
      "status -X auto.offset.reset=latest", "auto.offset.reset=earliest", "status -X auto.offset.reset=earliest",
      code: .configuration),
    Mistake("status -X cliend.id=me", "client.id", "status -X client.id=me", code: .configuration),
    Mistake("status -X nothing.like.it=1", "orderstream -X list", "-X list", code: .configuration),
    Mistake(
      "status -F wrong.properties", "security.protocol", "status -F right.properties", writes: "-F",
      code: .configuration),
    Mistake(
      "produce -n 1 --replication-factor 3 -t r", "--replication-factor 1", "produce -n 1 --replication-factor 1 -t r",
      code: .configuration),
  ]

  @Test("one line says what to do about what a run finds, and that works")
  func work() throws {
    let stage = try Stage()
    try stage.write("wrong.properties", "client.id=me\nsecurty.protocol=plaintext\n")
    try stage.write("right.properties", "client.id=me\nsecurity.protocol=plaintext\n")
    try stage.run("produce", "-n", "20")
    for mistake in Self.atWork {
      let outcome = try stage.start(Self.words(mistake.line)).end()
      #expect(outcome.code == mistake.code.rawValue && outcome.errorLines.count == 1, "\(outcome)")
      #expect(outcome.errorLines[0].contains(mistake.advice), "\(outcome)")
      #expect(mistake.instead.contains(mistake.written ?? Self.words(mistake.advice).last ?? ""))
      let second = try stage.start(Self.words(mistake.instead)).end()
      #expect(second.code == 0, "\(mistake.advice)\n\(second)")
    }
  }
}
