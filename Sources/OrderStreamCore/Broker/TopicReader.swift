/// Reads stretches of a topic's partitions without a group, one after the other, and waits for open transactions inside
/// them. To begin a partition costs a broker 50 to 90 ms whatever it holds, so small ones are read at once, and the records
/// of those whose turn has not come are kept; a large one is read by itself. Stretches that follow each other in one
/// partition are read on: that costs no seek, and nothing is read twice.
public final class TopicReader {
  /// A range that begins at most this far ahead is reached by reading on.
  private static let skipLimit: Offset = 50_000
  /// Partitions are read at once as long as they have so many offsets together, and the kept records so many bytes. What
  /// has that many by itself takes longer to read than to begin.
  private static let groupOffsets = 20_000
  private static let groupBytes = 4 << 20
  /// Two readers are often at work side by side.
  private static let batchBytes = 4 << 20

  /// How long one poll waits, and after how many that brought nothing a wait is told of: about a second.
  private static let pollTimeout = Duration.milliseconds(100)
  private static let quietPolls = 10

  private let topic: String
  private let consumer: any Consumer
  private let batch = RecordBatch(byteLimit: TopicReader.batchBytes)
  private let stop: StopFlag
  /// Hears once of each partition in which an open transaction has hidden records for about a second.
  private let waits: (PipelineWait) -> Void
  private var reported: Set<Int32> = []
  /// The partition that is read by itself; `nil` when several were read last.
  private var partition: Int32?
  /// Everything below it has been handed out or passed over.
  private var position: Offset = 0
  /// The next record of `batch` to hand out.
  private var index = 0
  /// Where the partition ended behind the records of `batch`; passed once they are handed out.
  private var reachedEnd: Offset?
  /// The end that was passed last, to tell a partition that ends from one that is slow.
  private var passedEnd: Offset?
  /// Polls since something came last.
  private var emptyPolls = 0
  /// Records of partitions whose turn has not come.
  private let kept = RecordBatch(recordLimit: TopicReader.groupOffsets, byteLimit: TopicReader.groupBytes)
  /// Offsets of partitions that are read at once; fewer while records turn out to be large.
  private var groupOffsets = TopicReader.groupOffsets

  /// - Parameter waits: hears once of each partition in which an open transaction hides records.
  public init(
    topic: String, broker: any Broker, isolation: Isolation = .committed, stop: StopFlag,
    waits: @escaping (PipelineWait) -> Void
  ) throws(BrokerError) {
    self.topic = topic
    self.stop = stop
    self.waits = waits
    var options = ConsumerOptions(topic: topic, membership: .none)
    options.isolation = isolation
    consumer = try broker.consumer(options)
  }

  public func close() { consumer.close() }

  /// Visits the records of these ranges, range by range and in offset order.
  /// - Parameters:
  ///   - pause: called when nothing has come for a while.
  ///   - visit: returns whether to go on.
  /// - Returns: `false` when a stop was requested before the end, or `visit` ended it.
  public func read(
    _ ranges: [PartitionRange], pause: () -> Void = {}, _ visit: (RecordBatch.View) throws(BrokerError) -> Bool
  ) throws(BrokerError) -> Bool {
    var rest = ranges.filter { !$0.offsets.isEmpty }[...]
    while let first = rest.first {
      let count = isNext(first) ? 1 : groupCount(rest)
      if count == 1 {
        guard try readOne(first, pause, visit) else { return false }
        rest.removeFirst()
        continue
      }
      var group = RangeGroup(Array(rest.prefix(count)))
      guard try readGroup(&group, pause, visit) else { return false }
      rest.removeFirst(group.head)
      learn(isWhole: group.isDone)
      // More than may be kept: the partition in hand goes on by itself, and the others are read again.
      if let left = group.left {
        guard try readOne(left, pause, visit) else { return false }
        rest.removeFirst()
      }
    }
    return true
  }

  /// How many offsets the next group has, from what had to be kept of the last one.
  private func learn(isWhole: Bool) {
    if !isWhole {
      groupOffsets = max(1, Self.groupBytes / 2 * kept.count / max(1, kept.byteCount))
    } else if kept.byteCount < Self.groupBytes / 4 {
      groupOffsets = min(Self.groupOffsets, groupOffsets * 2)
    }
  }

  /// How many of these ranges are read at once: partitions in ascending order that are small together.
  private func groupCount(_ ranges: ArraySlice<PartitionRange>) -> Int {
    var offsets = 0
    var last: Int32 = -1
    var count = 0
    for range in ranges {
      offsets += range.offsets.count
      if range.partition <= last || offsets > groupOffsets { break }
      last = range.partition
      count += 1
    }
    return max(1, count)
  }

  // MARK: - One partition

  private func isNext(_ range: PartitionRange) -> Bool {
    let offset = range.offsets.lowerBound
    return range.partition == partition && offset >= position && offset - position <= Self.skipLimit
  }

  private func readOne(
    _ range: PartitionRange, _ pause: () -> Void, _ visit: (RecordBatch.View) throws(BrokerError) -> Bool
  ) throws(BrokerError) -> Bool {
    if !isNext(range) { try assign([range]) }
    let bound = range.offsets.upperBound
    while position < bound {
      guard index < batch.count else {
        if stop.isRequested { return false }
        try refill(range.partition, below: bound, pause)
        continue
      }
      let record = batch[index]
      // What lies beyond is for the next range.
      if record.offset >= bound { return true }
      index += 1
      position = record.offset.next
      if record.offset >= range.offsets.lowerBound, try !visit(record) { return false }
    }
    return true
  }

