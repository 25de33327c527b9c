import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Every way in which a log can betray a receipt, planted once: it must be named, and nothing else.
@Suite("Receipts against logs")
struct ReceiptAuditTests {
  typealias Kind = ReceiptLog.Kind

  /// A change of partition 0, whose records come first.
  struct Betrayal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var apply: @Sendable (inout [TestRecord], _ count: Int) -> Void
    /// Of `count` records, indexes of those that are missing or altered, and the one that is there twice.
    var missing: @Sendable (Int) -> Range<Int> = { _ in 0..<0 }
    var altered: @Sendable (Int) -> Range<Int> = { _ in 0..<0 }
    var twice: Int?
    /// Records at offsets of no receipt beside that one.
    var unreceipted: Int64 = 0
  }

  /// Orders of another run, in the same partition.
  private static func others(_ count: Int) -> [TestRecord] {
    Array(ReceiptLog(.stepped, count: 400, seed: 99).records.filter { $0.partition == 0 }.prefix(count))
  }

  static let betrayals = [
    Betrayal(
      testDescription: "the first record is missing", apply: { records, _ in records.remove(at: 0) },
      missing: { $0 - 1..<$0 }, altered: { 0..<$0 - 1 }),
    Betrayal(
      testDescription: "one in the middle is missing", apply: { records, _ in records.remove(at: 60) },
      missing: { $0 - 1..<$0 }, altered: { 60..<$0 - 1 }),
    Betrayal(
      testDescription: "the last one is missing", apply: { records, count in records.remove(at: count - 1) },
      missing: { $0 - 1..<$0 }),
    Betrayal(
      testDescription: "the tail is missing", apply: { records, count in records.removeSubrange(count - 70..<count) },
      missing: { $0 - 70..<$0 }),
    Betrayal(
      testDescription: "one byte of a value differs", apply: { records, _ in records[77].value?[60] ^= 1 },
      altered: { _ in 77..<78 }),
    Betrayal(
      testDescription: "one byte of the first key differs", apply: { records, _ in records[0].key?[11] ^= 1 },
      altered: { _ in 0..<1 }),
    Betrayal(
      testDescription: "one byte of the last value differs",
      apply: { records, count in records[count - 1].value?[3] ^= 1 }, altered: { $0 - 1..<$0 }),
    Betrayal(
      testDescription: "two records are swapped", apply: { records, _ in records.swapAt(30, 31) },
      altered: { _ in 30..<32 }),
    Betrayal(
      testDescription: "one is there again at the end",
      apply: { records, count in records.insert(records[42], at: count) }, twice: 42),
    Betrayal(
      testDescription: "one is there again behind itself", apply: { records, _ in records.insert(records[42], at: 42) },
      altered: { 43..<$0 }, unreceipted: 1),
    Betrayal(
      testDescription: "the tail was written anew",
      apply: { records, count in records.replaceSubrange(count - 20..<count, with: others(20)) },
      altered: { $0 - 20..<$0 }),
    Betrayal(
      testDescription: "the tail was written anew, and goes on",
      apply: { records, count in records.replaceSubrange(count - 20..<count, with: others(25)) },
      altered: { $0 - 20..<$0 }, unreceipted: 5),
    Betrayal(
      testDescription: "it is another topic of the same shape",
      apply: { records, count in records.replaceSubrange(0..<count, with: others(count)) }, altered: { 0..<$0 }),
    Betrayal(
      testDescription: "an order is a tombstone", apply: { records, _ in records[5].value = nil },
      altered: { _ in 5..<6 }),
    Betrayal(
      testDescription: "an order has no key", apply: { records, _ in records[5].key = nil }, altered: { _ in 5..<6 }),
    Betrayal(
      testDescription: "a byte went from the key to the value",
      apply: { records, _ in
        let last = records[5].key!.removeLast()
        records[5].value?.insert(last, at: 0)
      }, altered: { _ in 5..<6 }),
    Betrayal(
      testDescription: "the partition is empty", apply: { records, count in records.removeSubrange(0..<count) },
      missing: { 0..<$0 }),
  ]

  @Test("Every betrayal is named, order by order where orders can be made again", arguments: BackEnd.all, betrayals)
  func betrayed(_ backEnd: BackEnd, _ betrayal: Betrayal) throws {
    for kind in Kind.allCases {
      let log = ReceiptLog(kind)
      var records = log.records
      betrayal.apply(&records, log.count)
      try backEnd.run { _, broker in
        try broker.makeLog(records)
        let findings = try broker.check(log.receipt)
        expect(findings, betrayal, log)
      }
    }
  }

  private func expect(_ findings: AuditFindings, _ betrayal: Betrayal, _ log: ReceiptLog) {
    let (missing, altered) = (betrayal.missing(log.count), betrayal.altered(log.count))
    let chunkOf = { (index: Int) in Int64(index / ReceiptLog.chunkRecords) }
    // Lines of somebody else are told apart by chunk, where all records of it are there.
    let whole = Set(altered.map(chunkOf)).subtracting(missing.map(chunkOf))
    let count = log.kind == .input ? whole.count : altered.count
    let text = "\(betrayal.testDescription), \(log.kind): \(findings.violations)"
    #expect(!findings.isClean, "\(text)")
    #expect(findings.count(.acknowledgedMissing) == Int64(missing.count), "\(text)")
    #expect(findings.count(.acknowledgedAltered) == Int64(count), "\(text)")
    #expect(findings.count(.acknowledgedTwice) == (betrayal.twice == nil ? 0 : 1), "\(text)")
    #expect(findings.receipts?.unreceipted == betrayal.unreceipted, "\(text)")
    #expect(findings.receipts?.unacknowledgedPresent == 0 && findings.unverifiableInAll == 0, "\(text)")
    let partition = findings.receipts?.runs[0].partitions[0]
    #expect(partition?.missing == Int64(missing.count) && partition?.altered == Int64(count), "\(text)")
    #expect(
      Set(findings.receipts?.chunks.map(\.chunk) ?? []) == Set(altered.map(chunkOf) + missing.map(chunkOf)), "\(text)")
    #expect(findings.receipts?.chunks.allSatisfy { $0.partition == 0 } == true, "\(text)")
    func named(_ verdict: AuditFindings.Verdict) -> [AuditFindings.Violation] {
      findings.violations.filter { $0.verdict == verdict }
    }
    let limit = AuditFindings.violationLimit
    #expect(named(.acknowledgedMissing).map(\.source) == missing.prefix(limit).map { "orders/0/\($0)" }, "\(text)")
    #expect(named(.acknowledgedMissing).map(\.chunk?.chunk) == missing.prefix(limit).map(chunkOf), "\(text)")
    if let twice = betrayal.twice {
      let violation = named(.acknowledgedTwice).first
      #expect(violation?.source == "orders/0/\(twice)" && violation?.output == "orders[0]@\(log.count)", "\(text)")
      #expect(violation?.expected == "\(log.id(twice)) once" && violation?.chunk?.run == log.run, "\(text)")
    }
    // Each of them, however many they are.
    let orders = Set(findings.receipts?.chunks.flatMap(\.orders).map { OrderNumber.id($0) } ?? [])
    #expect(
      orders == (log.kind == .input ? [] : Set((missing.map(\.self) + altered.map(\.self)).map(log.id))), "\(text)")
    guard log.kind != .input else {
      #expect(Set(named(.acknowledgedAltered).map(\.chunk?.chunk)) == Set(whole), "\(text)")
      return
    }
    #expect(named(.acknowledgedMissing).map(\.expected) == missing.prefix(limit).map(log.id), "\(text)")
    #expect(named(.acknowledgedAltered).map(\.source) == altered.prefix(limit).map { "orders/0/\($0)" }, "\(text)")
    for (violation, index) in zip(named(.acknowledgedAltered), altered) {
      #expect(violation.expected.hasPrefix(log.id(index)) && violation.chunk?.chunk == chunkOf(index), "\(text)")
      #expect(violation.expected.hasSuffix("}") == (log.kind == .stepped), "\(text)")
    }
  }

  @Test("A log that keeps its word is clean, whatever came after it", arguments: BackEnd.all, Kind.allCases)
  func clean(_ backEnd: BackEnd, _ kind: Kind) throws {
    let log = ReceiptLog(kind, more: 10)
    try backEnd.run { _, broker in
      try broker.makeLog(log.records)
      let findings = try broker.check(log.receipt)
      #expect(findings.isClean && findings.unverifiableInAll == 0, "\(findings.violations)")
      #expect(findings.receipts?.unreceipted == 0 && findings.receipts?.unacknowledgedPresent == 0)
      #expect(findings.receipts?.acknowledged == 320 && findings.receipts?.chunks.isEmpty == true)
      // What nobody was told of, and what the run has made without an acknowledgement.
      let foreign =
        Self.others(3) + [TestRecord(partition: 1, value: nil), TestRecord(partition: 0, key: "", value: "x")]
      try broker.produce(foreign + ReceiptLog.orders(log.options, 320..<330), to: ReceiptLog.topic)
      let more = try broker.check(log.receipt)
      #expect(more.isClean, "\(more.violations)")
      #expect(more.receipts?.unacknowledgedPresent == (kind == .input ? 0 : 10))
      #expect(more.receipts?.unreceipted == (kind == .input ? 15 : 5))
    }
  }

  @Test("A byte of a time from the wall clock is told by the digest of its chunk alone", arguments: BackEnd.all)
  func wallClock(_ backEnd: BackEnd) throws {
    let log = ReceiptLog(.wallClock)
    var records = log.records
    let last = records[60].value!.count - 3
    records[60].value?[last] ^= 1
    try backEnd.run { _, broker in
      try broker.makeLog(records)
      let findings = try broker.check(log.receipt)
      #expect(findings.counts == [.acknowledgedAltered: 1])
      #expect(findings.violations.first?.source == "orders/0/50" && findings.violations.first?.chunk?.chunk == 1)
      #expect(findings.receipts?.chunks.map(\.isAtLeast) == [true])
    }
  }

  @Test("What retention has removed is unverifiable, and what is left is still checked", arguments: BackEnd.all)
  func retention(_ backEnd: BackEnd) throws {
    for kind in Kind.allCases {
      let log = ReceiptLog(kind)
      try backEnd.run { _, broker in
        try broker.makeLog(log.records)
        try broker.change(.deleteRecords(TopicPartition(topic: ReceiptLog.topic, partition: 0), before: 60))
        let findings = try broker.check(log.receipt)
        #expect(findings.isClean, "\(kind): \(findings.violations)")
        // The rest of a chunk cannot be told from other lines without the ones that are gone.
        #expect(findings.receipts?.unverifiable == (kind == .input ? 100 : 60), "\(kind)")
        #expect(findings.receipts?.unreceipted == 0)
      }
      var records = log.records
      records[70].value?[3] ^= 1
      records[120].value?[3] ^= 1
      try backEnd.run { _, broker in
        try broker.makeLog(records)
        try broker.change(.deleteRecords(TopicPartition(topic: ReceiptLog.topic, partition: 0), before: 60))
        let findings = try broker.check(log.receipt)
        #expect(findings.counts == [.acknowledgedAltered: kind == .input ? 1 : 2], "\(kind): \(findings.violations)")
      }
    }
  }

  @Test(
    "Two receipts of the same offsets are checked each by itself: the election that lost a tail", arguments: BackEnd.all
  )
  func overlapping(_ backEnd: BackEnd) throws {
    let first = ReceiptLog(.stepped)
    let second = ReceiptLog(.stepped, seed: 99, run: "fedcba9876543210")
    // The first run lost what followed its hundredth record of a partition, and the second went on there.
    var records = first.records.filter { $0.offset < 100 }
    let later = second.records.map { record in
      var record = record
      record.offset += 100
      return record
    }
    records += later
    try backEnd.run { _, broker in
      try broker.makeLog(records)
      let findings = try broker.check(first.receipt, second.receipt(of: later))
      let lost = first.records.count { $0.offset >= 100 }
      #expect(findings.counts == [.acknowledgedAltered: Int64(lost)], "\(findings.violations)")
      let runs = try #require(findings.receipts?.runs)
      #expect(runs[0].partitions.reduce(0) { $0 + $1.altered } == Int64(lost))
      #expect(runs[1].partitions.allSatisfy { $0.altered + $0.missing + $0.twice == 0 })
      #expect(findings.receipts?.unreceipted == 0 && findings.violations.allSatisfy { $0.chunk?.run == first.run })
      #expect(findings.violations.first?.expected.hasPrefix(first.id(100)) == true)
      // The new ones have receipts of their own: alone, the first one cannot know them.
      #expect(try broker.check(first.receipt).receipts?.unreceipted == Int64(second.records.count - lost))
    }
  }

  @Test("Runs side by side, whose records lie between each other, are clean together", arguments: BackEnd.all)
  func interleaved(_ backEnd: BackEnd) throws {
    let logs = [ReceiptLog(.stepped), ReceiptLog(.input, seed: 99, run: "fedcba9876543210")]
    var all: [(run: Int, record: TestRecord)] = []
    for index in 0..<320 { for run in 0..<2 { all.append((run, logs[run].records[index])) } }
    let placed = ReceiptLog.placed(all.map(\.record))
    let runs = all.filter { $0.record.partition == 0 }.map(\.run) + all.filter { $0.record.partition == 1 }.map(\.run)
    func own(_ run: Int) -> [TestRecord] { zip(runs, placed).filter { $0.0 == run }.map(\.1) }
    try backEnd.run { _, broker in
      try broker.makeLog(placed)
      let findings = try broker.check(logs[0].receipt(of: own(0)), logs[1].receipt(of: own(1)))
      #expect(findings.isClean && findings.receipts?.unreceipted == 0, "\(findings.violations)")
      let alone = try broker.check(logs[0].receipt(of: own(0)))
      #expect(alone.isClean && alone.receipts?.unreceipted == 320)
    }
  }

  @Test("What was acknowledged without an offset is looked for at offsets of no receipt", arguments: BackEnd.all)
  func withoutOffset(_ backEnd: BackEnd) throws {
    let log = ReceiptLog(.stepped)
    let unplaced = log.records[33]
    var receipt = log.receipt(of: log.records.filter { $0 != unplaced })
    receipt.partitions[0].withoutOffset = [
      Receipt.Unplaced(partition: 0, key: log.id(33), digest: ReceiptLog.digest([unplaced]))
    ]
    try backEnd.run { _, broker in
      try broker.makeLog(log.records)
      let findings = try broker.check(receipt)
      #expect(findings.isClean && findings.receipts?.unreceipted == 0, "\(findings.violations)")
      #expect(findings.receipts?.runs[0].withoutOffset == 1 && findings.receipts?.acknowledged == 320)
      try broker.produce([unplaced], to: ReceiptLog.topic)
      let twice = try broker.check(receipt)
      #expect(twice.counts == [.acknowledgedTwice: 1] && twice.violations.first?.source == nil)
      #expect(twice.violations.first?.output == "orders[0]@\(log.count)")
    }
    try backEnd.run { _, broker in
      var records = log.records
      records[33].value?[5] ^= 1
      try broker.makeLog(records)
      let findings = try broker.check(receipt)
      #expect(findings.counts == [.acknowledgedMissing: 1] && findings.receipts?.unreceipted == 1)
      #expect(findings.violations.first?.expected == "\(log.id(33)), acknowledged without an offset in partition 0")
    }
  }

  @Test("Orders that failed leave no hole in the names of a chunk", arguments: BackEnd.all)
  func failedOrders(_ backEnd: BackEnd) throws {
    let log = ReceiptLog(.stepped)
    let failed = [log.records[10], log.records[20]]
    let sent = ReceiptLog.placed(log.records.filter { !failed.contains($0) })
    var receipt = log.receipt(of: sent)
    let numbers = failed.compactMap { $0.key?.withUnsafeBytes { OrderNumber.parse($0) } }
    receipt.tail?.failed = 2
    receipt.tail?.failedOrders = numbers.map { $0...$0 }
    var killed = receipt
    killed.tail = nil
    var records = sent
    records.remove(at: log.count - 3)
    records[30].value?[3] ^= 1
    try backEnd.run { _, broker in
      try broker.makeLog(records)
      for receipt in [receipt, killed] {
        let findings = try broker.check(receipt)
        #expect(findings.counts == [.acknowledgedMissing: 1, .acknowledgedAltered: 1], "\(findings.violations)")
        #expect(findings.violations.first { $0.verdict == .acknowledgedMissing }?.expected == log.id(log.count - 1))
        // Of a run that was killed nobody knows which ones have failed.
        let expected = try #require(findings.violations.first { $0.verdict == .acknowledgedAltered }?.expected)
        #expect(
          receipt.tail == nil
            ? expected == "an order from \(log.id(0)) to \(log.id(51))" : expected.hasPrefix(log.id(32)))
        #expect(findings.receipts?.runs[0].isComplete == (receipt.tail != nil))
      }
    }
  }

  @Test(
    "Gaps in offsets, as transactions leave them, are no difference, and a record lost in one is",
    arguments: BackEnd.all)
  func gaps(_ backEnd: BackEnd) throws {
    let log = ReceiptLog(.stepped)
    try backEnd.run { _, broker in
      try broker.createTopic(ReceiptLog.topic, partitions: ReceiptLog.partitions)
      try broker.createTopic("source", partitions: 1)
      try broker.produce(Array(log.records.filter { $0.partition == 0 }.prefix(60)), to: ReceiptLog.topic)
      try Self.commit([TestRecord(partition: 0, value: "of a transaction")], broker)
      let rest = Array(log.records.filter { $0.partition == 0 }.dropFirst(60))
      try broker.produce(rest, to: ReceiptLog.topic)
      let records = try broker.contents(of: ReceiptLog.topic).sorted { $0.offset < $1.offset }
      let findings = try broker.check(log.receipt(of: records.filter { $0.key != nil }))
      #expect(findings.isClean && findings.receipts?.unreceipted == 1, "\(findings.violations)")
      guard backEnd.differs(by: .controlRecords) else { return }
      // The receipt as if two more had been told there: one is another record, and of the other there is none.
      var all = log.records.filter { $0.partition == 0 }
      all.remove(at: log.count - 1)
      all.remove(at: log.count - 2)
      let betrayed = try broker.check(log.receipt(of: ReceiptLog.placed(all)))
      #expect(betrayed.violations.first { $0.verdict == .acknowledgedMissing }?.source == "orders/0/61")
      #expect(betrayed.violations.first { $0.verdict == .acknowledgedMissing }?.expected == log.id(61))
      #expect(betrayed.violations.first { $0.verdict == .acknowledgedAltered }?.source == "orders/0/60")
      #expect(betrayed.count(.acknowledgedMissing) == 1)
    }
  }

  /// Commits records in one transaction.
  private static func commit(_ records: [TestRecord], _ broker: any Broker) throws {
    let member = try TestConsumer(broker, topic: "source", group: "g", outputs: [ReceiptLog.topic])
    defer { member.close() }
    try broker.produce([TestRecord(value: "x")], to: "source")
    #expect(try TestConsumer.pump([member]) { !member.pending.isEmpty })
    for record in records { try member.send(record) }
    try member.commit()
  }

  @Test("A topic that was made anew is another one", arguments: BackEnd.all)
  func madeAnew(_ backEnd: BackEnd) throws {
    let log = ReceiptLog(.stepped)
    try backEnd.run { _, broker in
      try broker.makeLog(log.records)
      let admin = try broker.admin()
      let id = try admin.topic(ReceiptLog.topic)?.id
      admin.close()
      let same = try broker.check(log.receipt(of: log.records, topicID: id))
      #expect(same.isClean && same.receipts?.runs[0].isSameTopic == (id == nil ? nil : true))
      let other = try broker.check(log.receipt(of: log.records, topicID: "another"))
      #expect(other.counts.isEmpty && other.isClean == (id == nil))
    }
    // With fewer partitions, what lay in the others is missing.
    try backEnd.run { _, broker in
      try broker.createTopic(ReceiptLog.topic, partitions: 1)
      try broker.produce(log.records.filter { $0.partition == 0 }, to: ReceiptLog.topic)
      let findings = try broker.check(log.receipt)
      #expect(findings.counts == [.acknowledgedMissing: Int64(320 - log.count)])
    }
  }

  @Test("A receipt that contradicts its own orders harms nobody", arguments: BackEnd.all)
  func nonsense(_ backEnd: BackEnd) throws {
    let log = ReceiptLog(.stepped)
    var receipt = log.receipt
    receipt.partitions[0].chunks[0].orders = 5000...(.max)
    receipt.partitions[0].chunks[1].orders = 0...1
    receipt.partitions[0].chunks[2].digest = ReceiptLog.digest([])
    receipt.partitions[1].chunks[0].offsets = [0...(Receipt.chunkRecords - 1 + 1_000_000)]
    try backEnd.run { _, broker in
      try broker.makeLog(log.records)
      let findings = try broker.check(receipt)
      #expect(findings.count(.acknowledgedAltered) > 0 && findings.count(.acknowledgedMissing) > 0)
    }
  }
}
