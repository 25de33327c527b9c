import OrderStreamCore

/// What happens to processes, for tests that cannot end their own.
extension KafkaBroker {
  /// The consumer's process dies, with its transaction.
  package static func kill(_ consumer: any Consumer) {
    guard let consumer = consumer as? KafkaConsumer else { preconditionFailure("a consumer of a Kafka cluster") }
    consumer.die()
  }
}
