import Synchronization

/// Orders that come at a rate of its own in each partition, which may change at any time. One thread sends.
public final class ScenarioArrivals: Sendable {
  private static let tick = Duration.milliseconds(5)
  private static let reportPause = Duration.milliseconds(50)

  private struct State {
    var rates: ScenarioPlan.Rates
    var acknowledged: Int64 = 0
    var failed: Int64 = 0
  }

  private let state: Mutex<State>
  public let stop = StopFlag()

  public init(_ rates: ScenarioPlan.Rates) { state = Mutex(State(rates: rates)) }

  /// Records a second, by partition.
  public var rates: ScenarioPlan.Rates {
    get { state.withLock(\.rates) }
    set { state.withLock { $0.rates = newValue } }
  }

  public var acknowledged: Int64 { state.withLock(\.acknowledged) }
  public var failed: Int64 { state.withLock(\.failed) }

  /// Sends until a stop is requested, and waits for the acknowledgements.
  /// - Parameter history: records of each partition that are sent at once; `isThere` is called when they are acknowledged.
  public func run(
    topic: String, seed: UInt64, history: Int64, broker: any Broker, time: any TimeSource, isThere: () -> Void
  ) throws(BrokerError) {
    let producer = try broker.producer(topic: topic, pace: .interactive)
    defer {
      producer.close()
      note(producer)
    }
    var generator = OrderGenerator(OrderGenerator.Options(seed: seed, count: .max / 2))
    let value = ByteBuffer()
    var sent: Int64 = 0
    func send(_ partition: Int) throws(BrokerError) {
      let wall = time.wallMilliseconds
      let order = generator.next(wallMilliseconds: wall, into: value)
      try producer.send(
        OutgoingRecord(
          partition: Int32(partition), timestampMs: wall, key: order.key(in: value), value: value.bytes))
      sent += 1
    }
    let count = rates.count
    for _ in 0..<history { for partition in 0..<count where !stop.isRequested { try send(partition) } }
    if history > 0 { try producer.finish(queued: sent, timeout: OrderPublisher.flushTimeout, stop: stop, time: time) }
    isThere()
    // Partitions do not get theirs in the same instant.
    var due = (0..<count).map { Double($0) / Double(count) }
    var last = time.monotonicNanoseconds
    var nextReport = last
    while !stop.isRequested {
      let now = time.monotonicNanoseconds
      let rates = rates
      for partition in due.indices {
        due[partition] += rates[partition] * Double(now - last) / 1e9
        while due[partition] >= 1 {
          try send(partition)
          due[partition] -= 1
        }
      }
      last = now
      if now >= nextReport {
        nextReport = now + Self.reportPause.nanoseconds
        note(producer)
      }
      time.sleep(Self.tick)
    }
    try producer.finish(queued: sent, timeout: OrderPublisher.flushTimeout, stop: stop, time: time)
  }

  private func note(_ producer: any Producer) {
    let counts = producer.deliveries
    state.withLock { ($0.acknowledged, $0.failed) = (counts.acknowledged, counts.failed) }
  }
}
