import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct PartitionCursorsTests {
  private func cursors(_ positions: [(Int32, Offset)]) -> PartitionCursors {
    var cursors = PartitionCursors()
    cursors.assign(positions.map { PartitionOffset(partition: $0.0, offset: $0.1) })
    return cursors
  }

  @Test("records of other partitions and from before the position are dropped")
  func drops() {
    var cursors = cursors([(0, 5), (2, 0)])
    let accepted = [cursors.accept(1, 5), cursors.accept(0, 4), cursors.accept(9, 0), cursors.accept(0, 5)]
    #expect(accepted == [false, false, false, true])
    let twice = [cursors.accept(0, 5), cursors.accept(0, 9)]
    #expect(twice == [false, true])
  }

  @Test("a new assignment forgets the old one")
  func forgets() {
    var cursors = cursors([(0, 0), (1, 0)])
    cursors.assign([PartitionOffset(partition: 1, offset: 3)])
    let accepted = [cursors.accept(0, 0), cursors.accept(1, 2), cursors.accept(1, 3)]
    #expect(accepted == [false, false, true])
  }

  @Test("a partition is behind until its end is reached, and again when records come")
  func behind() {
    var cursors = cursors([(0, 0), (1, 0)])
    #expect(cursors.isAnyBehind)
    let ends = [cursors.acceptEnd(0, 0), cursors.acceptEnd(0, 0), cursors.acceptEnd(1, 7), cursors.acceptEnd(3, 0)]
    #expect(ends == [true, true, true, false])
    #expect(!cursors.isAnyBehind)
    let none = cursors.nextBehind()
    #expect(none == nil)
    let accepted = cursors.accept(1, 7)
    let next = cursors.nextBehind()
    #expect(accepted && next == 1)
  }

  @Test("partitions that are behind take turns")
  func turns() {
    var cursors = cursors([(0, 0), (1, 0), (2, 0)])
    _ = cursors.acceptEnd(1, 0)
    let turns = (0..<4).map { _ in cursors.nextBehind() }
    #expect(Set(turns.prefix(2)) == [0, 2] && turns[0] == turns[2] && turns[1] == turns[3])
  }

  @Test("several partitions that are behind are each named once, and others the next time")
  func turnsOfSeveral() {
    var cursors = cursors([(0, 0), (1, 0), (2, 0), (3, 0)])
    _ = cursors.acceptEnd(1, 0)
    let first = cursors.nextBehind(atMost: 2)
    let second = cursors.nextBehind(atMost: 2)
    let all = cursors.nextBehind(atMost: 16)
    #expect(Set(first).count == 2 && Set(first + second) == [0, 2, 3] && Set(all) == [0, 2, 3] && all.count == 3)
  }
}

struct FetcherWakeUpTests {
  /// Tells when it wakes, of looks at a queue of 1000 bytes or 100 records, with records of `bytes` taken before each.
  private func wakes(_ looks: [(taken: Int, queued: Int)], bytes: Int) -> [Bool] {
    var fetchers = FetcherWakeUp(queueBytes: 1000, queueRecords: 100)
    return looks.map { look in
      for _ in 0..<look.taken { fetchers.noteRecord(bytes: bytes) }
      return fetchers.isDue(queued: look.queued)
    }
  }

  @Test("fetchers are woken once a queue that was full is half empty, by what its records weigh")
  func byBytes() {
    #expect(wakes([(1, 40), (1, 80), (20, 60), (11, 49), (20, 0)], bytes: 10) == [false, false, false, true, true])
  }

  @Test("many small records fill a queue too")
  func byRecords() {
    #expect(wakes([(1, 80), (40, 40)], bytes: 1) == [false, true])
  }

  @Test("fetchers of a queue that was never full do not rest, nor do those that have brought nothing")
  func notResting() {
    #expect(wakes([(1, 40), (10, 30), (30, 0)], bytes: 10) == [false, false, false])
    #expect(wakes([(0, 100), (0, 0)], bytes: 10) == [false, false])
  }

  @Test("a reader with a small queue gets everything of every partition, each record once", arguments: [1, 3])
  func smallQueue(brokers: Int) throws {
    let mock = try MockBroker(brokers: brokers, properties: [("queued.max.messages.kbytes", "1")])
    let producer = try mock.broker.producer(topic: MockBroker.topic, pace: .bulk)
    try mock.send(6000, by: producer)
    try producer.flush(timeout: .seconds(10))
    producer.close()
    let values = try mock.values()
    #expect(values.values.reduce(0) { $0 + $1.count } == 6000)
    for (partition, found) in values {
      #expect(found == stride(from: Int(partition), to: 6000, by: 3).map { "v\($0)" })
    }
  }
}
