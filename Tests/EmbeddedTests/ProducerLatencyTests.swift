import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

@testable import OrderStreamEmbedded

@Suite struct ProducerLatencyTests {
  /// A clock that moves only when it is moved.
  final class ManualTime: TimeSource {
    private let now = Atomic<Int64>(7_000_000_000)
    var monotonicNanoseconds: Int64 { now.load(ordering: .relaxed) }
    var wallMilliseconds: Int64 { monotonicNanoseconds / 1_000_000 }
    func sleep(_ duration: Duration) { now.add(duration.nanoseconds, ordering: .relaxed) }
  }

  /// A queue with a writer that acknowledges what it takes, and every latency of that, in microseconds.
  struct Writing {
    let time = ManualTime()
    let latency: AcknowledgementLatency
    let queue: ProducerQueue
    private let partitions: Int32 = 6
    private var sent: [[Int64]]
    private(set) var every: [Int64] = []
    private var sequence: Int64 = 0

    init(from origin: AcknowledgementLatency.Origin) {
      latency = AcknowledgementLatency(from: origin, time: time)
      queue = ProducerQueue(
        partitionCount: partitions, limits: ProducerLimits(.bulk), tellsOfAll: false, latency: latency, time)
      sent = Array(repeating: [], count: Int(partitions))
    }

    mutating func send(countedFrom moment: Int64? = nil) throws {
      let partition = Int32(truncatingIfNeeded: sequence &* 7) % partitions
      sent[Int(partition)].append(moment ?? time.monotonicNanoseconds)
      try TestRecord(partition: partition, key: "k", value: "v").lend { record throws(BrokerError) in
        try queue.add(record, byteCount: RecordChunk.byteCount(of: record), sequence: sequence)
      }
      sequence += 1
    }

    mutating func acknowledgeAll() {
      while let chunks = queue.deliveries.acknowledged < sequence ? queue.take(byteLimit: .max) : nil {
        latency.acknowledge(chunks.lazy.map(\.sent), at: time.monotonicNanoseconds)
        for chunk in chunks {
          let mine = sent[Int(chunk.partition)].prefix(Int(chunk.count))
          every += mine.map { (time.monotonicNanoseconds - $0) / 1000 }
          sent[Int(chunk.partition)].removeFirst(Int(chunk.count))
        }
        queue.acknowledge(chunks)
      }
    }
  }

  @Test("At full speed one look at the clock stands for 64 records, and the percentiles stay within a bucket")
  func fullSpeed() throws {
    var writing = Writing(from: .fullSpeed)
    for _ in 0..<3 {
      // A record a microsecond, and after 51.2 ms a commit that takes 70 ms.
      for _ in 0..<51_200 {
        writing.time.sleep(.microseconds(1))
        try writing.send()
      }
      writing.time.sleep(.milliseconds(70))
      writing.acknowledgeAll()
    }
    let summary = writing.latency.figures.all
    let sorted = writing.every.sorted()
    #expect(summary.count == 153_600 && sorted.count == 153_600)
    // Buckets of that size are 64 µs wide.
    for (found, perMille) in [(summary.p50, 500), (summary.p90, 900), (summary.p99, 990), (summary.p999, 999)] {
      let exact = sorted[(sorted.count * perMille + 999) / 1000 - 1]
      #expect(
        found / 64 - exact / 64 <= 1 && found >= exact, "\(perMille) per mille: \(found), of every single one \(exact)")
    }
    #expect(summary.max - sorted[sorted.count - 1] < 64)
  }

  @Test("With a schedule each record counts from when it was due, to the microsecond")
  func schedule() throws {
    let schedule: OrderPublisher.Schedule = { 7_000_000_000 + $0 * 130_000 }
    var writing = Writing(from: .schedule(schedule))
    for index in 0..<3000 {
      if index % 500 == 0 {
        writing.time.sleep(.milliseconds(21))
        writing.acknowledgeAll()
      }
      writing.time.sleep(.microseconds(130))
      try writing.send(countedFrom: schedule(Int64(index)))
    }
    writing.time.sleep(.milliseconds(21))
    writing.acknowledgeAll()
    let summary = writing.latency.figures.all
    let sorted = writing.every.sorted()
    #expect(summary.count == 3000 && summary.max == sorted.last)
    #expect(summary.p50 - sorted[1499] <= sorted[1499] / 1024 && summary.p50 >= sorted[1499])
  }
}
