/// When a run of the pipeline is over, besides a request to stop.
public enum RunBound: Sendable, Equatable {
  /// When the group's committed offsets have reached these ends (high watermarks frozen at the start, by partition
  /// number); records at or beyond an end are left alone.
  case ends([Offset])
  /// Never, or after `idle` without a record.
  case follow(idle: Duration?)
}

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
