/// How a run ended.
public enum RunEnd: Sendable, Equatable {
  case reachedEnds, reachedMaximum, idle
  /// A stop was requested before the run was over (under `.follow`: the normal end).
  case stopped
}

/// What a run did, in committed transactions.
public struct RunSummary: Sendable, Equatable {
  public var end: RunEnd
  /// Records committed by this run, poison included.
  public var records: Int64
  /// First record received to last commit, nanoseconds; 0 without a record.
  public var activeNanoseconds: Int64
}

/// What a run has done so far. Only counts and times: nothing that the run goes on from. Times are of the monotonic clock.
final class RunFigures {
  /// Records committed by this run so far.
  private(set) var committedRecords: Int64 = 0
  /// Records that were removed before the group read them, and whose loss was accepted in this run.
  private(set) var lostRecords: Int64 = 0
  /// By partition, the offset below which lost records are counted already.
  private var lostBelow: [Int32: Offset] = [:]
  private var firstRecord: Int64?
  /// When records were applied last, or the assignment that they are waited for in came.
  private(set) var lastNews: Int64
  /// When the last commit that covers records ended.
  private var lastRecordCommit: Int64?

  private(set) var latency = CommitLatency()

  init(now: Int64) { lastNews = now }

  /// First record received to last commit so far, nanoseconds; 0 without a record.
  var activeNanoseconds: Int64 {
    guard let firstRecord, let lastRecordCommit else { return 0 }
    return max(0, lastRecordCommit - firstRecord)
  }

  func noteAssignment(at now: Int64, wall: Int64) {
    lastNews = now
    latency.begin(at: wall)
  }

  /// - Parameter wall: when the commit ended, on the wall clock.
  func noteLatencies(of times: TimeRuns, at wall: Int64) { latency.record(times, at: wall) }

  func noteRecords(at now: Int64) {
    lastNews = now
    if firstRecord == nil { firstRecord = now }
  }

  /// - Parameter records: that the commit covers; offsets alone can be committed too.
  func noteCommit(of records: Int64, at now: Int64) {
    if records > 0 { lastRecordCommit = now }
    committedRecords += records
  }

  /// Counts the records `from` to `to` − 1 of a partition as lost. The same loss is met again when the transaction that
  /// would commit the new position is aborted, and counts once.
  func noteLoss(_ partition: Int32, from: Offset, to: Offset) {
    lostRecords += max(0, to - max(from, lostBelow[partition] ?? from))
    lostBelow[partition] = to
  }

  func summary(_ end: RunEnd) -> RunSummary {
    RunSummary(end: end, records: committedRecords, activeNanoseconds: activeNanoseconds)
  }
}
