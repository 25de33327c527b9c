import OrderStreamCore
import OrderStreamTestSupport
import Synchronization
import Testing

/// What a witness finds: each anomaly is planted and named, and a log that keeps its word comes out clean.
@Suite struct WitnessTests {
  // MARK: - Planted

  private typealias Lie = @Sendable (_ isCheck: Bool, _ reader: Isolation, _ records: inout [TestRecord]) throws -> Void

  /// Ten orders of one partition, of which the readers tell a lie.
  private static func watch(
    uncommitted: Bool = true, turns: Int = 1, _ lie: @escaping Lie, compares: Bool = true
  ) throws -> WitnessFindings.TopicFindings {
    let fixture = EmbeddedFixture()
    let inner = try fixture.open()
    try inner.createTopic("orders")
    try inner.produce(10, to: "orders")
    let isCheck = Flag()
    let broker = LyingBroker(inner, hasUncommittedRecords: uncommitted) { options, records in
      if options.topic == "orders" { try lie(isCheck.isSet, options.isolation, &records) }
    }
    let watch = try Watch(broker)
    defer { watch.close() }
    try watch.turn { $0.committed >= 9 && $0.uncommitted.map { $0 >= 9 } ?? true }
    isCheck.set()
    return try (compares ? watch.compare() : watch.witness.findings).input
  }

  private static func expect(
    _ findings: WitnessFindings.TopicFindings, _ verdict: WitnessFindings.Verdict, _ offsets: [Offset],
    _ reader: Isolation, location: SourceLocation = #_sourceLocation
  ) {
    #expect(findings.counts == [verdict: Int64(offsets.count)], "\(findings)", sourceLocation: location)
    #expect(findings.violations.map(\.record) == offsets.map { "orders[0]@\($0)" }, sourceLocation: location)
    #expect(findings.violations.allSatisfy { $0.reader == reader }, "\(findings)", sourceLocation: location)
  }

  @Test("A record that a committed reader saw and only an uncommitted one sees now was aborted")
  func aborted() throws {
    let findings = try Self.watch { isCheck, reader, records in
      if isCheck, reader == .committed { records.removeAll { [4, 9].contains($0.offset) } }
    }
    Self.expect(findings, .abortedSeen, [4, 9], .committed)
    #expect(findings.committed == 10 && findings.uncommitted == 10)
  }

  @Test("A record that nobody sees any more has gone", arguments: [true, false])
  func vanished(_ hasUncommitted: Bool) throws {
    let findings = try Self.watch(uncommitted: hasUncommitted) { isCheck, _, records in
      if isCheck { records.removeAll { [0, 4, 9].contains($0.offset) } }
    }
    Self.expect(findings, .vanished, [0, 4, 9], .committed)
    // What only an uncommitted reader saw may not go either.
    let open = try Self.watch { isCheck, reader, records in
      if isCheck || reader == .committed { records.removeAll { $0.offset == 4 } }
    }
    Self.expect(open, .vanished, [4], .uncommitted)
    let aborted = try Self.watch { _, reader, records in
      if reader == .committed { records.removeAll { $0.offset == 4 } }
    }
    #expect(aborted.counts.isEmpty && aborted.committed == 9 && aborted.uncommitted == 10, "\(aborted)")
  }

  @Test("Another key, value or header at an offset is named, another time is not", arguments: 0..<4)
  func changed(_ part: Int) throws {
    let change: @Sendable (inout TestRecord) -> Void = { record in
      switch part {
      case 0: record.key = nil
      case 1: record.value?[0] ^= 1
      case 2: record.headers = [.init("a", [])]
      default: record.timestampMs += 5
      }
    }
    let offsets: [Offset] = part == 3 ? [] : [4]
    let late = try Self.watch(uncommitted: false) { isCheck, _, records in
      if isCheck { for index in records.indices where records[index].offset == 4 { change(&records[index]) } }
    }
    // The two readers see each other's records: it is known while the watch goes on.
    let live = try Self.watch(
      { _, reader, records in
        guard reader == .committed else { return }
        for index in records.indices where records[index].offset == 4 { change(&records[index]) }
      }, compares: false)
    for findings in [late, live] {
      #expect(findings.counts == (part == 3 ? [:] : [.changed: 1]), "\(findings)")
      #expect(findings.violations.map(\.record) == offsets.map { "orders[0]@\($0)" })
    }
  }

  @Test("A record that a reader passed without seeing it is named, also the last one", arguments: Isolation.allCases)
  func skipped(_ reader: Isolation) throws {
    let findings = try Self.watch { isCheck, isolation, records in
      if !isCheck, isolation == reader { records.removeAll { $0.offset == 9 } }
    }
    Self.expect(findings, .skipped, [9], reader)
    let both = try Self.watch { isCheck, _, records in
      if !isCheck { records.removeAll { $0.offset == 4 } }
    }
    Self.expect(both, .skipped, [4], .committed)
  }

