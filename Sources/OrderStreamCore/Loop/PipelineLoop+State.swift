extension PipelineLoop {
  /// How long a member that others commit beside may look for its place.
  private static let settleLimit: Duration = .seconds(10)
  /// How long one look for a change of the assignment lasts, between two attempts to find a place.
  private static let settlePause: Duration = .milliseconds(20)

  /// The only way in for state: reads what is stored, compares it with the committed offsets, starts reading there.
  ///
  /// Offsets and state are two reads. A member that was replaced without knowing it may restore partitions whose new
  /// owner commits between the two: so offsets are read again after the state, and what has moved meanwhile is read
  /// anew. Before anything is called wrong, the group is asked whether these partitions are still this member's; when they
  /// are not, nothing is assigned, and the next poll tells.
  func restore(_ partitions: [Int32]) throws(PipelineError) {
    let limit = time.monotonicNanoseconds + Self.settleLimit.nanoseconds
    while true {
      do throws(PipelineError) {
        if try restoreOnce(partitions) { return }
        guard time.monotonicNanoseconds < limit else {
          throw .unsettled(topic: settings.consumer.topic, group: group)
        }
        if try isSuperseded(partitions) { return forget() }
      } catch {
        if case .broker = error { throw error }
        guard try isSuperseded(partitions) else { throw error }
        return forget()
      }
    }
  }

  /// How long a member whose commit was refused as another one's waits to hear that its partitions are gone: the group
  /// tells it with the next heartbeat, which on Kafka goes out every second.
  private static let fencedPatience: Duration = .seconds(2)

  /// Whether a member that was fenced learns that its partitions are gone. Taking them up again in that moment is of no
  /// use, and librdkafka 2.0.2 stops the process when partitions are assigned while they are taken away.
  func losesPartitions() throws(PipelineError) -> Bool {
    let limit = time.monotonicNanoseconds + Self.fencedPatience.nanoseconds
    repeat {
      if try isSuperseded(progress.assigned) {
        forget()
        return true
      }
    } while time.monotonicNanoseconds < limit && !stop.isRequested
    return false
  }

  /// Nothing is this member's until the next assignment.
  private func forget() {
    processor.forgetAll()
    ledger.removeAll()
    progress.clear()
    dropBatch()
  }

  /// Whether the group has something else in mind for this member than these partitions.
  private func isSuperseded(_ partitions: [Int32]) throws(PipelineError) -> Bool {
    defer { dropBatch() }
    do throws(BrokerError) {
      switch try consumer.poll(into: batch, timeout: Self.settlePause) {
      case .polled: return false
      case .assigned(let now): return Set(now) != Set(partitions)
      case .revoked, .lost: return true
      }
    } catch {
      // The position of before is gone; a place is being looked for.
      if error.code == .offsetOutOfRange { return false }
      throw .broker(error)
    }
  }

  /// - Returns: false when the group has committed meanwhile.
  private func restoreOnce(_ partitions: [Int32]) throws(PipelineError) -> Bool {
    processor.forgetAll()
    ledger.removeAll()
    let committed = try brokerCall { () throws(BrokerError) in try consumer.committed(partitions) }
    let stored = try readState(of: partitions) { [ledger] partition, record throws(PipelineError) in
      ledger.note(partition, record.key, checksum: record.checksum)
      try processor.restore(partition: partition, record)
    }
    let again = try brokerCall { () throws(BrokerError) in try consumer.committed(partitions) }
    guard committed == again else { return false }
    try checkState(partitions, committed, stored)
    let topic = settings.consumer.topic
    let (description, watermarks) = try brokerCall { () throws(BrokerError) in
      let watermarks = try admin.watermarks(topic: topic, partitions: 1 + Int(partitions.max() ?? -1))
      return (try admin.topic(topic), watermarks)
    }
    sourceID = description?.id
    try checkOutput(stored)
    var positions: [PartitionOffset] = []
    var marks: [RecordMark?] = []
    for (partition, committed) in zip(partitions, committed) {
      let start = try startOffset(
        of: partition, committed: committed?.offset, stored: stored[partition],
        watermarks: watermarks[Int(partition)])
      positions.append(PartitionOffset(partition: partition, offset: start))
      marks.append(stored[partition]?.proof?.source.record)
    }
    progress.assign(positions, committed: committed.map { $0?.offset }, marks: marks)
    try brokerCall { () throws(BrokerError) in try consumer.assign(positions) }
    return true
  }

  /// Visits the state records of some partitions and returns the position of each that has one.
  /// - Throws: `foreignState`, `damagedState`, or what `visit` throws.
  func readState(
    of partitions: [Int32], _ visit: (Int32, StateRecord) throws(PipelineError) -> Void
  ) throws(PipelineError) -> [Int32: StoredPosition] {
    var found = StoredPositions(topic: settings.consumer.topic, group: group, kind: processor.stateKind)
    try brokerCall { () throws(BrokerError) in
      try consumer.readState(partitions) { found.take($0, visit) }
    }
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
  func refuseForeignGroup() throws(PipelineError) {
    let all = Array(0..<progress.partitionCount)
    let committed = try brokerCall { () throws(BrokerError) in try consumer.committed(all) }
    let doubtful = zip(all, committed).contains { $1.map { $0.committer == nil } ?? false }
    guard doubtful else { return }
    var isOurs = false
    try brokerCall { () throws(BrokerError) in try consumer.readState(all) { _ in isOurs = true } }
    if !isOurs { throw .foreignOffsets(topic: settings.consumer.topic, group: group) }
  }

  private func startOffset(
    of partition: Int32, committed: Offset?, stored: StoredPosition?, watermarks: Watermarks
  ) throws(PipelineError) -> Offset {
    guard let stored else { return watermarks.low }
    let topicPartition = TopicPartition(topic: settings.consumer.topic, partition: partition)
    let verdict = try brokerCall { () throws(BrokerError) in
      try identity(settings.consumer.topic, sourceID)
        .verdict(partition, stored, committed: committed, watermarks: watermarks)
    }
    let start = stored.nextOffset
    switch verdict {
    case .same: break
    case .madeAnew: throw .topicMadeAnew(topic: topicPartition.topic, group: group, isOutput: false)
    case .beyondEnd:
      throw .beyondEnd(topicPartition, group: group, position: start, end: watermarks.high)
    case .unknown(let why): throw .identityUnknown(topicPartition, group: group, why: why)
    }
    if start < watermarks.low {
      guard settings.acceptsLoss else { throw .rangeGone(topicPartition, from: start, to: watermarks.low) }
      // The same loss is met again when the transaction that would commit the new position is aborted.
      lostRecords += max(0, watermarks.low - max(start, lostBelow[partition] ?? start))
      lostBelow[partition] = watermarks.low
      observer.pipelineLost(topicPartition, from: start, to: watermarks.low)
      return watermarks.low
    }
    return start
  }

  private func identity(_ topic: String, _ id: String?) -> TopicIdentity {
    TopicIdentity(topic: topic, id: id, broker: broker, admin: admin, stop: stop)
  }

  /// Refuses an output that was made anew since this group wrote it: its earlier events are gone. Looked at once a run.
  private func checkOutput(_ stored: [Int32: StoredPosition]) throws(PipelineError) {
    guard let name = settings.outputs.first, !isOutputChecked else { return }
    let (description, watermarks) = try brokerCall { () throws(BrokerError) in
      (try admin.topic(name), try admin.watermarks(topic: name))
    }
    outputID = description?.id
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
          ? try brokerCall { () throws(BrokerError) in
            try identity(name, outputID).holds(record, watermarks[Int(record.partition)])
          } : .madeAnew
      }
      if verdict == .madeAnew { throw .topicMadeAnew(topic: name, group: group, isOutput: true) }
      if let record = mark.record { outputRecord = record }
    }
    isOutputChecked = true
  }

  // MARK: - Reset

  /// Removes every state record and moves the offsets to the earliest records, in one transaction. State that is damaged,
  /// or of a topic that is gone, goes too; another job's is refused: recomputing metrics must not erase what inventory has
  /// done.
  func reset(_ partitions: [Int32]) throws(PipelineError) {
    let topic = settings.consumer.topic
    let found = try brokerCall { () throws(BrokerError) in try admin.group(group) }
    let (description, watermarks) = try brokerCall { () throws(BrokerError) in
      (try admin.topic(topic), try admin.watermarks(topic: topic))
    }
    guard partitions.count == watermarks.count, found?.membersKnown ?? true,
      (found?.members.count ?? 0) <= 1
    else {
      throw .groupActive(group: group)
    }
    sourceID = description?.id
    var keys: [(partition: Int32, key: [UInt8])] = []
    var otherJob: String?
    try brokerCall { () throws(BrokerError) in
      try consumer.readState(partitions) { stored in
        keys.append((stored.partition, Array(stored.key)))
        do throws(StateRecord.Refusal) {
          _ = try StateRecord(key: stored.key, value: stored.value, kind: processor.stateKind)
        } catch {
          if case .otherJob(let job) = error { otherJob = job }
        }
      }
    }
    if let otherJob { throw .foreignState(group: group, why: "it belongs to \(otherJob)") }
    for (partition, key) in keys {
      stateKey.removeAll()
      key.withUnsafeBytes { stateKey.append($0) }
      try brokerCall { () throws(BrokerError) in
        try transaction.putState(partition: partition, key: stateKey.bytes, value: nil)
      }
    }
    processor.forgetAll()
    ledger.removeAll()
    let starts = partitions.map { PartitionOffset(partition: $0, offset: watermarks[Int($0)].low) }
    progress.clear()
    for start in starts {
      try processor.saveState(partition: start.partition, to: stateWriter(for: start))
    }
    Failpoint.reach("reset/before-commit")
    do throws(BrokerError) {
      try transaction.commit(starts)
      Failpoint.reach("reset/after-commit")
    } catch {
      throw error.code == .fenced ? .groupActive(group: group) : .broker(error)
    }
  }
}
