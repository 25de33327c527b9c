extension PipelineLoop {
  /// The only way in for state: reads what is stored, compares it with the committed offsets, starts reading there.
  ///
  /// Offsets and state are two reads. A member that was fenced may still restore partitions whose new owner commits
  /// between the two, so a difference counts only when it stays.
  func restore(_ partitions: [Int32]) throws(PipelineError) {
    for _ in 1..<Self.restoreLimit {
      do throws(PipelineError) {
        return try restoreOnce(partitions)
      } catch .offsetsMoved {
        continue
      }
    }
    try restoreOnce(partitions)
  }

  private func restoreOnce(_ partitions: [Int32]) throws(PipelineError) {
    processor.forgetAll()
    let committed = try brokerCall { () throws(BrokerError) in try consumer.committed(partitions) }
    let covered = try readState(of: partitions) { partition, record throws(PipelineError) in
      try processor.restore(partition: partition, record)
    }
    let watermarks = try brokerCall { () throws(BrokerError) in
      try admin.watermarks(topic: settings.consumer.topic, partitions: 1 + Int(partitions.max() ?? -1))
    }
    var positions: [PartitionOffset] = []
    for (partition, committed) in zip(partitions, committed) {
      let start = try startOffset(
        of: partition, committed: committed, covered: covered[partition], watermarks: watermarks[Int(partition)])
      positions.append(PartitionOffset(partition: partition, offset: start))
    }
    progress.assign(positions, committed: committed)
    try brokerCall { () throws(BrokerError) in try consumer.assign(positions) }
  }

  /// Visits the state records of some partitions and returns the offset that each partition's state covers.
  func readState(
    of partitions: [Int32], _ visit: (Int32, StateRecord) throws(PipelineError) -> Void
  ) throws(PipelineError) -> [Int32: Offset] {
    var covered: [Int32: Offset] = [:]
    var failure: PipelineError?
    let kind = processor.stateKind
    let group = group
    try brokerCall { () throws(BrokerError) in
      try consumer.readState(partitions) { partition, key, value in
        guard failure == nil else { return }
        do throws(PipelineError) {
          let record = try StateRecord(key: key, value: value, kind: kind, group: group)
          if record.key == .position { covered[partition] = record.nextOffset }
          try visit(partition, record)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
    return covered
  }

  private func startOffset(
    of partition: Int32, committed: Offset?, covered: Offset?, watermarks: Watermarks
  ) throws(PipelineError) -> Offset {
    let topicPartition = TopicPartition(topic: settings.consumer.topic, partition: partition)
    if let committed, committed != covered {
      throw .offsetsMoved(topicPartition, group: group, committed: committed, covered: covered)
    }
    guard let start = committed ?? covered else { return watermarks.low }
    if start < watermarks.low {
      guard settings.acceptsLoss else { throw .rangeGone(topicPartition, from: start, to: watermarks.low) }
      // The same loss is met again when the transaction that would commit the new position is aborted.
      lostRecords += max(0, watermarks.low - max(start, lostBelow[partition] ?? start))
      lostBelow[partition] = watermarks.low
      observer.pipelineLost(topicPartition, from: start, to: watermarks.low)
      return watermarks.low
    }
    if start > watermarks.high { throw .topicRecreated(topicPartition, position: start, end: watermarks.high) }
    return start
  }

  /// Removes every state record and moves the offsets to the earliest records, in one transaction.
  func reset(_ partitions: [Int32]) throws(PipelineError) {
    let found = try brokerCall { () throws(BrokerError) in try admin.group(group) }
    let watermarks = try brokerCall { () throws(BrokerError) in
      try admin.watermarks(topic: settings.consumer.topic)
    }
    guard partitions.count == watermarks.count, found?.membersKnown ?? true,
      (found?.members.count ?? 0) <= 1
    else {
      throw .groupActive(group: group)
    }
    // Another job's state is refused here too: recomputing metrics must not erase what inventory has done.
    var keys: [(partition: Int32, key: StateRecord.Key)] = []
    _ = try readState(of: partitions) { partition, record in keys.append((partition, record.key)) }
    for (partition, key) in keys {
      stateKey.removeAll()
      StateRecord.append(key, to: stateKey)
      try brokerCall { () throws(BrokerError) in
        try transaction.putState(partition: partition, key: stateKey.bytes, value: nil)
      }
    }
    processor.forgetAll()
    let starts = partitions.map { PartitionOffset(partition: $0, offset: watermarks[Int($0)].low) }
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
