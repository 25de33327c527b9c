/// Reads how old the first record is that a group has not committed, in each of its partitions: without the group, through
/// one reader a topic that stays open, and of each partition at most once in five seconds. One thread.
public final class LagAges {
  static let interval = Duration.seconds(5)
  /// How long one look waits for records; what has not come by then is asked for by the next one.
  private static let readLimit = Duration.milliseconds(700)
  private static let pollTimeout = Duration.milliseconds(100)
  private static let recordLimit = 2000
  private static let byteLimit = 1 << 20

  /// What was found at a position.
  private struct Finding {
    enum Result {
      case record(offset: Offset, timestampMs: Int64)
      /// Between the position and the end there is no record.
      case nothing
      case failed(String)
    }

    var position: Offset
    var result: Result
    /// Whether what was there had gone when it was read.
    var isRemoved: Bool
    /// On the monotonic and on the wall clock.
    var time: Int64
    var wallMs: Int64
  }

  private let broker: any Broker
  private let time: any TimeSource
  private var readers: [String: any Consumer] = [:]
  private var findings: [TopicPartition: Finding] = [:]
  private let batch = RecordBatch(recordLimit: LagAges.recordLimit, byteLimit: LagAges.byteLimit)

  public init(broker: any Broker, time: any TimeSource) {
    self.broker = broker
    self.time = time
  }

  public func close() {
    for reader in readers.values { reader.close() }
    readers = [:]
  }

  /// The age of each partition of `lag`, parallel to it.
  /// - Parameter usesAppendTime: Whether the timestamps of a topic are those of brokers.
  public func ages(of lag: GroupLag, usesAppendTime: (String) -> Bool) -> [LagExplanation.Age] {
    let now = time.monotonicNanoseconds
    var due: [String: [PartitionOffset]] = [:]
    for partition in lag.partitions {
      guard let position = Self.position(partition), isDue(partition.topicPartition, position, now) else { continue }
      due[partition.topicPartition.topic, default: []].append(
        PartitionOffset(partition: partition.topicPartition.partition, offset: position))
    }
    let deadline = Deadline(Self.readLimit, time)
    for (topic, positions) in due.sorted(by: { $0.key < $1.key }) { read(topic, positions, lag, until: deadline) }
    return lag.partitions.map { age(of: $0, usesAppendTime: usesAppendTime($0.topicPartition.topic)) }
  }

  /// Where there is something unread.
  private static func position(_ partition: GroupLag.Partition) -> Offset? {
    guard let records = partition.lag.records, records > 0, let marks = partition.watermarks else { return nil }
    return marks.stable - records
  }

  private func isDue(_ place: TopicPartition, _ position: Offset, _ now: Int64) -> Bool {
    guard let finding = findings[place] else { return true }
    if case .record = finding.result, finding.position == position { return false }
    return now - finding.time >= Self.interval.nanoseconds
  }

  // MARK: - Reading

  private func read(_ topic: String, _ positions: [PartitionOffset], _ lag: GroupLag, until deadline: Deadline) {
    let committed = Dictionary(
      lag.partitions.filter { $0.topicPartition.topic == topic }.map { ($0.topicPartition.partition, $0.committed) },
      uniquingKeysWith: { first, _ in first })
    func note(_ position: PartitionOffset, _ result: Finding.Result, isRemoved: Bool = false) {
      findings[TopicPartition(topic: topic, partition: position.partition)] = Finding(
        position: position.offset, result: result, isRemoved: isRemoved, time: time.monotonicNanoseconds,
        wallMs: time.wallMilliseconds)
    }
    var missing = positions
    do throws(BrokerError) {
      let reader = try reader(of: topic)
      try reader.assign(missing)
      while !missing.isEmpty, !deadline.hasPassed {
        _ = try reader.poll(into: batch, timeout: deadline.remaining(atMost: Self.pollTimeout))
        let before = missing.count
        var found: [Int32: (offset: Offset, timestampMs: Int64)] = [:]
        for entry in batch.entries where found[entry.partition] == nil {
          found[entry.partition] = (entry.offset, entry.timestampMs)
        }
        let ends = Dictionary(batch.ends.map { ($0.partition, $0.offset) }, uniquingKeysWith: { $1 })
        missing.removeAll { position in
          if let record = found[position.partition], record.offset >= position.offset {
            let wanted = committed[position.partition].flatMap { $0 } ?? position.offset
            note(
              position, .record(offset: record.offset, timestampMs: record.timestampMs),
              isRemoved: record.offset > wanted)
            return true
          }
          if ends[position.partition] != nil {
            note(position, .nothing)
            return true
          }
          return false
        }
        // Partitions that have been found fill the batches before those that have not.
        if !missing.isEmpty, missing.count < before || !batch.isEmpty { try reader.assign(missing) }
      }
      // Nothing is fetched until the next time.
      try reader.assign([])
      for position in missing { note(position, .failed("no record came in time")) }
    } catch {
      for position in missing { note(position, .failed(error.why)) }
      readers.removeValue(forKey: topic)?.close()
    }
    batch.removeAll()
  }

  private func reader(of topic: String) throws(BrokerError) -> any Consumer {
    if let reader = readers[topic] { return reader }
    let reader = try broker.consumer(ConsumerOptions(topic: topic, membership: .none, readsHeaders: false))
    readers[topic] = reader
    return reader
  }

  // MARK: - What it says

  private func age(of partition: GroupLag.Partition, usesAppendTime: Bool) -> LagExplanation.Age {
    guard let position = Self.position(partition) else {
      guard partition.lag.records == 0 else {
        return LagExplanation.Age(seconds: nil, reason: "the lag is not known: \(partition.lag.reason ?? "")")
      }
      findings[partition.topicPartition] = nil
      return .none
    }
    guard let finding = findings[partition.topicPartition] else {
      return LagExplanation.Age(seconds: nil, reason: "it was not read yet")
    }
    switch finding.result {
    case .failed(let why):
      return LagExplanation.Age(seconds: nil, reason: "the record at \(finding.position) cannot be read: \(why)")
    case .nothing:
      return LagExplanation.Age(
        seconds: nil,
        reason: "from \(finding.position) on there is no record, only ends of transactions or what was removed")
    case .record(_, let timestampMs) where timestampMs < 0:
      return LagExplanation.Age(seconds: nil, reason: "the record at \(finding.position) has no timestamp")
    case .record(let offset, let timestampMs):
      var remarks: [String] = []
      if finding.isRemoved {
        remarks.append("the record at \(partition.committed ?? finding.position) is gone, the next one is at \(offset)")
      }
      if usesAppendTime { remarks.append("timestamps are append times: what was before does not count") }
      var now = time.wallMilliseconds
      if finding.position != position {
        now = finding.wallMs
        let ago = LagWords.seconds(.nanoseconds(time.monotonicNanoseconds - finding.time))
        remarks.append("as of \(ago) ago, at offset \(finding.position)")
      }
      if timestampMs > now { remarks.append("its timestamp lies in the future") }
      return LagExplanation.Age(
        seconds: Double(max(0, now - timestampMs)) / 1000,
        reason: remarks.isEmpty ? nil : remarks.joined(separator: "; "))
    }
  }
}
