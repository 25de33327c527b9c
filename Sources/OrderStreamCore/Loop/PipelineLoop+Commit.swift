extension PipelineLoop {
  /// A commit whose outcome is not known yet. There is never more than one.
  struct OpenCommit {
    let positions: [PartitionOffset]
    /// Records that it covers.
    let records: Int64
    let started: Int64
    var attempts = 0
  }

  /// Before a commit that failed is tried again, so that nobody is asked as fast as he can refuse.
  private static let attemptPause: Duration = .milliseconds(20)
  /// How long one look at a commit lasts that is waited for, so that a request to stop is seen.
  private static let commitSlice: Duration = .milliseconds(100)
  /// How long a run that was asked to stop waits for a commit.
  private static let stopPatience: Duration = .seconds(2)

  /// Starts a commit when one is due, and sees to the one that is under way: what comes due meanwhile is committed as
  /// soon as that has ended.
  func commitIfDue() throws(PipelineError) {
    if openCommit != nil {
      if mustWaitForCommit {
        try waitForCommit()
      } else if try !finishCommit(timeout: .zero) {
        return
      }
    }
    guard progress.hasUncommitted, isCommitDue else { return }
    try startCommit()
    if mustWaitForCommit { try waitForCommit() }
  }

  /// Commits everything that was applied, and waits for it.
  func commitAll() throws(PipelineError) {
    try waitForCommit()
    try startCommit()
    try waitForCommit()
  }

  /// Waits for a commit that is under way before a transaction is aborted or closed; what it brought still counts. One
  /// that failed is not tried again.
  func endCommit() throws(PipelineError) {
    guard openCommit != nil else { return }
    do throws(BrokerError) {
      while try !transaction.finishCommit(timeout: Self.commitSlice) { if let error = impatience() { throw error } }
      noteCommit()
    } catch {
      openCommit = nil
      guard error.requiresAbort || error.isRetriable else { throw .broker(error) }
    }
  }

  private var isCommitDue: Bool {
    time.monotonicNanoseconds - lastCommit >= settings.commitInterval.nanoseconds
      || pendingRecords >= Int64(settings.recordsPerCommit)
      || transaction.pendingBytes >= settings.commitBytes
      || remainingRecords() == 0
      || progress.isReadyToFinish
  }

  private var mustWaitForCommit: Bool {
    guard settings.commitsWhileReading, let openCommit else { return true }
    return batch.isEmpty || progress.isReadyToFinish || remainingRecords() == 0
      || time.monotonicNanoseconds - openCommit.started >= settings.commitInterval.nanoseconds
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
    try attempt()
  }

  private func attempt() throws(PipelineError) {
    guard let open = openCommit else { return }
    openCommit?.attempts += 1
    do throws(BrokerError) {
      try transaction.startCommit(open.positions)
    } catch {
      try attemptAgain(after: error)
    }
  }

  /// A retriable error leaves the transaction as it is: somebody else is in the way, and may go.
  private func attemptAgain(after error: BrokerError) throws(PipelineError) {
    guard let open = openCommit, error.isRetriable, open.attempts < Self.commitAttemptLimit || isService,
      !stop.isRequested
    else {
      openCommit = nil
      throw .broker(error)
    }
    observer.pipelineWaits(.commit(error.why))
    time.sleep(Self.attemptPause)
    try attempt()
  }

  private func waitForCommit() throws(PipelineError) {
    while openCommit != nil, try !finishCommit(timeout: Self.commitSlice) {
      if let error = impatience() {
        openCommit = nil
        throw .broker(error)
      }
    }
  }

  /// Whether the open commit has ended.
  private func finishCommit(timeout: Duration) throws(PipelineError) -> Bool {
    do throws(BrokerError) {
      guard try transaction.finishCommit(timeout: timeout) else { return false }
    } catch {
      try attemptAgain(after: error)
      return false
    }
    noteCommit()
    return true
  }

  /// `timedOut` when the run was asked to stop and its commit does not end.
  private func impatience() -> BrokerError? {
    guard stop.isRequested else { return nil }
    let now = time.monotonicNanoseconds
    let since = stopSeen ?? now
    stopSeen = since
    guard now - since >= Self.stopPatience.nanoseconds else { return nil }
    return BrokerError(
      .timedOut, "cannot finish a commit of the group \(group)",
      why: "it did not end within \(Self.stopPatience.milliseconds) ms of the request to stop",
      remedy: "what it covers is committed as a whole, or read again by the next run", recovery: .fatal)
  }

  private func noteCommit() {
    guard let commit = openCommit else { return }
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
