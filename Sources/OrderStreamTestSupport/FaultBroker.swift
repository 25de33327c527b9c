import Dispatch
import OrderStreamCore
import Synchronization

/// Any broker, with the faults of a plan.
public struct FaultBroker: ForwardingBroker {
  public let inner: any Broker
  private let plan: FaultPlan

  public init(_ inner: any Broker, _ plan: FaultPlan) {
    self.inner = inner
    self.plan = plan
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    FaultConsumer(try inner.consumer(options), plan)
  }

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? FaultConsumer else {
      preconditionFailure("a transaction commits the offsets of a consumer of the same broker")
    }
    return FaultTransaction(try inner.transaction(for: consumer.inner, outputs: outputs, guarantee: guarantee), plan)
  }
}

/// A consumer whose committed offsets may be wrong by plan.
private final class FaultConsumer: ForwardingConsumer {
  private let plan: FaultPlan

  init(_ inner: any Consumer, _ plan: FaultPlan) {
    self.plan = plan
    super.init(inner)
  }

  override func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    let event = try super.poll(into: batch, timeout: timeout)
    plan.notePoll(of: batch)
    return event
  }

  override func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?] {
    if plan.nextReadFails() {
      throw BrokerError(.timedOut, "cannot read the committed offsets", why: "nobody answers by plan", recovery: .retry)
    }
    let offsets = try super.committed(partitions)
    if let foreign = plan.foreignOffset { return partitions.map { _ in CommittedOffset(foreign, committer: nil) } }
    if plan.offsetsExpired && plan.commits == 0 { return offsets.map { _ in nil } }
    return plan.takeStaleRead()
      ? offsets.map { $0.map { CommittedOffset($0.offset - 1, committer: $0.committer) } } : offsets
  }
}

/// A transaction that fails, or gets a record more, by plan.
private final class FaultTransaction: ForwardingTransaction {
  private let plan: FaultPlan
  private let isCommitting = Atomic<Bool>(false)

  init(_ inner: any Transaction, _ plan: FaultPlan) {
    self.plan = plan
    super.init(inner)
  }

  override func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    noteWrite()
    if plan.nextSend() == plan.sendFailsAfter {
      throw BrokerError(.internalError, "cannot send", why: "this record fails by plan", recovery: .abort)
    }
    if output == plan.failingOutput {
      throw BrokerError(.io, "cannot append to output \(output)", why: "it takes nothing by plan", recovery: .fatal)
    }
    try super.send(record, to: output)
  }

  override func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    noteWrite()
    try super.putState(partition: partition, key: key, value: value)
  }

  private func noteWrite() {
    precondition(!isCommitting.load(ordering: .acquiring), "nothing is written while a commit is under way")
    plan.noteWrite()
  }

  override func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    let number = plan.nextCommit(pendingBytes: inner.pendingBytes)
    isCommitting.store(true, ordering: .releasing)
    defer { isCommitting.store(false, ordering: .releasing) }
    plan.waitForPolls()
    if let fault = plan.fault(ofCommit: number, .before) { throw fault }
    if let tampering = plan.tampering, tampering.commit == number { try tamper(tampering) }
    try super.commit(offsets)
    if let limit = plan.hangsAfter, number >= limit { plan.hang() }
    if let fault = plan.fault(ofCommit: number, .after) { throw fault }
  }

  private func tamper(_ tampering: FaultPlan.Tampering) throws(BrokerError) {
    let bytes = ByteBuffer(capacity: 256)
    bytes.append(tampering.key)
    tampering.value?.withUnsafeBytes { bytes.append($0) }
    let keyLength = tampering.key.utf8.count
    try inner.putState(
      partition: tampering.partition, key: UnsafeRawBufferPointer(rebasing: bytes.bytes[..<keyLength]),
      value: tampering.value == nil ? nil : UnsafeRawBufferPointer(rebasing: bytes.bytes[keyLength...]))
  }

  override func abort() throws(BrokerError) {
    plan.noteAbort()
    try super.abort()
  }
}

/// What a `FaultBroker` does wrong, by count. Shared with the test, which may read the counts at any time.
public final class FaultPlan: Sendable {
  /// A commit that fails.
  public struct CommitFault: Sendable {
    public enum Moment: Sendable {
      /// Nothing of the transaction lands.
      case before
      /// All of it lands, and only the answer is lost.
      case after
    }

    /// Commits that succeed before the first one that fails.
    public var failAfter: Int
    public var moment: Moment
    public var code: BrokerError.Code
    public var recovery: BrokerError.Recovery
    /// Commits in a row that fail.
    public var times: Int

    public init(
      failAfter: Int, _ moment: Moment = .before, code: BrokerError.Code = .internalError,
      recovery: BrokerError.Recovery, times: Int = 1
    ) {
      self.failAfter = failAfter
      self.moment = moment
      self.code = code
      self.recovery = recovery
      self.times = times
    }
  }

  /// A state record that is added to one commit.
  public struct Tampering: Sendable {
    /// 0-based, over all transactions of the broker.
    public var commit: Int
    public var partition: Int32
    public var key: String
    /// `nil` removes the record.
    public var value: [UInt8]?