  @Test("A reader that is given an offset again went back; one that begins again where it was did not")
  func wentBack() throws {
    let findings = try Self.watch(
      { isCheck, reader, records in
        if !isCheck, reader == .committed, let third = records.first(where: { $0.offset == 3 }) {
          records.append(third)
        }
      }, compares: false)
    Self.expect(findings, .wentBack, [3], .committed)
    let fails = Flag()
    let again = try Self.watch { _, _, records in
      if records.isEmpty || fails.isSet { return }
      fails.set()
      throw BrokerError(.timedOut, "cannot read", why: "an election", recovery: .retry)
    }
    #expect(again.counts.isEmpty && again.committed == 10, "\(again)")
  }

  @Test("What retention has removed is no violation, what lies beyond a shorter end is one")
  func borders() throws {
    let fixture = EmbeddedFixture()
    let broker = try fixture.open()
    try broker.createTopic("orders")
    try broker.produce(10, to: "orders")
    let watch = try Watch(broker)
    defer { watch.close() }
    try watch.turn { $0.committed == 10 }
    let findings = try watch.compare(input: [3..<8]).input
    Self.expect(findings, .vanished, [8, 9], .committed)
    #expect(findings.unverifiable == 3)
  }

  @Test("Twenty coordinates of a kind are kept, and all are counted")
  func many() throws {
    let fixture = EmbeddedFixture()
    let broker = try fixture.open()
    try broker.createTopic("orders")
    try broker.produce(50, to: "orders")
    let watch = try Watch(broker)
    defer { watch.close() }
    try watch.turn { $0.committed == 50 }
    let findings = try watch.compare(input: [0..<0]).input
    #expect(findings.count(.vanished) == 50 && findings.violations.count == 20)
  }

  // MARK: - Real topics

  @Test("A topic that is deleted and made anew is noticed, with what was there before", arguments: BackEnd.all)
  func madeAnew(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("orders")
      try broker.produce(10, to: "orders")
      let watch = try Watch(broker)
      defer { watch.close() }
      try watch.turn { $0.committed == 10 }
      try broker.change(.deleteTopic("orders"))
      try watch.turn { _ in watch.notes.contains { $0.contains("waiting for the topic orders") } }
      try broker.createTopic("orders")
      try broker.produce(4, to: "orders", prefix: "other")
      try watch.turn { $0.count(.changed) == 4 }
      let findings = try watch.compare().input
      #expect(findings.counts == [.changed: 4, .vanished: 6] && findings.madeAnew == 1, "\(findings)")
    }
  }

  @Test("A topic that has lost its start, or was shortened and written on, is read on", arguments: BackEnd.all)
  func startRemoved(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("orders")
      try broker.produce(10, to: "orders")
      let watch = try Watch(broker)
      defer { watch.close() }
      try watch.turn { $0.committed == 10 }
      try broker.change(.deleteRecords(TopicPartition(topic: "orders", partition: 0), before: 6))
      try broker.produce(3, to: "orders")
      try watch.turn { $0.committed == 13 }
      let findings = try watch.compare().input
      #expect(findings.counts.isEmpty && findings.unverifiable == 6, "\(findings)")
    }
  }

  @Test("Missing topics are waited for, and partitions that come are read", arguments: BackEnd.all)
  func growing(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("other")
      let watch = try Watch(broker, time: JumpingTime())
      defer { watch.close() }
      try watch.turn { _ in watch.notes.count == 2 }
      try broker.createTopic("orders")
      try broker.produce(10, to: "orders")
      try watch.turn { $0.committed == 10 }
      try broker.change(.addPartitions(topic: "orders", total: 3))
      try broker.produce(30, to: "orders", partitions: 3)
      try watch.turn { $0.committed == 40 }
      let findings = try watch.compare()
      #expect(findings.isClean && findings.isCompared && findings.input.count(.wentBack) == 0, "\(findings)")
      #expect(!findings.output.isKnown && watch.notes.count == 2, "\(watch.notes)")
    }
  }

  @Test("Committed, open and aborted transactions beside a watch are clean, and counted", arguments: BackEnd.all)
  func transactions(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("orders")
      try broker.createTopic("inventory")
      try broker.produce(3, to: "orders")
      let watch = try Watch(broker)
      defer { watch.close() }
      try watch.turn { $0.committed == 3 }
      let member = try TestConsumer(broker, topic: "orders", group: "g", outputs: ["inventory"])
      defer { member.close() }
      #expect(try TestConsumer.pump([member]) { member.pending.count == 3 })
      func send(_ value: String, line: Int) throws {
        try member.send(
          TestRecord(key: "k", value: value, headers: [.init("source", Array("orders/0/\(line)/0".utf8))]))
      }
      try send("one", line: 0)
      try member.commit()
      try send("never", line: 1)
      let isHidden = !backEnd.differs(by: .controlRecords)
      try watch.turn { _ in
        let output = watch.witness.findings.output
        return output.committed == 1 && output.uncommitted.map { $0 == 2 } ?? isHidden
      }
      try member.abort()
      #expect(try TestConsumer.pump([member]) { member.pending.isEmpty })
      try send("two", line: 2)
      try member.commit()
      try watch.turn { _ in
        let output = watch.witness.findings.output
        return output.committed == 2 && output.uncommitted.map { $0 == 3 } ?? true
      }
      let findings = try watch.compare()
      #expect(findings.isClean && findings.output.committed == 2, "\(findings)")
      #expect(findings.output.uncommitted == (isHidden ? nil : 3))
      // Both were written during the watch; their orders are a minute old.
      #expect(findings.latency.all.count == 2 && findings.latency.all.p50 > 50_000_000, "\(findings.latency)")
    }
  }

  @Test("A full disk ends the watch")
  func fullDisk() throws {
    let fixture = EmbeddedFixture()
    let broker = try fixture.open()
    try broker.createTopic("orders", partitions: 5)
    try broker.produce(10, to: "orders", partitions: 5)
    let watch = try Watch(broker, storage: MemoryStorage(isFull: true))
    defer { watch.close() }
    let error = #expect(throws: BrokerError.self) { try watch.turn { $0.committed == 10 } }
    #expect(error?.code == .diskFull)
  }
}

