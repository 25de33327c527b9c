import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamKafka

/// What a command wants of the log.
enum BrokerUse: Sendable {
  /// Reads it: one that cannot be written will do.
  case read
  /// Reads and writes what is there, but creates no log.
  case write
  /// Creates one where there is none.
  case create
}

/// The only place that knows which back ends there are.
enum BrokerFactory {
  /// Whether this stands for an embedded log that was not there when it was opened.
  static func isAbsent(_ broker: any Broker) -> Bool { broker is AbsentLog }

  /// A file for a result, checked before any work.
  /// - Throws: `creation` when it cannot be written, or when it is one of a log's own files.
  static func outputFile(_ path: String, _ brokers: BrokerSpec) throws -> AtomicFile {
    let file = try AtomicFile(path)
    var directory: String?
    if case .embedded(let named) = brokers {
      directory = named
      if named == nil { directory = try BrokerSpec.defaultDirectory(ProcessEnvironment.lookup) }
    }
    guard LogNames.contain(file.target, logIn: directory) else { return file }
    throw CommandError(
      .creation, "cannot create \(path)", why: "it would replace a file of an embedded log",
      remedy: "choose another name or directory")
  }

  /// - Parameter outages: how long brokers of a cluster that stop answering are waited for.
  static func open(_ context: CommandContext, to use: BrokerUse, outages: OutageLimit) throws -> any Broker {
    let properties = context.options.properties.map { ($0.key, $0.value) }
    switch context.options.brokers {
    case .embedded(let named):
      if !properties.isEmpty {
        // They have no effect here, but a wrong one is wrong on every broker.
        try KafkaBroker.check(properties: properties)
        context.console.note("properties of librdkafka have no effect on the embedded log")
      }
      let directory: String
      if let named { directory = named } else { directory = try BrokerSpec.defaultDirectory(ProcessEnvironment.lookup) }
      if use != .create, let absent = AbsentLog(directory: directory) { return absent }
      return try EmbeddedBroker.open(
        directory: directory, onlyLooks: use == .read, log: context.log, time: context.time)
    case .kafka(let servers):
      return try KafkaBroker.connect(
        brokers: servers.map(\.description).joined(separator: ","),
        properties: properties, wait: context.options.wait, outages: outages, stop: context.stop, log: context.log,
        time: context.time)
    }
  }
}

extension CommandContext {
  /// Opens the broker that `--brokers` names; on a terminal, says which one and how to choose another.
  /// - Parameter outages: how long brokers that stop answering are waited for.
  func openBroker(to use: BrokerUse = .create, outages: OutageLimit = .run) throws -> any Broker {
    let broker = try BrokerFactory.open(self, to: use, outages: outages)
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
  func outputFile(_ path: String) throws -> AtomicFile? {
    path == "-" ? nil : try BrokerFactory.outputFile(path, options.brokers)
  }
}
