import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamKafka

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
      return try CommandError.wrap { () throws(BrokerError) in
        try KafkaBroker.connect(
          brokers: servers.map(\.description).joined(separator: ","),
          properties: context.options.properties.map { ($0.key, $0.value) }, wait: context.options.wait,
          stop: context.stop, log: context.log, time: context.time)
      }
    }
  }
}
