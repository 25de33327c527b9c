import GRDB
import OrderStreamCore

/// One row of `batch`: up to 1000 records of one partition, and where their bytes are. Valid until the next step of its
/// query.
struct StoredBatch {
  /// Where the payload is, laid out as in `RecordChunk`.
  enum Place {
    /// In the row: what was written in a small commit, or by a version without segments.
    case row(UnsafeRawBufferPointer)
    case segment(Int64, position: Int64, bytes: Int)
  }

  let base: Offset
  let count: Int32
  let minTimestamp: Int64
  let maxTimestamp: Int64
  let crc: Int64
  let place: Place

  /// The columns that `init` reads, of a log of that version.
  static func columns(_ version: Int64) -> String {
    "id, count, min_timestamp, max_timestamp, crc, payload, "
      + (version >= 2 ? "segment, position, bytes" : "NULL, NULL, NULL")
  }

  init(_ query: Query) {
    base = LogSchema.baseOffset(batchID: query.integer(0))
    count = Int32(truncatingIfNeeded: query.integer(1))
    (minTimestamp, maxTimestamp, crc) = (query.integer(2), query.integer(3), query.integer(4))
    place =
      query.isNull(6)
      ? .row(query.bytes(5))
      : .segment(query.integer(6), position: query.integer(7), bytes: Int(truncatingIfNeeded: query.integer(8)))
  }

  var end: Offset { base + Int64(count) }

  /// - Returns: how many bytes the payload has.
  /// - Throws: `damaged` for a length that no batch has.
  func byteCount(_ coordinates: @autoclosure () -> String) throws(BrokerError) -> Int {
    switch place {
    case .row(let payload): return payload.count
    case .segment(_, let position, let bytes):
      guard position >= 0, (0...RecordChunk.largestBytes).contains(bytes) else {
        throw StorageErrors.damaged(coordinates(), why: "its place in the segment is none: the log was altered")
      }
      return bytes
    }
  }

  /// - Throws: `damaged` when the bytes are not those that were written.
  func check(
    _ payload: UnsafeRawBufferPointer, topic: Int64, partition: Int32, _ coordinates: @autoclosure () -> String
  ) throws(BrokerError) {
    let checksum = BatchChecksum(
      topic: topic, partition: partition, base: base, count: count, minTimestamp: minTimestamp,
      maxTimestamp: maxTimestamp)
    if crc != Int64(checksum.crc(of: payload)) {
      throw StorageErrors.damaged(
        coordinates(), why: "the checksum of the batch does not match: the log was altered")
    }
  }
}
