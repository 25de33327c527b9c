import Histogram
import OrderStreamTestSupport
import Synchronization
import Testing

@testable import OrderStreamCore

@Suite struct LatencyTests {
  /// Everything that a recorder is given, kept.
  struct Every {
    var recorder = LatencyRecorder()
    var later: [Int64] = []
    var first: [Int64] = []

    /// Records one latency in microseconds.
    mutating func record(_ latency: Int64, isOfFirstSecond: Bool = false) {
      var sent = TimeRuns()
      sent.append(-latency * 1000)
      recorder.record(sent, at: 0, border: isOfFirstSecond ? .max : .min, in: .nanoseconds)
      if isOfFirstSecond { first.append(latency) } else { later.append(latency) }
    }
  }

  /// Expects what is said of these latencies to be true of each of them, as far as a histogram tells values apart.
  static func expect(_ summary: LatencySummary, of latencies: [Int64]) {
    let sorted = latencies.sorted()
    func isWithinBucket(_ found: Int64, _ exact: Int64) -> Bool { found >= exact && found - exact <= exact / 1024 }
    for (found, perMille) in [(summary.p50, 500), (summary.p90, 900), (summary.p99, 990), (summary.p999, 999)] {
      let exact = sorted[(sorted.count * perMille + 999) / 1000 - 1]
      #expect(isWithinBucket(found, exact), "\(perMille) per mille: \(found), of every single one \(exact)")
    }
    #expect(summary.max == sorted.last && summary.count == Int64(sorted.count))
    var lowest: Int64 = -1
    for bucket in summary.buckets {
      let border = bucket.upToMicroseconds
      #expect(border > lowest)
      // A value that the histogram does not tell apart from one above the border may have gone there.
      let surely = sorted.count { $0 > lowest && $0 + $0 / 1024 < border }
      let perhaps = sorted.count { $0 + $0 / 1024 > lowest && $0 <= border }
      #expect(bucket.count >= Int64(surely) && bucket.count <= Int64(perhaps), "up to \(border)")
      lowest = border
    }
    #expect(summary.buckets.reduce(0) { $0 + $1.count } == summary.count)
    #expect(summary.buckets.first?.count != 0 && summary.buckets.last?.count != 0)
  }

  @Test("Percentiles and buckets are those of every single latency", arguments: [1, 2, 3, 1000, 100_003])
  func percentiles(_ count: Int) {
    var random = SeededRandom(seed: UInt64(count))
    for spread in [Int64(3), 2000, 250_000, 90_000_000_000] {
      var every = Every()
      // A long tail, as latencies have.
      for _ in 0..<count {
        let least = Int64(random.next() % UInt64(spread))
        every.record(random.next() % 100 == 0 ? least * 7 : least / 3)
      }
      Self.expect(every.recorder.figures.all, of: every.later)
    }
  }

