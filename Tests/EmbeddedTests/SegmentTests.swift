import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// The files that hold what is written in large commits.
@Suite struct SegmentTests {
  private let fixture = LogFixture()
  /// Enough for a segment by itself.
  private static let large = String(repeating: "x", count: BatchAppender.leastInSegment)
  private var topic: TopicPartition { TopicPartition(topic: "t", partition: 0) }

  private func size(_ segment: Int64) -> Int64 { Int64(fixture.size(fixture.directory.segment(segment))) }

  private var segments: [Int64] { SegmentFiles(fixture.directory).found().sorted() }

  /// A topic `t` with `count` large records in one segment, and a small one behind each.
  private func filled(_ count: Int) throws -> EmbeddedBroker {
    let broker = try fixture.open()
    try broker.createTopic("t")
    for number in 0..<count {
      try broker.produce([TestRecord(key: "\(number)", value: Self.large + "\(number)")], to: "t")
      try broker.produce([TestRecord(value: "small \(number)")], to: "t")
    }
    return broker
  }

  private func append(_ bytes: Int, to path: String) throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data(repeating: 0xA5, count: bytes))
    try file.close()
  }

  private func code(_ body: () throws(BrokerError) -> Void) -> BrokerError.Code? {
    do {
      try body()
      return nil
    } catch {
      return error.code
    }
  }

  // MARK: - Where records go

  @Test("Small commits stay in rows and large ones go to segments, and both are read in their order")
  func mixed() throws {
    var random = SeededRandom(seed: 17)
    var expected: [[TestRecord]] = [[], []]
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 2)
    var large = 0
    for number in 0..<40 {
      let isLarge = Bool.random(using: &random)
      let partition = Int32(random.below(2))
      // Times that go back now and then.
      let record = TestRecord(
        partition: partition, offset: Offset(expected[Int(partition)].count),
        timestampMs: TestRecord.recently + Int64(random.below(1000)), key: "k\(number)",
        value: isLarge ? Self.large + "\(number)" : "\(number)",
        headers: [TestRecord.Header("number", Array("\(number)".utf8))])
      try broker.produce([record], to: "t")
      expected[Int(partition)].append(record)
      large += isLarge ? 1 : 0
    }
    #expect(
      try fixture.integer("SELECT count(*) FROM batch WHERE segment IS NULL AND length(payload) > 0") == 40 - large)
    #expect(
      try fixture.integer("SELECT count(*) FROM batch WHERE segment = 1 AND length(payload) = 0 AND bytes > 32768")
        == large)
    #expect(try fixture.integer("SELECT batches FROM segment") == large && large > 10)
    #expect(try fixture.integer("SELECT length FROM segment") == size(1))
    for broker in [broker, try fixture.open()] {
      let found = try broker.contents(of: "t")
      for partition in 0..<2 {
        #expect(found.filter { $0.partition == partition } == expected[partition])
      }
      let admin = try broker.admin()
      for moment in stride(from: TestRecord.recently - 1, through: TestRecord.recently + 1001, by: 50) {
        let first = expected.map { $0.first { $0.timestampMs >= moment }?.offset ?? Offset($0.count) }
        #expect(try admin.offsets(topic: "t", at: moment) == first)
      }
    }
  }

  @Test(
    "A batch of which only a part is wanted is read in parts", arguments: [(1, 1 << 20), (7, 1 << 20), (5000, 900)])
  func parts(_ records: Int, _ bytes: Int) throws {
    let broker = try fixture.open()
    try broker.createTopic("t")
    let expected = (0..<100).map { TestRecord(offset: $0, value: "\($0)" + String(repeating: "y", count: 400)) }
    try broker.produce(expected, to: "t")
    #expect(try fixture.integer("SELECT sum(bytes) FROM batch") == size(1))
    let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
    defer { consumer.close() }
    for start in [0, 41] {
      try consumer.assign([PartitionOffset(partition: 0, offset: Offset(start))])
      let batch = RecordBatch(recordLimit: records, byteLimit: bytes)
      var found: [TestRecord] = []
      while found.count < 100 - start {
        _ = try consumer.poll(into: batch, timeout: .seconds(1))
        try #require(!batch.isEmpty)
        #expect(batch.count <= records)
        for index in 0..<batch.count { found.append(TestRecord(batch[index])) }
      }
      #expect(found == Array(expected[start...]))
    }
  }

  @Test("What was read ahead comes from rows and segments alike")
  func readAhead() throws {
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 2)
    for _ in 0..<8 {
      try broker.produce(20, to: "t", partitions: 2)
      try broker.produce(2480, to: "t", partitions: 2)
    }
    #expect(try fixture.integer("SELECT count(*) FROM batch WHERE segment IS NULL") >= 16)
    let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
    defer { consumer.close() }
    try consumer.assign([PartitionOffset(partition: 0, offset: 0), PartitionOffset(partition: 1, offset: 0)])
    let batch = RecordBatch(recordLimit: 3000)
    var next: [Offset] = [0, 0]
    while next != [10_000, 10_000] {
      _ = try consumer.poll(into: batch, timeout: .seconds(5))
      try #require(!batch.isEmpty || !batch.ends.isEmpty)
      for index in 0..<batch.count {
        try #require(batch[index].offset == next[Int(batch[index].partition)])
        next[Int(batch[index].partition)] += 1
      }
    }
    #expect(((consumer as? EmbeddedConsumer)?.ahead?.taken ?? 0) > 2)
  }

  // MARK: - Behind the committed length

  @Test(
    "What lies behind the committed length is never read, and the next writer cuts it off", arguments: [9, 200_000])
  func tail(_ bytes: Int) throws {
    _ = try filled(2)
    let committed = size(1)
    try append(bytes, to: fixture.directory.segment(1))
    let broker = try fixture.open()
    #expect(try broker.contents(of: "t").count == 4)
    try broker.produce([TestRecord(value: "small")], to: "t")
    #expect(size(1) == committed + Int64(bytes))
    try broker.produce([TestRecord(value: Self.large + "new")], to: "t")
    #expect(try fixture.integer("SELECT length FROM segment") == size(1) && size(1) < committed + 33_000)
    let texts = try fixture.open().contents(of: "t").map { $0.text ?? "" }
    #expect(texts.suffix(2) == ["small", Self.large + "new"] && texts.count == 6)
  }

  @Test("A commit that fails leaves nothing in a segment, nor behind its end")
  func rolledBack() throws {
    let broker = try filled(1)
    for topic in ["out", "gone"] { try broker.createTopic(topic) }
    let committed = size(1)
    let member = try TestConsumer(broker, topic: "t", group: "g", outputs: ["t", "out", "gone"])
    defer { member.close() }
    #expect(try TestConsumer.pump([member]) { member.pending.count == 2 })
    for output in 0..<3 { try member.send(TestRecord(value: Self.large), to: output) }
    try broker.change(.deleteTopic("gone"))
    #expect(code { () throws(BrokerError) in try member.commit() } == .unknownTopic)
    #expect(size(1) == committed)
    #expect(try fixture.integer("SELECT count(*) FROM segment") == 1)
    #expect(segments.allSatisfy { $0 == 1 || size($0) == 0 })
    try member.abort()
    try member.send(TestRecord(value: Self.large + "kept"), to: 1)
    try member.commit()
    #expect(try broker.contents(of: "out").map(\.text) == [Self.large + "kept"])
    #expect(try fixture.open().contents(of: "t").count == 2)
    #expect(try fixture.integer("SELECT count(*) FROM segment") == 2)
  }

  /// A commit that stands in the write-ahead log, and of which nobody who has the log open knows: the last synchronisation
  /// failed, or the process was killed before it told the others. Whoever opens the log alone finds it.
  @Test("A commit that nobody saw end is whole or gone, whatever its heir comes to", arguments: [false, true])
  func unseenCommit(isOverwritten: Bool) throws {
    let writer = try filled(1)
    let early = try fixture.copy(to: "early")
    let user = try fixture.open(early)
    #expect(try user.contents(of: "t").count == 2)
    try writer.produce([TestRecord(value: Self.large + "unseen")], to: "t")
    // In place: the files stay the ones that are open.
    for name in [fixture.directory.writeAhead, fixture.directory.segment(1)] {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: name))
      let file = try FileHandle(
        forUpdating: URL(fileURLWithPath: early.path + name.dropFirst(fixture.directory.path.count)))
      let known = try file.seekToEnd()
      #expect(Int(known) < bytes.count)
      try file.write(contentsOf: bytes[Int(known)...])
      try file.close()
    }
    #expect(try user.contents(of: "t").count == 2)
    // The heir gets as far as the segment, or to the end.
    let heir = try LogConnection(early, log: SilentLog(), time: SystemTime())
    let chunk = RecordChunk(partition: 0)
    try TestRecord(value: Self.large + "heir").lend { chunk.append($0, byteCount: RecordChunk.byteCount(of: $0)) }
    struct Killed: Error {}
    let error = code { () throws(BrokerError) in
      try heir.write("cannot append") { scope in
        try BatchAppender.append([chunk], topic: "t", id: 1, scope)
        if !isOverwritten { throw Killed() }
      }
    }
    #expect(error == (isOverwritten ? nil : .internalError))
    // All of them are killed: who comes next finds out from the write-ahead log.
    let killed = try fixture.copy(to: "killed", of: early)
    let found = try fixture.open(killed).contents(of: "t").map { $0.text ?? "" }
    #expect(found == [Self.large + "0", "small 0"] + (isOverwritten ? [Self.large + "heir"] : []))
    heir.close()
  }

  @Test("A commit that failed at its end is cut off by nobody who does not know that it is gone")
  func doubtfulCommit() throws {
    let broker = try filled(1)
    let files = SegmentFiles(fixture.directory)
    let connection = try LogConnection(fixture.directory, log: SilentLog(), time: SystemTime())
    let row = try connection.read("rows") { try SegmentRow.all($0) }[0]
    func append(_ begins: Bool) throws {
      try Self.large.utf8.withContiguousStorageIfAvailable { try files.append([UnsafeRawBufferPointer($0)], to: row) }
      try files.synchronize()
      if begins { files.beginCommit() }
      files.discard()
    }
    try append(false)
    #expect(size(1) == row.length)
    try append(true)
    #expect(size(1) == row.length + Int64(Self.large.utf8.count))
    #expect(throws: SegmentTail.self) { try append(false) }
    try files.cutting { try append(false) }
    #expect(size(1) == row.length)
    connection.close()
    #expect(try broker.contents(of: "t").count == 2)
  }

  // MARK: - Damage

  struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the error names.
    let named: String
    /// Whether it is seen when the log is opened.
    let isSeenAtOnce: Bool
    let apply: @Sendable (LogFixture) throws -> Void
  }

  private static func edit(_ fixture: LogFixture, _ segment: Int64, _ change: (inout Data) -> Void) throws {
    let url = URL(fileURLWithPath: fixture.directory.segment(segment))
    var bytes = try Data(contentsOf: url)
    change(&bytes)
    try bytes.write(to: url)
  }

  static let damages = [
    Damage(testDescription: "removed", named: "segments/0000000001", isSeenAtOnce: true) {
      try FileManager.default.removeItem(atPath: $0.directory.segment(1))
    },
    Damage(testDescription: "the directory removed", named: "segments/0000000001", isSeenAtOnce: true) {
      try FileManager.default.removeItem(atPath: $0.directory.segments)
    },
    Damage(testDescription: "shortened by a byte", named: "segments/0000000001", isSeenAtOnce: true) {
      try edit($0, 1) { $0.removeLast() }
    },
    Damage(testDescription: "emptied", named: "segments/0000000002", isSeenAtOnce: true) {
      try edit($0, 2) { $0.removeAll() }
    },
    Damage(testDescription: "a byte altered", named: "t[0]@2", isSeenAtOnce: false) {
      try edit($0, 1) { $0[33_000] ^= 1 }
    },
    Damage(testDescription: "filled with zeros", named: "t[0]@0", isSeenAtOnce: false) {
      try edit($0, 1) { $0 = Data(count: $0.count) }
    },
    Damage(testDescription: "two exchanged", named: "u[0]@0", isSeenAtOnce: false) { fixture in
      // Of one length, so that nothing shows but the contents.
      let names = [1, 2].map { fixture.directory.segment($0) }
      let bytes = try names.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
      for (name, bytes) in zip(names, bytes.reversed()) { try bytes.write(to: URL(fileURLWithPath: name)) }
    },
    Damage(testDescription: "made a directory", named: "segments/0000000001", isSeenAtOnce: true) { fixture in
      try FileManager.default.removeItem(atPath: fixture.directory.segment(1))
      try FileManager.default.createDirectory(
        atPath: fixture.directory.segment(1), withIntermediateDirectories: false)
    },
  ]

  @Test(
    "A segment that was tampered with is named as damaged, at opening where its length shows it", arguments: damages)
  func damaged(_ damage: Damage) throws {
    do {
      let broker = try filled(2)
      try broker.createTopic("u")
      for number in 0..<2 {
        try broker.produce([TestRecord(key: "u", value: Self.large + "\(number)")], to: "u")
      }
      #expect(size(1) == size(2))
    }
    try damage.apply(fixture)
    do throws(BrokerError) {
      let broker = try fixture.open()
      #expect(!damage.isSeenAtOnce)
      for topic in ["u", "t"] { _ = try broker.contents(of: topic) }
    } catch {
      #expect(error.code == .damaged && "\(error)".contains(damage.named), "\(error)")
      return
    }
    Issue.record("\(damage) was not noticed")
  }

  @Test("An older copy of a segment is named as damaged")
  func olderSegment() throws {
    _ = try filled(1)
    let old = try fixture.copy(to: "old")
    do { try fixture.open().produce([TestRecord(value: Self.large)], to: "t") }
    try FileManager.default.removeItem(atPath: fixture.directory.segment(1))
    try FileManager.default.copyItem(atPath: old.segment(1), toPath: fixture.directory.segment(1))
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged && error?.description.contains("segments/0000000001") == true)
  }

  @Test("A segment that is removed or replaced in use is noticed by the next commit to it", arguments: [false, true])
  func changedInUse(isOlder: Bool) throws {
    let broker = try filled(1)
    let old = try Data(contentsOf: URL(fileURLWithPath: fixture.directory.segment(1)))
    try broker.produce([TestRecord(value: Self.large)], to: "t")
    let producer = try broker.producer(topic: "t", pace: .bulk)
    defer { producer.close() }
    func send() throws(BrokerError) {
      try TestRecord(value: Self.large).lend { record throws(BrokerError) in try producer.send(record) }
      try producer.flush(timeout: .seconds(30))
    }
    try send()
    try FileManager.default.removeItem(atPath: fixture.directory.segment(1))
    if isOlder { try old.write(to: URL(fileURLWithPath: fixture.directory.segment(1))) }
    #expect(code(send) == .damaged)
    #expect(producer.deliveries.acknowledged == 1)
  }

  // MARK: - Giving room back

  @Test("A full segment takes no more, and removed records give their files back, under those who read them")
  func sealed() throws {
    let broker = try fixture.open()
    try broker.createTopic("t")
    let half = String(repeating: "z", count: Int(SegmentFiles.sealBytes / 2) - RecordChunk.headerBytes)
    for _ in 0..<3 { try broker.produce([TestRecord(value: half)], to: "t") }
    #expect(segments == [1, 2] && size(1) == SegmentFiles.sealBytes && size(2) == SegmentFiles.sealBytes / 2)
    let reader = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
    defer { reader.close() }
    try reader.assign([PartitionOffset(partition: 0, offset: 0)])
    let batch = RecordBatch(recordLimit: 1)
    _ = try reader.poll(into: batch, timeout: .seconds(5))
    #expect(batch.count == 1)
    let removed = TopicPartition(topic: "t", partition: 0)
    try broker.change(.deleteRecords(removed, before: 1))
    #expect(segments == [1, 2])
    batch.removeAll()
    // An old snapshot that has not opened the file yet sees the records go.
    let connection = try LogConnection(fixture.directory, log: SilentLog(), time: SystemTime())
    let topic = try connection.read("topic") { try TopicRow.get($0, name: "t") }
    var looks = 0
    let gone = code { () throws(BrokerError) in
      try connection.read("cannot read") { database in
        let rows = try topic.partitions(database)
        looks += 1
        if looks == 1 { try broker.change(.deleteRecords(removed, before: 2)) }
        var positions = [ReadPosition(PartitionOffset(partition: 0, offset: 1))]
        try BatchReader(topic, connection).fill(batch, database, &positions, rows, firstTurn: 0)
      }
    }
    #expect(gone == .offsetOutOfRange && looks == 2 && segments == [2])
    // One that has it open reads on until it looks again.
    #expect(code { () throws(BrokerError) in _ = try reader.poll(into: batch, timeout: .zero) } == .offsetOutOfRange)
    try reader.assign([PartitionOffset(partition: 0, offset: 2)])
    _ = try reader.poll(into: batch, timeout: .seconds(5))
    #expect(batch.count == 1 && batch[0].value?.count == half.utf8.count)
    // The last one too, and the next writer makes another.
    try broker.change(.deleteRecords(removed, before: 3))
    #expect(segments.isEmpty)
    try broker.produce([TestRecord(value: Self.large + "new")], to: "t")
    #expect(segments == [3])
    connection.close()
    let after = try fixture.open()
    #expect(try after.contents(of: "t").map(\.text) == [Self.large + "new"])
  }

  @Test("A file that a snapshot has open is read to its end although it is removed")
  func removedUnderReader() throws {
    let broker = try filled(3)
    let connection = try LogConnection(fixture.directory, log: SilentLog(), time: SystemTime())
    defer { connection.close() }
    let topic = try connection.read("topic") { try TopicRow.get($0, name: "t") }
    let batch = RecordBatch()
    try connection.read("cannot read") { database in
      let rows = try topic.partitions(database)
      var positions = [ReadPosition(PartitionOffset(partition: 0, offset: 0))]
      batch.recordLimit = 1
      try BatchReader(topic, connection).fill(batch, database, &positions, rows, firstTurn: 0)
      try broker.change(.deleteRecords(self.topic, before: 6))
      #expect(segments.isEmpty)
      batch.recordLimit = 100
      try BatchReader(topic, connection).fill(batch, database, &positions, rows, firstTurn: 0)
    }
    #expect(batch.count == 6 && batch[4].value?.count == Self.large.utf8.count + 1)
  }

  @Test("A removed topic's files go, and with the next removal those that a kill left")
  func strays() throws {
    let broker = try filled(2)
    try broker.createTopic("u")
    try broker.produce([TestRecord(value: Self.large)], to: "u")
    #expect(segments == [1, 2])
    for name in ["0000000099", "notes", "99"] {
      #expect(FileManager.default.createFile(atPath: fixture.directory.segments + "/" + name, contents: Data([1])))
    }
    try broker.change(.deleteTopic("t"))
    #expect(segments == [2])
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.segments).sorted()
    #expect(names == ["0000000002", "99", "notes"])
    #expect(try fixture.open().contents(of: "u").count == 1)
  }
}
