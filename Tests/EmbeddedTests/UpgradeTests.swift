import Foundation
import GRDB
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// Logs of version 1, which had all records in the database.
@Suite struct UpgradeTests {
  private let fixture = LogFixture()

  /// A log of version 1 with a topic `t` of 3 partitions, 90 records, and a group with offsets and state.
  /// - Returns: its records.
  private func firstVersion() throws -> [TestRecord] {
    var records: [TestRecord] = []
    do {
      let broker = try fixture.open()
      try broker.createTopic("t", partitions: 3)
      for _ in 0..<6 { try broker.produce(15, to: "t", partitions: 3) }
      let member = try TestConsumer(broker, topic: "t", group: "g")
      #expect(try TestConsumer.pump([member]) { member.pending.count == 90 })
      for partition in 0..<3 { try member.put("k", "v\(partition)", partition: Int32(partition)) }
      try member.commit()
      member.close()
      records = try broker.contents(of: "t")
    }
    #expect(try fixture.integer("SELECT count(*) FROM segment") == 0)
    try fixture.makeFirstVersion()
    return records
  }

  private func check(_ broker: EmbeddedBroker, _ records: [TestRecord]) throws {
    #expect(try broker.contents(of: "t") == records)
    let member = try TestConsumer(broker, topic: "t", group: "g")
    defer { member.close() }
    #expect(try TestConsumer.pump([member]) { member.assigned?.count == 3 })
    #expect(try member.consumer.committedOffsets([0, 1, 2]) == [30, 30, 30])
    #expect(try member.state([0, 1, 2]) == ["0/k": "v0", "1/k": "v1", "2/k": "v2"])
  }

  @Test("What the tests take for version 1 is what version 1 made")
  func definitions() throws {
    _ = try firstVersion()
    let found = try fixture.database { database in
      (try LogSchema.hasDefinitions(database, version: 1), try LogSchema.hasDefinitions(database, version: 2))
    }
    #expect(found == (true, false))
    #expect(try fixture.integer("PRAGMA page_size") == 16384)
    #expect(!FileManager.default.fileExists(atPath: fixture.directory.segments))
  }

  @Test("A log of version 1 is carried over on opening, with records, groups, offsets and state, and goes on")
  func carriedOver() throws {
    let records = try firstVersion()
    do {
      let broker = try fixture.open()
      try check(broker, records)
      let large = String(repeating: "x", count: BatchAppender.leastInSegment)
      try broker.produce([TestRecord(partition: 1, value: large), TestRecord(partition: 1, value: "small")], to: "t")
      #expect(try broker.contents(of: "t").filter { $0.partition == 1 }.suffix(2).map(\.text) == [large, "small"])
    }
    #expect(try fixture.integer("PRAGMA user_version") == 2)
    #expect(try fixture.database { try LogTotal.fits($0) && LogSchema.hasDefinitions($0, version: 2) })
    #expect(try fixture.integer("SELECT count(*) FROM batch WHERE segment IS NOT NULL") == 1)
    let again = try fixture.open()
    #expect(try again.contents(of: "t").count == 92)
    // What came from version 1 is removed as well as what came since.
    try again.change(.deleteTopic("t"))
    #expect(try fixture.integer("SELECT count(*) FROM batch") == 0)
    #expect(SegmentFiles(fixture.directory).found().isEmpty)
  }

  @Test("Several that open a log of version 1 at once carry it over once")
  func atOnce() throws {
    let records = try firstVersion()
    let failures = Failures()
    for _ in 0..<6 {
      let directory = fixture.directory
      let thread = Thread {
        failures.catching {
          let broker = try EmbeddedBroker.open(directory: directory.path, log: SilentLog(), time: SystemTime())
          try broker.produce([TestRecord(partition: 2, value: "new")], to: "t")
        }
        failures.finish()
      }
      thread.start()
    }
    failures.wait(for: 6)
    #expect(failures.all.isEmpty, "\(failures.all)")
    let found = try fixture.open().contents(of: "t")
    #expect(found.filter { $0.text != "new" } == records && found.count == 96)
  }

  @Test("A log of version 1 that can only be read is read as it is")
  func reading() throws {
    let records = try firstVersion()
    let connection = try LogConnection(fixture.directory, access: .reading, log: SilentLog(), time: SystemTime())
    try connection.checkStructure()
    try connection.checkAllTails()
    let topic = try connection.read("topic") { try TopicRow.get($0, name: "t") }
    let batch = RecordBatch()
    try connection.read("records") { database in
      var positions = (0..<3).map { ReadPosition(PartitionOffset(partition: $0, offset: 0)) }
      try BatchReader(topic, connection)
        .fill(batch, database, &positions, try topic.partitions(database), firstTurn: 0)
    }
    #expect(Set((0..<batch.count).map { TestRecord(batch[$0]) }) == Set(records) && batch.count == 90)
    let admin = EmbeddedAdmin(connection)
    #expect(try admin.offsets(topic: "t", at: 0) == [0, 0, 0])
    #expect(try admin.groups(named: "g").first?.committed.values.map(\.self) == [30, 30, 30])
    connection.close()
    #expect(try fixture.integer("PRAGMA user_version") == 1)
    #expect(!FileManager.default.fileExists(atPath: fixture.directory.segments))
    try check(try fixture.open(), records)
  }

  @Test("A log of version 1 whose definitions are others is damaged, and stays as it is")
  func altered() throws {
    _ = try firstVersion()
    try fixture.edit("CREATE TABLE theirs (x)")
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged && error?.why.contains("definitions") == true)
    #expect(try fixture.integer("PRAGMA user_version") == 1)
    #expect(try fixture.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'segment'") == 0)
  }

  @Test("A log of version 1 that lost its tail is not carried over as if it were whole")
  func lostTail() throws {
    _ = try firstVersion()
    try fixture.edit("DELETE FROM batch WHERE id = (SELECT max(id) FROM batch)")
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged)
  }

  @Test("The write-ahead log of a log with the pages of version 1 stays bounded too")
  func boundedLog() throws {
    _ = try firstVersion()
    let broker = try fixture.open()
    let producer = try broker.producer(topic: "t", pace: .bulk)
    defer { producer.close() }
    let record = TestRecord(value: String(repeating: "x", count: BatchAppender.leastInSegment - 1000))
    var largest = 0
    for _ in 0..<500 {
      try record.lend { lent throws(BrokerError) in try producer.send(lent) }
      try producer.flush(timeout: .seconds(30))
      largest = max(largest, fixture.size(fixture.directory.writeAhead))
    }
    #expect(largest > 0 && largest < 3 * LogConnection.checkpointBytes / 2, "\(largest) bytes")
  }
}
