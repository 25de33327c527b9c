/// What a run does about what goes wrong on the way: how many aborts in a row it bears, and whether a turn that failed has
/// to be put right. No I/O.
struct Recovery {
  /// Aborts in a row, without a commit between them, before the run gives up.
  private static let abortLimit = 20
  /// Between two attempts to go on while the broker is away for longer than a back end waits by itself.
  static let outagePause: Duration = .milliseconds(200)
  /// After aborts in a row that an outage explains: doubled each time, up to the second one.
  private static let abortPause = (first: Duration.milliseconds(20), most: Duration.seconds(1))

  private let isService: Bool
  private let stop: StopFlag
  private var abortsInARow = 0
  /// A turn failed on the way and may have left anything half done: the next one puts it right first.
  private(set) var isInterrupted = false

  init(isService: Bool, stop: StopFlag) {
    self.isService = isService
    self.stop = stop
  }

  /// Whether an error that ended a turn is answered with another turn.
  func waitsOut(_ error: BrokerError) -> Bool { isService && !stop.isRequested && error.passesByItself }

  /// Whether a turn was only cut short by the request to stop, which ends every wait.
  func isCutShort(by error: BrokerError) -> Bool {
    stop.isRequested && (error.isRetriable || error.code == .unreachable)
  }

  mutating func noteInterruption() { isInterrupted = true }
  mutating func noteResumption() { isInterrupted = false }

  /// A commit or an assignment: the run makes progress.
  mutating func noteProgress() { abortsInARow = 0 }

  /// Counts an abort, and tells how long to pause before it: a cluster that is in trouble is not asked as fast as it can
  /// refuse.
  /// - Throws: the error, when the run gives up.
  mutating func pauseBeforeAbort(because error: BrokerError) throws(PipelineError) -> Duration {
    abortsInARow += 1
    if abortsInARow > Self.abortLimit, !(isService && error.isOutage) { throw .broker(error) }
    guard abortsInARow > 1, error.isOutage else { return .zero }
    return min(Self.abortPause.most, Self.abortPause.first * (1 << min(abortsInARow, 10)))
  }
}

/// How the loop aborts, and finds its place again.
extension PipelineLoop {
  /// How long a member that others commit beside may look for its place.
  private static let settleLimit: Duration = .seconds(10)
  /// How long one look for a change of the assignment lasts, between two attempts to find a place.
  private static let settlePause: Duration = .milliseconds(20)
  /// How long a member whose commit was refused as another one's waits to hear that its partitions are gone: the group
  /// tells it with the next heartbeat, which on Kafka goes out every second.
  private static let fencedLimit: Duration = .seconds(2)

  // MARK: - Abort

  /// Runs a step; an error that requires an abort is answered with one, and with reading again from the committed
  /// offsets of the partitions that are still ours.
  func recovering(_ step: @autoclosure () throws(PipelineError) -> Void) throws(PipelineError) {
    do throws(PipelineError) {
      try step()
    } catch .broker(let error) where error.requiresAbort {
      try startOver(after: error)
    }
  }

  /// Drops what is not committed and reads on from the committed offsets.
  func startOver(after error: BrokerError) throws(PipelineError) {
    let pause = try recovery.pauseBeforeAbort(because: error)
    observer.pipelineAborted(error)
    if pause > .zero { time.sleep(pause) }
    try abort()
    guard isAssigned else { return }
    if error.code == .fenced, try losesPartitions() { return }
    try restore(progress.assigned)
  }

  func abort() throws(PipelineError) {
    try settleCommit()
    try brokerCall(try transaction.abort())
    dropBatch()
    commits.forgetPending()
    lagTime.forgetPending()
    processor.forgetAll()
  }

  /// The turn that failed may have left anything half done, so the next one begins with `resume`.
  func interrupt(because error: BrokerError) {
    recovery.noteInterruption()
    observer.pipelineWaits(.broker(error.description))
    time.sleep(Recovery.outagePause)
  }

  /// Goes on after a turn that was interrupted: from the committed offsets, unless the partitions are about to go.
  func resume() throws(PipelineError) {
    try abort()
    if isAssigned && !isReleasing { try restore(progress.assigned) }
    recovery.noteResumption()
  }

  // MARK: - Restore

  /// The only way in for state: reads what is stored, compares it with the committed offsets, starts reading there.
  ///
  /// Offsets and state are two reads. A member that was replaced without knowing it may restore partitions whose new
  /// owner commits between the two: so offsets are read again after the state, and what has moved meanwhile is read
  /// anew. Before anything is called wrong, the group is asked whether these partitions are still this member's; when they
  /// are not, nothing is assigned, and the next poll tells.
  func restore(_ partitions: [Int32]) throws(PipelineError) {
    let limit = time.monotonicNanoseconds + Self.settleLimit.nanoseconds
    while true {
      do throws(PipelineError) {
        if let place = try state.restore(partitions) { return try assign(place) }
        guard time.monotonicNanoseconds < limit else {
          throw .unsettled(topic: settings.consumer.topic, group: group)
        }
        if try isSuperseded(partitions) { return forget() }
      } catch {
        if case .broker = error { throw error }
        guard try isSuperseded(partitions) else { throw error }
        return forget()
      }
    }
  }

  private func assign(_ place: GroupState.Place) throws(PipelineError) {
    progress.assign(place.positions, committed: place.committed, marks: place.marks)
    lagTime.begin()
    // Of a range most partitions may have nothing.
    let isRange = settings.starts != nil
    try brokerCall(try consumer.assign(isRange ? progress.leaveOutFinished() : place.positions))
  }

  /// Whether a member that was fenced learns that its partitions are gone. Taking them up again in that moment is of no
  /// use, and librdkafka 2.0.2 stops the process when partitions are assigned while they are taken away.
  private func losesPartitions() throws(PipelineError) -> Bool {
    let limit = time.monotonicNanoseconds + Self.fencedLimit.nanoseconds
    repeat {
      if try isSuperseded(progress.assigned) {
        forget()
        return true
      }
    } while time.monotonicNanoseconds < limit && !stop.isRequested
    return false
  }

  /// Nothing is this member's until the next assignment.
  private func forget() {
    state.forget()
    progress.clear()
    dropBatch()
  }

  /// Whether the group has something else in mind for this member than these partitions.
  private func isSuperseded(_ partitions: [Int32]) throws(PipelineError) -> Bool {
    defer { dropBatch() }
    do throws(BrokerError) {
      switch try consumer.poll(into: batch, timeout: Self.settlePause) {
      case .polled: return false
      case .assigned(let now): return Set(now) != Set(partitions)
      case .revoked, .lost: return true
      }
    } catch {
      // The position of before is gone; a place is being looked for.
      if error.code == .offsetOutOfRange { return false }
      throw .broker(error)
    }
  }
}
