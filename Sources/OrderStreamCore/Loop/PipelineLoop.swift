/// The only poll loop: poll → apply → (outputs + state + offsets in one transaction) → commit, on the calling thread,
/// which it blocks until the run is over. A back end makes a commit on a thread of its own; see `commitsWhileReading`.
///
/// Rules that it keeps (the reasons are in README.md, "Non-obvious"):
/// - state comes in only through `restore`, also after a reset or an abort, so what is reported is what is stored;
/// - a position record covers every partition that a commit moves, so state and offsets can be compared;
/// - after an abort the rest of the batch in hand is dropped, because it lies behind the committed offsets again.
public final class PipelineLoop {
  /// A poll waits at most this long, so that a request to stop is seen.
  static let pollTimeout: Duration = .milliseconds(100)
  /// How often a member without work asks how far the group is.
  static let groupCheckInterval: Duration = .milliseconds(50)
  /// A wait for the other members that lasts longer is worth a note.
  static let waitNotice: Duration = .seconds(1)
  /// Joining a group takes a few seconds on a cluster; longer is worth a note.
  static let assignmentNotice: Duration = .seconds(5)
  /// Attempts at one commit that fails with retriable errors; each waits as long as the back end is patient.
  static let commitAttemptLimit = 6
  /// Aborts in a row, without a commit between them, before the run gives up.
  static let abortLimit = 20

  let settings: Settings
  let broker: any Broker
  let processor: any Processor
  let time: any TimeSource
  let stop: StopFlag
  let observer: any PipelineObserver

  let admin: any Admin
  let consumer: any Consumer
  let transaction: any Transaction
  let group: String

  let batch: RecordBatch
  /// Where in the batch to go on, once what was applied of it is committed: its outputs are large.
  private var nextInBatch: Int?
  let stateKey = ByteBuffer(capacity: 64)
  private let stateValue = ByteBuffer(capacity: 1024)
  /// Of the state records that this member holds.
  let ledger = StateLedger()
  /// The broker's ids of the source topic and of the first output, as far as they are known.
  var sourceID: String?
  var outputID: String?
  /// A record of the first output, known from the state.
  var outputRecord: RecordMark?
  var isOutputChecked = false
  var progress: AssignmentProgress
  private var needsReset: Bool
  /// The group was found to be one of this program.
  private var isGroupChecked = false
  private(set) var isAssigned = false
  /// Partitions are being given back.
  private var isReleasing = false
  /// A turn failed on the way, and `resume` has to put things right.
  var isInterrupted = false
  /// Since when this member has been waiting for its group to give it partitions.
  private var unassignedSince: Int64?
  /// Records applied that no commit covers, not even one that is under way.
  var pendingRecords: Int64 = 0
  var openCommit: OpenCommit?
  /// Since when a request to stop has been waiting for a commit.
  var stopSeen: Int64?
  /// Records committed by this run so far.
  public internal(set) var committedRecords: Int64 = 0
  /// When the last commit ended.
  var lastCommit: Int64
  var nextGroupCheck: Int64 = 0
  /// Since when this member has nothing left to do.
  var doneSince: Int64?
  private(set) var lastRecord: Int64
  private var firstRecord: Int64?
  var lastRecordCommit: Int64?
  var abortsInARow = 0
  /// Records that were removed before the group read them, and whose loss was accepted in this run.
  public internal(set) var lostRecords: Int64 = 0
  /// By partition, the offset below which lost records are counted already.
  var lostBelow: [Int32: Offset] = [:]

  /// Joins the group (or opens the private one); reads nothing yet.
  public init(
    _ settings: Settings, broker: any Broker, processor: any Processor, time: any TimeSource, stop: StopFlag,
    observer: any PipelineObserver
  ) throws(PipelineError) {
    guard let group = settings.consumer.group else {
      preconditionFailure("the pipeline commits offsets, so its consumer has a group")
    }
    self.settings = settings
    self.broker = broker
    self.processor = processor
    self.time = time
    self.stop = stop
    self.observer = observer
    self.group = group
    precondition(
      !settings.commitsWhileReading || settings.outputs.isEmpty, "outputs cannot be sent while a commit is under way")
    needsReset = settings.resetsGroup
    progress = AssignmentProgress(partitionCount: settings.partitionCount, bound: settings.bound)
    batch = RecordBatch(
      recordLimit: min(settings.batchRecords, settings.recordsPerCommit), byteLimit: settings.pollBytes)
    (admin, consumer, transaction) = try Self.open(settings, broker)
    lastCommit = time.monotonicNanoseconds
    lastRecord = lastCommit
  }

