import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// What `backup` copies, and what it does when the log changes below it.
@Suite struct LogBackupTests {
  private static let kilobyte = String(repeating: "x", count: 1000)

  /// A log whose topics have a segment each.
  private static func log(topics: Int) throws -> (fixture: LogFixture, broker: EmbeddedBroker) {
    let fixture = LogFixture()
    let broker = try fixture.open()
    for number in 0..<topics { try fill(broker, "t\(number)") }
    return (fixture, broker)
  }

  private static func fill(_ broker: any Broker, _ topic: String) throws {
    try broker.createTopic(topic, partitions: 3)
    try broker.produce(90, to: topic, partitions: 3, prefix: kilobyte)
  }

  private static func backup(
    _ broker: EmbeddedBroker, to place: TemporaryDirectory, stop: StopFlag = StopFlag(),
    afterDatabase: (_ attempt: Int) throws -> Void = { _ in }
  ) throws -> (LogBackup?, EmbeddedBroker?) {
    let target = try BackupTarget(place.path + "/copy")
    defer { target.discard() }
    var (attempt, last): (Int, Int64) = (0, .max)
    let copied = try withoutActuallyEscaping(afterDatabase) { afterDatabase in
      try broker.backup(to: target, stop: stop) { step in
        guard case .copying(let bytes, _) = step else { return }
        defer { last = bytes }
        // It is begun again with the database.
        guard bytes <= last else { return }
        attempt += 1
        do { try afterDatabase(attempt) } catch { Issue.record(error) }
      }
    }
    guard copied != nil else { return (nil, nil) }
    return (copied, try EmbeddedBroker.open(directory: target.path, log: SilentLog(), time: SystemTime()))
  }

  @Test("A copy has the records, watermarks and offsets of the log, and its outside mark")
  func equal() throws {
    let (fixture, broker) = try Self.log(topics: 2)
    // In the database, not in a segment.
    try broker.produce(5, to: "t1", partitions: 3)
    try broker.change(.deleteRecords(TopicPartition(topic: "t0", partition: 1), before: 7))
    try broker.change(.deleteRecords(TopicPartition(topic: "t0", partition: 2), before: 30))
    let place = TemporaryDirectory()
    let (copied, copy) = try Self.backup(broker, to: place)
    let (backup, opened) = (try #require(copied), try #require(copy))
    #expect(
      backup.topics == [
        .init(name: "t0", partitions: 3, records: 53), .init(name: "t1", partitions: 3, records: 95),
      ] && backup.segments == 2)
    #expect(try place.names == ["copy"])
    for topic in ["t0", "t1"] {
      #expect(try opened.contents(of: topic) == broker.contents(of: topic))
      #expect(try opened.admin().watermarks(topic: topic) == broker.admin().watermarks(topic: topic))
    }
    let directory = LogDirectory(path: place.path + "/copy")
    let marks = try TailMarks(directory).all().marks
    let own = try TailMarks(fixture.directory).all().marks
    #expect(marks.filter { $0.partition != 3 } == own.filter { $0.partition != 3 } && marks.count == own.count)
    #expect(try !TailMarks(directory).areOfAnotherFile())
    #expect(try TailMarks(directory).changes() == TailMarks(fixture.directory).changes())
    #expect(try fixture.permissions(directory.database) == 0o600 && fixture.permissions(directory.path) == 0o700)
    // It is a log like any other, and its own.
    try opened.produce(9, to: "t1", partitions: 3)
    #expect(try opened.contents(of: "t1").count == 104 && broker.contents(of: "t1").count == 95)
  }

  @Test("A segment that goes while others are copied has the database copied again, and nothing twice")
  func removedMeanwhile() throws {
    let (fixture, broker) = try Self.log(topics: 3)
    let place = TemporaryDirectory()
    let (copied, copy) = try Self.backup(broker, to: place) { attempt in
      guard attempt == 1 else { return }
      try broker.change(.deleteTopic("t1"))
      try Self.fill(broker, "t9")
    }
    let (backup, opened) = (try #require(copied), try #require(copy))
    #expect(backup.topics.map(\.name) == ["t0", "t2", "t9"] && backup.segments == 3)
    let files = try FileManager.default.contentsOfDirectory(atPath: place.path + "/copy/segments").sorted()
    #expect(files == ["0000000001", "0000000003", "0000000004"])
    for topic in ["t0", "t2", "t9"] { #expect(try opened.contents(of: topic) == broker.contents(of: topic)) }
    withExtendedLifetime(fixture) {}
  }

  @Test("Where records go faster than they are copied, that is said after a while, and nothing is left")
  func alwaysRemoved() throws {
    let (fixture, broker) = try Self.log(topics: 1)
    let place = TemporaryDirectory()
    var attempts = 0
    let error = #expect(throws: BrokerError.self) {
      _ = try Self.backup(broker, to: place) { attempt in
        attempts = attempt
        try broker.change(.deleteTopic("t\(attempt - 1)"))
        try Self.fill(broker, "t\(attempt)")
      }
    }
    #expect(error?.code == .busy && attempts == 10, "\(String(describing: error))")
    #expect(try place.names.isEmpty)
    withExtendedLifetime(fixture) {}
  }

  @Test("What is added while it is copied is not in the copy, and what was there is")
  func addedMeanwhile() throws {
    let (fixture, broker) = try Self.log(topics: 1)
    let before = try broker.contents(of: "t0")
    let place = TemporaryDirectory()
    let target = try BackupTarget(place.path + "/copy")
    defer { target.discard() }
    var added = 0
    let copied = try broker.backup(to: target, stop: StopFlag()) { _ in
      guard added < 3 else { return }
      added += 1
      do { try broker.produce(60, to: "t0", partitions: 3, prefix: Self.kilobyte) } catch { Issue.record(error) }
    }
    #expect(copied?.topics.first?.records == 90 && added == 3)
    let copy = try EmbeddedBroker.open(directory: target.path, log: SilentLog(), time: SystemTime())
    #expect(try copy.contents(of: "t0") == before)
    #expect(try broker.contents(of: "t0").count == 270)
    withExtendedLifetime(fixture) {}
  }

  @Test("A request to stop leaves nothing")
  func stopped() throws {
    let (fixture, broker) = try Self.log(topics: 1)
    let (place, stop) = (TemporaryDirectory(), StopFlag())
    stop.request()
    #expect(try Self.backup(broker, to: place, stop: stop).0 == nil)
    #expect(try place.names.isEmpty)
    withExtendedLifetime(fixture) {}
  }

  @Test("A log that is damaged is named, and is no backup", arguments: ["a segment is gone", "it is shorter", "a bit"])
  func damaged(_ what: String) throws {
    let (fixture, broker) = try Self.log(topics: 2)
    let segment = fixture.directory.segment(2)
    switch what {
    case "a segment is gone": try FileManager.default.removeItem(atPath: segment)
    case "it is shorter": truncate(segment, off_t(fixture.size(segment) - 1))
    default: try fixture.flipBit(ofBatch: LogSchema.batchID(partition: 5, base: 0), at: 100)
    }
    let place = TemporaryDirectory()
    let error = #expect(throws: BrokerError.self) { _ = try Self.backup(broker, to: place) }
    #expect(error?.code == .damaged, "\(String(describing: error))")
    #expect(error?.description.contains(what == "a bit" ? "t1[1]@0" : segment) == true, "\(String(describing: error))")
    #expect(try place.names.isEmpty)
  }
}
