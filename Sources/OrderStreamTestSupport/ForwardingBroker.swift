import OrderStreamCore

/// A broker that hands calls on to another one, for those that change some of them.
public protocol ForwardingBroker: Broker {
  var inner: any Broker { get }
}

extension ForwardingBroker {
  public var name: String { inner.name }

  public var hasUncommittedRecords: Bool { inner.hasUncommittedRecords }

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

/// Any broker whose consumers hand over something else than the log has.
public struct LyingBroker: ForwardingBroker {
  /// What a poll has brought, to be changed.
  public typealias Lie = @Sendable (ConsumerOptions, inout [TestRecord]) throws -> Void

  public let inner: any Broker
  public let hasUncommittedRecords: Bool
  private let lie: Lie

  /// - Parameter hasUncommittedRecords: As it says; the consumers are those of `inner`.
  public init(_ inner: any Broker, hasUncommittedRecords: Bool, _ lie: @escaping Lie) {
    self.inner = inner
    self.hasUncommittedRecords = hasUncommittedRecords
    self.lie = lie
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    LyingConsumer(try inner.consumer(options)) { (records) throws(BrokerError) in
      do { try lie(options, &records) } catch {
        guard let error = error as? BrokerError else { preconditionFailure("a broker fails with its own errors") }
        throw error
      }
    }
  }

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    preconditionFailure("nobody commits what is not there")
  }
}

private final class LyingConsumer: ForwardingConsumer {
  private let lie: (inout [TestRecord]) throws(BrokerError) -> Void

  init(_ inner: any Consumer, _ lie: @escaping (inout [TestRecord]) throws(BrokerError) -> Void) {
    self.lie = lie
    super.init(inner)
  }

  override func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    let event = try super.poll(into: batch, timeout: timeout)
    var records = (0..<batch.count).map { TestRecord(batch[$0]) }
    try lie(&records)
    let ends = batch.ends
    batch.removeAll()
    for record in records {
      try record.lend { outgoing throws(BrokerError) in
        batch.append(
          partition: record.partition, offset: record.offset, timestampMs: record.timestampMs, key: outgoing.key,
          value: outgoing.value, headers: outgoing.headers.block)
      }
    }
    for end in ends { batch.appendEnd(end) }
    return event
  }
}
