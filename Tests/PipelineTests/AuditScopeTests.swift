import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// An audit of the orders of a range.
@Suite("Audits of a range")
struct AuditScopeTests {
  private static func places(_ ranges: [Range<Offset>]) -> AuditScope.Places {
    func places(_ offsets: [Offset]) -> [Place] {
      offsets.enumerated().map { Place(.offset($1), partition: Int32($0)) }
    }
    return AuditScope.Places(
      from: places(ranges.map(\.lowerBound)), to: places(ranges.map(\.upperBound)), now: 0)
  }

  private static func random(_ ends: [Offset], _ random: inout SeededRandom) -> [Range<Offset>] {
    ends.map { end in
      let start = Offset.random(in: 0...end, using: &random)
      return start..<Offset.random(in: start...end, using: &random)
    }
  }

  /// Whether a range is about what a source names: an order in it, or none at all.
  private static func covers(_ ranges: [Range<Offset>], _ ends: [Offset], _ source: String?) -> Bool {
    let numbers = (source ?? "").split(separator: "/").dropFirst().compactMap { Int64($0) }
    guard numbers.count >= 2 else { return true }
    let (partition, offset) = (Int(numbers[0]), numbers[1])
    return ranges[partition].contains(offset) || offset >= ends[partition]
  }

  @Test("A clean log is clean in every range, and what lies outside is only counted", arguments: BackEnd.all)
  func clean(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      var random = SeededRandom(seed: 1512)
      let planting = try Planting(broker)
      let ends = try planting.orders.ends()
      for _ in 0..<20 {
        let ranges = Self.random(ends, &random)
        let inside = planting.output.filter { Self.covers(ranges, ends, $0.source) }.count
        let findings = try broker.audit(places: Self.places(ranges))
        #expect(findings.isClean && findings.unverifiable == 0 && findings.pending == 0, "\(ranges)")
        #expect(findings.items == Int64(inside) && findings.outside == Int64(planting.output.count - inside))
        #expect(findings.inventoryEvents == Int64(planting.output.count))
        let poison = ranges[1].contains(planting.poisonOffset) ? 1 : 0
        #expect(findings.orders + findings.rejected == ranges.reduce(0) { $0 + Int64($1.count) })
        #expect(findings.rejected == Int64(poison))
      }
    }
  }

  @Test(
    "Of planted violations a range has those of its orders, each as the audit of all has it", arguments: BackEnd.all)
  func planted(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      var random = SeededRandom(seed: 1513)
      let planting = try Planting(broker)
      let ends = try planting.orders.ends()
      let changes: [(inout [TestRecord], Int) -> Void] = [
        { records, index in records.remove(at: index) }, { records, index in records.append(records[index]) },
        { records, index in records[index].replace("InventoryEvent", "InventoryEvents") },
        { records, index in records[index].source = records[index].order + "/99" },
        { records, index in records[index].source = "orders/1/\(ends[1] + 3)/0" },
        { records, index in records[index].headers = [] },
      ]
      for change in changes {
        let index = Int.random(in: 0..<planting.output.count, using: &random)
        let topic = "copy-\(planting.nextCopy)"
        let all = try planting.audit { change(&$0, index) }
        #expect(!all.isClean)
        for _ in 0..<4 {
          let ranges = Self.random(ends, &random)
          let found = try broker.audit(topic, places: Self.places(ranges))
          let expected = all.violations.filter { Self.covers(ranges, ends, $0.source) }
          #expect(
            found.violations.map { "\($0.verdict) \($0.source ?? "") \($0.output ?? "")" }
              == expected.map { "\($0.verdict) \($0.source ?? "") \($0.output ?? "")" }, "\(ranges)")
        }
      }
    }
  }

  @Test("Retention at the border: what is gone is unverifiable only where it was asked for", arguments: BackEnd.all)
  func retention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      try broker.change(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 0), before: 20))
      let gone = Int64(planting.output.filter { $0.source.hasPrefix("orders/0/") && !isFrom(20, $0) }.count)
      let all = try broker.audit(places: .init(from: [], to: [Place(.beforeEnd(5))], now: 0))
      #expect(all.isClean && all.unverifiable == gone)
      let later = try broker.audit(places: .init(from: [Place(.afterStart(1))], to: [], now: 0))
      #expect(later.isClean && later.unverifiable == 0 && later.outside > gone)
      let other = try broker.audit(places: .init(from: [Place(.earliest, partition: 1)], to: [], now: 0))
      let events = planting.output.filter { $0.source.hasPrefix("orders/0/") }.count
      #expect(other.isClean && other.unverifiable == 0 && other.outside == Int64(events))
    }
  }

  @Test("An event that is missing at the start of a range is lost, also where the output has lost its start")
  func firstOfRange() throws {
    try BackEnd.all[0].run { _, broker in
      let planting = try Planting(broker)
      // An order behind the start of what is left of the output.
      let first = planting.output.filter { $0.partition == 0 }[40]
      let offset = Offset(first.order.split(separator: "/")[2]) ?? 0
      let topic = "copy-\(planting.nextCopy)"
      _ = try planting.audit { $0.removeAll { $0.source == first.source } }
      try broker.change(.deleteRecords(TopicPartition(topic: topic, partition: 0), before: 20))
      let found = try broker.audit(
        topic, places: .init(from: [Place(.offset(offset), partition: 0)], to: [], now: 0))
      #expect(found.unverifiable == 0 && found.violations.map(\.source) == [first.source])
    }
  }

  @Test("Dead letters of records outside of a range are not judged")
  func deadLetters() throws {
    try BackEnd.all[0].run { _, broker in
      let planting = try Planting(broker)
      for ranges in [[0..<10, 0..<10], [0..<0, 0..<(planting.poisonOffset + 1)]] {
        let found = try broker.audit(deadLetters: Run.deadLetters, places: Self.places(ranges))
        let isInside = ranges[1].contains(planting.poisonOffset)
        #expect(found.isClean && found.deadLetters?.records == 1 && found.deadLetters?.outside == (isInside ? 0 : 1))
        #expect(found.rejected == (isInside ? 1 : 0))
      }
      try broker.createTopic("empty", partitions: 2)
      let lost = try broker.audit(deadLetters: "empty", places: Self.places([0..<0, 0..<(planting.poisonOffset + 1)]))
      #expect(lost.count(.deadLettersLost) == 1)
      #expect(try broker.audit(deadLetters: "empty", places: Self.places([0..<5, 0..<5])).isClean)
    }
  }

  private func isFrom(_ offset: Int, _ event: TestRecord) -> Bool {
    (Int(event.source.split(separator: "/")[2]) ?? 0) >= offset
  }
}
