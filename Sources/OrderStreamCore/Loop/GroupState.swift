/// The state of the run's group on the broker, as this member reads and writes it: whose state it is, where the committed
/// offsets and the state agree to go on, the writer of the next state records, and the reset.
///
/// State comes in only through `restore`, also after a reset or an abort, so what is reported is what is stored.
final class GroupState {
  /// Where a member goes on in the partitions that it was given.
  struct Place {
    var positions: [PartitionOffset] = []
    /// Parallel to `positions`: what the group has committed, and the last record that its state covers.
    var committed: [Offset?]
    var marks: [RecordMark?] = []
  }

  private let settings: PipelineLoop.Settings
  private let group: String
  private let processor: any Processor
  private let broker: any Broker
  private let admin: any Admin
  private let consumer: any Consumer
  private let transaction: any Transaction
  private let stop: StopFlag
  private let observer: any PipelineObserver
  private let figures: RunFigures

  /// Of the state records that this member holds.
  private let ledger = StateLedger()
  /// The broker's ids of the source topic and of the first output, as far as they are known.
  private var sourceID: String?
  private var outputID: String?
  /// A record of the first output, known from the state.
  private var outputRecord: RecordMark?
  private var isOutputChecked = false
  /// The group was found to be one of this program.
  private var isGroupChecked = false
  private var needsReset: Bool
  /// Scratch space for the keys and values of state records.
  private let key = ByteBuffer(capacity: 64)
  private let value = ByteBuffer(capacity: 1024)

  init(
    _ settings: PipelineLoop.Settings, group: String, processor: any Processor, broker: any Broker,
    ports: (admin: any Admin, consumer: any Consumer, transaction: any Transaction), stop: StopFlag,
    observer: any PipelineObserver, figures: RunFigures
  ) {
    self.settings = settings
    self.group = group
    self.processor = processor
    self.broker = broker
    (admin, consumer, transaction) = ports
    self.stop = stop
    self.observer = observer
    self.figures = figures
    needsReset = settings.resetsGroup
  }

  /// Whether the source is known by its records, because the broker gives topics no id.
  var needsMarks: Bool { hasState && sourceID == nil }

  /// Whether the group has state beside its offsets: it has when both are committed in one transaction.
  private var hasState: Bool { settings.guarantee == .exactlyOnce }

  /// Forgets what was restored, in the processor too.
  func forget() {
    processor.forgetAll()
    ledger.removeAll()
  }

  /// Before the first records of an assignment: refuses another program's group, and resets the group where that was
  /// asked for. Each of them is done once a run.
  func prepare(_ partitions: [Int32]) throws(PipelineError) {
    if !isGroupChecked {
      if !hasState { try refuseState(Array(0..<settings.partitionCount)) }
      try refuseForeignGroup()
      isGroupChecked = true
    }
    if needsReset {
      try reset(partitions)
      needsReset = false
    }
  }

  // MARK: - Reading

  /// Reads what is stored of these partitions, compares it with the committed offsets, and gives the processor its state.
  /// - Returns: `nil` when the group has committed meanwhile.
  func restore(_ partitions: [Int32]) throws(PipelineError) -> Place? {
    forget()
    let committed = try brokerCall(try consumer.committed(partitions))
    if !hasState { return try placeWithoutState(partitions, committed.map { $0?.offset }) }
    let stored = try read(partitions) { partition, record throws(PipelineError) in
      ledger.note(partition, record.key, checksum: record.checksum)
      try processor.restore(partition: partition, record)
    }
    guard committed == (try brokerCall(try consumer.committed(partitions))) else { return nil }
    try checkState(partitions, committed, stored)
    let topic = settings.consumer.topic
    let watermarks = try brokerCall(
      try admin.watermarks(topic: topic, partitions: 1 + Int(partitions.max() ?? -1)))
    sourceID = try brokerCall(try admin.topic(topic))?.id
    try checkOutput(stored)
    var place = Place(committed: committed.map { $0?.offset })
    for (partition, committed) in zip(partitions, committed) {
      let start = try startOffset(
        of: partition, committed: committed?.offset, stored: stored[partition],
        watermarks: watermarks[Int(partition)])
      place.positions.append(PartitionOffset(partition: partition, offset: start))
      place.marks.append(stored[partition]?.proof?.source.record)
    }
    return place
  }

