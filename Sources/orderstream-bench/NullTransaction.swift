import OrderStreamCore

/// Takes everything and keeps nothing.
final class NullTransaction: Transaction {
  let pendingBytes = 0

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {}
  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {}
  func startCommit(_ offsets: [PartitionOffset]) throws(BrokerError) {}
  func finishCommit(timeout: Duration) throws(BrokerError) -> Bool { true }
  func abort() throws(BrokerError) {}
  func close() {}
}

/// Acknowledges everything and keeps nothing.
final class NullProducer: Producer {
  let partitionCount = ReadyOrders.partitions
  var deliveries = DeliveryCounts(partitionCount: ReadyOrders.partitions)

  func send(_ record: OutgoingRecord) throws(BrokerError) { deliveries.acknowledged += 1 }
  func flush(timeout: Duration) throws(BrokerError) {}
  func takeReports() -> RecordReports { RecordReports() }
  func close() {}
}
