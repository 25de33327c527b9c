import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Whether each rejected record has its one dead letter: proved by mutation, as the audit of events is.
@Suite struct DeadLetterAuditTests {
  typealias Verdict = AuditFindings.Verdict

  /// A log with poison at head, middle and tail of both partitions, its letters, and copies of them with one thing changed.
  private final class Letters {
    let broker: any Broker
    let orders: Orders
    let letters: [TestRecord]
    private var copies = 0

    init(_ broker: any Broker) throws {
      self.broker = broker
      orders = try Orders(broker, partitions: 2)
      try Run.createOutputs(orders)
      for first in [1, 31, 0] as [Int64] {
        for partition in 0..<2 as Range<Int32> { try broker.produce(Self.poison(partition), to: Orders.topic) }
        if first > 0 { try orders.produce(30, firstOrder: first) }
      }
      _ = try Run(orders).inventory()
      letters = try broker.contents(of: Run.deadLetters)
    }

    private static func poison(_ partition: Int32) -> [TestRecord] {
      // One looks as if it were a dead letter itself.
      let own = [TestRecord.Header("source", Array("elsewhere/0/7".utf8)), TestRecord.Header("none", nil)]
      var records = [
        TestRecord(partition: partition, key: "k", value: "{"), TestRecord(partition: partition, value: "[]"),
        TestRecord(partition: partition, key: "", value: "", headers: own),
        TestRecord(partition: partition, key: "long", value: String(repeating: "x", count: 3000), headers: own),
      ]
      records.append(TestRecord(partition: partition, key: "tombstone", value: nil, headers: own))
      return records
    }

    func audit(group: String? = nil, _ change: (inout [TestRecord]) -> Void) throws -> AuditFindings {
      var records = letters
      change(&records)
      copies += 1
      let topic = "letters-\(copies)"
      try broker.createTopic(topic, partitions: orders.partitions)
      try broker.produce(records, to: topic)
      return try broker.audit(group: group, deadLetters: topic)
    }

    /// A letter of a long value.
    var long: Int { letters.firstIndex { $0.value?.count == 3000 }! }

    static func name(_ letter: TestRecord) -> String {
      letter.headers.last { $0.name == Array("source".utf8) }.map { String(decoding: $0.value ?? [], as: UTF8.self) }
        ?? ""
    }
  }

  private static func header(_ name: String, _ letter: inout TestRecord, _ change: (inout [UInt8]?) -> Void) {
    let index = letter.headers.lastIndex { $0.name == Array(name.utf8) }!
    change(&letter.headers[index].value)
  }

  /// Cuts a letter as a topic makes it that does not take so large a record.
  private static func cut(_ letter: inout TestRecord, key: Bool = false) {
    let value = letter.value ?? []
    if key { letter.headers.removeFirst(letter.headers.count - 4) }
    letter.value = Array(value.prefix(1024))
    letter.headers += [
      TestRecord.Header("original-size", Array("\(value.count)".utf8)),
      TestRecord.Header(
        "original-sha256", Array(value.withUnsafeBytes { Digest(of: $0) }.description.utf8)),
    ]
    if key { letter.headers.append(TestRecord.Header("original-key-size", Array("\(letter.key!.count)".utf8))) }
  }

