import OrderStreamCore

/// Faults that tests bring about from outside, because nothing in the ports can.
extension EmbeddedBroker {
  /// The consumer's process dies: its locks are freed, and nothing else is done. The consumer is of no more use.
  package static func kill(_ consumer: any Consumer) { embedded(consumer).die() }

  /// The consumer's process is stopped for longer than its lease. The consumer can go on afterwards.
  package static func freeze(_ consumer: any Consumer) throws(BrokerError) {
    try embedded(consumer).member?.freeze()
  }

  private static func embedded(_ consumer: any Consumer) -> EmbeddedConsumer {
    guard let consumer = consumer as? EmbeddedConsumer else { preconditionFailure("a consumer of the embedded log") }
    return consumer
  }
}