  /// Where a group goes on that keeps no state: at its offsets, which nothing confirms.
  private func placeWithoutState(_ partitions: [Int32], _ committed: [Offset?]) throws(PipelineError) -> Place {
    try refuseState(partitions)
    let topic = settings.consumer.topic
    let watermarks = try brokerCall(
      try admin.watermarks(topic: topic, partitions: 1 + Int(partitions.max() ?? -1)))
    var place = Place(committed: committed)
    for (partition, committed) in zip(partitions, committed) {
      let (marks, topicPartition) = (
        watermarks[Int(partition)], TopicPartition(topic: topic, partition: partition)
      )
      if let committed, committed > marks.high {
        throw .beyondEnd(topicPartition, group: group, position: committed, end: marks.high)
      }
      let start = try committed.map { offset throws(PipelineError) in
        try present(offset, topicPartition, marks)
      }
      place.positions.append(PartitionOffset(partition: partition, offset: start ?? marks.low))
      place.marks.append(nil)
    }
    return place
  }

  /// Visits the state records of some partitions and returns the position of each that has one.
  /// - Throws: `foreignState`, `damagedState`, or what `visit` throws.
  func read(
    _ partitions: [Int32], _ visit: (Int32, StateRecord) throws(PipelineError) -> Void
  ) throws(PipelineError) -> [Int32: StoredPosition] {
    var found = StoredPositions(topic: settings.consumer.topic, group: group, kind: processor.stateKind)
    try brokerCall(try consumer.readState(partitions) { found.take($0, visit) })
    try found.check()
    return found.positions
  }

  // MARK: - Whose state it is

  /// Refuses committed offsets that no state of this program covers: they are another program's, or somebody has moved
  /// them, or the state is gone.
  private func checkState(
    _ partitions: [Int32], _ committed: [CommittedOffset?], _ stored: [Int32: StoredPosition]
  ) throws(PipelineError) {
    var moved: [MovedOffset] = []
    var gone: [Int32] = []
    for (partition, committed) in zip(partitions, committed) {
      guard let committed else { continue }
      guard let position = stored[partition] else {
        gone.append(partition)
        continue
      }
      if position.origin == .earlierTopic { continue }
      // Written after these offsets, so together with others that the cluster has lost: state wins. Somebody who moves
      // offsets does it later.
      let outlives = committed.committedMs.flatMap { time in position.timestampMs.map { $0 > time } } ?? false
      if position.nextOffset > committed.offset && outlives { continue }
      if position.nextOffset != committed.offset {
        moved.append(
          MovedOffset(partition: partition, committed: committed.offset, covered: position.nextOffset))
      }
    }
    let topic = settings.consumer.topic
    if !gone.isEmpty { throw .stateGone(topic: topic, group: group, partitions: gone) }
    if !moved.isEmpty { throw .offsetsMoved(topic: topic, group: group, moved) }
  }

  /// Refuses a group of another program before anything is read: it has offsets that this program did not commit, and no
  /// state. Looks at all partitions, because this member may be given none.
  private func refuseForeignGroup() throws(PipelineError) {
    let all = Array(0..<settings.partitionCount)
    let committed = try brokerCall(try consumer.committed(all))
    let doubtful = zip(all, committed).contains { $1.map { $0.committer == nil } ?? false }
    guard doubtful else { return }
    let isOurs = try findsState(all)
    if !isOurs { throw .foreignOffsets(topic: settings.consumer.topic, group: group) }
  }

  /// A group keeps one guarantee: offsets that are moved without its state would be offsets that somebody has moved.
  private func refuseState(_ partitions: [Int32]) throws(PipelineError) {
    if try findsState(partitions) { throw .guaranteeMixed(group: group, settings.guarantee) }
  }

