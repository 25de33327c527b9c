/// What can be seen of a transaction that its coordinator has ended without telling all partitions: a broker that is
/// killed or restarted between the two may write "complete" without the markers, and then the next commit of the same
/// producer publishes whatever the transaction had left there. Says how it must be closed: as it ended.
struct HangEvidence: Hashable, Sendable {
  enum Verdict: Hashable, Sendable {
    case commit
    case abort
    /// Another producer's, which no transaction of this identity can close.
    case notOurs
    /// It may have been committed or aborted, and a guess would lose records or double them.
    case unknown
  }

  /// How this process's last transaction ended, if it had one and knows.
  enum Outcome: Hashable, Sendable {
    case unknown, committed, aborted
  }

  var outcome = Outcome.unknown
  /// Whether offsets of the group wait for a transaction to end.
  var offsetsPend = false
  /// Whether a partition of the state topic hangs.
  var stateHangs = false
  /// The newest mark of this identity beside the offsets that do not wait.
  var mark: CommitMark?
  /// Whether state of the very transaction that hangs can be seen, or its mark: what is committed anywhere is committed.
  var isSeen = false
  /// The timestamp of the newest state record of this identity that can be seen; looked for when offsets wait.
  var newestStateMs: Int64?
  /// The timestamp of the earliest record of this identity, or of an identity that is not known, that hangs; `nil` when
  /// none does.
  var firstHangingMs: Int64?

  /// Whether what hangs is known to be this identity's: of outputs alone nobody says whose they are.
  var isOwn: Bool { outcome != .unknown || stateHangs || firstHangingMs.map { $0 <= mark?.endMs ?? .min } ?? true }

  var verdict: Verdict {
    if firstHangingMs == nil && !offsetsPend { return .notOurs }
    switch outcome {
    case .committed: return .commit
    case .aborted: return .abort
    case .unknown: return isSeen ? .commit : offsetsPend ? verdictByState : verdictByMark
    }
  }

  /// A transaction that is committed has moved the offsets, and these are all there.
  private var verdictByMark: Verdict {
    guard let firstHangingMs, let mark else { return .abort }
    if firstHangingMs > mark.endMs { return .abort }
    return firstHangingMs >= mark.beginMs ? .commit : .notOurs
  }

  /// Offsets do not tell, but state that can be seen, and is newer than they are, was committed with those that wait.
  private var verdictByState: Verdict {
    if let newestStateMs, newestStateMs > mark?.endMs ?? -1 { return .commit }
    return stateHangs ? .unknown : .abort
  }
}
