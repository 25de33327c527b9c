import CCounters
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Nothing is allocated per event once the buffers have grown. `scripts/cost-gate.sh` asks the same of a release build,
/// and counts instructions too.
@Suite struct AllocationTests {
  private static let count = 2000

  /// What a batch may cost, however many events it has.
  private static let batchLimit: UInt64 = 16

  @Test func generatingAndEncodingOrdersAllocatesNothingPerEvent() {
    let buffer = ByteBuffer()
    func run() {
      var generator = OrderGenerator(.init(seed: 1, count: Int64(Self.count), eventTime: Self.hour))
      for _ in 0..<Self.count { _ = generator.next(wallMilliseconds: 0, into: buffer) }
    }
    // A generator writes its menu once.
    expect(atMost: 64, run)
  }

  @Test func decodingOrdersAllocatesNothingPerEvent() {
    let batch = Self.orders()
    let decoder = OrderDecoder()
    expect {
      for index in 0..<batch.count where decoder.decode(batch[index].value) != nil {
        Issue.record("an order is poison")
      }
    }
  }

  @Test func countingOrdersAllocatesNothingPerEvent() throws {
    let batch = Self.orders()
    let metrics = OrderMetrics(topic: "t", onPoison: .fail)
    try expect { try metrics.apply(batch, 0..<batch.count, to: IgnoringTransaction()) }
  }

  @Test func projectingOrdersToInventoryEventsAllocatesNothingPerEvent() throws {
    let batch = Self.orders()
    let projection = InventoryProjection(
      .init(topic: "t", group: "g", onPoison: .fail, outputPartitions: 6), time: SystemTime())
    // A debug build allocates once an item where a release build, which the cost gate looks at, allocates nothing.
    #if DEBUG
      let limit = UInt64(4 * Self.count)
    #else
      let limit = Self.batchLimit
    #endif
    try expect(atMost: limit) { try projection.apply(batch, 0..<batch.count, to: IgnoringTransaction()) }
  }

  private static let hour = EventTime.span(startSeconds: 1_704_067_200, spanNanoseconds: 3_600_000_000_000)

  private static func orders() -> RecordBatch {
    let batch = RecordBatch(recordLimit: count)
    let buffer = ByteBuffer()
    var generator = OrderGenerator(.init(seed: 1, count: Int64(count), eventTime: hour))
    for index in 0..<count {
      let order = generator.next(wallMilliseconds: 0, into: buffer)
      batch.append(
        partition: 0, offset: Int64(index), timestampMs: 0, key: order.key(in: buffer), value: buffer.bytes)
    }
    return batch
  }

  /// Runs the body twice and counts what this thread allocates in the second run.
  private func expect(atMost limit: UInt64 = AllocationTests.batchLimit, _ body: () throws -> Void) rethrows {
    try body()
    let before = allocation_counter_thread()
    try body()
    let allocations = allocation_counter_thread() - before
    #expect(allocations <= limit, "\(allocations) allocations for \(Self.count) events")
  }
}

private final class IgnoringTransaction: Transaction {
  let pendingBytes = 0
  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {}
  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {}
  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {}
  func abort() throws(BrokerError) {}
  func close() {}
}