/// A witness of `orders` and `inventory`, and what a test does with it.
private final class Watch {
  let witness: Witness
  private(set) var notes: [String] = []
  private let broker: any Broker
  private let admin: any Admin
  private let collect: Notes

  private final class Notes { var all: [String] = [] }

  init(
    _ broker: any Broker, storage: MemoryStorage = MemoryStorage(), time: any TimeSource = SystemTime()
  ) throws {
    self.broker = broker
    admin = try broker.admin()
    let notes = Notes()
    collect = notes
    witness = Witness(
      topic: "orders", outputTopic: "inventory", broker: broker, admin: admin, storage: storage, residentBlocks: 3,
      time: time,
      stop: StopFlag(), note: { notes.all.append($0) })
  }

  /// Goes on until the findings of the orders are as they should be.
  func turn(_ condition: (WitnessFindings.TopicFindings) -> Bool) throws {
    try eventually("what the witness should see", about: { "\(self.witness.findings)" }) {
      try witness.turn()
      notes = collect.all
      return condition(witness.findings.input)
    }
  }

  /// - Parameter input: what is there; `nil` for what the broker says.
  func compare(input: [Range<Offset>]? = nil) throws -> WitnessFindings {
    func ends(_ topic: String) throws -> [Range<Offset>]? {
      guard try admin.topic(topic) != nil else { return nil }
      return try admin.watermarks(topic: topic).map { $0.low..<$0.high }
    }
    let isWhole = try witness.compare(
      input: try input ?? ends("orders"), output: try ends("inventory"), broker: broker, stop: StopFlag(),
      waits: { _ in }, progress: { _, _ in })
    #expect(isWhole)
    return witness.findings
  }

  func close() {
    witness.close()
    admin.close()
  }
}

private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}

/// Room in memory for what a witness saw.
private final class MemoryStorage: WitnessStorage {
  private var bytes: [UInt8] = []
  private let isFull: Bool

  init(isFull: Bool = false) { self.isFull = isFull }

  func read(into target: UnsafeMutableRawBufferPointer, at position: Int64) throws(BrokerError) {
    target.copyBytes(from: bytes[Int(position)..<Int(position) + target.count])
  }

  func write(_ source: UnsafeRawBufferPointer, at position: Int64) throws(BrokerError) {
    if isFull { throw BrokerError(.diskFull, "cannot write", why: "no room") }
    let end = Int(position) + source.count
    if bytes.count < end { bytes += Array(repeating: 0, count: end - bytes.count) }
    bytes.replaceSubrange(Int(position)..<end, with: source)
  }
}

/// A clock on which a second takes a twentieth of one.
private struct JumpingTime: TimeSource {
  private let inner = SystemTime()
  private let start = SystemTime().monotonicNanoseconds

  var monotonicNanoseconds: Int64 { start + (inner.monotonicNanoseconds - start) * 20 }
  var wallMilliseconds: Int64 { inner.wallMilliseconds }
  func sleep(_ duration: Duration) { inner.sleep(duration / 20) }
}
