import OrderStreamCore

/// A broker that hands calls on to another one, for those that change some of them.
public protocol ForwardingBroker: Broker {
  var inner: any Broker { get }
}

extension ForwardingBroker {
  public var name: String { inner.name }

  public func admin() throws(BrokerError) -> any Admin { try inner.admin() }

  public func producer(
    topic: String, pace: ProducerPace, reports: RecordReports.Detail
  ) throws(BrokerError) -> any Producer {
    try inner.producer(topic: topic, pace: pace, reports: reports)
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

  func startCommit(_ offsets: [PartitionOffset]) throws(BrokerError) { try inner.startCommit(offsets) }

  func finishCommit(timeout: Duration) throws(BrokerError) -> Bool { try inner.finishCommit(timeout: timeout) }

  func abort() throws(BrokerError) { try inner.abort() }

  func takes(_ record: OutgoingRecord, on output: Int) -> Bool { inner.takes(record, on: output) }

  var pendingBytes: Int { inner.pendingBytes }

  func close() { inner.close() }
}
