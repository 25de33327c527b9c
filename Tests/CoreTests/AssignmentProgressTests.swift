import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite struct AssignmentProgressTests {
  private func progress(
    _ bound: RunBound, partitions: Int32 = 2, start: [Offset] = [0, 0], committed: [Offset?] = [nil, nil]
  ) -> AssignmentProgress {
    var progress = AssignmentProgress(partitionCount: partitions, bound: bound)
    progress.assign(
      start.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) }, committed: committed,
      marks: committed.map { _ in nil })
    return progress
  }

  private func records(_ offsets: [(Int32, Offset)], ends: [(Int32, Offset)] = []) -> RecordBatch {
    batch(
      offsets.map { TestRecord(partition: $0, offset: $1, value: "v") },
      ends: ends.map { PartitionOffset(partition: $0, offset: $1) })
  }

  /// Takes a batch and returns what was applied, run by run.
  private func take(
    _ progress: inout AssignmentProgress, _ batch: RecordBatch, maximum: Int = .max
  ) throws -> [[Offset]] {
    var runs: [[Offset]] = []
    let (taken, next, failure) = progress.take(batch, maximum: maximum, marks: true) { range throws(PipelineError) in
      runs.append(range.map { batch.entries[$0].offset })
      return range.upperBound
    }
    if let failure { throw failure }
    #expect(taken == runs.reduce(0) { $0 + $1.count } && next == nil)
    return runs
  }

  private func commit(_ progress: inout AssignmentProgress) {
    #expect(!progress.startCommit().isEmpty)
    progress.finishCommit()
  }

  private func at(_ partition: Int32, _ offset: Offset) -> PartitionOffset {
    PartitionOffset(partition: partition, offset: offset)
  }

  @Test("Records below the bound count, the others are left and the position stays at the bound")
  func bound() throws {
    var progress = progress(.ends([3, 2]))
    #expect(progress.remaining == 5 && !progress.hasUncommitted && !progress.isReadyToFinish)
    let runs = try take(
      &progress, records([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (0, 2), (0, 3)], ends: [(0, 9), (1, 4)]))
    #expect(runs == [[0, 1, 0, 1], [2]])
    #expect(progress.uncommitted == [at(0, 3), at(1, 2)] && progress.remaining == 0 && progress.isReadyToFinish)
    #expect(!progress.ownHaveReachedEnds)
    commit(&progress)
    #expect(progress.ownHaveReachedEnds && !progress.hasUncommitted && progress.uncommitted.isEmpty)
    // Records beyond the bound that come later change nothing.
    #expect(try take(&progress, records([(0, 4), (1, 4)], ends: [(0, 10), (1, 5)])).isEmpty)
    #expect(!progress.hasUncommitted)
  }

  @Test("Gaps are passed")
  func gaps() throws {
    var progress = progress(.follow(idle: nil), partitions: 4, start: [5, 0])
    let runs = try take(&progress, records([(0, 5), (0, 9), (1, 2)]))
    #expect(runs == [[5, 9, 2]])
    #expect(progress.uncommitted == [at(0, 10), at(1, 3)])
    #expect(progress.remaining == nil && !progress.isReadyToFinish && !progress.ownHaveReachedEnds)
    #expect(!progress.ownsAll && progress.assigned == [0, 1])
  }

  @Test("Behind a record that cannot be taken nothing counts, in any partition")
  func refusedRecord() throws {
    var progress = progress(.follow(idle: nil), start: [0, 0])
    let batch = records([(0, 0), (0, 1), (1, 0), (1, 4), (0, 2), (1, 5)])
    let refused = PipelineError.poison(Coordinates(TopicPartition(topic: "t", partition: 1), offset: 4), .tooLong)
    let (records, next, failure) = progress.take(batch, maximum: .max, marks: true) { _ throws(PipelineError) in
      throw refused
    }
    #expect(records == 3 && next == nil && failure?.record?.offset == 4)
    #expect(progress.uncommitted == [at(0, 2), at(1, 4)])
    // Where the error names no record, the positions lie behind the run.
    var second = self.progress(.follow(idle: nil), start: [0, 0])
    let other = second.take(batch, maximum: .max, marks: true) { _ throws(PipelineError) in
      throw .groupActive(group: "g")
    }
    #expect(other.records == 6 && other.failure != nil && second.uncommitted == [at(0, 3), at(1, 6)])
  }

  @Test("A batch may be taken in parts: positions and ends follow what was applied, in each partition")
  func parts() throws {
    var progress = progress(.ends([3, 6]))
    let batch = records([(0, 0), (1, 0), (0, 1), (1, 1), (1, 4), (0, 2), (0, 3)], ends: [(0, 9), (1, 9)])
    var starts: [Int] = []
    func part(from first: Int, records: Int) -> (Int, Int?) {
      let (taken, next, failure) = progress.take(batch, from: first, maximum: .max, marks: true) { range in
        starts.append(range.lowerBound)
        return min(range.upperBound, range.lowerBound + records)
      }
      #expect(failure == nil)
      return (taken, next)
    }
    #expect(part(from: 0, records: 3) == (3, 3))
    #expect(progress.uncommitted == [at(0, 2), at(1, 1)] && progress.remaining == 6 && !progress.isReadyToFinish)
    #expect(progress.mark(of: 0)?.offset == 1 && progress.mark(of: 1)?.offset == 0)
    commit(&progress)
    // One that takes nothing, because the transaction has enough already, moves nothing.
    #expect(part(from: 3, records: 0) == (0, 3))
    #expect(!progress.hasUncommitted && progress.mark(of: 0)?.offset == 1 && progress.mark(of: 1)?.offset == 0)
    #expect(part(from: 3, records: 2) == (2, 5))
    #expect(
      progress.uncommitted == [at(1, 5)] && progress.mark(of: 0)?.offset == 1 && progress.mark(of: 1)?.offset == 4)
    commit(&progress)
    #expect(part(from: 5, records: 9) == (1, nil))
    #expect(progress.uncommitted == [at(0, 3), at(1, 9)] && progress.isReadyToFinish && starts == [0, 3, 3, 5])
  }

  @Test("Control records at the end are passed by the committed offset, also beyond the bound")
  func controlRecords() throws {
    var progress = progress(.ends([4, 1]))
    // Offsets 2 and 3 of partition 0 are control records; partition 1 holds nothing else.
    #expect(try take(&progress, records([(0, 0), (0, 1)], ends: [(0, 4), (1, 2)])) == [[0, 1]])
    #expect(progress.uncommitted == [at(0, 4), at(1, 2)] && progress.isReadyToFinish)
    commit(&progress)
    #expect(progress.ownHaveReachedEnds)
  }

  @Test("An end below the bound means an open transaction, which is reported once")
  func openTransaction() throws {
    var progress = progress(.ends([4, 4]))
    #expect(try take(&progress, records([], ends: [(0, 2), (1, 4)])).isEmpty)
    let waits = [progress.waitingForTransactions(), progress.waitingForTransactions()]
    #expect(waits == [.openTransactions([0]), nil])
    _ = try take(&progress, records([(0, 2)], ends: [(0, 4), (1, 4)]))
    let after = progress.waitingForTransactions()
    #expect(after == nil && progress.isReadyToFinish)
    var following = self.progress(.follow(idle: nil))
    _ = try take(&following, records([], ends: [(0, 2)]))
    let ignored = following.waitingForTransactions()
    #expect(ignored == nil)
  }

  @Test("At most the maximum is taken, and the ends count only with the whole batch")
  func maximum() throws {
    var progress = progress(.ends([10, 10]))
    let batch = records([(0, 0), (0, 1), (0, 2), (1, 0)], ends: [(0, 3), (1, 10)])
    #expect(try take(&progress, batch, maximum: 2) == [[0, 1]])
    #expect(progress.uncommitted == [at(0, 2)])
    #expect(try take(&progress, batch, maximum: 0).isEmpty)
    #expect(progress.uncommitted == [at(0, 2)])
    let rest = records([(0, 2), (1, 0)], ends: [(0, 3), (1, 10)])
    #expect(try take(&progress, rest, maximum: 2) == [[2, 0]])
    #expect(progress.uncommitted == [at(0, 3), at(1, 10)])
  }

  @Test("An empty partition is committed at its start, so that the group's offsets are known")
  func empty() throws {
    var progress = progress(.ends([0, 7]), start: [0, 7])
    #expect(!progress.isReadyToFinish && !progress.ownHaveReachedEnds && progress.remaining == 0)
    _ = try take(&progress, records([], ends: [(0, 0), (1, 7)]))
    #expect(progress.uncommitted == [at(0, 0), at(1, 7)] && progress.isReadyToFinish)
    commit(&progress)
    #expect(progress.ownHaveReachedEnds)
    #expect(progress.haveReachedEnds(committed: [nil, 7]) && !progress.haveReachedEnds(committed: [nil, 6]))
    #expect(!progress.haveReachedEnds(committed: [nil, nil]))
  }

  @Test("What was committed before needs no commit, and a position is not committed twice")
  func committed() throws {
    var progress = progress(.ends([3, 3]), start: [3, 1], committed: [3, 1])
    #expect(!progress.ownHaveReachedEnds && !progress.hasUncommitted)
    _ = try take(&progress, records([], ends: [(0, 3)]))
    #expect(!progress.hasUncommitted)
    _ = try take(&progress, records([(1, 1), (1, 2)]))
    #expect(progress.uncommitted == [at(1, 3)])
    commit(&progress)
    #expect(progress.ownHaveReachedEnds)
  }

  @Test("A new assignment starts anew, and one without partitions is done")
  func assignment() throws {
    var progress = progress(.ends([3, 3]))
    _ = try take(&progress, records([(0, 0)]))
    progress.assign([at(1, 2)], committed: [2], marks: [nil])
    #expect(progress.assigned == [1] && !progress.hasUncommitted && progress.remaining == 1)
    #expect(try take(&progress, records([(1, 2)])) == [[2]])
    progress.assign([], committed: [], marks: [])
    #expect(progress.ownHaveReachedEnds && progress.isReadyToFinish && !progress.ownsAll && progress.remaining == 0)
    #expect(!progress.hasUncommitted)
  }

  @Test("Partitions that were added are followed, and left alone by a bounded run")
  func added() throws {
    var bounded = progress(.ends([1, 0]))
    bounded.assign((0..<4).map { at($0, 0) }, committed: [nil, nil, nil, nil], marks: [nil, nil, nil, nil])
    #expect(bounded.partitionCount == 4 && bounded.ownsAll && bounded.remaining == 1)
    #expect(try take(&bounded, records([(3, 0), (0, 0)], ends: [(0, 1), (1, 0), (2, 0), (3, 1)])) == [[0]])
    #expect(bounded.uncommitted == [at(0, 1), at(1, 0), at(2, 0), at(3, 0)] && bounded.isReadyToFinish)
    var following = progress(.follow(idle: nil))
    following.assign([at(3, 0)], committed: [nil], marks: [nil])
    #expect(try take(&following, records([(3, 0)])) == [[0]])
  }

  @Test("What is read while a commit is under way is left for the next one")
  func readingBesideACommit() throws {
    var progress = progress(.follow(idle: nil))
    _ = try take(&progress, records([(0, 0), (0, 1), (1, 0)]))
    #expect(progress.startCommit() == [at(0, 2), at(1, 1)])
    #expect(!progress.hasUncommitted && progress.startCommit().isEmpty)
    _ = try take(&progress, records([(0, 2)]))
    #expect(progress.uncommitted == [at(0, 3)])
    progress.finishCommit()
    #expect(progress.uncommitted == [at(0, 3)])
    commit(&progress)
    #expect(!progress.hasUncommitted)
  }

  @Test("Lag is that of what is committed: to the bound, or to an end that was seen; otherwise it is not known")
  func lag() throws {
    var bounded = progress(.ends([5, 7]), start: [1, 7], committed: [nil, 9])
    #expect(bounded.lag == [4, 0])
    _ = try take(&bounded, records([(0, 1), (0, 2)]))
    #expect(bounded.lag == [4, 0], "nothing is committed yet")
    commit(&bounded)
    #expect(bounded.lag == [2, 0])
    bounded.assign([at(1, 3), at(2, 0)], committed: [3, nil], marks: [nil, nil])
    #expect(bounded.lag == [nil, 4, nil], "of another member, and of a partition that was added")
    var following = progress(.follow(idle: nil), start: [0, 4], committed: [nil, 4])
    #expect(following.lag == [nil, nil])
    _ = try take(&following, records([(0, 0), (0, 1)], ends: [(0, 2), (1, 4)]))
    #expect(following.lag == [2, 0])
    commit(&following)
    #expect(following.lag == [0, 0])
    _ = try take(&following, records([(0, 2)]))
    #expect(following.lag == [nil, 0], "more may lie behind a record")
  }
}
