import OrderStreamCore
import Synchronization

/// Where the result of a run goes besides stdout, and at which numbers the run has failed.
struct ResultOptions: Hashable, Sendable {
  /// `--fail-if`.
  var conditions: [FailCondition] = []
  /// Files that have the result in another form.
  var files: [File] = []
  /// Files of other options of the command.
  var otherFiles: [OtherFile] = []
  /// Of which these are options.
  var command = CommandName.status
  /// Members of the command's documents that name what it works on, as far as the options say.
  var names: [DocumentValue.Member] = []

  struct File: Hashable, Sendable {
    var kind: ResultFile
    var path: String
  }

  struct OtherFile: Hashable, Sendable {
    /// As messages call it.
    var option: String
    var path: String
  }

  init() {}

  init(_ reader: OptionReader) throws(CommandError) {
    command = reader.command.name
    conditions = try reader.values(.failIf, FailCondition.parse)
    for kind in ResultFile.allCases {
      guard let path = try reader.optional(kind.option.name, OptionValue.file) else { continue }
      files.append(File(kind: kind, path: path))
    }
    guard !files.isEmpty else { return }
    for (key, name) in [("topic", OptionName.topic), ("group", .group), ("output_topic", .outputTopic)] {
      let text = reader.text(name)?.text ?? reader.command.option(name)?.defaultValue
      if let text { names.append(.init(key, .text(text))) }
    }
    if let file = files.first, reader.flag(.dryRun) {
      throw reader.conflict(
        "option \(file.kind.option.spelling)", "a dry run has no result", "leave one of the two out")
    }
    for name in [OptionName.output, .unacknowledged, .receipt, .input, .config, .certificate, .verify] {
      guard let path = reader.text(name)?.text ?? reader.command.option(name)?.defaultValue, path != "-" else {
        continue
      }
      otherFiles.append(OtherFile(option: "--\(name.rawValue)", path: path))
    }
    if command == .replay {
      for path in [ReplayCommand.initialFile, ReplayCommand.replayFile] {
        otherFiles.append(OtherFile(option: "replay", path: path))
      }
    }
  }
}

/// The result of a run on its way out: the document that everything else is made of, what it says of the run, and the
/// files that have it.
final class RunResult: Sendable {
  private let options: ResultOptions
  private let facts: RunFacts
  /// The conditions that the run has met first.
  private let failures = Mutex<[FailedCondition]>([])
  private let files = Mutex(ResultFiles.none)

  init(_ options: ResultOptions, facts: RunFacts) {
    self.options = options
    self.facts = facts
  }

  /// Whether documents are of use while the run goes on, also where nobody prints them.
  var isWatching: Bool { hasConditions || files.withLock { $0.isLive } }

  /// Whether the document is of use where nobody prints it.
  var wantsDocument: Bool { hasConditions || files.withLock { !$0.isEmpty } }

  /// Whether numbers decide on the run.
  var hasConditions: Bool { !options.conditions.isEmpty }

  /// The conditions on keys that a document lacks.
  func conditionsWithoutKey(in document: ByteBuffer) -> [FailCondition] {
    guard hasConditions, let root = DocumentValue(parsing: document.bytes) else { return [] }
    return options.conditions.filter { $0.finding(root) == .missing }
  }

  /// Whether the run has failed by a condition.
  var hasFailed: Bool { failures.withLock { !$0.isEmpty } }

  /// Makes the document, and takes note of the conditions that it meets.
  /// - Parameters:
  ///   - isLive: Whether the run goes on.
  ///   - buffer: Where the document is appended to, one line.
  func append(_ report: some Report, in frame: ReportFrame, isLive: Bool, to buffer: ByteBuffer) {
    var frame = frame
    frame.run = facts
    frame.conditions = options.conditions
    let failed = frame.append(report, isLive: isLive, to: buffer)
    guard !failed.isEmpty else { return }
    failures.withLock { first in
      first += failed.filter { failure in !first.contains { $0.condition == failure.condition } }
    }
  }

  // MARK: - Files

  /// Checks the files of the run, before any work, and says in those that must not look like a result that there is none
  /// yet.
  func begin(_ context: CommandContext) throws {
    let opened = try ResultFiles(options) { try BrokerFactory.outputFile($0, context.options.brokers) }
    files.withLock { $0 = opened }
    try opened.begin(failure(.temporary, "the run is not over: it goes on, or was killed", context))
  }

  /// Brings a document into the files: those that are renewed while the run goes on, or at its end all.
  func keep(_ document: ByteBuffer, isLive: Bool, at now: Int64) throws(CommandError) {
    try files.withLock { files throws(CommandError) in
      try files.keep(document, isLive: isLive, facts: facts, at: now)
    }
  }