    public init(commit: Int, partition: Int32, key: String, value: [UInt8]?) {
      self.commit = commit
      self.partition = partition
      self.key = key
      self.value = value
    }
  }

  private struct State {
    var commits = 0
    var sends = 0
    var aborts = 0
    var staleReads = 0
    var reads = 0
    var mostPending = 0
    /// Polled since the last record was written.
    var recordsPolled = 0
    var recordsAhead = 0
  }

  public let commitFault: CommitFault?
  /// Records sent to outputs before one is refused with `requiresAbort`; `nil` refuses none.
  public let sendFailsAfter: Int?
  /// The output, by its index, that takes no record.
  public let failingOutput: Int?
  public let tampering: Tampering?
  /// The group's offsets have expired: consumers read none, the state stays.
  public let offsetsExpired: Bool
  /// Another program has committed this offset in every partition, and nobody any state.
  public let foreignOffset: Offset?
  /// How often a consumer polls while a commit is under way, before it ends: fewer times where it stops polling.
  public let pollsPerCommit: Int
  /// Reads of committed offsets that fail as they do while a group has no coordinator, the first ones.
  public let unansweredReads: Int
  /// Commits that end before those that do not, until `release`; `nil`: all of them end.
  public let hangsAfter: Int?
  private let state: Mutex<State>
  private let polls = DispatchSemaphore(value: 0)
  private let released = DispatchSemaphore(value: 0)
  /// A consumer that polls while a commit is under way does so again sooner.
  private static let pollPause = DispatchTimeInterval.milliseconds(200)

  /// - Parameter staleCommittedReads: so many reads of committed offsets, the first ones, answer one too low, as if
  ///   another member committed right after them.
  public init(
    commitFault: CommitFault? = nil, sendFailsAfter: Int? = nil, failingOutput: Int? = nil, tampering: Tampering? = nil,
    offsetsExpired: Bool = false, foreignOffset: Offset? = nil, staleCommittedReads: Int = 0, unansweredReads: Int = 0,
    pollsPerCommit: Int = 0, hangsAfter: Int? = nil
  ) {
    self.commitFault = commitFault
    self.sendFailsAfter = sendFailsAfter
    self.failingOutput = failingOutput
    self.tampering = tampering
    self.offsetsExpired = offsetsExpired
    self.foreignOffset = foreignOffset
    self.unansweredReads = unansweredReads
    self.pollsPerCommit = pollsPerCommit
    self.hangsAfter = hangsAfter
    state = Mutex(State(staleReads: staleCommittedReads))
  }

  /// Commits tried so far.
  public var commits: Int { state.withLock { $0.commits } }
  /// Transactions aborted so far.
  public var aborts: Int { state.withLock { $0.aborts } }
  /// The most bytes that a transaction has had when its commit was started.
  public var mostPending: Int { state.withLock { $0.mostPending } }

  /// Records that were polled while a commit was under way, where commits wait for polls.
  public var recordsAhead: Int { state.withLock { $0.recordsAhead } }

  func nextCommit(pendingBytes: Int) -> Int {
    state.withLock { state in
      defer { state.commits += 1 }
      state.mostPending = max(state.mostPending, pendingBytes)
      return state.commits
    }
  }

  func notePoll(of batch: RecordBatch) {
    guard pollsPerCommit > 0 else { return }
    state.withLock { $0.recordsPolled += batch.count }
    polls.signal()
  }

  /// What is polled from now on is polled while a commit is under way, unless more is written before.
  func noteWrite() {
    guard pollsPerCommit > 0 else { return }
    state.withLock { $0.recordsPolled = 0 }
    while polls.wait(timeout: .now()) == .success {}
  }

  /// Ends when the consumer has polled as often as it should during a commit, or waits for the commit.
  func waitForPolls() {
    for _ in 0..<pollsPerCommit where polls.wait(timeout: .now() + Self.pollPause) == .timedOut { break }
    state.withLock { $0.recordsAhead += $0.recordsPolled }
  }

  func hang() {
    released.wait()
    released.signal()
  }

  /// Lets the commits end that hang.
  public func release() { released.signal() }

  func nextSend() -> Int {
    state.withLock { state in
      defer { state.sends += 1 }
      return state.sends
    }
  }

  func noteAbort() { state.withLock { $0.aborts += 1 } }

  func nextReadFails() -> Bool {
    state.withLock { state in
      state.reads += 1
      return state.reads <= unansweredReads
    }
  }

  func takeStaleRead() -> Bool {
    state.withLock { state in
      state.staleReads -= 1
      return state.staleReads >= 0
    }
  }

  func fault(ofCommit number: Int, _ moment: CommitFault.Moment) -> BrokerError? {
    guard let fault = commitFault, fault.moment == moment,
      (fault.failAfter..<(fault.failAfter + fault.times)).contains(number)
    else { return nil }
    return BrokerError(fault.code, "cannot commit", why: "commit \(number) fails by plan", recovery: fault.recovery)
  }
}
