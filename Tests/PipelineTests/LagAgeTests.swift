import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

@Suite struct LagAgeTests {
  /// A clock that is moved.
  private final class ManualClock: TimeSource {
    private let offset = Atomic<Int64>(0)
    private let machine = SystemTime()
    let start: Int64

    init(wall: Int64) { start = wall }

    func move(by milliseconds: Int64) { offset.add(milliseconds, ordering: .relaxed) }
    var wallMilliseconds: Int64 { start + offset.load(ordering: .relaxed) }
    /// Goes on by itself, or waits would never end.
    var monotonicNanoseconds: Int64 { machine.monotonicNanoseconds + offset.load(ordering: .relaxed) * 1_000_000 }
    func sleep(_ duration: Duration) { machine.sleep(duration) }
  }

  private static func lag(_ committed: [Offset?], stable: [Offset], low: Offset = 0) -> GroupLag {
    GroupLag(
      partitions: zip(committed, stable).enumerated().map { number, offsets in
        let (committed, stable) = offsets
        let marks = Watermarks(low: low, high: stable, stable: stable)
        return GroupLag.Partition(
          TopicPartition(topic: "t", partition: Int32(number)), committed: committed, watermarks: marks,
          lag: Lag(.seen(marks), committed: committed, beginsAtEarliest: true))
      })
  }

  @Test(
    "The age is that of the record at the committed offset, read at most once in five seconds", arguments: BackEnd.all)
  func age(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      let start = TestRecord.recently
      var records: [TestRecord] = []
      for number in 0..<3000 {
        records.append(TestRecord(partition: Int32(number % 2), timestampMs: start + Int64(number) * 10, value: "x"))
      }
      try broker.produce(records, to: "t")
      let time = ManualClock(wall: start + 100_000)
      let ages = LagAges(broker: broker, time: time)
      defer { ages.close() }
      func read(_ committed: [Offset?], low: Offset = 0) -> [LagExplanation.Age] {
        ages.ages(of: Self.lag(committed, stable: [1500, 1500, 0], low: low), usesAppendTime: { _ in false })
      }
      // Partition 0 has the even numbers, partition 1 the odd ones.
      #expect(read([100, nil, nil]) == [.init(seconds: 98), .init(seconds: 99.99), .init(seconds: 0)])
      time.move(by: 1000)
      #expect(read([100, nil, nil]).map(\.seconds) == [99, 100.99, 0])
      // It goes on, and what was read last counts until five seconds are over.
      let moved = read([200, nil, nil])[0]
      #expect(moved.seconds == 98 && moved.reason?.contains("ago, at offset 100") == true, "\(moved)")
      time.move(by: 5000)
      #expect(read([200, 1500, nil]) == [.init(seconds: 102), .init(seconds: 0), .init(seconds: 0)])
      let removed = Self.lag([100, 1500, nil], stable: [1500, 1500, 0], low: 300)
      time.move(by: 5000)
      let gone = ages.ages(of: removed, usesAppendTime: { _ in true })[0]
      #expect(gone.seconds == 105, "\(gone)")
      #expect(
        gone.reason?.hasPrefix("the record at 100 is gone, the next one is at 300; timestamps are append") == true)
    }
  }

  @Test("What cannot be read says so: no topic, no lag, nothing but an end")
  func unknown() throws {
    try BackEnd.all[0].run { _, broker in
      let ages = LagAges(broker: broker, time: SystemTime())
      defer { ages.close() }
      let missing = ages.ages(of: Self.lag([0], stable: [5]), usesAppendTime: { _ in false })[0]
      #expect(
        missing.seconds == nil && missing.reason?.hasPrefix("the record at 0 cannot be read: ") == true, "\(missing)")
      let beyond = ages.ages(of: Self.lag([9], stable: [5]), usesAppendTime: { _ in false })[0]
      #expect(beyond.seconds == nil && beyond.reason == "the lag is not known: committed beyond the end at 5")
    }
  }
}
