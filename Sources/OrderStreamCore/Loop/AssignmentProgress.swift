/// How far a member is in its partitions: pure bookkeeping of positions, committed offsets and ends, no I/O.
///
/// Arrays are indexed by partition number and cover all partitions of the topic, also those that were added on the way;
/// a bounded run leaves added ones alone.
struct AssignmentProgress {
  private struct Partition {
    var isOwned = false
    /// Where it began.
    var start: Offset = 0
    /// Next offset to read.
    var position: Offset = 0
    var committed: Offset?
    /// What a commit that is under way makes of `committed`.
    var committing: Offset?
    /// A record or the end of the partition was seen, so `position` is worth committing.
    var isTouched = false
    /// Its end was seen after the last record.
    var isAtEnd = false
    /// A record at or beyond the bound was left alone, so the position must not pass the bound.
    var leftRecords = false
    /// The end that was seen lies below the bound: an open transaction hides the rest.
    var waitsAt: Offset?
    /// The last record below the position, where the topic has no id.
    var mark: RecordMark?
    /// Where in the batch at hand the last record of this partition is, −1 for none.
    var lastEntry = -1
  }

  private var partitions: [Partition]
  /// Frozen ends of a bounded run.
  private let ends: [Offset]?
  private(set) var assigned: [Int32] = []
  private var reportedWait: [Int32] = []

  init(partitionCount: Int32, bound: RunBound) {
    partitions = Array(repeating: Partition(), count: Int(partitionCount))
    if case .ends(let ends) = bound {
      precondition(ends.count == Int(partitionCount), "a bound names the end of every partition")
      self.ends = ends
    } else {
      ends = nil
    }
  }

  /// Starts anew at these positions; `committed` and `marks` are parallel to them.
  mutating func assign(_ positions: [PartitionOffset], committed: [Offset?], marks: [RecordMark?]) {
    clear()
    while partitions.count <= positions.map({ Int($0.partition) }).max() ?? -1 { partitions.append(Partition()) }
    for (index, start) in positions.enumerated() {
      partitions[Int(start.partition)] = Partition(
        isOwned: true, start: start.offset, position: start.offset, committed: committed[index], mark: marks[index])
      assigned.append(start.partition)
    }
  }

  /// Where partitions that have something before their bound are to be read from. The others are not waited for.
  mutating func leaveOutFinished() -> [PartitionOffset] {
    assigned.compactMap { number in
      let position = partitions[Int(number)].position
      if position < end(Int(number)) ?? .max { return PartitionOffset(partition: number, offset: position) }
      partitions[Int(number)].isTouched = true
      return nil
    }
  }

  mutating func clear() {
    for index in partitions.indices { partitions[index] = Partition() }
    assigned.removeAll()
    reportedWait.removeAll()
  }

  /// Whether the end of every partition has been seen since it was assigned, and no record after it.
  var isAtAllEnds: Bool { assigned.allSatisfy { partitions[Int($0)].isAtEnd } }

  var ownsAll: Bool { assigned.count == partitions.count }

  var partitionCount: Int32 { Int32(partitions.count) }

  /// The frozen end of a partition, `nil` without a bound.
  private func end(_ index: Int) -> Offset? { ends.map { index < $0.count ? $0[index] : 0 } }

  // MARK: - Records

