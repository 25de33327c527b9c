import Foundation
import OrderStreamCore
import Synchronization

/// An observer that other threads can wait on.
public final class PipelineEvents: PipelineObserver, Sendable {
  private struct State {
    var assigned: [[Int32]] = []
    var committed: Int64 = 0
    var commits = 0
    var waits: Set<PipelineWait> = []
    var aborts: [BrokerError] = []
    var remaining: Int64?
  }

  private let state = Mutex(State())
  private let turned: @Sendable (PipelineEvents, PipelineLoop) -> Void

  /// - Parameter turned: called on the loop's thread, once a turn.
  public init(turned: @escaping @Sendable (PipelineEvents, PipelineLoop) -> Void = { _, _ in }) { self.turned = turned }

  /// Every assignment so far.
  public var assigned: [[Int32]] { state.withLock { $0.assigned } }
  public var committed: Int64 { state.withLock { $0.committed } }
  public var commits: Int { state.withLock { $0.commits } }
  public var waits: Set<PipelineWait> { state.withLock { $0.waits } }
  public var aborts: [BrokerError] { state.withLock { $0.aborts } }
  /// Offsets below the ends that the member has still to read, since its last turn.
  public var remaining: Int64? { state.withLock { $0.remaining } }

  public func pipelineAssigned(_ partitions: [Int32]) { state.withLock { $0.assigned.append(partitions) } }

  public func pipelineCommitted(records: Int64, loop: PipelineLoop) {
    state.withLock { state in
      state.committed = records
      state.commits += 1
    }
  }

  public func pipelineTurned(loop: PipelineLoop) {
    state.withLock { $0.remaining = loop.remainingBelowEnds }
    turned(self, loop)
  }

  public func pipelineWaits(_ wait: PipelineWait) { state.withLock { _ = $0.waits.insert(wait) } }

  public func pipelineAborted(_ error: BrokerError) { state.withLock { $0.aborts.append(error) } }

  /// Looks again every few milliseconds until `condition` holds.
  /// - Returns: whether it came to hold within `limit`.
  public static func wait(within limit: Duration = .seconds(20), until condition: () throws -> Bool) rethrows -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while clock.now < deadline {
      if try condition() { return true }
      usleep(2000)
    }
    return try condition()
  }
}

/// Keeps every log line, to be looked at.
public final class LogCollector: LogSink {
  private let lines = Mutex<[(LogLevel, String)]>([])

  public init() {}

  public func log(_ level: LogLevel, _ message: String) { lines.withLock { $0.append((level, message)) } }

  public var all: [(level: LogLevel, text: String)] { lines.withLock { $0.map { (level: $0.0, text: $0.1) } } }
}
