import CCRC32C
import OrderStreamCore

/// Where a batch belongs and what it spans: its checksum covers these and the payload, so a batch that was altered,
/// moved or given other borders does not fit.
struct BatchSeal {
  var topic: Int64
  /// Number of the partition, as users see it.
  var partition: Int32
  var base: Offset
  var count: Int32
  var minTimestamp: Int64
  var maxTimestamp: Int64

  func crc(of payload: UnsafeRawBufferPointer) -> UInt32 {
    var seal = RowSeal(.batch)
    seal.add(topic)
    seal.add(Int64(partition))
    seal.add(base)
    seal.add(Int64(count))
    seal.add(minTimestamp)
    seal.add(maxTimestamp)
    seal.add(payload)
    return seal.value
  }
}
