import OrderStreamCore

/// What every command works with: its options in common, the streams, the clocks, the request to stop.
final class CommandContext: Sendable {
  let options: CommonOptions
  let console: Console
  let time: SystemTime
  let stop: StopFlag
  let log: ConsoleLog
  let result: RunResult
  private let startNanoseconds: Int64

  /// - Parameters:
  ///   - facts: what was run; the time of its start is filled in here.
  ///   - startNanoseconds: monotonic clock at the start of the process.
  init(_ options: CommonOptions, facts: RunFacts, console: Console, stop: StopFlag, startNanoseconds: Int64) {
    self.options = options
    self.console = console
    self.stop = stop
    time = SystemTime(stop: stop)
    log = ConsoleLog(console: console, level: options.logLevel)
    self.startNanoseconds = startNanoseconds
    var facts = facts
    facts.startMilliseconds = time.wallMilliseconds - (time.monotonicNanoseconds - startNanoseconds) / 1_000_000
    result = RunResult(options.result, facts: facts)
  }

  /// A run that was asked to end, and that ends with work of its own.
  private init(_ other: CommandContext, stop: StopFlag) {
    (options, console, log, result) = (other.options, other.console, other.log, other.result)
    self.stop = stop
    time = SystemTime(stop: stop)
    startNanoseconds = other.startNanoseconds
  }

  /// This run after a request to stop that it has followed, for the work that it ends with: that takes the time that it
  /// takes, until the next request.
  func goingOn() -> CommandContext {
    let stop = StopFlag()
    Signals.goOn(stop: stop)
    return CommandContext(self, stop: stop)
  }

  /// Wishes for topics that must be created.
  var topicWishes: TopicSetup.Wishes {
    TopicSetup.Wishes(
      partitions: options.partitions, replicationFactor: options.replicationFactor,
      settings: Dictionary(options.topicConfig.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
  }

  /// Prints the result of a run on stdout: as a document with `--json`, else as text.
  /// - Parameter isLive: Whether the run goes on after it, as under `--watch`.
  func emit(_ report: some Report, broker: String, activeMilliseconds: Int64?, isLive: Bool = false) throws {
    // With a million minutes it has 50 MB, so it is made only for somebody.
    let document =
      options.json || result.wantsDocument
      ? document(of: report, broker, activeMilliseconds, isLive: isLive) : nil
    // The result is known, whatever becomes of its files.
    let written = Result {
      if let document { try result.keep(document, isLive: isLive, at: time.monotonicNanoseconds) }
    }
    if options.json, let document {
      try console.write(ReportText(document), wraps: false)
    } else {
      let text = ReportText()
      report.appendText(to: text, on: console.screen)
      result.appendFailures(to: text)
      try console.write(text, wraps: true)
    }
    try written.get()
  }

  /// What a run shows of itself while it goes on: its document on stdout with `--json`, and whether it has failed; then
  /// it is asked to stop.
  func emitLive(_ report: some Report, broker: String, activeMilliseconds: Int64?) throws {
    guard options.json || result.isWatching else { return }
    let document = document(of: report, broker, activeMilliseconds, isLive: true)
    let written = Result { try result.keep(document, isLive: true, at: time.monotonicNanoseconds) }
    if options.json { try console.write(ReportText(document), wraps: false) }
    if result.hasFailed { stop.request() }
    try written.get()
  }

  /// What a run that is followed finds before its first record: it may have failed by that. Prints no document.
  func beginLive(_ report: some Report, broker: String) {
    guard result.hasConditions else { return }
    let document = document(of: report, broker, 0, isLive: true)
    for condition in result.conditionsWithoutKey(in: document) {
      console.warning(
        "the document has no \(condition.key) while the run goes on, so --fail-if \(condition.text) counts at its end")
    }
    if result.hasFailed { stop.request() }
  }

  private func document(
    of report: some Report, _ broker: String, _ activeMilliseconds: Int64?, isLive: Bool
  ) -> ByteBuffer {
    let frame = ReportFrame(
      broker: broker, elapsedMilliseconds: elapsedMilliseconds, activeMilliseconds: activeMilliseconds)
    let buffer = ByteBuffer()
    result.append(report, in: frame, isLive: isLive, to: buffer)
    return buffer
  }

  /// Duration of the run so far.
  var elapsedMilliseconds: Int64 { (time.monotonicNanoseconds - startNanoseconds) / 1_000_000 }

  /// Whether what a run shows while it goes on is drawn over on the terminal's screen.
  var showsView: Bool { console.outputIsScreen && !console.isQuiet && !options.json && options.progress == .auto }
}

/// Names of topics and groups that a run makes for itself.
enum PrivateName {
  /// Ten characters that no other run has, from the system's random numbers.
  static func random() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 36)
    return String((String(repeating: "0", count: 10) + digits).suffix(10))
  }
}

extension CommandContext {
  /// Removes what a run has made for itself. Each thing is tried; what stays is named with the command that removes it.
  /// The run's exit code stays too: what it claims holds.
  func removeTraces(group: String, topic: String? = nil, _ admin: any Admin) {
    func attempt(_ what: String, _ option: String, _ change: AdminChange) -> Bool {
      do throws(BrokerError) {
        try admin.apply(change)
      } catch  where error.code == .unknownTopic {
        // It was never made.
      } catch {
        let config = options.configFile.map { " --config \($0)" } ?? ""
        console.warning(
          "the \(what) is left over: \(error.why); remove it with: orderstream delete --brokers \(options.brokers)"
            + "\(config) \(option) --execute")
        return false
      }
      return true
    }
    let groupOption = "--group \(group)"
    if !attempt("group \(group)", groupOption, .deleteGroup(group)) {
      // The group's state would have gone with it.
      for state in (try? admin.topics(named: nil).filter({ $0.stateOf == group })) ?? [] {
        _ = attempt("topic \(state.name)", groupOption, .deleteTopic(state.name))
      }
    }
    if let topic { _ = attempt("topic \(topic)", "--topic \(topic)", .deleteTopic(topic)) }
  }
}
