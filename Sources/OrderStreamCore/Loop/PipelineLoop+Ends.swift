extension PipelineLoop {
  /// How the run is over, if it is.
  func reachedEnd() throws(PipelineError) -> RunEnd? {
    if let maximum = settings.maximumRecords, committedRecords >= maximum { return .reachedMaximum }
    switch settings.bound {
    case .ends(let ends):
      return try hasGroupReached(ends) ? .reachedEnds : nil
    case .follow(let idle):
      // Joining the group is not idling: it may take longer than the time-out.
      guard let idle, isAssigned, !isInsideBatch, time.monotonicNanoseconds - lastRecord >= idle.nanoseconds else {
        return nil
      }
      return .idle
    }
  }

  private func hasGroupReached(_ ends: [Offset]) throws(PipelineError) -> Bool {
    guard isAssigned, progress.ownHaveReachedEnds else {
      doneSince = nil
      return false
    }
    if progress.ownsAll { return true }
    let now = time.monotonicNanoseconds
    let since = doneSince ?? now
    doneSince = since
    guard now >= nextGroupCheck else { return false }
    nextGroupCheck = now + Self.groupCheckInterval.nanoseconds
    let all = Array(0..<settings.partitionCount)
    let committed = try brokerCall { () throws(BrokerError) in try consumer.committedOffsets(all) }
    if progress.haveReachedEnds(committed: committed) { return true }
    if now - since >= Self.waitNotice.nanoseconds { observer.pipelineWaits(.otherMembers) }
    return false
  }
}

/// What a run does when its broker is away for longer than a back end waits by itself.
extension PipelineLoop {
  /// Between two attempts to go on.
  private static let outagePause: Duration = .milliseconds(200)
  /// After aborts in a row that an outage explains: doubled each time, up to the second one.
  private static let abortPause = (first: Duration.milliseconds(20), most: Duration.seconds(1))

  /// A run without an end waits out what passes by itself.
  var isService: Bool { if case .follow = settings.bound { true } else { false } }

  /// Whether an error that ended a turn is answered with another turn.
  func waitsOut(_ error: BrokerError) -> Bool { isService && !stop.isRequested && error.passesByItself }

  /// Whether a turn was only cut short by the request to stop, which ends every wait.
  func isCutShort(by error: BrokerError) -> Bool {
    stop.isRequested && (error.isRetriable || error.code == .unreachable)
  }

  /// The turn that failed may have left anything half done, so the next one begins with `resume`.
  func interrupt(because error: BrokerError) {
    isInterrupted = true
    observer.pipelineWaits(.broker(error.description))
    time.sleep(Self.outagePause)
  }

  /// Whether a run that has made so many aborts in a row goes on.
  func survives(_ error: BrokerError) -> Bool {
    guard abortsInARow > Self.abortLimit else { return true }
    return isService && error.isOutage
  }

  /// A cluster that is in trouble is not asked as fast as it can refuse.
  func pauseBeforeAbort(because error: BrokerError) {
    guard abortsInARow > 1, error.isOutage else { return }
    time.sleep(min(Self.abortPause.most, Self.abortPause.first * (1 << min(abortsInARow, 10))))
  }
}
