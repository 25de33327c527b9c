import OrderStreamCore

/// What every command works with: its options in common, the streams, the clocks, the request to stop.
final class CommandContext: Sendable {
  let options: CommonOptions
  let console: Console
  let time: SystemTime
  let stop: StopFlag
  let log: ConsoleLog
  private let startNanoseconds: Int64

  /// - Parameter startNanoseconds: monotonic clock at the start of the process.
  init(_ options: CommonOptions, console: Console, stop: StopFlag, startNanoseconds: Int64) {
    self.options = options
    self.console = console
    self.stop = stop
    time = SystemTime(stop: stop)
    log = ConsoleLog(console: console, level: options.logLevel)
    self.startNanoseconds = startNanoseconds
  }

  /// Wishes for topics that must be created.
  var topicWishes: TopicSetup.Wishes {
    TopicSetup.Wishes(
      partitions: options.partitions, replicationFactor: options.replicationFactor,
      settings: Dictionary(options.topicConfig.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
  }

  /// Prints a report on stdout: as a document with `--json`, else as text.
  func emit(_ report: some Report, broker: String, activeMilliseconds: Int64?) throws {
    let text = ReportText()
    if options.json {
      appendDocument(report, broker: broker, activeMilliseconds: activeMilliseconds, to: text.buffer)
    } else {
      report.appendText(to: text, on: console.screen)
    }
    try console.write(text, wraps: !options.json)
  }

  /// Appends a report's document, one line.
  func appendDocument(
    _ report: some Report, broker: String, activeMilliseconds: Int64?, to buffer: ByteBuffer
  ) {
    let elapsed = (time.monotonicNanoseconds - startNanoseconds) / 1_000_000
    ReportFrame(broker: broker, elapsedMilliseconds: elapsed, activeMilliseconds: activeMilliseconds)
      .append(report, to: buffer)
  }

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
