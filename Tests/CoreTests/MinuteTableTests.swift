import OrderStreamCore
import Testing

@Suite struct MinuteTableTests {
  private struct Counts: Equatable {
    var orders: UInt32 = 0
    var failed: UInt32 = 0
  }

  private func contents(_ table: MinuteTable) -> [Int64: Counts] {
    var found: [Int64: Counts] = [:]
    table.forEach { minute, orders, failed in
      #expect(found.updateValue(Counts(orders: orders, failed: failed), forKey: minute) == nil)
    }
    return found
  }

  @Test("A table agrees with a dictionary, whatever the order of arrival", arguments: 0..<20 as Range<UInt64>)
  func oracle(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    // From few minutes far apart to many neighbours, before and after 1970.
    let spread = Int64(1) << Int64(random.below(30))
    let distinct = 1 + random.below(3000)
    var table = MinuteTable()
    var expected: [Int64: Counts] = [:]
    for _ in 0..<5000 {
      let minute = (Int64(random.below(distinct)) - Int64(distinct / 2)) * spread
      let failed = random.below(3) == 0
      let isNew = expected[minute] == nil
      if random.below(4) == 0 {
        let many = UInt32(random.below(1000))
        let found = table.add(minute: minute, orders: many, failed: many / 2)
        #expect(found == isNew)
        expected[minute, default: Counts()].orders += many
        expected[minute]!.failed += many / 2
      } else {
        let found = table.add(minute: minute, failed: failed)
        #expect(found == isNew)
        expected[minute, default: Counts()].orders += 1
        expected[minute]!.failed += failed ? 1 : 0
      }
    }
    #expect(table.count == expected.count)
    #expect(contents(table) == expected)
    for minute in -20..<20 as Range<Int64> {
      let counts = table.counts(of: minute * spread).map { Counts(orders: $0.orders, failed: $0.failed) }
      #expect(counts == expected[minute * spread])
    }
  }

  @Test("The ends of the calendar, and minutes that share a slot, are kept apart")
  func extremes() {
    var table = MinuteTable()
    #expect(table.counts(of: 0) == nil)
    let minutes = [CivilTime.minutesRange.lowerBound, -1, 0, 1, CivilTime.minutesRange.upperBound]
    for (index, minute) in minutes.enumerated() {
      for _ in 0...index { _ = table.add(minute: minute, failed: false) }
    }
    for (index, minute) in minutes.enumerated() { #expect(table.counts(of: minute)?.orders == UInt32(index + 1)) }
    #expect(table.counts(of: 2) == nil && table.count == minutes.count)
  }

  @Test("Growing keeps the counts and the last minute used")
  func growth() {
    var table = MinuteTable()
    for minute in 0..<100_000 as Range<Int64> {
      let isNew = (table.add(minute: minute, failed: false), table.add(minute: minute, failed: true))
      #expect(isNew == (true, false))
    }
    #expect(table.count == 100_000)
    #expect(contents(table).values.allSatisfy { $0 == Counts(orders: 2, failed: 1) })
  }

  @Test("Counts stay at the largest number, because altered state must not trap")
  func largestCounts() {
    var table = MinuteTable()
    for _ in 0..<2 { _ = table.add(minute: 7, orders: .max - 1, failed: .max - 1) }
    _ = table.add(minute: 7, failed: true)
    #expect(contents(table)[7] == Counts(orders: .max, failed: .max))
  }

  @Test("A copy is a value of its own")
  func copies() {
    var table = MinuteTable()
    _ = table.add(minute: 7, failed: false)
    var copy = table
    _ = copy.add(minute: 7, failed: true)
    #expect(table.counts(of: 7)?.orders == 1 && copy.counts(of: 7)?.orders == 2)
  }
}