  private func findsState(_ partitions: [Int32]) throws(PipelineError) -> Bool {
    var isFound = false
    try brokerCall(try consumer.readState(partitions) { _ in isFound = true })
    return isFound
  }

  private func startOffset(
    of partition: Int32, committed: Offset?, stored: StoredPosition?, watermarks: Watermarks
  ) throws(PipelineError) -> Offset {
    guard let stored else { return beginning(of: partition, watermarks) }
    let topicPartition = TopicPartition(topic: settings.consumer.topic, partition: partition)
    let identity = identity(topicPartition.topic, sourceID)
    let verdict = try brokerCall(
      try identity.verdict(partition, stored, committed: committed, watermarks: watermarks))
    let start = stored.nextOffset
    switch verdict {
    case .same: break
    case .madeAnew: throw .topicMadeAnew(topic: topicPartition.topic, group: group, isOutput: false)
    case .beyondEnd:
      throw .beyondEnd(topicPartition, group: group, position: start, end: watermarks.high)
    case .unknown(let why): throw .identityUnknown(topicPartition, group: group, why: why)
    }
    return try present(start, topicPartition, watermarks)
  }

  /// The first offset from `start` on that is still there.
  /// - Throws: `rangeGone`, unless the loss is accepted.
  private func present(
    _ start: Offset, _ partition: TopicPartition, _ watermarks: Watermarks
  ) throws(PipelineError) -> Offset {
    if start >= watermarks.low { return start }
    guard settings.acceptsLoss else { throw .rangeGone(partition, from: start, to: watermarks.low) }
    figures.noteLoss(partition.partition, from: start, to: watermarks.low)
    observer.pipelineLost(partition, from: start, to: watermarks.low)
    return watermarks.low
  }

  /// Where a group without state begins.
  private func beginning(of partition: Int32, _ watermarks: Watermarks) -> Offset {
    let starts = settings.starts ?? []
    return starts.indices.contains(Int(partition)) ? max(watermarks.low, starts[Int(partition)]) : watermarks.low
  }

  private func identity(_ topic: String, _ id: String?) -> TopicIdentity {
    TopicIdentity(topic: topic, id: id, broker: broker, admin: admin, stop: stop)
  }

  /// Refuses an output that was made anew since this group wrote it: its earlier events are gone. Looked at once a run.
  private func checkOutput(_ stored: [Int32: StoredPosition]) throws(PipelineError) {
    guard let name = settings.outputs.first, !isOutputChecked else { return }
    outputID = try brokerCall(try admin.topic(name))?.id
    let watermarks = try brokerCall(try admin.watermarks(topic: name))
    let outputs = stored.values.compactMap { $0.proof?.output }.filter { $0.topic == name }
    // Each of them lies at an offset of its own, also when retention has removed it.
    let events = outputs.reduce(Int64(0)) { $0.saturatingAdd($1.events) }
    if events > watermarks.reduce(0, { $0 + $1.high }) {
      throw .topicMadeAnew(topic: name, group: group, isOutput: true)
    }
    for mark in Set(outputs.map(\.mark)) {
      var verdict = TopicIdentity.Verdict.same
      if let known = mark.id, let id = outputID {
        verdict = known == id ? .same : .madeAnew
      } else if let record = mark.record {
        verdict =
          watermarks.indices.contains(Int(record.partition))
          ? try brokerCall(try identity(name, outputID).holds(record, watermarks[Int(record.partition)])) : .madeAnew
      }
      if verdict == .madeAnew { throw .topicMadeAnew(topic: name, group: group, isOutput: true) }
      if let record = mark.record { outputRecord = record }
    }
    isOutputChecked = true
  }

  // MARK: - Reset and move

  /// Removes every state record and moves the offsets to the earliest records, in one transaction.
  private func reset(_ partitions: [Int32]) throws(PipelineError) {
    let watermarks = try takeWholeGroup(partitions)
    forget()
    try replaceState(
      at: partitions.map {
        PartitionOffset(partition: $0, offset: beginning(of: $0, watermarks[Int($0)]))
      }, marks: [:])
  }

