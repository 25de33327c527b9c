/// Moves a group of `analytics` to another place of its topic, state and offsets together. The state is recomputed from
/// the records below the place and takes the place of the old one in the transaction that moves the offsets: whenever the
/// process ends, the group is where it was, or at the place as if it had read so far.
public struct GroupMove {
  /// What becomes of one partition. Partitions of which no place speaks stay where they are.
  public struct Step: Hashable, Sendable {
    public var partition: Int32
    /// Where the group is; `nil` where it has nothing yet.
    public var from: Offset?
    public var to: Offset
    /// The log start offset.
    public var low: Offset

    /// What is read to recompute the state there.
    var range: PartitionRange { PartitionRange(partition: partition, offsets: low..<to) }
    /// Where the group is, or begins.
    public var origin: PartitionOffset { PartitionOffset(partition: partition, offset: from ?? low) }
  }

  /// What the group will hold at the place.
  public struct State {
    fileprivate let metrics: OrderMetrics
    /// Of the last record below each place, where the broker gives the topic no id.
    fileprivate let marks: [Int32: RecordMark]
    public let records: Int64
  }

  public let topic: String
  public let group: String
  /// By partition.
  public let steps: [Step]
  /// What the group holds where it is; `nil` where that cannot be told.
  public let before: MetricsSummary?
  /// The group stands at the place already, state and offsets.
  public let isThere: Bool
  private let partitionCount: Int32
  /// Whether the state must name the last record that it covers.
  private let needsMarks: Bool

  /// Looks at the group and the place; changes nothing.
  /// - Parameters:
  ///   - now: on the wall clock, milliseconds since 1970 UTC.
  ///   - acceptsLoss: whether records that are gone are left out of what is recomputed.
  /// - Throws: `groupActive`, `foreignOffsets`, `immovable`, `topicMadeAnew`, `beginningGone`, and for a place outside of
  ///   the log `offsetOutOfRange`.
  public init(
    of group: String, on topic: TopicDescription, to places: [Place], broker: any Broker, admin: any Admin, now: Int64,
    acceptsLoss: Bool, stop: StopFlag
  ) throws(PipelineError) {
    self.topic = topic.name
    self.group = group
    partitionCount = topic.partitionCount
    needsMarks = topic.id == nil
    let found = try brokerCall(try admin.group(group))
    // Members that nobody can see may be there.
    if let found, !found.members.isEmpty || !found.membersKnown { throw .groupActive(group: group) }
    let committed = (found?.committed ?? [:]).filter { $0.key.topic == topic.name }
    if let found, !committed.isEmpty, !found.beginsAtEarliest {
      throw .foreignOffsets(topic: topic.name, group: group)
    }
    let stored = try Self.stored(group, topic.name, admin)
    let states = try brokerCall(try StoredGroup(group: group, admin: admin))
    if try brokerCall(
      try states.isOfEarlierTopic(topic, committed: committed, broker: broker, admin: admin, stop: stop))
    {
      throw .topicMadeAnew(topic: topic.name, group: group, isOutput: false)
    }
    let marks = try brokerCall(try admin.watermarks(topic: topic.name, partitions: Int(topic.partitionCount)))
    try Self.refuseOutside(places, topic.name, group, marks)
    let ends = try brokerCall(
      try places.offsets(in: topic.name, marks, admin: admin, wallMilliseconds: now))
    var steps: [Step] = []
    var isThere = stored.isWhole
    for (number, end) in ends.enumerated() {
      guard let end else { continue }
      let partition = TopicPartition(topic: topic.name, partition: Int32(number))
      let position = stored.positions[partition.partition]?.nextOffset
      if committed[partition] != end || position != end { isThere = false }
      steps.append(
        Step(
          partition: partition.partition, from: committed[partition] ?? position, to: end, low: marks[number].low))
    }
    if !isThere, !acceptsLoss, let step = steps.first(where: { $0.low > 0 && $0.from != nil }) {
      throw .beginningGone(
        TopicPartition(topic: topic.name, partition: step.partition), group: group, low: step.low)
    }
    self.steps = steps
    self.isThere = isThere
    before = stored.isWhole ? try? stored.metrics.summary(with: nil) : nil
  }

  /// Records to read, as a difference of offsets.
  public var recordsToRead: Int64 { steps.reduce(0) { $0.saturatingAdd(Int64($1.range.offsets.count)) } }

  /// Records that the group may have counted and that are gone: `order-events[2]@0 to 41`.
  public var goneRanges: [String] {
    steps.filter { $0.low > 0 && $0.from != nil }.map {
      "\(TopicPartition(topic: topic, partition: $0.partition))@0 to \($0.low - 1)"
    }
  }

  /// What the group's state for the topic is.
  private static func stored(
    _ group: String, _ topic: String, _ admin: any Admin
  ) throws(PipelineError) -> (positions: [Int32: StoredPosition], metrics: OrderMetrics, isWhole: Bool) {
    var positions = StoredPositions(topic: topic, group: group, kind: .metrics)
    let metrics = OrderMetrics(topic: topic, onPoison: .skip)
    var otherJob: String?
    try brokerCall(
      try admin.readState(group: group, within: nil) { name, stored in
        do throws(StateRecord.Refusal) {
          _ = try StateRecord(key: stored.key, value: stored.value, kind: .metrics)
        } catch {
          if case .otherJob(let job) = error { otherJob = job }
        }
        guard name == topic else { return }
        positions.take(stored) { partition, record throws(PipelineError) in
          try metrics.restore(partition: partition, record)
        }
      })
    if let otherJob { throw .immovable(group: group, job: otherJob) }
    let isWhole: Bool
    do throws(PipelineError) {
      try positions.check()
      isWhole = true
    } catch {
      // What is damaged is replaced.
      isWhole = false
    }
    return (positions.positions, metrics, isWhole)
  }

