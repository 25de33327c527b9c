import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

@Suite struct DamagedLogTests {
  @Test("A flipped bit in a stored batch stops the read with the coordinates of the batch")
  func flippedBit() throws {
    let fixture = try LogFixture.filled()
    let base = try #require(fixture.bases(partition: 2).dropFirst().first)
    try fixture.flipBit(ofBatch: LogSchema.batchID(partition: 2, base: base), at: 500)
    let error = fixture.readingError()
    #expect(error?.code == .damaged)
    #expect(error?.description.contains("t[1]@\(base)") ?? false, "\(String(describing: error))")
  }

  @Test("A header block that is none, under a checksum that fits, is damage with coordinates and no trap")
  func malformedHeaders() throws {
    let payload = ByteBuffer()
    let chunk = RecordChunk(partition: 3)
    for block: [UInt8] in [
      [1, 0, 0], [9, 0, 0, 0, 65], [1, 0, 0, 0, 65, 9, 0, 0, 0], [0, 0, 0, 0, 254, 255, 255, 255],
    ] {
      chunk.reset(partition: 3)
      block.withUnsafeBytes { block in
        let record = OutgoingRecord(
          partition: 3, timestampMs: 1, key: nil, value: nil, headers: Headers(block: block))
        chunk.append(record, byteCount: RecordChunk.byteCount(of: record))
      }
      payload.removeAll()
      payload.append(chunk.bytes.bytes)
      let unpacker = BatchUnpacker(payload: payload.bytes, partition: 3, base: 70, count: 1)
      let error = #expect(throws: BrokerError.self) {
        _ = try unpacker.unpack(from: 70, into: RecordBatch(), coordinates: { "t[3]@\($0)" })
      }
      #expect(error?.code == .damaged && error?.what.contains("t[3]@70") == true, "\(block)")
    }
  }

  @Test("Records before the damage are still handed over")
  func recordsBeforeDamage() throws {
    let fixture = try LogFixture.filled()
    let base = try #require(fixture.bases(partition: 1).dropFirst(2).first)
    try fixture.edit("UPDATE batch SET crc = crc + 1 WHERE id = (1 << 40) + \(base)")
    let broker = try fixture.open()
    let consumer = try TestConsumer(broker, topic: "t")
    try consumer.consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    let error = #expect(throws: BrokerError.self) {
      for _ in 0..<10 { try consumer.step(timeout: .milliseconds(20)) }
    }
    #expect(error?.description.contains("t[0]@\(base)") ?? false, "\(String(describing: error))")
    #expect(consumer.pending.count == Int(base))
  }

  @Test("A missing batch stops the read with the coordinates of its first record", arguments: [0, 1, 2])
  func missingBatch(_ place: Int) throws {
    let fixture = try LogFixture.filled()
    let base = try fixture.bases(partition: 1)[place]
    try fixture.edit("DELETE FROM batch WHERE id = (1 << 40) + \(base)")
    let error = fixture.readingError()
    #expect(error?.code == .damaged)
    #expect(error?.description.contains("t[0]@\(base)") ?? false, "\(String(describing: error))")
  }

  @Test("A missing last batch is seen by the mark when the log is opened")
  func missingLastBatch() throws {
    let fixture = try LogFixture.filled()
    let base = try #require(fixture.bases(partition: 1).last)
    try fixture.edit("DELETE FROM batch WHERE id = (1 << 40) + \(base)")
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged)
  }

  @Test(
    "Every kind of row has a checksum",
    arguments: [
      "UPDATE topic SET name = 'u'", "UPDATE topic SET partitions = 2", "UPDATE partition SET high = high - 1",
      "UPDATE partition SET low = 5", "DELETE FROM partition WHERE number = 2", "UPDATE batch SET count = count - 1",
      "UPDATE batch SET min_timestamp = 0", "UPDATE consumer_group SET name = 'h'",
      "UPDATE generation SET number = 77", "UPDATE member SET host = 'h'", "UPDATE assignment SET owner = 'me'",
      "UPDATE committed SET next_offset = 1", "UPDATE state SET value = x'00'", "UPDATE state SET key = x'00'",
    ])
  func rowChecksums(_ edit: String) throws {
    let fixture = try LogFixture.filled()
    do {
      let broker = try fixture.open()
      let member = try TestConsumer(broker, topic: "t", group: "g")
      #expect(try TestConsumer.pump([member]) { member.pending.count == 9000 })
      try member.put("k", "v", partition: 0)
      try member.commit()
      EmbeddedBroker.kill(member.consumer)
    }
    try fixture.edit(edit)
    let error = #expect(throws: BrokerError.self, "\(edit)") {
      let broker = try fixture.open()
      let admin = try broker.admin()
      _ = try admin.groups(named: nil)
      _ = try broker.contents(of: "t")
      let member = try TestConsumer(broker, topic: "t", group: "g")
      _ = try member.state([0])
    }
    #expect(error?.code == .damaged, "\(edit): \(String(describing: error))")
  }

  @Test("Rows of two moments, each of which fits its own checksum, are no log", arguments: [true, false])
  func tornRows(_ isGroup: Bool) throws {
    let fixture = try LogFixture.filled()
    do {
      let member = try TestConsumer(try fixture.open(), topic: "t", group: "g")
      #expect(try TestConsumer.pump([member]) { member.pending.count == 9000 })
      try member.commit()
      member.close()
    }
    // The page of the offsets, or that of the segments, is from before the last commit, and all the others are from after it.
    let total = try fixture.integer("SELECT value FROM total")
    try fixture.edit(
      (isGroup ? "DELETE FROM committed" : "DELETE FROM segment") + "; UPDATE total SET value = \(total)")
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged && error?.why.contains("not of one moment") == true)
  }

  @Test("A log that lost its write-ahead log is recognised by the mark outside")
  func lostTail() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t")
    try broker.produce(1000, to: "t")
    // As a killed process leaves it: the write-ahead log was never folded in.
    let killed = try fixture.copy(to: "killed")
    #expect(FileManager.default.fileExists(atPath: killed.database + "-wal"))
    let whole = try EmbeddedBroker.open(directory: killed.path, log: SilentLog(), time: SystemTime())
    #expect(try whole.contents(of: "t").count == 1000)
    let cut = try fixture.copy(to: "cut")
    try FileManager.default.removeItem(atPath: cut.database + "-wal")
    try? FileManager.default.removeItem(atPath: cut.database + "-shm")
    let error = #expect(throws: BrokerError.self) {
      try EmbeddedBroker.open(directory: cut.path, log: SilentLog(), time: SystemTime())
    }
    #expect(error?.code == .damaged)
  }

  @Test("An older copy of the database under a newer mark is named with the records that are missing")
  func olderCopy() throws {
    let fixture = try LogFixture.filled()
    let old = try fixture.copy(to: "old")
    do { try fixture.open().produce(30, to: "t", partitions: 3) }
    try FileManager.default.removeItem(atPath: fixture.directory.database)
    try FileManager.default.copyItem(atPath: old.database, toPath: fixture.directory.database)
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged)
    #expect(error?.description.contains("t[0]@3000") ?? false, "\(String(describing: error))")
    #expect(error?.why.contains("3000 to 3009") ?? false)
  }

  @Test("A database that was removed under its mark is no new log")
  func removedDatabase() throws {
    let fixture = try LogFixture.filled()
    try FileManager.default.removeItem(atPath: fixture.directory.database)
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .damaged)
  }

  @Test("A mark that was removed or altered is a warning, and the log is read", arguments: [true, false])
  func damagedMark(_ removed: Bool) throws {
    let fixture = try LogFixture.filled()
    if removed {
      try FileManager.default.removeItem(atPath: fixture.directory.marks)
    } else {
      var bytes = try Data(contentsOf: URL(fileURLWithPath: fixture.directory.marks))
      bytes[32 + 9] ^= 1
      try bytes.write(to: URL(fileURLWithPath: fixture.directory.marks))
    }
    let lines = LogCollector()
    let broker = try EmbeddedBroker.open(directory: fixture.directory.path, log: lines, time: SystemTime())
    #expect(lines.all.count == 1 && lines.all[0].text.contains(removed ? "gone" : "altered in 1 place"), "\(lines.all)")
    #expect(try broker.contents(of: "t").count == 9000)
  }

  @Test("A removed topic leaves no mark behind")
  func removedTopic() throws {
    let fixture = try LogFixture.filled()
    do { try fixture.open().change(.deleteTopic("t")) }
    #expect(try fixture.open().admin().topics(named: nil).isEmpty)
    #expect(try fixture.integer("SELECT count(*) FROM batch") == 0)
  }

  @Test("A changed byte anywhere in the files is found or does no harm")
  func anyByte() throws {
    let seed: UInt64 = 20_240_115
    var random = SeededRandom(seed: seed)
    let fixture = try LogFixture.filled()
    let whole = try fixture.open().contents(of: "t")
    let path = fixture.directory.database
    let clean = try Data(contentsOf: URL(fileURLWithPath: path))
    for round in 0..<60 {
      var bytes = clean
      let at = Int.random(in: 0..<bytes.count, using: &random)
      bytes[at] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
      try bytes.write(to: URL(fileURLWithPath: path))
      do {
        let read = try fixture.open().contents(of: "t")
        #expect(read == whole, "seed \(seed), round \(round), byte \(at): the records were changed silently")
      } catch {
        #expect(
          [.damaged, .foreignLog, .newerLog, .unknownTopic, .io].contains(error.code),
          "seed \(seed), round \(round), byte \(at): \(error)")
      }
      for name in [path + "-wal", path + "-shm"] { try? FileManager.default.removeItem(atPath: name) }
    }
  }
}
