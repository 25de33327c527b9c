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
