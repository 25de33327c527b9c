import OrderStreamCore

/// The end of one partition as the outside mark knows it.
struct TailMark: Equatable {
  /// Row id of the partition.
  var partition: Int64
  var end: Offset
  /// Checksum of the batch that ends there.
  var crc: UInt32
}