  /// Aborts what is open, leaves the group and frees everything. The loop cannot be used again.
  public func close() {
    Failpoint.reach("pipeline/before-close")
    transaction.close()
    consumer.close()
    admin.close()
  }

  /// Runs until the bound, the maximum or a stop. What was committed is durable also when it throws, and counted.
  public func run() throws(PipelineError) -> RunSummary {
    do throws(PipelineError) {
      return try runToEnd()
    } catch {
      // What went wrong first is what is told.
      try? endCommit()
      throw error
    }
  }

  private func runToEnd() throws(PipelineError) -> RunSummary {
    while true {
      if stop.isRequested { return try finish(.stopped) }
      do throws(PipelineError) {
        if let end = try turn() { return try finish(end) }
      } catch .broker(let error) where waitsOut(error) {
        interrupt(because: error)
      } catch .broker(let error) where isCutShort(by: error) {
        return summary(.stopped)
      }
    }
  }

  /// How the run is over after this turn, if it is.
  private func turn() throws(PipelineError) -> RunEnd? {
    if isInterrupted { try resume() }
    try recovering { () throws(PipelineError) in try commitIfDue() }
    observer.pipelineTurned(loop: self)
    if let end = try reachedEnd() { return end }
    if isInsideBatch { Failpoint.reach("pipeline/between-parts") }
    let event = isInsideBatch ? .polled : try poll()
    switch event {
    case .polled:
      try recovering { () throws(PipelineError) in try take() }
      noteMissingAssignment()
    case .assigned(let partitions): try begin(partitions)
    case .revoked: try release(committing: true)
    case .lost: try release(committing: false)
    }
    return nil
  }

  /// Records below the frozen ends that are still to be read; `nil` without ends, and when other members read some.
  public var remainingBelowEnds: Int64? { isAssigned && progress.ownsAll ? progress.remaining : nil }

  /// What a bounded run has to do, in records, with what it has done; `nil` where that is not known: without ends, before
  /// the assignment, and when other members read some.
  public var recordsInAll: Int64? {
    guard let rest = remainingBelowEnds else { return nil }
    let all = committedRecords + (openCommit?.records ?? 0) + pendingRecords + rest
    return min(all, settings.maximumRecords ?? .max)
  }

  /// Whether records were applied that are not committed yet.
  public var hasUncommittedRecords: Bool { pendingRecords > 0 || openCommit != nil }

  /// Whether partitions are placed at this member, with what is stored of them.
  public var hasPartitions: Bool { !progress.assigned.isEmpty }

