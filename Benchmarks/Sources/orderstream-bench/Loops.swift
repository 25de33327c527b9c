import OrderStreamCore

/// The inner loops without a broker: what the pipeline does for each event, and nothing else.
final class Loops {
  private let ready: ReadyOrders
  private let transaction = NullTransaction()
  private let producer = NullProducer()
  private let decoder = OrderDecoder()
  private let value = ByteBuffer()
  private let metrics = OrderMetrics(topic: "order-events", onPoison: .skip)
  private let projection = InventoryProjection(
    InventoryProjection.Settings(
      topic: "order-events", group: "inventory", onPoison: .skip, outputPartitions: ReadyOrders.partitions),
    time: SystemTime())
  /// Keeps the results alive, so that no loop is optimised away.
  private(set) var checksum = 0

  init(_ ready: ReadyOrders) {
    self.ready = ready
    metrics.decodesOnTwoThreads = true
  }

  func encode(_ events: Int64) {
    var generator = OrderGenerator(ReadyOrders.options(count: events))
    for _ in 0..<events {
      checksum &+= generator.next(wallMilliseconds: 0, into: value).keyRange.upperBound &+ value.count
    }
  }

  /// What a producer costs beside its broker: the generator, the partitioner and the publisher's own loop.
  func publish(_ events: Int64) throws {
    var publisher = OrderPublisher(
      GeneratedOrders(ReadyOrders.options(count: events)), producer: producer, schedule: nil, time: SystemTime(),
      stop: StopFlag())
    try publisher.run { _ in }
  }

  func decode(_ events: Int64) throws {
    try inBatches(events) { batch, range in
      for index in range {
        if let poison = decoder.decode(batch[index].value) { throw BenchError("an order is poison: \(poison.message)") }
        checksum &+= Int(decoder.order.minute)
      }
    }
  }

  /// On this thread, or with the second one that long runs of records get.
  func decodeAndCount(_ events: Int64, threads: Int) throws {
    try inBatches(events) { batch, range in
      if threads > 1 { return try metrics.apply(batch, range, to: transaction) }
      for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.shortRun) {
        try metrics.apply(batch, start..<min(range.upperBound, start + Self.shortRun), to: transaction)
      }
    }
  }

  /// Records that one thread decodes alone.
  private static let shortRun = 1000

  func project(_ events: Int64) throws {
    try inBatches(events) { batch, range in try projection.apply(batch, range, to: transaction) }
  }

  private func inBatches(_ events: Int64, _ body: (RecordBatch, Range<Int>) throws -> Void) rethrows {
    var rest = events
    while rest > 0 {
      let count = Int(min(rest, Int64(ReadyOrders.count)))
      try body(ready.batch, 0..<count)
      rest -= Int64(count)
    }
  }
}

/// Takes everything and keeps nothing.
private final class NullTransaction: Transaction {
  let pendingBytes = 0

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {}
  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {}
  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {}
  func abort() throws(BrokerError) {}
  func close() {}
}

/// Acknowledges everything and keeps nothing.
private final class NullProducer: Producer {
  let partitionCount = ReadyOrders.partitions
  var deliveries = DeliveryCounts(partitionCount: ReadyOrders.partitions)

  func send(_ record: OutgoingRecord) throws(BrokerError) { deliveries.acknowledged += 1 }
  func flush(timeout: Duration) throws(BrokerError) {}
  func takeReports() -> RecordReports { RecordReports() }
  func close() {}
}
