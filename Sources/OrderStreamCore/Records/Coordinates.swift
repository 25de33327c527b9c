/// Position of a record in its partition: 0-based, never reused, with gaps where control or removed records were.
public typealias Offset = Int64

extension Offset {
  /// The offset to commit, or to read next, after the record at this offset. The only "+1" of the project.
  public var next: Offset { self + 1 }
}

/// One partition of one topic. Written `order-events[2]` in messages.
public struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var topic: String
  /// 0-based.
  public var partition: Int32

  public init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  public var description: String { "\(topic)[\(partition)]" }

  public static func < (lhs: Self, rhs: Self) -> Bool {
    (lhs.topic, lhs.partition) < (rhs.topic, rhs.partition)
  }
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

/// A stretch of one partition.
public struct PartitionRange: Hashable, Sendable {
  public var partition: Int32
  public var offsets: Range<Offset>

  public init(partition: Int32, offsets: Range<Offset>) {
    self.partition = partition
    self.offsets = offsets
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

/// The borders of a partition. `low ≤ stable ≤ high`.
public struct Watermarks: Hashable, Sendable {
  /// Log start offset: the first offset that can still be read.
  public var low: Offset
  /// High watermark: the offset that the next record will get.
  public var high: Offset
  /// Last stable offset: everything below it is committed or aborted. Equals `high` when no transaction is open.
  public var stable: Offset

  public init(low: Offset, high: Offset, stable: Offset) {
    self.low = low
    self.high = high
    self.stable = stable
  }
}

/// A place in a topic, as users name it: in each partition, or in one of them.
public struct Place: Hashable, Sendable {
  public enum Position: Hashable, Sendable {
    /// The low and the high watermark.
    case earliest, latest
    case offset(Offset)
    /// That many offsets after the low watermark, or before the high one.
    case afterStart(Int64)
    case beforeEnd(Int64)
    /// The first record at or after this time, milliseconds since 1970 UTC.
    case time(milliseconds: Int64)
    /// The first record at or after the time that lies this long before now.
    case ago(Duration)
  }

  public var position: Position
  /// `nil`: each partition.
  public var partition: Int32?

  public init(_ position: Position, partition: Int32? = nil) {
    self.position = position
    self.partition = partition
  }

  public static let earliest = Place(.earliest)
  public static let latest = Place(.latest)

  /// The offset of the place in each partition, within its borders; `nil` for partitions of which it does not speak.
  /// - Parameters:
  ///   - marks: the borders of every partition of the topic.
  ///   - wallMilliseconds: now, since 1970 UTC.
  /// - Throws: `unknownPartition`.
  public func offsets(
    in topic: String, _ marks: [Watermarks], admin: any Admin, wallMilliseconds: Int64
  ) throws(BrokerError) -> [Offset?] {
    if let partition, !marks.indices.contains(Int(partition)) {
      throw BrokerError(
        .unknownPartition, "cannot find \(topic)[\(partition)]", why: "the topic has \(marks.count) partitions",
        remedy: "name one from 0 to \(marks.count - 1)", recovery: .none)
    }
    let found: [Offset]
    switch position {
    case .earliest: found = marks.map(\.low)
    case .latest: found = marks.map(\.high)
    case .offset(let offset): found = marks.map { _ in offset }
    case .afterStart(let count): found = marks.map { $0.low.saturatingAdd(count) }
    case .beforeEnd(let count): found = marks.map { $0.high.saturatingAdd(-count) }
    case .time(let milliseconds): found = try admin.offsets(topic: topic, at: milliseconds)
    case .ago(let duration):
      found = try admin.offsets(topic: topic, at: wallMilliseconds.saturatingAdd(-duration.milliseconds))
    }
    return marks.indices.map { number in
      if let partition, number != Int(partition) { return nil }
      let offset = found.indices.contains(number) ? found[number] : marks[number].low
      return min(max(offset, marks[number].low), marks[number].high)
    }
  }
}

extension [Place] {
  /// The offset that these places give each partition, within its borders; of several that speak of one the last counts.
  /// `nil` for partitions of which none speaks.
  /// - Parameters: as `Place.offsets` has them.
  /// - Throws: `unknownPartition`.
  public func offsets(
    in topic: String, _ marks: [Watermarks], admin: any Admin, wallMilliseconds: Int64
  ) throws(BrokerError) -> [Offset?] {
    var found: [Offset?] = marks.map { _ in nil }
    for place in self {
      let offsets = try place.offsets(in: topic, marks, admin: admin, wallMilliseconds: wallMilliseconds)
      found = zip(found, offsets).map { $1 ?? $0 }
    }
    return found
  }
}
