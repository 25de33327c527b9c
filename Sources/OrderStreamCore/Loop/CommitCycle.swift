import OrderStreamThreads
import Synchronization

/// The commit of a run: what no commit covers yet, the one commit that is under way, and when the next one is due.
///
/// It starts, waits for, repeats and gives up; what a commit that has ended means for the rest of the run is the loop's
/// matter, which gets it as the result. A commit blocks, so it is made on a thread of its own, which has the transaction
/// from `start` until `finish`, `wait` or `settle` has told how it ended: meanwhile the loop only polls, and applies
/// records to a processor that sends none. What it has polled for one that does lies in its batch until then.
final class CommitCycle {
  /// A commit whose outcome is not known yet. There is never more than one.
  struct Commit {
    let positions: [PartitionOffset]
    /// Records that it covers.
    let records: Int64
    /// Their timestamps, where latencies are measured.
    let times: TimeRuns
    let started: Int64
    var attempts = 0
  }

  /// Attempts at one commit that fails with retriable errors; each waits as long as the back end does.
  static let attemptLimit = 6
  /// Before a commit that failed is tried again, so that nobody is asked as fast as he can refuse.
  private static let attemptPause: Duration = .milliseconds(20)
  /// How long one look at a commit lasts that is waited for, so that a request to stop is seen.
  private static let slice: Duration = .milliseconds(100)
  /// How long a run that was asked to stop waits for a commit.
  private static let stopLimit: Duration = .seconds(2)
  /// How long closing waits for a commit that is under way.
  private static let closeLimit: Duration = .seconds(1)

  private let settings: PipelineLoop.Settings
  private let transaction: any Transaction
  private let time: any TimeSource
  private let stop: StopFlag
  private let observer: any PipelineObserver

  /// Records applied that no commit covers, not even the one that is under way.
  private(set) var pendingRecords: Int64 = 0
  /// Their timestamps, where latencies are measured.
  private var pendingTimes = TimeRuns()
  private(set) var underWay: Commit?
  /// Has the transaction while it is there, also after the run has given up waiting for the commit.
  private var thread: CommitThread?
  /// When the last commit ended.
  private(set) var lastEnd: Int64
  /// How long a request to stop has been waiting for commits.
  private var stopWait = Stopwatch()

  init(
    _ settings: PipelineLoop.Settings, transaction: any Transaction, time: any TimeSource, stop: StopFlag,
    observer: any PipelineObserver
  ) {
    self.settings = settings
    self.transaction = transaction
    self.time = time
    self.stop = stop
    self.observer = observer
    lastEnd = time.monotonicNanoseconds
  }

  /// Records applied that are not committed yet.
  var uncommittedRecords: Int64 { pendingRecords + (underWay?.records ?? 0) }

  func noteApplied(_ records: Int) { pendingRecords += Int64(records) }

  /// The timestamps of records that were applied.
  /// - Parameter now: on the wall clock.
  func noteTimes(_ batch: RecordBatch, _ range: Range<Int>, at now: Int64) {
    pendingTimes.append(batch, range, at: now)
  }

  /// What was applied and is not part of a commit was aborted.
  func forgetPending() {
    pendingRecords = 0
    pendingTimes.removeAll()
  }

  // MARK: - When

  /// How long it is until a commit is due by its interval; 0 or less when it is.
  var untilDue: Int64 { settings.commitInterval.nanoseconds - (time.monotonicNanoseconds - lastEnd) }

  /// - Parameter isAtEnd: whether the run has applied everything that it may.
  func isDue(isAtEnd: Bool) -> Bool {
    untilDue <= 0 || pendingRecords >= Int64(settings.recordsPerCommit)
      || transaction.pendingBytes >= settings.commitBytes || isAtEnd
  }

  /// Whether reading goes on while the commit is under way: by one batch, or by what comes within one more interval.
  /// - Parameter isAtEnd: whether there is nothing to read meanwhile.
  func allowsReading(isAtEnd: Bool) -> Bool {
    guard let underWay, !isAtEnd else { return false }
    return !settings.commitsWhileReading
      || time.monotonicNanoseconds - underWay.started < settings.commitInterval.nanoseconds
  }