  /// Hands the records that count to `apply`, in contiguous ranges, at most `maximum` of them, and moves the positions.
  /// Left out: records beyond the bound. Those of other partitions and from before the positions do not come: the consumer
  /// reads on from exactly the positions that it was given.
  /// - Parameters:
  ///   - first: where in the batch to begin.
  ///   - marks: whether the last record of each partition is to be known by its mark.
  ///   - apply: returns the first record that it has not applied, or the end of the range.
  /// - Returns: how many records were applied; where to go on when `apply` has stopped inside the batch; and the error that
  ///   it ended with. The positions stand before the first record that was not applied, of each partition, so that what was
  ///   applied can be committed; where an error names no record, behind all that it was given.
  mutating func take(
    _ batch: RecordBatch, from first: Int = 0, maximum: Int, marks: Bool,
    apply: (Range<Int>) throws(PipelineError) -> Int
  ) -> (records: Int, next: Int?, failure: PipelineError?) {
    defer { if marks { markLast(in: batch) } }
    var taken = 0
    var index = first
    let count = batch.entries.count
    while index < count && taken < maximum {
      guard accept(batch.entries[index], at: index) else {
        index += 1
        continue
      }
      let start = index
      repeat {
        index += 1
        taken += 1
      } while index < count && taken < maximum && accept(batch.entries[index], at: index)
      do throws(PipelineError) {
        let applied = try apply(start..<index)
        if applied < index { return (taken - rewind(batch, applied..<index), applied, nil) }
      } catch {
        let refused = Self.place(of: error.record, in: batch, start..<index) ?? index
        return (taken - rewind(batch, refused..<index), nil, error)
      }
    }
    if index == count { batch.ends.forEach { reachEnd($0) } }
    return (taken, nil, nil)
  }

  private static func place(of record: Coordinates?, in batch: RecordBatch, _ run: Range<Int>) -> Int? {
    guard let record else { return nil }
    return run.first {
      batch.entries[$0].partition == record.topicPartition.partition && batch.entries[$0].offset == record.offset
    }
  }

  /// Takes back the last records that were accepted.
  /// - Returns: how many they are.
  private mutating func rewind(_ batch: RecordBatch, _ run: Range<Int>) -> Int {
    let first = run.lowerBound
    // From behind, so that the first record of each partition is what stays.
    for index in run.reversed() {
      partitions[Int(batch.entries[index].partition)].position = batch.entries[index].offset
    }
    for number in assigned {
      let last = partitions[Int(number)].lastEntry
      guard last >= first else { continue }
      // What lies before the run was taken too; what was taken before, or lies before the batch, has its mark.
      let earlier = (0..<first).last { batch.entries[$0].partition == number }
      let isTaken = earlier.map { batch.entries[$0].offset > partitions[Int(number)].mark?.offset ?? -1 } ?? false
      partitions[Int(number)].lastEntry = isTaken ? earlier ?? -1 : -1
    }
    return run.count
  }

  /// Notes the last record taken of each partition.
  private mutating func markLast(in batch: RecordBatch) {
    for number in assigned where partitions[Int(number)].lastEntry >= 0 {
      partitions[Int(number)].mark = RecordMark(batch[partitions[Int(number)].lastEntry])
      partitions[Int(number)].lastEntry = -1
    }
  }

  /// The last record below the position of a partition; `nil` where none is known.
  func mark(of partition: Int32) -> RecordMark? {
    partitions.indices.contains(Int(partition)) ? partitions[Int(partition)].mark : nil
  }

  private mutating func accept(_ entry: RecordBatch.Entry, at place: Int) -> Bool {
    let index = Int(entry.partition)
    precondition(
      isOwned(index) && entry.offset >= partitions[index].position,
      "a consumer reads on from the positions that it was given")
    partitions[index].isTouched = true
    partitions[index].isAtEnd = false
    if let end = end(index), entry.offset >= end {
      partitions[index].position = max(partitions[index].position, end)
      partitions[index].leftRecords = true
      return false
    }
    partitions[index].position = entry.offset.next
    partitions[index].lastEntry = place
    return true
  }

  private func isOwned(_ index: Int) -> Bool { index < partitions.count && partitions[index].isOwned }

  private mutating func reachEnd(_ end: PartitionOffset) {
    let index = Int(end.partition)
    precondition(isOwned(index), "a consumer tells of the ends of the partitions that it was given")
    partitions[index].isTouched = true
    partitions[index].isAtEnd = true
    if !partitions[index].leftRecords {
      partitions[index].position = max(partitions[index].position, end.offset)
    }
    let bound = self.end(index) ?? 0
    partitions[index].waitsAt = end.offset < bound ? end.offset : nil
  }

