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
    let follower = BackgroundThread { [broker] in watcher.follow(broker, stop) }
    defer {
      stop.request()
      follower.join()
    }
    guard watcher.wait({ $0.isAssigned }) else { throw BenchError("the follower was given no partitions") }
    return try (0..<Self.records).map { index in
      usleep(Self.pause)
      try producer.send(ready.outgoing(index))
      try producer.flush(timeout: .seconds(10))
      let acknowledged = BenchTime().monotonicNanoseconds
      guard watcher.wait({ $0.committed > index }) else { throw BenchError("a record was not read") }
      return Double(max(0, watcher.lastCommit - acknowledged)) / 1e6
    }
  }

  /// The pipeline that follows, and what it says.
  private final class Watcher: PipelineObserver, Sendable {
    struct State {
      var isAssigned = false
      var committed: Int64 = 0
      var lastCommit: Int64 = 0
    }

    private let state = Mutex(State())

    var lastCommit: Int64 { state.withLock { $0.lastCommit } }

    func follow(_ broker: any Broker, _ stop: StopFlag) {
      let settings = PipelineLoop.Settings(
        consumer: ConsumerOptions(topic: Jobs.topic, membership: .sole(group: "tail"), readsHeaders: false),
        partitionCount: ReadyOrders.partitions, bound: .follow(idle: nil))
      let metrics = OrderMetrics(topic: Jobs.topic, onPoison: .fail)
      if let loop = try? PipelineLoop(
        settings, broker: broker, processor: metrics, time: BenchTime(), stop: stop, observer: self)
      {
        _ = try? loop.run()
        loop.close()
      }
    }

    /// Whether `condition` comes to hold within ten seconds.
    func wait(_ condition: (State) -> Bool) -> Bool {
      for _ in 0..<20_000 {
        if state.withLock({ condition($0) }) { return true }
        usleep(500)
      }
      return false
    }

    func pipelineAssigned(_ partitions: [Int32]) { state.withLock { $0.isAssigned = true } }

    func pipelineCommitted(records: Int64, loop: PipelineLoop) {
      let now = BenchTime().monotonicNanoseconds
      state.withLock {
        $0.committed = records
        $0.lastCommit = now
      }
    }
  }
}