  /// Brings how the run ended into the files, where no document has told it.
  func finish(_ code: ExitCode, _ error: CommandError?, _ context: CommandContext) throws(CommandError) {
    // Nobody reads stdout to its end, on purpose.
    let isFailure = code != .success && code != .pipe
    let message =
      (error ?? context.console.endingError)?.sentence
      ?? "the run ended with exit code \(code.rawValue): \(code.meaning)"
    try files.withLock { files throws(CommandError) in
      try files.finish(isFailure ? failure(code, message, context) : nil, facts: facts)
    }
  }

  private func failure(_ code: ExitCode, _ message: String, _ context: CommandContext) -> RunFailure {
    RunFailure(
      command: options.command, broker: context.options.brokers.documentName, names: options.names,
      elapsedMilliseconds: context.elapsedMilliseconds, facts: facts, code: code, message: message)
  }

  /// Appends what has failed to the text for people.
  func appendFailures(to text: ReportText) {
    for failure in failures.withLock({ $0 }) { failure.appendRow(to: text) }
  }
}

extension FailCondition {
  /// `<key><op><number>[unit]`: `latency_ms.p99>10ms`, `lag >= 1000`, `failure_rate_percent>5%`.
  static func parse(_ text: String) throws(ValueError) -> FailCondition {
    let remedy = "write it like 'lag>1000', 'latency_ms.p99>10ms' or 'failure_rate_percent>=5'"
    let plain = text.filter { $0 != " " && $0 != "\t" }
    guard let start = plain.firstIndex(where: { "<>=".contains($0) }) else {
      throw ValueError(why: "'\(text)' has no comparison", remedy: remedy)
    }
    let (key, rest) = (String(plain[..<start]), plain[start...])
    guard let comparison = Comparison.allCases.first(where: { rest.hasPrefix($0.rawValue) }) else {
      throw ValueError(why: "'\(rest.prefix(1))' is no comparison", remedy: "use one of < <= > >= ==")
    }
    if key.isEmpty { throw ValueError(why: "'\(text)' names no key of the document", remedy: remedy) }
    let number = rest.dropFirst(comparison.rawValue.count)
    guard let limit = try limit(String(number), of: key) else {
      throw ValueError(why: "'\(number)' is not a number that \(key) can have", remedy: remedy)
    }
    return FailCondition(text: plain, key: key, comparison: comparison, limit: limit)
  }

  /// A number in the unit that the key names at its end: milliseconds, seconds, percent, or a count.
  /// - Returns: `nil` when it is none, or has the unit of another kind of key.
  private static func limit(_ text: String, of key: String) throws(ValueError) -> Limit? {
    if let plain = plainNumber(text) { return plain }
    let words = key.split(separator: ".")
    if words.contains(where: { $0.hasSuffix("_ms") }) { return duration(text, of: 1_000_000) }
    if words.contains(where: { $0.hasSuffix("_seconds") }) { return duration(text, of: 1_000_000_000) }
    if key.hasSuffix("_percent"), text.hasSuffix("%") { return plainNumber(String(text.dropLast())) }
    if key.hasSuffix("_per_second"), text.hasSuffix("/s") { return plainNumber(String(text.dropLast(2))) }
    return nil
  }

  private static func plainNumber(_ text: String) -> Limit? {
    let isNegative = text.hasPrefix("-")
    guard let decimal = Decimal(isNegative ? text.dropFirst() : text[...], maxDecimals: 9) else { return nil }
    if decimal.scale == 1 { return .whole(Int128(isNegative ? -decimal.digits : decimal.digits)) }
    return Double(text).map(Limit.decimal)
  }

  /// - Parameter unit: In nanoseconds.
  private static func duration(_ text: String, of unit: Int64) -> Limit? {
    guard let nanoseconds = (try? OptionValue.duration(text))?.nanoseconds else { return nil }
    if nanoseconds % unit == 0 { return .whole(Int128(nanoseconds / unit)) }
    return .decimal(Double(nanoseconds) / Double(unit))
  }
}

extension OptionSpec {
  static let failIf = OptionSpec(
    name: .failIf, placeholder: "<condition>",
    help: """
      Fail (exit 1) if a number of the JSON document is beyond a limit: 'latency_ms.p99>10ms', 'lag>=1000'. The \
      comparisons are < <= > >= ==; what is unknown or missing fails too. Ends a run that is followed when it happens.
      """, isRepeatable: true)
}
