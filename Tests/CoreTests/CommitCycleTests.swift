import Dispatch
import OrderStreamTestSupport
import Synchronization
import Testing

@testable import OrderStreamCore

/// Who has the transaction while a commit is under way, and after nobody waits for it any more.
struct CommitCycleTests {
  private static func cycle(_ transaction: GatedTransaction, stop: StopFlag = StopFlag()) -> CommitCycle {
    CommitCycle(
      PipelineLoop.Settings(
        consumer: ConsumerOptions(topic: "in", membership: .member(group: "g")), partitionCount: 1,
        bound: .follow(idle: nil)),
      transaction: transaction, time: SystemTime(), stop: stop, observer: SilentObserver())
  }

  private static let position = [PartitionOffset(partition: 0, offset: 1)]

  @Test("Without a commit under way the transaction is closed at once")
  func idle() throws {
    let transaction = GatedTransaction()
    Self.cycle(transaction).close()
    #expect(transaction.calls == [.close])
  }

  @Test("A commit that ends while it is waited for is over before the transaction is closed")
  func waiting() throws {
    let transaction = GatedTransaction()
    let cycle = Self.cycle(transaction)
    try cycle.start(Self.position)
    transaction.gate.signal()
    cycle.close()
    #expect(transaction.calls == [.commit, .close])
  }

  @Test("A commit that does not end is left alone, and its thread closes the transaction when it has ended")
  func abandoned() throws {
    let transaction = GatedTransaction()
    let cycle = Self.cycle(transaction)
    try cycle.start(Self.position)
    cycle.close()
    #expect(transaction.calls.isEmpty)
    transaction.gate.signal()
    #expect(transaction.closed.wait(timeout: .now() + 10) == .success)
    #expect(transaction.calls == [.commit, .close])
  }

  @Test("A request to stop waits for a commit for two seconds, and what it gave up is still not touched")
  func stopping() throws {
    let transaction = GatedTransaction()
    let stop = StopFlag()
    let cycle = Self.cycle(transaction, stop: stop)
    try cycle.start(Self.position)
    stop.request()
    let asked = ContinuousClock().now
    let error = #expect(throws: PipelineError.self) { try cycle.wait() }
    guard case .broker(let broker) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(broker.code == .timedOut && ContinuousClock().now - asked >= .seconds(2))
    #expect(try cycle.settle() == nil && transaction.calls.isEmpty)
    transaction.gate.signal()
    cycle.close()
    #expect(transaction.calls == [.commit, .close])
  }
}

/// Commits when it is told to.
private final class GatedTransaction: Transaction {
  enum Call { case commit, close }

  let gate = DispatchSemaphore(value: 0)
  let closed = DispatchSemaphore(value: 0)
  private let made = Mutex<[Call]>([])
  var calls: [Call] { made.withLock { $0 } }
  let pendingBytes = 0

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {}
  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {}

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    gate.wait()
    made.withLock { $0.append(.commit) }
  }

  func abort() throws(BrokerError) {}

  func close() {
    made.withLock { $0.append(.close) }
    closed.signal()
  }
}