  /// First record received to last commit so far, nanoseconds; 0 without a record.
  public var activeNanoseconds: Int64 {
    firstRecord.flatMap { first in lastRecordCommit.map { max(0, $0 - first) } } ?? 0
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
      unassignedSince = nil
      return
    }
    let now = time.monotonicNanoseconds
    let since = unassignedSince ?? now
    unassignedSince = since
    if now - since >= Self.assignmentNotice.nanoseconds { observer.pipelineWaits(.assignment) }
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
    if openCommit != nil { return .zero }
    guard progress.hasUncommitted else {
      return progress.ownsAll ? Self.pollTimeout : min(Self.pollTimeout, Self.groupCheckInterval)
    }
    let due = lastCommit + settings.commitInterval.nanoseconds - time.monotonicNanoseconds
    return .nanoseconds(max(0, min(due, Self.pollTimeout.nanoseconds)))
  }

  /// Whether only a part of the batch in hand was applied.
  var isInsideBatch: Bool { nextInBatch != nil }

  /// Applies what the poll brought, in runs that lie before the bound, until a commit has as much as it should.
  private func take() throws(PipelineError) {
    guard isAssigned else { return }
    let (taken, next, failure) = progress.take(
      batch, from: nextInBatch ?? 0, maximum: remainingRecords(), marks: sourceID == nil
    ) { range throws(PipelineError) in
      try processor.apply(batch, range, to: transaction, until: settings.commitBytes)
    }
    nextInBatch = next
    if taken > 0 {
      lastRecord = time.monotonicNanoseconds
      if firstRecord == nil { firstRecord = lastRecord }
      pendingRecords += Int64(taken)
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
    return Int(max(0, maximum - committedRecords - (openCommit?.records ?? 0) - pendingRecords))
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

  private func finish(_ end: RunEnd) throws(PipelineError) -> RunSummary {
    // Of a turn that was interrupted nothing can be committed.
    if !isInterrupted { try recovering { () throws(PipelineError) in try commitAll() } }
    return summary(end)
  }

  private func summary(_ end: RunEnd) -> RunSummary {
    RunSummary(end: end, records: committedRecords, activeNanoseconds: activeNanoseconds)
  }

  // MARK: - Abort

  /// Runs a step; an error that requires an abort is answered with one, and with reading again from the committed
  /// offsets of the partitions that are still ours.
  func recovering(_ step: () throws(PipelineError) -> Void) throws(PipelineError) {
    do throws(PipelineError) {
      try step()
    } catch .broker(let error) where error.requiresAbort {
      try startOver(after: error)
    }
  }

  /// Drops what is not committed and reads on from the committed offsets.
  private func startOver(after error: BrokerError) throws(PipelineError) {
    abortsInARow += 1
    guard survives(error) else { throw .broker(error) }
    observer.pipelineAborted(error)
    pauseBeforeAbort(because: error)
    try abort()
    guard isAssigned else { return }
    if error.code == .fenced, try losesPartitions() { return }
    try restore(progress.assigned)
  }

  /// Writes the state that covers everything below `position`.
  func stateWriter(for position: PartitionOffset) -> StateWriter {
    StateWriter(
      transaction: transaction, partition: position.partition, nextOffset: position.offset,
      kind: processor.stateKind, ledger: ledger,
      source: TopicMark(id: sourceID, record: progress.mark(of: position.partition)),
      output: outputProof(position.partition),
      key: stateKey, value: stateValue)
  }

  /// What a position record says of the first output.
  private func outputProof(_ partition: Int32) -> StateProof.Output? {
    settings.outputs.first.map { name in
      let record = outputID == nil ? transaction.outputMark ?? outputRecord : nil
      return StateProof.Output(
        topic: name, mark: TopicMark(id: outputID, record: record), events: processor.outputEvents(of: partition))
    }
  }

  /// Forgets the batch in hand: what was not applied of it is read again, or belongs to somebody else.
  func dropBatch() {
    batch.removeAll()
    nextInBatch = nil
  }

  private func abort() throws(PipelineError) {
    try endCommit()
    try brokerCall { () throws(BrokerError) in try transaction.abort() }
    dropBatch()
    pendingRecords = 0
    processor.forgetAll()
  }

  /// Goes on after a turn that was interrupted: from the committed offsets, unless the partitions are about to go.
  private func resume() throws(PipelineError) {
    try abort()
    if isAssigned && !isReleasing { try restore(progress.assigned) }
    isInterrupted = false
  }

  // MARK: - Assignment

  private func begin(_ partitions: [Int32]) throws(PipelineError) {
    isAssigned = true
    lastRecord = time.monotonicNanoseconds
    do throws(PipelineError) {
      if !isGroupChecked {
        try refuseForeignGroup()
        isGroupChecked = true
      }
      if needsReset {
        try reset(partitions)
        needsReset = false
      }
      try restore(partitions)
    } catch {
      // Without an answer the consumer names them again.
      isAssigned = false
      throw error
    }
    abortsInARow = 0
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
    try brokerCall { () throws(BrokerError) in try consumer.unassign() }
    isReleasing = false
  }
}