  /// Partitions whose visible end lies below the bound; `nil` when there are none or they were returned before.
  mutating func waitingForTransactions() -> PipelineWait? {
    guard ends != nil else { return nil }
    let waiting = assigned.filter { partitions[Int($0)].waitsAt != nil }
    guard waiting != reportedWait else { return nil }
    reportedWait = waiting
    return waiting.isEmpty ? nil : .openTransactions(waiting)
  }

  // MARK: - Commits

  private func isUncommitted(_ partition: Partition) -> Bool {
    partition.isTouched && partition.position != partition.committing ?? partition.committed
  }

  /// Something was read that no commit covers, not even one that is under way.
  var hasUncommitted: Bool { assigned.contains { isUncommitted(partitions[Int($0)]) } }

  /// The positions that a commit must cover now.
  var uncommitted: [PartitionOffset] {
    assigned.compactMap { number in
      let partition = partitions[Int(number)]
      return isUncommitted(partition) ? PartitionOffset(partition: number, offset: partition.position) : nil
    }
  }

  /// Returns `uncommitted`, which counts as committed when `finishCommit` says so.
  mutating func startCommit() -> [PartitionOffset] {
    let positions = uncommitted
    for position in positions { partitions[Int(position.partition)].committing = position.offset }
    return positions
  }

  mutating func finishCommit() {
    for number in assigned {
      guard let committing = partitions[Int(number)].committing else { continue }
      partitions[Int(number)].committed = committing
      partitions[Int(number)].committing = nil
    }
  }

  // MARK: - Ends

  /// Offsets between the positions and the bounds of this member's partitions; `nil` without bounds.
  var remaining: Int64? {
    guard ends != nil else { return nil }
    return assigned.reduce(0) { $0 + max(0, (end(Int($1)) ?? 0) - partitions[Int($1)].position) }
  }

  /// Every partition of this member has been read up to its bound (committed or not).
  var isReadyToFinish: Bool {
    guard ends != nil else { return false }
    return assigned.allSatisfy { number in
      let partition = partitions[Int(number)]
      return partition.isTouched && partition.position >= end(Int(number)) ?? 0
    }
  }

  /// Every partition of this member is committed up to its bound. True for a member without partitions.
  var ownHaveReachedEnds: Bool {
    guard ends != nil else { return false }
    return assigned.allSatisfy { number in
      partitions[Int(number)].committed.map { $0 >= end(Int(number)) ?? 0 } ?? false
    }
  }

  /// The group has reached every bound; `committed` are its offsets by partition. An empty partition needs no commit.
  func haveReachedEnds(committed: [Offset?]) -> Bool {
    guard let ends else { return false }
    return zip(ends, committed).allSatisfy { end, committed in (committed ?? 0) >= end }
  }

  // MARK: - Lag

  /// Whether a partition of this member is committed up to an end that was seen after its last record.
  func isCommittedToEnd(_ partition: Int32) -> Bool {
    let partition = partitions[Int(partition)]
    return partition.isAtEnd && (partition.committed ?? partition.start) >= partition.position
  }

  /// How far what is committed is behind, by partition: behind the bound, or without one behind an end that was seen after
  /// the last record. `nil` where that is not known: partitions of other members, those whose end has not been seen, and
  /// those that were added to a bounded run.
  var lag: [Int64?] {
    partitions.indices.map { index in
      let partition = partitions[index]
      guard partition.isOwned else { return nil }
      let seen = partition.isAtEnd ? partition.position : nil
      guard let end = ends.map({ $0.indices.contains(index) ? $0[index] : nil }) ?? seen else { return nil }
      return max(0, end - max(partition.committed ?? partition.start, partition.start))
    }
  }
}
