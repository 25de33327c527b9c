extension PipelineLoop {
  /// A commit whose outcome is not known yet. There is never more than one.
  struct OpenCommit {
    let positions: [PartitionOffset]
    /// Records that it covers.
    let records: Int64
    let started: Int64
    /// The back end works on it; false after an attempt that may be repeated.
    var isUnderWay = false
    var attempts = 0
  }

  /// How long one look at a commit lasts, so that a request to stop is seen while it is waited for.
  private static let settleSlice: Duration = .milliseconds(100)

  /// Starts a commit when one is due, and sees to the one that is under way.
  ///
  /// With `commitsWhileReading` reading goes on meanwhile, for as long as there is something to read and for a commit
  /// interval at the most. What comes due in that time is committed as soon as the open commit has ended.
  func commitIfDue() throws(PipelineError) {
    guard try settle(waiting: mustWaitForCommit), progress.hasUncommitted else { return }
    let isDue =
      time.monotonicNanoseconds - lastCommit >= settings.commitInterval.nanoseconds
      || pendingRecords >= Int64(settings.commitRecords)
      || transaction.pendingBytes >= settings.commitBytes
      || remainingRecords() == 0
      || progress.isReadyToFinish
    guard isDue else { return }
    try startCommit()
    _ = try settle(waiting: mustWaitForCommit)
  }

  private var mustWaitForCommit: Bool {
    guard settings.commitsWhileReading, let openCommit else { return true }
    return batch.isEmpty || progress.isReadyToFinish || remainingRecords() == 0
      || time.monotonicNanoseconds - openCommit.started >= settings.commitInterval.nanoseconds
  }

  /// Commits everything that was applied, and waits for it.
  func commitAll() throws(PipelineError) {
    _ = try settle(waiting: true)
    try startCommit()
    _ = try settle(waiting: true)
  }

  private func startCommit() throws(PipelineError) {
    let positions = progress.startCommit()
    guard !positions.isEmpty else { return }
    for position in positions {
      try processor.saveState(partition: position.partition, to: stateWriter(for: position))
    }
    Failpoint.reach("pipeline/before-commit")
    openCommit = OpenCommit(positions: positions, records: pendingRecords, started: time.monotonicNanoseconds)
    pendingRecords = 0
  }

  /// Whether no commit is open any more.
  private func settle(waiting: Bool) throws(PipelineError) -> Bool {
    while let open = openCommit {
      do throws(BrokerError) {
        if !open.isUnderWay {
          openCommit?.attempts += 1
          try transaction.startCommit(open.positions)
          openCommit?.isUnderWay = true
        }
        if try transaction.finishCommit(timeout: waiting ? Self.settleSlice : .zero) {
          noteCommit(of: open)
        } else if !waiting {
          return false
        }
      } catch {
        try keepForAnotherAttempt(after: error)
      }
    }
    return true
  }

  /// A retriable error leaves the transaction as it is: somebody else is in the way, and may go.
  private func keepForAnotherAttempt(after error: BrokerError) throws(PipelineError) {
    guard let open = openCommit, error.isRetriable, open.attempts < Self.commitAttemptLimit, !stop.isRequested else {
      openCommit = nil
      throw .broker(error)
    }
    openCommit?.isUnderWay = false
    observer.pipelineWaits(.commit(error.why))
  }

  /// A transaction is aborted when its commit has ended; what that brought still counts.
  func settleBeforeAbort() throws(PipelineError) {
    do throws(PipelineError) {
      _ = try settle(waiting: true)
    } catch .broker(let error) where error.requiresAbort || error.isRetriable {
      // It is about to be aborted.
    }
  }

  private func noteCommit(of commit: OpenCommit) {
    Failpoint.reach("pipeline/after-commit")
    openCommit = nil
    processor.committed()
    progress.finishCommit()
    abortsInARow = 0
    lastCommit = time.monotonicNanoseconds
    if commit.records > 0 { lastRecordCommit = lastCommit }
    committedRecords += commit.records
    observer.pipelineCommitted(records: committedRecords, loop: self)
  }
}