  // MARK: - One commit

  /// Starts a commit of everything that was sent since the last one.
  func start(_ positions: [PartitionOffset]) throws(PipelineError) {
    precondition(underWay == nil, "a commit starts when the last one has ended")
    Failpoint.reach("pipeline/before-commit")
    underWay = Commit(
      positions: positions, records: pendingRecords, times: pendingTimes, started: time.monotonicNanoseconds)
    forgetPending()
    attempt()
  }

  /// The commit that was under way, if it has ended within `timeout`.
  func finish(timeout: Duration) throws(PipelineError) -> Commit? {
    do throws(BrokerError) {
      guard try join(timeout) else { return nil }
    } catch {
      try attemptAgain(after: error)
      return nil
    }
    return ended()
  }

  /// Waits for the commit that is under way and returns it; `nil` when there is none.
  func wait() throws(PipelineError) -> Commit? {
    while underWay != nil {
      if let commit = try finish(timeout: Self.slice) { return commit }
      if let error = stopOverdue() {
        underWay = nil
        throw .broker(error)
      }
    }
    return nil
  }

  /// Waits for a commit that is under way before the transaction is aborted or closed, and returns it when it was made:
  /// what it brought still counts. One that failed is not tried again.
  func settle() throws(PipelineError) -> Commit? {
    guard underWay != nil else { return nil }
    do throws(BrokerError) {
      while try !join(Self.slice) { if let error = stopOverdue() { throw error } }
    } catch {
      underWay = nil
      guard error.requiresAbort || error.isRetriable else { throw .broker(error) }
      return nil
    }
    return ended()
  }

  private func ended() -> Commit? {
    Failpoint.reach("pipeline/after-commit")
    defer { underWay = nil }
    lastEnd = time.monotonicNanoseconds
    return underWay
  }

  /// Closes the transaction; a commit that is under way is waited for first. One that takes longer than a little ends by
  /// itself, as a whole or not at all, and its thread closes the transaction then.
  func close() {
    guard let thread else { return transaction.close() }
    if thread.hasLeft(within: Self.closeLimit) { transaction.close() }
  }

  private func attempt() {
    guard let commit = underWay else { return }
    underWay?.attempts += 1
    thread = CommitThread(transaction, commit.positions)
  }

  /// Whether the attempt has ended within `timeout`; from then on the transaction is the loop's again.
  private func join(_ timeout: Duration) throws(BrokerError) -> Bool {
    guard let result = thread?.result(within: timeout) else { return false }
    thread = nil
    try result.get()
    return true
  }

  /// A retriable error leaves the transaction as it is: somebody else is in the way, and may go.
  private func attemptAgain(after error: BrokerError) throws(PipelineError) {
    guard let commit = underWay, error.isRetriable,
      commit.attempts < Self.attemptLimit || settings.bound.isService, !stop.isRequested
    else {
      underWay = nil
      throw .broker(error)
    }
    observer.pipelineWaits(.commit(error.why))
    time.sleep(Self.attemptPause)
    attempt()
  }

  /// `timedOut` when the run was asked to stop and its commit does not end.
  private func stopOverdue() -> BrokerError? {
    guard stop.isRequested, stopWait.hasPassed(Self.stopLimit, at: time.monotonicNanoseconds) else { return nil }
    return BrokerError(
      .timedOut, "cannot finish a commit of the group \(settings.consumer.group ?? "")",
      why: "it did not end within \(Self.stopLimit.milliseconds) ms of the request to stop",
      remedy: "what it covers is committed as a whole, or read again by the next run", recovery: .fatal)
  }
}

/// Makes one commit, and has the transaction until that has returned. Where nobody waits for it any more it closes the
/// transaction itself.
private final class CommitThread: Sendable {
  /// Told first by the thread when the commit has returned, or by who does not wait any longer.
  private final class Farewell: Sendable {
    private let isSaid = Atomic<Bool>(false)

