import OrderStreamCore

/// Any broker, with calls before each commit of a transaction and before each reading of state: what a process does that
/// is stopped right there.
public struct PausingBroker: ForwardingBroker {
  public let inner: any Broker
  private let pause: @Sendable (any Consumer) -> Void
  private let readingPause: @Sendable () -> Void

  /// - Parameters:
  ///   - pause: Called with the consumer whose offsets are about to be committed, on its thread.
  ///   - readingPause: Called between reading committed offsets and state.
  public init(
    _ inner: any Broker, beforeCommit pause: @escaping @Sendable (any Consumer) -> Void,
    beforeState readingPause: @escaping @Sendable () -> Void
  ) {
    self.inner = inner
    self.pause = pause
    self.readingPause = readingPause
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    PausingConsumer(try inner.consumer(options), readingPause)
  }

  public func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? PausingConsumer else {
      preconditionFailure("a transaction commits the offsets of a consumer of the same broker")
    }
    return PausingTransaction(
      try inner.transaction(for: consumer.inner, outputs: outputs), consumer.inner, pause)
  }
}

private final class PausingConsumer: ForwardingConsumer {
  private let pause: @Sendable () -> Void

  init(_ inner: any Consumer, _ pause: @escaping @Sendable () -> Void) {
    self.pause = pause
    super.init(inner)
  }

  override func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError) {
    pause()
    try super.readState(partitions, body)
  }
}

private final class PausingTransaction: ForwardingTransaction {
  private let consumer: any Consumer
  private let pause: @Sendable (any Consumer) -> Void

  init(_ inner: any Transaction, _ consumer: any Consumer, _ pause: @escaping @Sendable (any Consumer) -> Void) {
    self.consumer = consumer
    self.pause = pause
    super.init(inner)
  }

  override func startCommit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    pause(consumer)
    try super.startCommit(offsets)
  }
}
