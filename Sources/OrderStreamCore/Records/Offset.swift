/// Position of a record in its partition: 0-based, never reused, with gaps where control or removed records were.
public typealias Offset = Int64

extension Offset {
  /// The offset to commit, or to read next, after the record at this offset. The only "+1" of the project.
  public var next: Offset { self + 1 }
}

/// A partition of the topic at hand and an offset in it: a start position, or the next offset to read that is committed.
public struct PartitionOffset: Hashable, Sendable {
  public var partition: Int32
  public var offset: Offset

  public init(partition: Int32, offset: Offset) {
    self.partition = partition
    self.offset = offset
  }
}

/// Where a record is: `order-events[2]@1047`.
public struct Coordinates: Hashable, Sendable, CustomStringConvertible {
  public var topicPartition: TopicPartition
  public var offset: Offset

  public init(_ topicPartition: TopicPartition, offset: Offset) {
    self.topicPartition = topicPartition
    self.offset = offset
  }

  public var description: String { "\(topicPartition)@\(offset)" }
}
