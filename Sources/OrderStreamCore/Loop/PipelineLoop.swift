/// The only poll loop: poll → apply → (outputs + state + offsets in one transaction) → commit, on the calling thread,
/// which it blocks until the run is over. Commits are made on a thread of their own (`CommitCycle`), so that the next batch
/// is polled meanwhile and a request to stop is seen.
///
/// Rules that it keeps (the reasons are in ARCHITECTURE.md, "Invariants"):
/// - state comes in only through `restore`, also after a reset or an abort, so what is reported is what is stored;
/// - a position record covers every partition that a commit moves, so state and offsets can be compared;
/// - nothing is written while a commit is under way: a batch that was polled meanwhile waits in hand for its end;
/// - after an abort the rest of the batch in hand is dropped, because it lies behind the committed offsets again.
public final class PipelineLoop {
  /// A poll waits at most this long, so that a request to stop is seen.
  private static let pollTimeout: Duration = .milliseconds(100)
  /// How often a member without work asks how far the group is.
  private static let groupCheckInterval: Duration = .milliseconds(50)
  /// A wait for the other members that lasts longer is worth a note.
  private static let waitNotice: Duration = .seconds(1)
  /// Joining a group takes a few seconds on a cluster; longer is worth a note.
  static let assignmentNotice: Duration = .seconds(5)

  let settings: Settings
  let group: String
  let processor: any Processor
  let time: any TimeSource
  let stop: StopFlag
  let observer: any PipelineObserver
  let admin: any Admin
  let consumer: any Consumer
  let transaction: any Transaction

  let state: GroupState
  let commits: CommitCycle
  let figures: RunFigures
  var recovery: Recovery
  var progress: AssignmentProgress
  var lagTime = OwnLagTime()

  let batch: RecordBatch
  /// Where in the batch to go on, once what was applied of it is committed: its outputs are large.
  private var nextInBatch: Int?
  private(set) var isAssigned = false
  /// Partitions are being given back.
  private(set) var isReleasing = false
  /// How long this member has been waiting for its group to give it partitions.
  private var assignmentWait = Stopwatch()
  /// How long this member has had nothing left to do, while others have.
  private var groupWait = Stopwatch()
  private var nextGroupCheck: Int64 = 0

  /// Joins the group (or opens the private one); reads nothing yet.
  public init(
    _ settings: Settings, broker: any Broker, processor: any Processor, time: any TimeSource, stop: StopFlag,
    observer: any PipelineObserver
  ) throws(PipelineError) {
    guard let group = settings.consumer.group else {
      preconditionFailure("the pipeline commits offsets, so its consumer has a group")
    }
    precondition(
      !settings.commitsWhileReading || settings.outputs.isEmpty, "outputs cannot be sent while a commit is under way")
    precondition(
      settings.guarantee == .exactlyOnce || !settings.resetsGroup, "only a group with state can be reset")
    precondition(
      !settings.measuresLatency || settings.bound.isService, "a run with an end leaves records of a batch alone")
    self.settings = settings
    self.group = group
    self.processor = processor
    self.time = time
    self.stop = stop
    self.observer = observer
    recovery = Recovery(isService: settings.bound.isService, stop: stop)
    progress = AssignmentProgress(partitionCount: settings.partitionCount, bound: settings.bound)
    batch = RecordBatch(
      recordLimit: min(settings.batchRecords, settings.recordsPerCommit), byteLimit: settings.pollBytes)
    let ports = try Self.open(settings, broker)
    (admin, consumer, transaction) = ports
    figures = RunFigures(now: time.monotonicNanoseconds)
    commits = CommitCycle(settings, transaction: transaction, time: time, stop: stop, observer: observer)
    state = GroupState(
      settings, group: group, processor: processor, broker: broker, ports: ports, stop: stop, observer: observer,
      figures: figures)
  }

  /// Aborts what is open, leaves the group and frees everything. The loop cannot be used again.
  public func close() {
    Failpoint.reach("pipeline/before-close")
    commits.close()
    consumer.close()
    admin.close()
  }

  /// Runs until the bound, the maximum or a stop. What was committed is durable also when it throws, and counted.
  public func run() throws(PipelineError) -> RunSummary {
    do throws(PipelineError) {
      return try runToEnd()
    } catch {
      // What went wrong first is what is told.
      try? settleCommit()
      throw error
    }
  }

  private func runToEnd() throws(PipelineError) -> RunSummary {
    while true {
      if stop.isRequested { return try finish(.stopped) }
      do throws(PipelineError) {
        if let end = try turn() { return try finish(end) }
      } catch .broker(let error) where recovery.waitsOut(error) {
        interrupt(because: error)
      } catch .broker(let error) where recovery.isCutShort(by: error) {
        return figures.summary(.stopped)
      }
    }
  }

