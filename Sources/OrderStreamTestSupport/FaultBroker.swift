import Foundation
import OrderStreamCore

/// Any broker, with the faults of a plan.
public struct FaultBroker: Broker {
  private let inner: any Broker
  private let plan: FaultPlan

  public init(_ inner: any Broker, _ plan: FaultPlan) {
    self.inner = inner
    self.plan = plan
  }

  public var name: String { inner.name }

  public func admin() throws(BrokerError) -> any Admin { try inner.admin() }

  public func producer(
    topic: String, pace: ProducerPace, reports: RecordReports.Detail
  ) throws(BrokerError) -> any Producer {
    try inner.producer(topic: topic, pace: pace, reports: reports)
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    FaultConsumer(try inner.consumer(options), plan)
  }

  public func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? FaultConsumer else {
      preconditionFailure("a transaction commits the offsets of a consumer of the same broker")
    }
    return FaultTransaction(try inner.transaction(for: consumer.inner, outputs: outputs), plan)
  }
}

/// A consumer whose committed offsets may be wrong by plan.
private final class FaultConsumer: Consumer {
  let inner: any Consumer
  private let plan: FaultPlan

  init(_ inner: any Consumer, _ plan: FaultPlan) {
    self.inner = inner
    self.plan = plan
  }

  func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    try inner.poll(into: batch, timeout: timeout)
  }

  func assign(_ positions: [PartitionOffset]) throws(BrokerError) { try inner.assign(positions) }

  func unassign() throws(BrokerError) { try inner.unassign() }

  func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?] {
    if plan.nextReadFails() {
      throw BrokerError(.timedOut, "cannot read the committed offsets", why: "nobody answers by plan", recovery: .retry)
    }
    let offsets = try inner.committed(partitions)
    if let foreign = plan.foreignOffset { return partitions.map { _ in CommittedOffset(foreign, committer: nil) } }
    if plan.offsetsExpired && plan.commits == 0 { return offsets.map { _ in nil } }
    return plan.takeStaleRead()
      ? offsets.map { $0.map { CommittedOffset($0.offset - 1, committer: $0.committer) } } : offsets
  }

  func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError) {
    try inner.readState(partitions, body)
  }

  func close() { inner.close() }
}

/// A transaction that fails, or gets a record more, by plan.
private final class FaultTransaction: Transaction {
  private let inner: any Transaction
  private let plan: FaultPlan
  /// Of the last one that was started.
  private var commitNumber = 0

  init(_ inner: any Transaction, _ plan: FaultPlan) {
    self.inner = inner
    self.plan = plan
  }

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    if plan.nextSend() == plan.sendFailsAfter {
      throw BrokerError(.internalError, "cannot send", why: "this record fails by plan", recovery: .abort)
    }
    if output == plan.failingOutput {
      throw BrokerError(.io, "cannot append to output \(output)", why: "it takes nothing by plan", recovery: .fatal)
    }
    try inner.send(record, to: output)
  }

  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    try inner.putState(partition: partition, key: key, value: value)
  }

  func startCommit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    commitNumber = plan.nextCommit(pendingBytes: inner.pendingBytes)
    if let fault = plan.fault(ofCommit: commitNumber, .before) { throw fault }
    if let tampering = plan.tampering, tampering.commit == commitNumber { try tamper(tampering) }
    try inner.startCommit(offsets)
  }

  func finishCommit(timeout: Duration) throws(BrokerError) -> Bool {
    if timeout == .zero && plan.isTooEarly() { return false }
    if let limit = plan.hangsAfter, commitNumber >= limit {
      usleep(UInt32(clamping: timeout.nanoseconds / 1000))
      return false
    }
    guard try inner.finishCommit(timeout: timeout) else { return false }
    if let fault = plan.fault(ofCommit: commitNumber, .after) { throw fault }
    return true
  }

  private func tamper(_ tampering: FaultPlan.Tampering) throws(BrokerError) {
    let bytes = ByteBuffer(capacity: 256)
    bytes.append(tampering.key)
    tampering.value?.withUnsafeBytes { bytes.append($0) }
    let keyLength = tampering.key.utf8.count
    try inner.putState(
      partition: tampering.partition, key: UnsafeRawBufferPointer(rebasing: bytes.bytes[..<keyLength]),
      value: tampering.value == nil ? nil : UnsafeRawBufferPointer(rebasing: bytes.bytes[keyLength...]))
  }

  func abort() throws(BrokerError) {
    plan.noteAbort()
    try inner.abort()
  }

  func takes(_ record: OutgoingRecord, on output: Int) -> Bool { inner.takes(record, on: output) }

  var pendingBytes: Int { inner.pendingBytes }

  func close() { inner.close() }
}
