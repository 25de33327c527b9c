import OrderStreamCore

/// What happens to processes, for tests that cannot end their own.
extension KafkaBroker {
  /// The consumer's process dies, with its transaction.
  package static func kill(_ consumer: any Consumer) { kafka(consumer).die() }

  /// The consumer's process is stopped until its group has given it up. librdkafka's threads go on in a test, so this
  /// waits for the limit between two polls (`max.poll.interval.ms`), and then for the session at the coordinator.
  package static func freeze(_ consumer: any Consumer, _ limit: Duration) { kafka(consumer).freeze(limit) }

  private static func kafka(_ consumer: any Consumer) -> KafkaConsumer {
    guard let consumer = consumer as? KafkaConsumer else { preconditionFailure("a consumer of a Kafka cluster") }
    return consumer
  }
}