  @Test("Letters as inventory writes them are right, whole or cut", arguments: BackEnd.all)
  func clean(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let letters = try Letters(broker)
      let long = letters.long
      for group in [nil, "g"] {
        let findings = try broker.audit(group: group, deadLetters: Run.deadLetters)
        #expect(findings.isClean && findings.rejected == 30 && findings.deadLetters?.records == 30)
        #expect(findings.deadLetters?.pending == 0 && findings.deadLetters?.other == 0)
      }
      #expect(try letters.audit { Self.cut(&$0[long]) }.isClean)
      #expect(try letters.audit { Self.cut(&$0[long], key: true) }.isClean)
      #expect(try broker.audit().deadLetters == nil)
    }
  }

  /// One letter changed in place.
  struct Change: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var apply: @Sendable (inout TestRecord) -> Void

    init(_ name: String, _ apply: @escaping @Sendable (inout TestRecord) -> Void) {
      (testDescription, self.apply) = (name, apply)
    }
  }

  static let changes = [
    Change("a byte of the value") { $0.value?[2999] ^= 1 },
    Change("a byte of the key") { $0.key?[0] ^= 1 },
    Change("no key") { $0.key = nil },
    Change("a tombstone") { $0.value = nil },
    Change("a byte more") { $0.value?.append(0) },
    Change("cut without saying so") { $0.value?.removeLast(1976) },
    Change("a header of the record is missing") { $0.headers.removeFirst() },
    Change("a header of the record is altered") { $0.headers[0].value?[0] ^= 1 },
    Change("a header more") { $0.headers.insert(TestRecord.Header("more", nil), at: 0) },
    Change("another code") { header("error-code", &$0) { $0?[0] ^= 1 } },
    Change("no code") { $0.headers.removeAll { $0.name == Array("error-code".utf8) } },
    Change("an empty message") { header("error-message", &$0) { $0 = [] } },
    Change("no group") { $0.headers.removeLast() },
    Change("in another partition") { $0.partition = 1 - $0.partition },
    Change("cut, with another size") { letter in
      cut(&letter)
      header("original-size", &letter) { $0?[0] ^= 1 }
    },
    Change("cut, with another digest") { letter in
      cut(&letter)
      header("original-sha256", &letter) { $0?[5] = UInt8(ascii: "g") }
    },
    Change("cut, with another start") { letter in
      cut(&letter)
      letter.value?[1023] ^= 1
    },
    Change("cut, without a digest") { letter in
      cut(&letter)
      letter.headers.removeLast()
    },
    Change("cut too short") { letter in
      cut(&letter)
      letter.value?.removeLast()
    },
    Change("cut with its key, of another size") { letter in
      cut(&letter, key: true)
      header("original-key-size", &letter) { $0?[0] ^= 1 }
    },
  ]

  @Test("A letter in which anything differs is altered", arguments: BackEnd.all)
  func altered(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let letters = try Letters(broker)
      let (index, name) = (letters.long, Letters.name(letters.letters[letters.long]))
      for change in Self.changes {
        let findings = try letters.audit { change.apply(&$0[index]) }
        #expect(findings.counts == [.deadLettersAltered: 1], "\(change.testDescription): \(findings.violations)")
        #expect(findings.violations.first?.source == name, "\(change.testDescription)")
        #expect(findings.violations.first?.output?.hasPrefix("letters-") == true)
      }
    }
  }

  @Test("A letter that is missing at head, middle or tail, twice, or of no record is named", arguments: BackEnd.all)
  func lostTwicePhantom(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let letters = try Letters(broker)
      let all = letters.letters
      for index in [0, all.count / 2, all.count - 1] {
        let name = Letters.name(all[index])
        let lost = try letters.audit { $0.remove(at: index) }
        #expect(lost.counts == [.deadLettersLost: 1] && lost.violations.first?.source == name)
        for place in [0, all.count] {
          let twice = try letters.audit { $0.insert(all[index], at: place) }
          #expect(twice.counts == [.deadLettersDuplicated: 1] && twice.violations.first?.source == name)
        }
        for source in ["orders/0/1000000", "orders/2/0", "orders/0/6", "elsewhere", "orders/0/0/0/x", ""] {
          let phantom = try letters.audit { records in
            records.append(all[index])
            Self.header("source", &records[all.count]) { $0 = Array(source.utf8) }
          }
          #expect(phantom.counts == [.deadLettersPhantom: 1], "\(source): \(phantom.violations)")
        }
        let bare = try letters.audit { $0.append(TestRecord(partition: 0, value: "bare")) }
        #expect(bare.counts == [.deadLettersPhantom: 1] && bare.violations.first?.source == nil)
      }
      let none = try broker.audit(deadLetters: "no-such-topic")
      #expect(none.counts == [.deadLettersLost: 30] && none.violations.count == AuditFindings.violationLimit)
    }
  }

  @Test("Letters of another topic or group are others, and without a group everybody's count", arguments: BackEnd.all)
  func others(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let letters = try Letters(broker)
      let add: (String, String) -> (inout [TestRecord]) -> Void = { name, value in
        { records in
          records.append(records[0])
          Self.header(name, &records[records.count - 1]) { $0 = Array(value.utf8) }
        }
      }
      for group in [nil, "g"] {
        let topic = try letters.audit(group: group, add("source", "elsewhere/0/0"))
        #expect(topic.isClean && topic.deadLetters?.other == 1)
      }
      let other = try letters.audit(group: "g", add("source-group", "h"))
      #expect(other.isClean && other.deadLetters?.other == 1)
      let everybody = try letters.audit(add("source-group", "h"))
      #expect(everybody.counts == [.deadLettersDuplicated: 1])
    }
  }

  @Test("Rejected records that the group has not committed are pending", arguments: BackEnd.all)
  func pending(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      try Run.createOutputs(orders)
      try broker.produce([TestRecord(value: "poison")], to: Orders.topic)
      try orders.produce(10)
      _ = try Run(orders).inventory()
      try broker.produce([TestRecord(value: "poison"), TestRecord(value: "more")], to: Orders.topic)
      let findings = try broker.audit(group: "g", deadLetters: Run.deadLetters)
      #expect(findings.isClean && findings.deadLetters?.pending == 2 && findings.pending == 0)
      #expect(try broker.audit(deadLetters: Run.deadLetters).counts == [.deadLettersLost: 2])
    }
  }

  @Test("What retention has removed of letters or records is unverifiable", arguments: BackEnd.all)
  func retention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let letters = try Letters(broker)
      #expect(try letters.audit { _ in }.isClean)
      try broker.change(.deleteRecords(TopicPartition(topic: "letters-1", partition: 0), before: 7))
      let cut = try broker.audit(deadLetters: "letters-1")
      #expect(cut.isClean && cut.deadLetters?.unverifiable == 7 && cut.unverifiable == 0)
      try broker.change(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 1), before: 5))
      let both = try broker.audit(deadLetters: "letters-1")
      #expect(both.isClean && both.deadLetters?.unverifiable == 12, "\(both.violations)")
    }
  }
}