  @Test("Percentiles are those that HdrHistogram names")
  func library() {
    var random = SeededRandom(seed: 5)
    var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
    for _ in 0..<20_000 { histogram.record(random.next() % 3_000_000) }
    let summary = LatencySummary(histogram)
    #expect(
      [summary.p50, summary.p90, summary.p99, summary.p999]
        == [50, 90, 99, 99.9].map { Int64(histogram.valueAtPercentile($0)) })
  }

  @Test("The first second is told apart, and stands for all where nothing comes after it")
  func firstSecond() {
    var every = Every()
    for latency in 1...500 { every.record(Int64(latency * 100), isOfFirstSecond: true) }
    #expect(every.recorder.figures.all == every.recorder.figures.firstSecond)
    Self.expect(every.recorder.figures.all, of: every.first)
    for latency in 1...300 { every.record(Int64(latency)) }
    Self.expect(every.recorder.figures.all, of: every.later)
    Self.expect(every.recorder.figures.firstSecond, of: every.first)
  }

  @Test("Clocks that differ make no negative latency, and a record of 1970 is as late as it is")
  func extremes() {
    var recorder = LatencyRecorder()
    var sent = TimeRuns()
    sent.append(5)
    for _ in 0..<100_000 { sent.append(0) }
    recorder.record(sent, at: 2, border: .min, in: .milliseconds)
    let now: Int64 = 1_796_000_000_000
    recorder.record(sent, at: now, border: .min, in: .milliseconds)
    let summary = recorder.figures.all
    #expect(summary.count == 200_002 && summary.max == now * 1000)
    #expect(summary.p50 >= 2000 && summary.p50 <= 2001 && summary.p90 == summary.max)
    #expect(summary.buckets.first == .init(upToMicroseconds: 1, count: 1))
    #expect(summary.buckets.reduce(0) { $0 + $1.count } == 200_002)
  }

  @Test("No more than a hundred buckets, ten a decade")
  func borders() {
    let borders = LatencySummary.borders
    #expect(borders.count <= 99 && borders == borders.sorted() && Set(borders).count == borders.count)
    #expect(borders.first == 1 && borders.last == 10_000_000_000)
    #expect(
      borders.filter { $0 >= 1000 && $0 < 10_000 } == [1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000])
  }

  @Test("Runs of equal times count each record once, in their order")
  func runs() {
    var runs = TimeRuns()
    #expect(runs.isEmpty)
    for time in [0, 0, 7, 7, 7, 3, 0] as [Int64] { runs.append(time) }
    var found: [TimeRuns.Run] = []
    runs.forEach { found.append($0) }
    #expect(found.map(\.time) == [0, 7, 3, 0] && found.map(\.count) == [2, 3, 1, 1])
    runs.removeAll()
    #expect(runs.isEmpty)
    runs.forEach { _ in Issue.record("nothing is left") }
  }

  @Test("Timestamps of records of any age stay within a bucket, and an old backlog is a few runs")
  func timestamps() {
    let now: Int64 = 1_796_000_000_000
    var random = SeededRandom(seed: 3)
    for age in [Int64(1000), 30_000, 3_600_000, 86_400_000_000] {
      let batch = RecordBatch()
      var time = now - age
      var latencies: [Int64] = []
      for offset in 0..<10_000 {
        time += Int64(random.next() % 3)
        batch.append(partition: 0, offset: Int64(offset), timestampMs: time, key: nil, value: nil)
        latencies.append(max(0, now - time))
      }
      batch.append(partition: 0, offset: 10_000, timestampMs: -1, key: nil, value: nil)
      var times = TimeRuns()
      times.append(batch, 0..<4000, at: now)
      times.append(batch, 4000..<10_001, at: now)
      var count = 0
      times.forEach { _ in count += 1 }
      if age >= 3_600_000 { #expect(count < 30) }
      var recorder = LatencyRecorder()
      recorder.record(times, at: now, border: .min, in: .milliseconds)
      let summary = recorder.figures.all
      #expect(summary.count == 10_000 && summary.max == (latencies.max() ?? 0) * 1000)
      let sorted = latencies.sorted()
      for (found, perMille) in [(summary.p50, 500), (summary.p90, 900), (summary.p99, 990), (summary.p999, 999)] {
        let exact = sorted[(sorted.count * perMille + 999) / 1000 - 1] * 1000
        #expect(found >= exact && found - exact <= exact / 512)
      }
    }
  }

  @Test("Milliseconds for people have the digits that matter")
  func text() {
    let values: [(Int64, String)] = [
      (0, "0.00"), (4, "0.00"), (5, "0.01"), (1204, "1.20"), (9_994, "9.99"), (9_995, "10.0"), (12_345, "12.3"),
      (99_949, "99.9"), (99_950, "100"), (1_234_567, "1235"),
    ]
    for (value, text) in values { #expect(LatencySummary.milliseconds(value) == text) }
  }
}

@Suite struct AcknowledgementLatencyTests {
  /// A clock that moves only when somebody sleeps or moves it.
  final class ManualTime: TimeSource {
    private let now = Atomic<Int64>(7_000_000_000)
    var monotonicNanoseconds: Int64 { now.load(ordering: .relaxed) }
    var wallMilliseconds: Int64 { monotonicNanoseconds / 1_000_000 }
    func sleep(_ duration: Duration) { now.add(duration.nanoseconds, ordering: .relaxed) }
  }

  /// Acknowledges each record after two milliseconds, but stands still for a while before one of them. Keeps the time of
  /// every acknowledgement.
  final class StallingProducer: Producer {
    let partitionCount: Int32 = 1
    private(set) var acknowledged: [Int64] = []
    private let time: ManualTime
    private let latency: AcknowledgementLatency
    private let stall: (before: Int, lasting: Duration)

    init(_ time: ManualTime, _ latency: AcknowledgementLatency, stall: (before: Int, lasting: Duration)) {
      (self.time, self.latency, self.stall) = (time, latency, stall)
    }

    func send(_ record: OutgoingRecord) throws(BrokerError) {
      var sent = TimeRuns()
      sent.append(latency.due(Int64(acknowledged.count)) ?? time.monotonicNanoseconds)
      if acknowledged.count == stall.before { time.sleep(stall.lasting) }
      let answer = time.monotonicNanoseconds + 2_000_000
      latency.acknowledge(CollectionOfOne(sent), at: answer)
      acknowledged.append(answer)
    }

    func flush(timeout: Duration) throws(BrokerError) {}
    var deliveries: DeliveryCounts {
      var counts = DeliveryCounts(partitionCount: 1)
      counts.acknowledged = Int64(acknowledged.count)
      return counts
    }
    func takeReports() -> RecordReports { RecordReports() }
    func close() {}
  }

  private static func run(
    _ latency: AcknowledgementLatency, _ time: ManualTime, schedule: @escaping OrderPublisher.Schedule
  ) throws -> StallingProducer {
    let producer = StallingProducer(time, latency, stall: (2500, .seconds(2)))
    let orders = GeneratedOrders(OrderGenerator.Options(seed: 1, firstOrder: 1, count: 6000))
    var publisher = OrderPublisher(
      orders, producer: producer, schedule: schedule, time: time, stop: StopFlag(), latency: latency)
    try publisher.run { _ in }
    return producer
  }

  @Test(
    "At a rate a latency counts from when the record was due: a broker that stands still is slow for all that was due")
  func scheduled() throws {
    let time = ManualTime()
    let schedule: OrderPublisher.Schedule = { $0 * 1_000_000 }
    let latency = AcknowledgementLatency(from: .schedule(schedule), time: time)
    let start = time.monotonicNanoseconds
    let producer = try Self.run(latency, time, schedule: schedule)
    let every = producer.acknowledged.enumerated().map { ($1 - start - schedule(Int64($0))) / 1000 }
    LatencyTests.expect(latency.figures.firstSecond, of: Array(every[..<1000]))
    LatencyTests.expect(latency.figures.all, of: Array(every[1000...]))
    // Of the 5000 records 2000 came to be due while it stood still, and waited for a second on average.
    #expect(every[1000...].count { $0 > 3000 } == 1999)
    #expect(latency.figures.all.p90 > 1_400_000 && latency.figures.firstSecond.max == 2000)
  }

  @Test("Without a rate it counts from its sending, so that only the record in hand has waited")
  func sent() throws {
    let time = ManualTime()
    let latency = AcknowledgementLatency(from: .eachSending, time: time)
    _ = try Self.run(latency, time, schedule: { $0 * 1_000_000 })
    #expect(latency.figures.all.count == 5000)
    #expect(latency.figures.all.p999 == 2000 && latency.figures.all.max == 2_002_000)
  }

  @Test("No record is sent before it is due")
  func neverEarly() throws {
    let time = ManualTime()
    let schedule: OrderPublisher.Schedule = { $0 * 70_000 }
    let latency = AcknowledgementLatency(from: .schedule(schedule), time: time)
    let start = time.monotonicNanoseconds
    let producer = try Self.run(latency, time, schedule: schedule)
    for (index, answer) in producer.acknowledged.enumerated() {
      #expect(answer - 2_000_000 - start >= schedule(Int64(index)))
    }
  }
}