    /// Whether the other side has said it before, so that closing is left to this one.
    func say() -> Bool { isSaid.exchange(true, ordering: .acquiringAndReleasing) }
  }

  private let thread: BackgroundThread<Result<Void, BrokerError>>
  private let farewell = Farewell()

  init(_ transaction: any Transaction, _ positions: [PartitionOffset]) {
    // The caller leaves it alone until `result` or `hasLeft` has told that this thread is done with it.
    nonisolated(unsafe) let transaction = transaction
    thread = BackgroundThread.endingByItself { [farewell] in
      let result = Result { () throws(BrokerError) in try transaction.commit(positions) }
      if farewell.say() { transaction.close() }
      return result
    }
  }

  /// `nil` while the commit has not returned within `timeout`.
  func result(within timeout: Duration) -> Result<Void, BrokerError>? { thread.join(timeout) }

  /// Whether the commit has returned within `timeout`; if not, the transaction stays with the thread for good.
  func hasLeft(within timeout: Duration) -> Bool {
    let hasEnded = thread.join(timeout) != nil
    return farewell.say() || hasEnded
  }
}

/// How the loop drives it.
extension PipelineLoop {
  /// Starts a commit when one is due, and sees to the one that is under way: what comes due meanwhile is committed as
  /// soon as that has ended.
  func commitIfDue() throws(PipelineError) {
    if commits.underWay != nil {
      if !settings.commitsWhileReading || !commits.allowsReading(isAtEnd: hasNothingToRead) {
        try waitForCommit()
      } else if let commit = try commits.finish(timeout: .zero) {
        noteCommit(commit)
      } else {
        return
      }
    }
    guard progress.hasUncommitted, commits.isDue(isAtEnd: hasAppliedAll) else { return }
    try startCommit()
    if !commits.allowsReading(isAtEnd: hasNothingToRead) { try waitForCommit() }
  }

  /// Waits for the commit that is under way, unless what was polled meanwhile may be applied beside it.
  func waitBeforeApplying() throws(PipelineError) {
    if !settings.commitsWhileReading { try waitForCommit() }
  }

  /// Commits everything that was applied, and waits for it.
  func commitAll() throws(PipelineError) {
    try waitForCommit()
    try startCommit()
    try waitForCommit()
  }

  func waitForCommit() throws(PipelineError) {
    if let commit = try commits.wait() { noteCommit(commit) }
  }

  /// As `CommitCycle.settle`.
  func settleCommit() throws(PipelineError) {
    if let commit = try commits.settle() { noteCommit(commit) }
  }

  /// Whether a poll brings nothing that is to be applied next: what is left of the batch in hand comes first, after an empty
  /// one the commit is worth waiting for, and at its end a run reads no more.
  private var hasNothingToRead: Bool { isInsideBatch || batch.isEmpty || hasAppliedAll }

  /// Whether this member has applied everything up to its ends, or its maximum.
  private var hasAppliedAll: Bool { progress.isReadyToFinish || remainingRecords() == 0 }

  private func startCommit() throws(PipelineError) {
    let positions = progress.startCommit()
    guard !positions.isEmpty else { return }
    // State beside outputs that are not committed with it would tell nothing.
    for position in positions where settings.guarantee == .exactlyOnce {
      try processor.saveState(
        partition: position.partition,
        to: state.writer(for: position, mark: progress.mark(of: position.partition)))
    }
    try commits.start(positions)
  }

  private func noteCommit(_ commit: CommitCycle.Commit) {
    processor.committed()
    progress.finishCommit()
    recovery.noteProgress()
    figures.noteCommit(of: commit.records, at: commits.lastEnd)
    if settings.measuresLatency {
      figures.noteLatencies(of: commit.times, at: time.wallMilliseconds)
      lagTime.committed(at: time.wallMilliseconds)
    }
    observer.pipelineCommitted(records: figures.committedRecords, loop: self)
  }
}
