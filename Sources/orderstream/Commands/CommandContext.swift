import OrderStreamCore

/// What every command works with: its options in common, the streams, the clocks, the request to stop.
final class CommandContext: Sendable {
  let options: CommonOptions
  let console: Console
  let time: SystemTime
  let stop: StopFlag
  let log: LogAdapter
  private let startNanoseconds: Int64

  /// - Parameter startNanoseconds: monotonic clock at the start of the process.
  init(_ options: CommonOptions, stop: StopFlag, startNanoseconds: Int64) {
    self.options = options
    console = Console(options)
    self.stop = stop
    time = SystemTime(stop: stop)
    log = LogAdapter(console: console, level: options.logLevel)
    self.startNanoseconds = startNanoseconds
  }

  /// Opens the broker that `--brokers` names; on a terminal, says which one and how to choose another.
  /// - Parameter outages: how long brokers that stop answering are waited for.
  func openBroker(to use: BrokerUse = .make, outages: OutageLimit = .run) throws(CommandError) -> any Broker {
    let broker: any Broker
    do throws(CommandError) {
      broker = try BrokerFactory.open(self, to: use, outages: outages)
    } catch {
      guard error.code == .unavailable, let signal = Signals.exitCode else { throw error }
      throw CommandError(signal, error.what, why: "a signal ended the wait for it")
    }
    if console.errorIsTerminal {
      let other =
        switch options.brokers {
        case .embedded: "a Kafka cluster: --brokers host:port"
        case .kafka: "the embedded log: --brokers embedded"
        }
      console.note("using broker \(broker.name) (\(other))")
    }
    return broker
  }

  /// A file for a result; `nil` for `-`, which means no file.
  func outputFile(_ path: String) throws(CommandError) -> AtomicFile? {
    path == "-" ? nil : try BrokerFactory.outputFile(path, options.brokers)
  }

  /// Wishes for topics that must be created.
  var topicWishes: TopicSetup.Wishes {
    TopicSetup.Wishes(partitions: options.partitions, replicationFactor: options.replicationFactor)
  }

  /// Prints a report on stdout: as a document with `--json`, else as text.
  func emit(_ report: some Report, broker: String, activeMilliseconds: Int64?) throws(CommandError) {
    let buffer = ByteBuffer()
    if options.json {
      appendDocument(report, broker: broker, activeMilliseconds: activeMilliseconds, to: buffer)
    } else {
      report.appendText(to: buffer)
    }
    // Reports quote records, and a terminal would obey their control characters.
    if console.outputIsTerminal {
      try console.write(TerminalText.escaped(buffer.bytes, multiline: true))
    } else {
      try console.write(buffer)
    }
  }

  /// Appends a report's document, one line.
  func appendDocument(
    _ report: some Report, broker: String, activeMilliseconds: Int64?, to buffer: ByteBuffer
  ) {
    let elapsed = (time.monotonicNanoseconds - startNanoseconds) / 1_000_000
    ReportFrame(broker: broker, elapsedMilliseconds: elapsed, activeMilliseconds: activeMilliseconds)
      .append(report, to: buffer)
  }

  /// Draws a chart on the terminal, below the report. Nothing elsewhere, under `--json` or `-q`.
  func draw(_ title: String, _ lines: (Int) -> [String]) {
    guard console.errorIsTerminal, !console.isQuiet, !options.json else { return }
    let chart = lines(console.errorColumns)
    guard !chart.isEmpty else { return }
    console.writeError("\n\(console.errorStyle.bold(title))\n" + chart.joined(separator: "\n") + "\n")
  }
}
