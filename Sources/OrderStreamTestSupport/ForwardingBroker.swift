import OrderStreamCore

/// A broker that hands calls on to another one, for those that change some of them.
public protocol ForwardingBroker: Broker {
  var inner: any Broker { get }
}

extension ForwardingBroker {
  public var name: String { inner.name }

  public func admin() throws(BrokerError) -> any Admin { try inner.admin() }

  public func producer(_ options: ProducerOptions) throws(BrokerError) -> any Producer {
    try inner.producer(options)
  }
}

/// A consumer that hands every call on.
class ForwardingConsumer: Consumer {
  let inner: any Consumer

  init(_ inner: any Consumer) { self.inner = inner }

  func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    try inner.poll(into: batch, timeout: timeout)
  }

  func assign(_ positions: [PartitionOffset]) throws(BrokerError) { try inner.assign(positions) }

  func unassign() throws(BrokerError) { try inner.unassign() }

  func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?] { try inner.committed(partitions) }

  func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError) {
    try inner.readState(partitions, body)
  }

  func close() { inner.close() }
}

/// A transaction that hands every call on.
class ForwardingTransaction: Transaction {
  let inner: any Transaction

  init(_ inner: any Transaction) { self.inner = inner }

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) { try inner.send(record, to: output) }

  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    try inner.putState(partition: partition, key: key, value: value)
  }

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) { try inner.commit(offsets) }

  func abort() throws(BrokerError) { try inner.abort() }

  func takes(_ record: OutgoingRecord, on output: Int) -> Bool { inner.takes(record, on: output) }

  var pendingBytes: Int { inner.pendingBytes }

  func close() { inner.close() }
}

/// Any broker, with calls before each commit of a transaction and before each reading of state: what a process does that
/// is stopped right there.
public struct PausingBroker: ForwardingBroker {
  public let inner: any Broker
  private let pause: @Sendable (any Consumer) -> Void
  private let readingPause: @Sendable () -> Void

  /// - Parameters:
  ///   - pause: Called with the consumer whose offsets are about to be committed, on the thread that commits.
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

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? PausingConsumer else {
      preconditionFailure("a transaction commits the offsets of a consumer of the same broker")
    }
    return PausingTransaction(
      try inner.transaction(for: consumer.inner, outputs: outputs, guarantee: guarantee), consumer.inner, pause)
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

  override func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    pause(consumer)
    try super.commit(offsets)
  }
}
