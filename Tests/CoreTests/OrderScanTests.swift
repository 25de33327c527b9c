import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// Orders that are decoded on two threads.
@Suite struct OrderScanTests {
  private static func batch(_ count: Int, poison: Set<Int> = []) -> RecordBatch {
    let batch = RecordBatch(recordLimit: .max, byteLimit: .max)
    for index in 0..<count {
      let text = ByteBuffer(capacity: 64)
      CivilTime.appendSeconds(Int64(index % 7 - 3) * 3600 + Int64(index) * 61, to: text)
      let value = OrderText.with {
        $0.timestamp = "\"\(String(decoding: text.bytes, as: UTF8.self))\""
        $0.status = index % 5 == 0 ? #""failed""# : #""placed""#
      }
      var bytes = Array((poison.contains(index) ? "no order \(index)" : value).utf8)
      if index % 1009 == 7 { bytes = [] }
      bytes.withUnsafeBytes {
        batch.append(
          partition: Int32(index / 97 % 4), offset: Int64(index), timestampMs: 1, key: nil,
          value: index % 2003 == 5 ? nil : $0)
      }
    }
    return batch
  }

  /// The same records one by one, without a second thread.
  private static func alone(_ batch: RecordBatch, _ range: Range<Int>) throws -> MetricsSummary {
    let metrics = OrderMetrics(topic: "t", onPoison: .skip)
    for index in range { try metrics.apply(batch[index]) }
    return try metrics.summary(with: nil)
  }

  @Test("Two threads count what one does, in runs of every length, poison, tombstones and empty values among them")
  func same() throws {
    let batch = Self.batch(9000, poison: [0, 1, 255, 256, 2047, 5000, 8999])
    for range in [0..<2047, 0..<2048, 1..<2050, 100..<9000, 0..<9000, 6000..<9000] {
      let metrics = OrderMetrics(topic: "t", onPoison: .skip)
      metrics.decodesOnTwoThreads = true
      for _ in 0..<2 { try metrics.apply(batch, range, to: RecordingTransaction()) }
      let (found, right) = (try metrics.summary(with: nil), try Self.alone(batch, range))
      #expect(found.rejected == 2 * right.rejected && found.totalOrders == 2 * right.totalOrders, "\(range)")
      #expect(found.failedOrders == 2 * right.failedOrders && found.minutes.count == right.minutes.count, "\(range)")
    }
  }

  @Test("The first poison record ends a run that is to fail, and nothing behind it is counted")
  func poison() throws {
    let batch = RecordBatch(recordLimit: .max, byteLimit: .max)
    let good = Array(OrderText.with { _ in }.utf8)
    for index in 0..<5000 {
      (index == 3000 || index == 4000 ? Array("none".utf8) : good).withUnsafeBytes {
        batch.append(partition: 0, offset: Int64(index), timestampMs: 1, key: nil, value: $0)
      }
    }
    let metrics = OrderMetrics(topic: "t", onPoison: .fail)
    metrics.decodesOnTwoThreads = true
    let error = #expect(throws: PipelineError.self) { try metrics.apply(batch, 0..<5000, to: RecordingTransaction()) }
    #expect("\(String(describing: error))".contains("3000"), "\(String(describing: error))")
    #expect(try metrics.summary(with: nil).totalOrders == 3000)
  }
}
