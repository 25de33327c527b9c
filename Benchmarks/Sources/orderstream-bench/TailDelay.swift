import Foundation
import OrderStreamCore
import OrderStreamThreads
import Synchronization

/// How long a record that was acknowledged takes to be committed by an `analytics` that follows the topic.
struct TailDelay {
  let broker: any Broker
  private static let records = 40
  /// Longer than a commit interval, so that every record comes to a pipeline that waits.
  private static let pause: useconds_t = 150_000

  /// Milliseconds, one for each record.
  func measure() throws -> [Double] {
    let ready = ReadyOrders()
    let producer = try broker.producer(topic: Jobs.topic, pace: .interactive)
    defer { producer.close() }
    let watcher = Watcher()
    let stop = StopFlag()
    let follower = try BackgroundThread { [broker] in watcher.follow(broker, stop) }
    defer {
      stop.request()
      follower.join()
    }
    guard watcher.wait({ $0.isAssigned }) else { throw watcher.error("the follower was given no partitions") }
    return try (0..<Self.records).map { index in
      usleep(Self.pause)
      try producer.send(ready.outgoing(index))
      try producer.flush(timeout: .seconds(10))
      let acknowledged = SystemTime().monotonicNanoseconds
      guard watcher.wait({ $0.committed > index }) else { throw watcher.error("a record was not read") }
      return Double(max(0, watcher.lastCommit - acknowledged)) / 1e6
    }
  }

  /// The pipeline that follows, and what it says.
  private final class Watcher: PipelineObserver, Sendable {
    struct State {
      var isAssigned = false
      var committed: Int64 = 0
      var lastCommit: Int64 = 0
      var failure: PipelineError?
    }

    private let state = Mutex(State())

    var lastCommit: Int64 { state.withLock { $0.lastCommit } }

    func follow(_ broker: any Broker, _ stop: StopFlag) {
      let settings = PipelineLoop.Settings(
        consumer: ConsumerOptions(topic: Jobs.topic, membership: .sole(group: "tail"), readsHeaders: false),
        partitionCount: ReadyOrders.partitions, bound: .follow(idle: nil))
      let metrics = OrderMetrics(topic: Jobs.topic, onPoison: .fail)
      do throws(PipelineError) {
        let loop = try PipelineLoop(
          settings, broker: broker, processor: metrics, time: SystemTime(), stop: stop, observer: self)
        defer { loop.close() }
        _ = try loop.run()
      } catch {
        state.withLock { $0.failure = error }
      }
    }

    func error(_ what: String) -> BenchError {
      BenchError("\(what): \(state.withLock { $0.failure }.map { "\($0)" } ?? "nobody says why")")
    }

    /// Whether `condition` comes to hold within ten seconds.
    func wait(_ condition: (State) -> Bool) -> Bool {
      for _ in 0..<20_000 {
        let now = state.withLock { $0 }
        if condition(now) { return true }
        if now.failure != nil { return false }
        usleep(500)
      }
      return false
    }

    func pipelineAssigned(_ partitions: [Int32]) { state.withLock { $0.isAssigned = true } }

    func pipelineCommitted(records: Int64, loop: PipelineLoop) {
      let now = SystemTime().monotonicNanoseconds
      state.withLock {
        $0.committed = records
        $0.lastCommit = now
      }
    }
  }
}