  /// How the run is over after this turn, if it is.
  private func turn() throws(PipelineError) -> RunEnd? {
    if recovery.isInterrupted { try resume() }
    try recovering(try commitIfDue())
    observer.pipelineTurned(loop: self)
    if let end = try reachedEnd() { return end }
    if isInsideBatch { Failpoint.reach("pipeline/between-parts") }
    let event = isInsideBatch ? .polled : try poll()
    switch event {
    case .polled:
      try recovering(try take())
      noteMissingAssignment()
    case .assigned(let partitions): try begin(partitions)
    case .revoked: try release(committing: true)
    case .lost: try release(committing: false)
    }
    return nil
  }

  /// Forgets the batch in hand: what was not applied of it is read again, or belongs to somebody else.
  func dropBatch() {
    batch.removeAll()
    nextInBatch = nil
  }

  private func finish(_ end: RunEnd) throws(PipelineError) -> RunSummary {
    // Of a turn that was interrupted nothing can be committed.
    if !recovery.isInterrupted { try recovering(try commitAll()) }
    return figures.summary(end)
  }

  // MARK: - What is known of the run

  /// Records committed by this run so far.
  public var committedRecords: Int64 { figures.committedRecords }

  /// Records that were removed before the group read them, and whose loss was accepted in this run.
  public var lostRecords: Int64 { figures.lostRecords }

  /// First record received to last commit so far, nanoseconds; 0 without a record.
  public var activeNanoseconds: Int64 { figures.activeNanoseconds }

  /// From the timestamps of records to the commits that cover them, where it is measured.
  public var latency: LatencyFigures? { settings.measuresLatency ? figures.latency.figures : nil }

  /// Records below the frozen ends that are still to be read; `nil` without ends, and when other members read some.
  public var remainingBelowEnds: Int64? { isAssigned && progress.ownsAll ? progress.remaining : nil }

  /// What a bounded run has to do, in records, with what it has done; `nil` where that is not known: without ends, before
  /// the assignment, and when other members read some.
  public var recordsInAll: Int64? {
    guard let rest = remainingBelowEnds else { return nil }
    return min(committedRecords + commits.uncommittedRecords + rest, settings.maximumRecords ?? .max)
  }

  /// Whether records were applied that are not committed yet.
  public var hasUncommittedRecords: Bool { commits.pendingRecords > 0 || commits.underWay != nil }

  /// Whether this member has partitions, with what is stored of them.
  public var hasPartitions: Bool { !progress.assigned.isEmpty }

  /// How far what is committed is behind in each partition, as far as this member knows without asking anybody; `nil` when
  /// there are more partitions than anybody looks at.
  public var lagByPartition: [Int64?]? { progress.partitionCount <= RunSamples.partitionLimit ? progress.lag : nil }

  /// How old the first record is that this member has not committed, in seconds, where latencies are measured: 0 when it
  /// has read all there is, `nil` while that is not known.
  public var lagSeconds: Double? {
    guard settings.measuresLatency, isAssigned else { return nil }
    return lagTime.age(of: progress.assigned, isAtEnd: progress.isCommittedToEnd, at: time.wallMilliseconds)
      .map { Double($0) / 1000 }
  }

  // MARK: - Records

  private func poll() throws(PipelineError) -> ConsumerEvent {
    batch.recordLimit = recordsWanted()
    do throws(BrokerError) {
      return try consumer.poll(into: batch, timeout: pollTimeout())
    } catch {
      guard error.code == .offsetOutOfRange, isAssigned else { throw .broker(error) }
      // Removed while they were being read: `restore` names the range, or accepts the loss.
      try startOver(after: error)
      return .polled
    }
  }

  /// Says so when the group leaves this member without an assignment for long.
  private func noteMissingAssignment() {
    if isAssigned {
      assignmentWait.reset()
    } else if assignmentWait.hasPassed(Self.assignmentNotice, at: time.monotonicNanoseconds) {
      observer.pipelineWaits(.assignment)
    }
  }

  private func recordsWanted() -> Int {
    var wanted = min(settings.batchRecords, settings.recordsPerCommit)
    if settings.delayPerRecord > .zero {
      let perInterval = settings.commitInterval.nanoseconds / max(1, settings.delayPerRecord.nanoseconds)
      wanted = min(wanted, max(1, Int(perInterval)))
    }
    return wanted
  }

  private func pollTimeout() -> Duration {
    // With nothing to read the commit is worth waiting for, and not another poll.
    if commits.underWay != nil { return .zero }
    guard progress.hasUncommitted else {
      return progress.ownsAll ? Self.pollTimeout : min(Self.pollTimeout, Self.groupCheckInterval)
    }
    return .nanoseconds(max(0, min(commits.untilDue, Self.pollTimeout.nanoseconds)))
  }