  private func assign(_ ranges: [PartitionRange]) throws(BrokerError) {
    batch.removeAll()
    index = 0
    reachedEnd = nil
    passedEnd = nil
    emptyPolls = 0
    partition = ranges.count == 1 ? ranges[0].partition : nil
    position = ranges[0].offsets.lowerBound
    try consumer.assign(ranges.map { PartitionOffset(partition: $0.partition, offset: $0.offsets.lowerBound) })
  }

  /// Passes the end that the last poll has reached, or polls.
  private func refill(_ partition: Int32, below bound: Offset, _ pause: () -> Void) throws(BrokerError) {
    if let end = reachedEnd {
      reachedEnd = nil
      position = max(position, end)
      passedEnd = position
      if position >= bound { return }
    }
    try poll(pause)
    index = 0
    // What ends below the bound and does not go on is hidden.
    if emptyPolls == Self.quietPolls, passedEnd == position { tell(partition, position) }
    guard let end = batch.ends.last(where: { $0.partition == partition }) else { return }
    // Records of the same poll lie below the end and are handed out first.
    reachedEnd = end.offset
  }

  private func poll(_ pause: () -> Void) throws(BrokerError) {
    _ = try consumer.poll(into: batch, timeout: Self.pollTimeout)
    emptyPolls = batch.isEmpty && batch.ends.isEmpty ? emptyPolls + 1 : 0
    if emptyPolls > 0 { pause() }
  }

  private func tell(_ partition: Int32, _ position: Offset) {
    guard reported.insert(partition).inserted else { return }
    waits(.openTransaction(TopicPartition(topic: topic, partition: partition), position))
  }

  // MARK: - Many partitions

  /// Reads a group until all of it was visited, or more would have to be kept than may be.
  private func readGroup(
    _ group: inout RangeGroup, _ pause: () -> Void, _ visit: (RecordBatch.View) throws(BrokerError) -> Bool
  ) throws(BrokerError) -> Bool {
    try assign(group.ranges)
    // What is in the batch belongs to no partition that could be read on.
    kept.removeAll()
    while !group.isDone && !kept.isFull {
      if stop.isRequested { return false }
      try poll(pause)
      for index in 0..<batch.count where !kept.isFull {
        let record = batch[index]
        switch group.take(record, keptAs: kept.count) {
        case .visit: if try !visit(record) { return false }
        case .keep:
          kept.append(
            partition: record.partition, offset: record.offset, timestampMs: record.timestampMs, key: record.key,
            value: record.value, headers: record.headers.block)
        case .leave: break
        }
        if try !visitKept(&group, visit) { return false }
      }
      if kept.isFull { break }
      for end in batch.ends { group.reachEnd(end) }
      if try !visitKept(&group, visit) { return false }
      if emptyPolls == Self.quietPolls { for hidden in group.hidden { tell(hidden.partition, hidden.offset) } }
    }
    batch.removeAll()
    return true
  }

  /// Visits what was kept of the partitions whose turn has come.
  private func visitKept(
    _ group: inout RangeGroup, _ visit: (RecordBatch.View) throws(BrokerError) -> Bool
  ) throws(BrokerError) -> Bool {
    while let records = group.nextTurn() {
      for index in records where try !visit(kept[index]) { return false }
    }
    return true
  }
}

/// Ranges of different partitions that are read at once and visited one after the other: whose turn it is, and what waits
/// for its turn. No I/O.
struct RangeGroup {
  enum Verdict { case visit, keep, leave }

  private struct Place {
    var position: Offset
    /// Where its records are kept.
    var kept: [Int] = []
    /// The end that was seen, below the bound: what lies behind it is hidden.
    var hiddenFrom: Offset?
  }

  let ranges: [PartitionRange]
  private var places: [Place]
  /// By partition.
  private let index: [Int32: Int]
  /// Ranges that were visited to their ends; also the place whose turn it is.
  private(set) var head = 0

  init(_ ranges: [PartitionRange]) {
    self.ranges = ranges
    places = ranges.map { Place(position: $0.offsets.lowerBound) }
    index = Dictionary(uniqueKeysWithValues: ranges.enumerated().map { ($1.partition, $0) })
  }

  var isDone: Bool { head == ranges.count }

  /// What is left of the range whose turn it is; `nil` when all are done.
  var left: PartitionRange? {
    isDone
      ? nil
      : PartitionRange(
        partition: ranges[head].partition, offsets: places[head].position..<ranges[head].offsets.upperBound)
  }

  /// Places that end below their bounds.
  var hidden: [PartitionOffset] {
    (head..<ranges.count).compactMap { place in
      places[place].hiddenFrom.map { PartitionOffset(partition: ranges[place].partition, offset: $0) }
    }
  }

  /// Notes a record.
  /// - Parameter keptAs: where it is kept, if it is.
  mutating func take(_ record: RecordBatch.View, keptAs: Int) -> Verdict {
    guard let place = index[record.partition], record.offset >= places[place].position else { return .leave }
    let bound = ranges[place].offsets.upperBound
    places[place].position = min(record.offset.next, bound)
    places[place].hiddenFrom = nil
    if record.offset >= bound { return .leave }
    if place == head { return .visit }
    places[place].kept.append(keptAs)
    return .keep
  }

  mutating func reachEnd(_ end: PartitionOffset) {
    guard let place = index[end.partition] else { return }
    let bound = ranges[place].offsets.upperBound
    places[place].position = min(max(places[place].position, end.offset), bound)
    places[place].hiddenFrom = places[place].position < bound ? places[place].position : nil
  }

  /// Passes the turn on when the place that has it is done; returns what was kept of the next one.
  mutating func nextTurn() -> [Int]? {
    guard !isDone, places[head].position >= ranges[head].offsets.upperBound else { return nil }
    head += 1
    if isDone { return nil }
    defer { places[head].kept = [] }
    return places[head].kept
  }
}
