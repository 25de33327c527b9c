import OrderStreamCore
import Synchronization

/// A broker for one consumer, whose process dies at a planned moment: from then on every call fails for good. The thread
/// that ran it then calls `bury`, which is what the others see of a SIGKILL: nothing was closed, left or aborted.
public final class MortalBroker: ForwardingBroker, @unchecked Sendable {
  // Used by the thread of the member that it is for, and by the thread of its commit while that one waits for it.

  /// When it dies; counted from 0.
  public enum Death: Hashable, Sendable {
    case atPoll(Int)
    case beforeCommit(Int)
    /// The commit is durable, and its answer is never heard.
    case afterCommit(Int)
  }

  public let inner: any Broker
  private let death: Death?
  private var consumer: (any Consumer)?
  private var polls = 0
  private var commits = 0
  private let hasDied = Atomic<Bool>(false)

  /// - Parameter death: `nil`: never.
  public init(_ inner: any Broker, dies death: Death?) {
    self.inner = inner
    self.death = death
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    let consumer = try inner.consumer(options)
    self.consumer = consumer
    return MortalConsumer(consumer, self)
  }

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    guard let own = self.consumer else { preconditionFailure("a transaction commits the offsets of its consumer") }
    return MortalTransaction(try inner.transaction(for: own, outputs: outputs, guarantee: guarantee), self)
  }

  public var isDead: Bool { hasDied.load(ordering: .relaxed) }

  private func die() { hasDied.store(true, ordering: .relaxed) }

  /// Frees what the kernel frees of a process that was killed. The loop may be closed afterwards, which does nothing more.
  /// - Parameter kill: as `BrokerFixture.kill`.
  public func bury(_ kill: (any Consumer) -> Void) {
    if isDead, let consumer { kill(consumer) }
    consumer = nil
  }

  fileprivate func poll() throws(BrokerError) {
    defer { polls += 1 }
    if death == .atPoll(polls) { die() }
    try live()
  }

  fileprivate func commit(_ body: () throws(BrokerError) -> Void) throws(BrokerError) {
    defer { commits += 1 }
    if death == .beforeCommit(commits) { die() }
    try live()
    try body()
    if death == .afterCommit(commits) { die() }
    try live()
  }

  fileprivate func live() throws(BrokerError) {
    if isDead {
      throw BrokerError(.internalError, "cannot go on", why: "the process is dead by plan", recovery: .fatal)
    }
  }
}

private final class MortalConsumer: ForwardingConsumer {
  private let broker: MortalBroker

  init(_ inner: any Consumer, _ broker: MortalBroker) {
    self.broker = broker
    super.init(inner)
  }

  override func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    try broker.poll()
    return try super.poll(into: batch, timeout: timeout)
  }

  // A dead process leaves nothing; `bury` frees what it had.
  override func close() { if !broker.isDead { super.close() } }
}

private final class MortalTransaction: ForwardingTransaction {
  private let broker: MortalBroker

  init(_ inner: any Transaction, _ broker: MortalBroker) {
    self.broker = broker
    super.init(inner)
  }

  override func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    try broker.commit { () throws(BrokerError) in try super.commit(offsets) }
  }

  override func abort() throws(BrokerError) {
    try broker.live()
    try super.abort()
  }

  override func close() { if !broker.isDead { super.close() } }
}