  /// Whether only a part of the batch in hand was applied.
  var isInsideBatch: Bool { nextInBatch != nil }

  /// Applies what the poll brought, in runs that lie before the bound, until a commit has as much as it should.
  private func take() throws(PipelineError) {
    try waitBeforeApplying()
    guard isAssigned else { return }
    let first = nextInBatch ?? 0
    let (taken, next, failure) = progress.take(
      batch, from: first, maximum: remainingRecords(), marks: state.needsMarks
    ) { range throws(PipelineError) in
      try processor.apply(batch, range, to: transaction, until: settings.commitBytes)
    }
    nextInBatch = next
    if taken > 0 {
      figures.noteRecords(at: time.monotonicNanoseconds)
      commits.noteApplied(taken)
      if settings.measuresLatency {
        commits.noteTimes(batch, first..<first + taken, at: time.wallMilliseconds)
        lagTime.note(batch, first..<first + taken)
      }
      spendDelay(records: taken)
    }
    if let failure {
      // The run ends at this record, and what lies before it is done.
      if failure.record != nil { try commitAll() }
      throw failure
    }
    if let waiting = progress.waitingForTransactions() { observer.pipelineWaits(waiting) }
  }

  /// Records that may still be taken before the maximum.
  func remainingRecords() -> Int {
    guard let maximum = settings.maximumRecords else { return .max }
    return Int(max(0, maximum - committedRecords - commits.uncommittedRecords))
  }

  /// The pace of a slow consumer: sleeps in slices, and not at all once a stop is requested.
  private func spendDelay(records: Int) {
    guard settings.delayPerRecord > .zero else { return }
    let until = time.monotonicNanoseconds.saturatingAdd((settings.delayPerRecord * records).nanoseconds)
    while !stop.isRequested {
      let rest = until - time.monotonicNanoseconds
      guard rest > 0 else { return }
      time.sleep(.nanoseconds(min(rest, 50_000_000)))
    }
  }

  // MARK: - Assignment

  private func begin(_ partitions: [Int32]) throws(PipelineError) {
    isAssigned = true
    figures.noteAssignment(at: time.monotonicNanoseconds, wall: time.wallMilliseconds)
    do throws(PipelineError) {
      try state.prepare(partitions)
      try restore(partitions)
    } catch {
      // Without an answer the consumer names them again.
      isAssigned = false
      throw error
    }
    recovery.noteProgress()
    Failpoint.reach("pipeline/assigned")
    observer.pipelineAssigned(partitions)
  }

  private func release(committing: Bool) throws(PipelineError) {
    // What an interrupted release has aborted is not there to be committed.
    if committing && isAssigned && !isReleasing {
      isReleasing = true
      do throws(PipelineError) {
        try commitAll()
      } catch .broker(let error) where error.requiresAbort {
        observer.pipelineAborted(error)
      }
    }
    isReleasing = true
    Failpoint.reach("pipeline/before-release")
    try abort()
    isAssigned = false
    progress.clear()
    try brokerCall(try consumer.unassign())
    isReleasing = false
  }

  // MARK: - Ends

  /// How the run is over, if it is.
  private func reachedEnd() throws(PipelineError) -> RunEnd? {
    if let maximum = settings.maximumRecords, committedRecords >= maximum { return .reachedMaximum }
    switch settings.bound {
    case .ends(let ends):
      return try hasGroupReached(ends) ? .reachedEnds : nil
    case .follow(let idle):
      // Joining the group is not idling, nor is a fetch that is not there yet: both may take longer than the time-out.
      guard let idle, isAssigned, !isInsideBatch,
        time.monotonicNanoseconds - figures.lastNews >= idle.nanoseconds, progress.isAtAllEnds
      else { return nil }
      return .idle
    }
  }

  private func hasGroupReached(_ ends: [Offset]) throws(PipelineError) -> Bool {
    guard isAssigned, commits.underWay == nil, progress.ownHaveReachedEnds else {
      groupWait.reset()
      return false
    }
    if progress.ownsAll { return true }
    let now = time.monotonicNanoseconds
    let isLong = groupWait.hasPassed(Self.waitNotice, at: now)
    guard now >= nextGroupCheck else { return false }
    nextGroupCheck = now + Self.groupCheckInterval.nanoseconds
    let all = Array(0..<settings.partitionCount)
    let committed = try brokerCall(try consumer.committedOffsets(all))
    if progress.haveReachedEnds(committed: committed) { return true }
    if isLong { observer.pipelineWaits(.otherMembers) }
    return false
  }
}
