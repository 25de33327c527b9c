import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

@Suite struct CommitLatencyTests {
  /// The machine's clock, but for a wall clock that moves only when it is moved.
  private final class ManualWall: TimeSource {
    private let machine = SystemTime()
    private let wall: Atomic<Int64>

    init(_ start: Int64) { wall = Atomic(start) }

    func move(by milliseconds: Int64) { wall.add(milliseconds, ordering: .relaxed) }
    var wallMilliseconds: Int64 { wall.load(ordering: .relaxed) }
    var monotonicNanoseconds: Int64 { machine.monotonicNanoseconds }
    func sleep(_ duration: Duration) { machine.sleep(duration) }
  }

  /// Keeps the latency of every record, and moves the clock after each commit.
  private final class KeepingObserver: PipelineObserver {
    let time: ManualWall
    let timestamps: [Int64]
    private(set) var latencies: [Int64] = []
    /// After each commit.
    private(set) var lags: [Double?] = []
    private(set) var oldest: [Int64] = []
    private(set) var aborts = 0

    init(_ time: ManualWall, _ timestamps: [Int64]) { (self.time, self.timestamps) = (time, timestamps) }

    func pipelineCommitted(records: Int64, loop: PipelineLoop) {
      lags.append(loop.lagSeconds)
      oldest.append(time.wallMilliseconds - timestamps[latencies.count])
      latencies += timestamps[latencies.count..<Int(records)].map { max(0, time.wallMilliseconds - $0) }
      time.move(by: 700 + records % 13)
    }

    func pipelineAborted(_ error: BrokerError) { aborts += 1 }
  }

  @Test(
    "A record's latency ends with the commit that lasts, counts once, and percentiles are those of every single one",
    arguments: BackEnd.all)
  func everyRecord(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      let start = TestRecord.recently
      // A backlog, records of now, and one of a clock that is ahead.
      let backlog: [Int64] = (0..<500).map { start - 40_000 + $0 * 61 }
      var timestamps = backlog + (500..<2000).map { start + $0 }
      timestamps[1700] = start + 600_000
      try broker.produce(timestamps.map { TestRecord(timestampMs: $0, value: "x") }, to: "t")
      let time = ManualWall(start)
      let observer = KeepingObserver(time, timestamps)
      var settings = PipelineLoop.Settings(
        consumer: ConsumerOptions(topic: "t", membership: .member(group: "g")), partitionCount: 1,
        bound: .follow(idle: .milliseconds(100)))
      settings.commitRecords = 150
      settings.batchRecords = 150
      settings.measuresLatency = true
      let plan = FaultPlan(commitFault: .init(failAfter: 3, recovery: .abort, times: 2))
      let loop = try PipelineLoop(
        settings, broker: FaultBroker(broker, plan), processor: OrderMetrics(topic: "t", onPoison: .skip), time: time,
        stop: StopFlag(), observer: observer)
      defer { loop.close() }
      #expect(try loop.run().records == 2000 && observer.aborts == 2 && observer.latencies.count == 2000)
      // It is behind until the end is seen; then it is not.
      #expect(observer.lags.dropLast().allSatisfy { $0 != nil } && loop.lagSeconds == 0)
      for (lag, oldest) in zip(observer.lags.dropLast(), observer.oldest) {
        #expect(lag == Double(max(0, oldest)) / 1000)
      }
      let figures = try #require(loop.latency)
      expect(figures.firstSecond, of: zip(timestamps, observer.latencies).filter { $0.0 < start + 1000 }.map(\.1))
      expect(figures.all, of: zip(timestamps, observer.latencies).filter { $0.0 >= start + 1000 }.map(\.1))
    }
  }

  /// - Parameter latencies: in milliseconds.
  private func expect(_ summary: LatencySummary, of latencies: [Int64]) {
    let sorted = latencies.map { $0 * 1000 }.sorted()
    #expect(summary.count == Int64(sorted.count) && summary.max == sorted.last)
    for (found, perMille) in [(summary.p50, 500), (summary.p90, 900), (summary.p99, 990), (summary.p999, 999)] {
      let exact = sorted[(sorted.count * perMille + 999) / 1000 - 1]
      #expect(found >= exact && found - exact <= exact / 512, "\(perMille) per mille: \(found), of every one \(exact)")
    }
  }

  @Test("A run with an end measures no latency, as what was there before it is none")
  func bounded() throws {
    try BackEnd.all[0].run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(10)
      let loop = try PipelineLoop(
        .init(
          consumer: ConsumerOptions(topic: Orders.topic, membership: .member(group: "g")), partitionCount: 3,
          bound: .ends(try orders.ends())),
        broker: broker, processor: OrderMetrics(topic: Orders.topic, onPoison: .skip), time: SystemTime(),
        stop: StopFlag(), observer: SilentObserver())
      defer { loop.close() }
      #expect(try loop.run().records == 10 && loop.latency == nil)
    }
  }
}
