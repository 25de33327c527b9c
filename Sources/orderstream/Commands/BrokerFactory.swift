import OrderStreamCore
import OrderStreamEmbedded

/// The only place that knows which back ends there are.
enum BrokerFactory {
  static func open(_ context: CommandContext) throws(CommandError) -> any Broker {
    switch context.options.brokers {
    case .embedded(let named):
      let directory: String
      if let named { directory = named } else { directory = try BrokerSpec.defaultDirectory(ProcessEnvironment.lookup) }
      return try CommandError.wrap { () throws(BrokerError) in
        try EmbeddedBroker.open(directory: directory, log: context.log, time: context.time)
      }
    case .kafka(let servers):
      let names = servers.map(\.description).joined(separator: ",")
      throw CommandError(
        .configuration, "cannot use the Kafka cluster \(names)", why: "this version has the embedded log only",
        remedy: "use --brokers embedded")
    }
  }
}
