import CBaseline
import OrderStreamCore

/// Generated orders that lie ready in memory: as a batch, as a consumer would hand them over, and as plain bytes.
final class ReadyOrders {
  static let count = 10_000
  static let partitions: Int32 = 6
  static let start: Int64 = 1_704_067_200

  let batch = RecordBatch(recordLimit: ReadyOrders.count, byteLimit: .max)
  let bytes = ByteBuffer(capacity: 4 << 20)
  private(set) var records: [baseline_record] = []

  /// Average bytes of a value.
  var valueBytes: Int { records.reduce(0) { $0 + $1.value_length } / records.count }

  /// Average bytes of a key and its value. Produced orders have no headers.
  var averageBytes: Double {
    Double(records.reduce(0) { $0 + $1.key_length + $1.value_length }) / Double(records.count)
  }

  init() {
    var generator = OrderGenerator(Self.options(count: Int64(Self.count)))
    let value = ByteBuffer()
    for index in 0..<Self.count {
      let order = generator.next(wallMilliseconds: 0, into: value)
      let key = order.key(in: value)
      let start = bytes.count
      bytes.append(value.bytes)
      records.append(
        baseline_record(
          partition: Partitioner.partition(key: key, count: Self.partitions),
          key_start: start + order.keyRange.lowerBound, key_length: order.keyRange.count,
          value_start: start, value_length: value.count))
      // In runs of 1000 of one partition, as a consumer hands them over.
      batch.append(
        partition: Int32(index / 1000) % Self.partitions, offset: Int64(index), timestampMs: 0, key: key,
        value: value.bytes)
    }
  }

  /// Orders over one hour of event time, or over more minutes.
  static func options(count: Int64, minutes: Int64 = 60) -> OrderGenerator.Options {
    OrderGenerator.Options(
      seed: 42, count: count,
      eventTime: .span(startSeconds: start, spanNanoseconds: minutes * 60 * 1_000_000_000))
  }

  func outgoing(_ index: Int) -> OutgoingRecord {
    let record = records[index]
    return OutgoingRecord(
      partition: record.partition, timestampMs: 1, key: slice(record.key_start, record.key_length),
      value: slice(record.value_start, record.value_length))
  }

  private func slice(_ start: Int, _ length: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<(start + length)])
  }
}
