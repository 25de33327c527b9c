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