  /// Puts what the processor holds in place of the state of these partitions, and moves their offsets along, in one
  /// transaction. Other partitions keep theirs.
  /// - Parameters:
  ///   - owned: all partitions that this member was given.
  ///   - places: of the partitions whose state the processor holds.
  ///   - marks: the last record below each place, where it is known.
  func move(
    _ owned: [Int32], to places: [PartitionOffset], marks: [Int32: RecordMark]
  ) throws(PipelineError) {
    try refuseForeignGroup()
    _ = try takeWholeGroup(owned)
    ledger.removeAll()
    try replaceState(at: places, marks: marks)
  }

  /// Sees to it that nobody else is in the group.
  /// - Parameter partitions: those that this member was given.
  /// - Returns: the borders of all partitions.
  /// - Throws: `groupActive`.
  private func takeWholeGroup(_ partitions: [Int32]) throws(PipelineError) -> [Watermarks] {
    let topic = settings.consumer.topic
    let found = try brokerCall(try admin.group(group))
    let description = try brokerCall(try admin.topic(topic))
    let watermarks = try brokerCall(try admin.watermarks(topic: topic))
    guard partitions.count == watermarks.count, found?.membersKnown ?? true,
      (found?.members.count ?? 0) <= 1
    else {
      throw .groupActive(group: group)
    }
    sourceID = description?.id
    return watermarks
  }

  /// Removes every state record of these partitions, writes what the processor has now, and commits both with the offsets.
  /// State that is damaged, or of a topic that is gone, goes too; another job's is refused: recomputing metrics must not
  /// erase what inventory has done.
  private func replaceState(
    at places: [PartitionOffset], marks: [Int32: RecordMark]
  ) throws(PipelineError) {
    for (partition, key) in try keysOfThisJob(places.map(\.partition)) {
      self.key.removeAll()
      key.withUnsafeBytes { self.key.append($0) }
      try brokerCall(try transaction.putState(partition: partition, key: self.key.bytes, value: nil))
    }
    for place in places {
      try processor.saveState(partition: place.partition, to: writer(for: place, mark: marks[place.partition]))
    }
    Failpoint.reach("reset/before-commit")
    do throws(BrokerError) {
      try transaction.commit(places)
      Failpoint.reach("reset/after-commit")
    } catch {
      throw error.code == .fenced ? .groupActive(group: group) : .broker(error)
    }
  }

  /// The keys of all state records of these partitions.
  /// - Throws: `foreignState` when one of them is another job's.
  private func keysOfThisJob(_ partitions: [Int32]) throws(PipelineError) -> [(partition: Int32, key: [UInt8])] {
    var keys: [(partition: Int32, key: [UInt8])] = []
    var otherJob: String?
    let kind = processor.stateKind
    try brokerCall(
      try consumer.readState(partitions) { stored in
        keys.append((stored.partition, Array(stored.key)))
        do throws(StateRecord.Refusal) {
          _ = try StateRecord(key: stored.key, value: stored.value, kind: kind)
        } catch {
          if case .otherJob(let job) = error { otherJob = job }
        }
      })
    if let otherJob { throw .foreignState(group: group, why: "it belongs to \(otherJob)") }
    return keys
  }

  // MARK: - Writing

  /// Writes the state that covers everything below `position`.
  /// - Parameter mark: of the last record below it, where it is known.
  func writer(for position: PartitionOffset, mark: RecordMark?) -> StateWriter {
    StateWriter(
      transaction: transaction, partition: position.partition, nextOffset: position.offset,
      kind: processor.stateKind, ledger: ledger, source: TopicMark(id: sourceID, record: mark),
      output: outputProof(position.partition), key: key, value: value)
  }

  /// What a position record says of the first output.
  private func outputProof(_ partition: Int32) -> StateProof.Output? {
    settings.outputs.first.map { name in
      let record = outputID == nil ? transaction.outputMark ?? outputRecord : nil
      return StateProof.Output(
        topic: name, mark: TopicMark(id: outputID, record: record), events: processor.outputEvents(of: partition))
    }
  }
}
