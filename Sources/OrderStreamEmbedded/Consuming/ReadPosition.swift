import OrderStreamCore

/// How far a consumer has read in one partition.
struct ReadPosition {
  var partition: Int32
  /// Next offset to read.
  var next: Offset
  /// The end that was reported last, so that each is reported once.
  var reportedEnd: Offset = -1

  init(_ start: PartitionOffset) {
    partition = start.partition
    next = start.offset
  }
}