  /// An offset that a partition does not have is no place to stand at: nobody knows what was counted there.
  private static func refuseOutside(
    _ places: [Place], _ topic: String, _ group: String, _ marks: [Watermarks]
  ) throws(PipelineError) {
    for (number, marks) in marks.enumerated() {
      let place = places.last { $0.partition == nil || $0.partition == Int32(number) }
      guard case .offset(let offset)? = place?.position, !(marks.low...marks.high).contains(offset) else { continue }
      let partition = TopicPartition(topic: topic, partition: Int32(number))
      throw .broker(
        BrokerError(
          .offsetOutOfRange, "cannot move group \(group) to \(Coordinates(partition, offset: offset))",
          why: offset > marks.high
            ? "the partition ends at \(marks.high)"
            : "its records below \(marks.low) were removed, so what was counted there is not known",
          remedy: "name a place from \(marks.low) to \(marks.high)", recovery: .none))
    }
  }

  // MARK: - The work

  /// Reads the records below the place, without the group, which stays as it is.
  /// - Parameter progress: hears of the records read, of how many offsets there are.
  /// - Returns: `nil` when a request to stop came first.
  /// - Throws: `tooManyMinutes`, and what the broker throws.
  public func recompute(
    broker: any Broker, stop: StopFlag, waits: @escaping (PipelineWait) -> Void, progress: (Int64) -> Void
  ) throws(PipelineError) -> State? {
    let metrics = OrderMetrics(topic: topic, onPoison: .skip)
    let reader = try brokerCall(try TopicReader(topic: topic, broker: broker, stop: stop, waits: waits))
    defer { reader.close() }
    var failure: PipelineError?
    var records: Int64 = 0
    var last = LastRecord()
    let isWhole = try brokerCall(
      try reader.read(steps.map(\.range)) { record in
        records += 1
        if records % 10_000 == 0 { progress(records) }
        if needsMarks { last.note(record) }
        do throws(PipelineError) { try metrics.apply(record) } catch { failure = error }
        return failure == nil
      })
    if let failure { throw failure }
    return isWhole ? State(metrics: metrics, marks: last.marks, records: records) : nil
  }

  /// Joins the group, puts the state and the offsets in place, and leaves.
  /// - Returns: what is stored then, of all partitions; `nil` when a request to stop came first, and nothing was changed.
  /// - Throws: `groupActive` when another member is there.
  public func apply(
    _ new: State, broker: any Broker, time: any TimeSource, stop: StopFlag, waits: @escaping (PipelineWait) -> Void
  ) throws(PipelineError) -> MetricsSummary? {
    let settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: topic, membership: .member(group: group), readsHeaders: false),
      partitionCount: partitionCount, bound: .follow(idle: nil))
    let ports = try PipelineLoop.open(settings, broker)
    let (admin, consumer, transaction) = ports
    defer {
      Failpoint.reach("move/before-close")
      transaction.close()
      consumer.close()
      admin.close()
    }
    let state = GroupState(
      settings, group: group, processor: new.metrics, broker: broker, ports: ports, stop: stop,
      observer: SilentObserver(), figures: RunFigures(now: time.monotonicNanoseconds))
    let batch = RecordBatch(recordLimit: 1, byteLimit: 1 << 20)
    var assignment = Stopwatch()
    while !stop.isRequested {
      switch try brokerCall(try consumer.poll(into: batch, timeout: .milliseconds(100))) {
      case .polled:
        if assignment.hasPassed(PipelineLoop.assignmentNotice, at: time.monotonicNanoseconds) { waits(.assignment) }
      case .assigned(let partitions):
        try state.move(
          partitions, to: steps.map { PartitionOffset(partition: $0.partition, offset: $0.to) }, marks: new.marks)
        return try summary(state)
      case .revoked, .lost: try brokerCall(try consumer.unassign())
      }
    }
    return nil
  }

  private func summary(_ state: GroupState) throws(PipelineError) -> MetricsSummary {
    let stored = OrderMetrics(topic: topic, onPoison: .skip)
    _ = try state.read(Array(0..<partitionCount)) { partition, record throws(PipelineError) in
      try stored.restore(partition: partition, record)
    }
    return try stored.summary(with: nil)
  }

  /// The last record of each partition, whose fingerprint is made only once it is known to be that.
  private struct LastRecord {
    private var current: (partition: Int32, offset: Offset, timestampMs: Int64, key: Int?, value: Int?)?
    private let bytes = ByteBuffer()
    private var done: [Int32: RecordMark] = [:]

    mutating func note(_ record: RecordBatch.View) {
      if let current, current.partition != record.partition { done = marks }
      bytes.removeAll()
      if let key = record.key { bytes.append(key) }
      if let value = record.value { bytes.append(value) }
      current = (record.partition, record.offset, record.timestampMs, record.key?.count, record.value?.count)
    }

    var marks: [Int32: RecordMark] {
      guard let current else { return done }
      let start = current.key ?? 0
      let (key, value) = (current.key.map { slice(0, $0) }, current.value.map { slice(start, $0) })
      var marks = done
      marks[current.partition] = RecordMark(
        partition: current.partition, offset: current.offset, timestampMs: current.timestampMs, key: key, value: value)
      return marks
    }

    private func slice(_ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<start + count])
    }
  }
}
