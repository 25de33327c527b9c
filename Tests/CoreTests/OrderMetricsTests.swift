import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite struct OrderMetricsTests {
  /// Orders in three partitions around 1970, poison among them.
  private static func records(seed: UInt64, count: Int) -> [TestRecord] {
    var random = SeededRandom(seed: seed)
    var next: [Int32: Offset] = [:]
    return (0..<count).map { index in
      let partition = Int32(random.below(3))
      defer { next[partition, default: 0] += 1 }
      let text = ByteBuffer(capacity: 64)
      CivilTime.appendSeconds(Int64(random.below(40_000)) - 20_000, to: text)
      let value = OrderText.with {
        $0.timestamp = "\"\(String(decoding: text.bytes, as: UTF8.self))\""
        $0.status = random.below(4) == 0 ? #""failed""# : #""placed""#
      }
      return TestRecord(
        partition: partition, offset: next[partition, default: 0], value: index % 17 == 3 ? "poison" : value)
    }
  }

  /// A broker's memory, and metrics that are saved to it and restored from it.
  private struct Member {
    var metrics = OrderMetrics(topic: "t", onPoison: .skip)
    let stored: RecordingTransaction
    let ledger = StateLedger()

    func apply(_ records: [TestRecord]) throws {
      let batch = batch(records)
      try metrics.apply(batch, 0..<batch.count, to: stored)
    }

    func save(_ partitions: [Int32]) throws {
      for partition in partitions {
        try metrics.saveState(
          partition: partition,
          to: StateWriter(
            transaction: stored, partition: partition, nextOffset: 1, kind: .metrics, ledger: ledger,
            key: ByteBuffer(), value: ByteBuffer()))
      }
      metrics.committed()
    }

    func restore(_ partitions: [Int32]) throws {
      metrics.forgetAll()
      for partition in partitions {
        for (key, value) in stored.state[partition] ?? [:] {
          try key.withUnsafeBytes { key in
            try value.withUnsafeBytes { value in
              try metrics.restore(
                partition: partition, try StateRecord(key: key, value: value, kind: .metrics))
            }
          }
        }
      }
    }
  }

  @Test(
    "Any split over partitions, members, commits and restarts gives the same report", arguments: 0..<30 as Range<UInt64>
  )
  func anySplit(seed: UInt64) throws {
    let records = Self.records(seed: seed, count: 400)
    let whole = Member(stored: RecordingTransaction())
    try whole.apply(records)
    let expected = try whole.metrics.summary(with: nil)
    #expect(expected.rejected == Int64(records.count { $0.text == "poison" }) && expected.rejected > 20)
    #expect(expected.totalOrders + expected.rejected == 400 && expected.minutes.contains { $0.minute < -60 })

    var random = SeededRandom(seed: ~seed)
    let stored = RecordingTransaction()
    let members = [Member(stored: stored), Member(stored: stored)]
    var owner: [Int] = [0, 1, 0]
    var rest = records[...]
    while !rest.isEmpty {
      let part = Array(rest.prefix(1 + Int(random.below(60))))
      rest = rest.dropFirst(part.count)
      // Partitions keep their order; between partitions any order goes.
      for partition in [2, 0, 1] as [Int32] {
        try members[owner[Int(partition)]].apply(part.filter { $0.partition == partition })
      }
      for number in 0..<2 { try members[number].save((0..<3).filter { owner[Int($0)] == number }) }
      if random.below(2) == 0 {
        // A rebalance: everybody forgets everything and restores what is theirs now.
        owner = (0..<3).map { _ in Int(random.below(2)) }
        for number in 0..<2 { try members[number].restore((0..<3).filter { owner[Int($0)] == number }) }
      }
    }
    #expect(try members[0].metrics.summary(with: members[1].metrics) == expected, "seed \(seed)")
    #expect(try members[1].metrics.summary(with: members[0].metrics) == expected, "seed \(seed)")
    let fresh = Member(stored: stored)
    try fresh.restore([2, 1, 0])
    #expect(try fresh.metrics.summary(with: nil) == expected, "seed \(seed)")
  }

  @Test(
    "Totals that are brought up to date are those of all records, through commits, rebalances and other members",
    arguments: 0..<20 as Range<UInt64>)
  func liveTotals(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let stored = RecordingTransaction()
    let (member, other) = (Member(stored: stored), Member(stored: stored))
    let live = LiveMetrics(member.metrics)
    var own: [Int32] = [0, 1, 2]
    var shown: [Int64: MetricsTotals.Minute] = [:]
    var rest = Self.records(seed: seed, count: 300)[...]
    while !rest.isEmpty {
      let part = rest.prefix(1 + Int(random.below(40)))
      rest = rest.dropFirst(part.count)
      try member.apply(part.filter { own.contains($0.partition) })
      try other.apply(part.filter { !own.contains($0.partition) })
      try member.save(own)
      try other.save((0..<3).filter { !own.contains($0) })
      if random.below(4) == 0 {
        own = (0..<3).filter { _ in random.below(3) > 0 }
        try member.restore(own)
        try other.restore((0..<3).filter { !own.contains($0) })
      }
      let others = own.count == 3 ? nil : other.metrics
      for minute in try live.refresh(with: others) {
        #expect(shown.updateValue(minute, forKey: minute.minute) != minute, "only what has changed")
      }
      let expected = try member.metrics.summary(with: others)
      #expect(live.totals == expected.totals && live.summary == expected, "seed \(seed)")
      #expect(shown.values.sorted { $0.minute < $1.minute } == expected.minutes, "seed \(seed)")
    }
  }

  @Test("Hours before 1970 are rounded down")
  func hours() {
    let minutes: [Int64] = [-61, -60, -59, -1, 0, 59, 60]
    #expect(minutes.map(\.hour) == [-2, -1, -1, -1, 0, 0, 1])
    #expect(CivilTime.minutesRange.lowerBound.hour * 60 == CivilTime.minutesRange.lowerBound)
  }

  @Test("What is not committed is forgotten, and only changed hours are saved")
  func forget() throws {
    let member = Member(stored: RecordingTransaction())
    let times = ["1969-12-31T23:59:59", "1970-01-01T00:00:00", "1970-01-01T05:00:00"]
    try member.apply(times.enumerated().map { TestRecord(offset: Offset($0), value: OrderText.with(timestamp: $1)) })
    try member.save([0])
    let keys = { Set((member.stored.state[0] ?? [:]).keys.map { String(decoding: $0, as: UTF8.self) }) }
    #expect(keys() == ["position", "hour/-1", "hour/0", "hour/5"])
    let before = member.stored.state
    try member.save([0])
    #expect(member.stored.state == before)
    try member.apply([TestRecord(offset: 3, value: OrderText.with(timestamp: times[1]))])
    try member.restore([0])
    #expect(try member.metrics.summary(with: nil).minutes.map(\.orders) == [1, 1, 1])
  }

  @Test("Poison is counted, or stops with its coordinates")
  func poison() throws {
    let records = batch([
      TestRecord(partition: 2, offset: 41, value: OrderText().json), TestRecord(partition: 2, offset: 42, value: nil),
    ])
    let strict = OrderMetrics(topic: "t", onPoison: .fail)
    let error = #expect(throws: PipelineError.self) {
      try strict.apply(records, 0..<2, to: RecordingTransaction())
    }
    #expect(error?.description.hasPrefix("cannot read the record at t[2]@42: ") == true)
    let lenient = OrderMetrics(topic: "t", onPoison: .skip)
    try lenient.apply(records, 0..<2, to: RecordingTransaction())
    #expect(try lenient.summary(with: nil).rejected == 1)
  }

  @Test("The minute beyond the limit is refused with the record that would add it")
  func limit() throws {
    let member = Member(stored: RecordingTransaction())
    // State of whole hours fills the table without a million orders.
    let hours = Int64(OrderMetrics.minuteLimit / 60)
    for hour in 0..<hours { try restore(hour: hour, minutes: 60, to: member.metrics) }
    try restore(hour: hours, minutes: UInt8(OrderMetrics.minuteLimit % 60), to: member.metrics)
    // Two members that are each within the limit.
    let others = OrderMetrics(topic: "t", onPoison: .skip)
    try restore(hour: hours, minutes: UInt8(OrderMetrics.minuteLimit % 60) + 1, to: others)
    let together = #expect(throws: PipelineError.self) { _ = try member.metrics.summary(with: others) }
    #expect(together?.description.contains("its members together have more") == true)
    // Known minutes, also in another partition, are still counted.
    try member.apply([
      TestRecord(offset: 6, value: OrderText.with(timestamp: "1970-01-01T00:00:00")),
      TestRecord(partition: 1, offset: 6, value: OrderText.with(timestamp: "1970-01-01T00:01:00")),
    ])
    let error = #expect(throws: PipelineError.self) {
      try member.apply([TestRecord(partition: 1, offset: 7, value: OrderText().json)])
    }
    #expect(error?.description.contains("the order at t[1]@7 would add another") == true)
  }

  private func restore(hour: Int64, minutes: UInt8, to metrics: OrderMetrics) throws {
    var value: [UInt8] = [1, StateKind.metrics.rawValue] + [UInt8](repeating: 0, count: 8) + [minutes]
    for minute in 0..<minutes { value += [minute, 1, 0, 0, 0, 0, 0, 0, 0] }
    try Array("hour/\(hour)".utf8).withUnsafeBytes { key in
      try value.withUnsafeBytes { value in
        try metrics.restore(partition: 0, try StateRecord(key: key, value: value, kind: .metrics))
      }
    }
  }

  @Test("Rates are rounded half away from zero, and nothing is nothing")
  func rounding() {
    func summary(orders: UInt32, failed: UInt32, minutes: Int64 = 1) -> MetricsSummary {
      var table = MinuteTable()
      for minute in 0..<minutes {
        _ = table.add(minute: minute, orders: minute == 0 ? orders : 0, failed: minute == 0 ? failed : 0)
      }
      return MetricsSummary(minutes: table, rejected: 0)
    }
    #expect(MetricsSummary(minutes: MinuteTable(), rejected: 0).failureRateHundredths == 0)
    #expect(MetricsSummary(minutes: MinuteTable(), rejected: 0).averageOrdersPerMinuteHundredths == 0)
    // 1/800 = 0.125 %, 3/800 = 0.375 %, 1/3, 2/3.
    let rates: [(UInt32, UInt32, Int64)] = [
      (800, 1, 13), (800, 3, 38), (3, 1, 3333), (3, 2, 6667), (7, 7, 10_000), (20_000, 1, 1), (20_001, 1, 0),
      (.max - 1, .max - 1, 10_000),
    ]
    for (orders, failed, expected) in rates {
      #expect(summary(orders: orders, failed: failed).failureRateHundredths == expected)
    }
    let averages: [(UInt32, Int64, Int64)] = [
      (1, 8, 13), (3, 8, 38), (10, 3, 333), (20, 3, 667), (1, 200, 1), (1, 201, 0),
    ]
    for (orders, minutes, expected) in averages {
      #expect(summary(orders: orders, failed: 0, minutes: minutes).averageOrdersPerMinuteHundredths == expected)
    }
  }
}
