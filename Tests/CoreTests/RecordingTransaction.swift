import OrderStreamCore
import OrderStreamTestSupport

/// A transaction that remembers what it was given, and fails on request.
final class RecordingTransaction: Transaction {
  struct Sent: Equatable {
    var output: Int
    var record: TestRecord
  }

  private(set) var sent: [Sent] = []
  /// State as a broker would hold it: the last write to each key wins.
  private(set) var state: [Int32: [[UInt8]: [UInt8]]] = [:]
  var failure: BrokerError?
  /// Key, value and headers of the largest record that it takes.
  var largestRecord = Int.max

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    if let failure { throw failure }
    var copy = TestRecord(partition: record.partition, timestampMs: record.timestampMs, value: nil)
    copy.key = record.key.map(Array.init)
    copy.value = record.value.map(Array.init)
    copy.headers = record.headers.map { header in
      var copy = TestRecord.Header("", header.value.map(Array.init))
      copy.name = Array(header.name)
      return copy
    }
    sent.append(Sent(output: output, record: copy))
  }

  func takes(_ record: OutgoingRecord, on output: Int) -> Bool {
    (record.key?.count ?? 0) + (record.value?.count ?? 0) + record.headers.block.count <= largestRecord
  }

  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    state[partition, default: [:]][Array(key)] = value.map(Array.init)
  }

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {}
  func abort() throws(BrokerError) {}
  var pendingBytes: Int { 0 }
  func close() {}
}

/// Records as a poll would hand them over.
func batch(_ records: [TestRecord], ends: [PartitionOffset] = []) -> RecordBatch {
  let batch = RecordBatch()
  for record in records {
    let block = ByteBuffer(capacity: 64)
    for header in record.headers {
      header.name.withUnsafeBytes { name in
        if let value = header.value {
          value.withUnsafeBytes { Headers.append(name: name, value: $0, to: block) }
        } else {
          Headers.append(name: name, value: nil, to: block)
        }
      }
    }
    let (key, value) = (record.key.map(buffer), record.value.map(buffer))
    batch.append(
      partition: record.partition, offset: record.offset, timestampMs: record.timestampMs, key: key?.bytes,
      value: value?.bytes, headers: record.headers.isEmpty ? nil : block.bytes)
  }
  for end in ends { batch.appendEnd(end) }
  return batch
}

private func buffer(_ bytes: [UInt8]) -> ByteBuffer {
  let buffer = ByteBuffer(capacity: 64)
  bytes.withUnsafeBytes { buffer.append($0) }
  return buffer
}
