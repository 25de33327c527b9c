import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// A log that is removed, moved or replaced while somebody has it open.
@Suite struct RemovedLogTests {
  struct Change: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let apply: @Sendable (LogFixture) throws -> Void

    init(_ name: String, _ apply: @escaping @Sendable (LogFixture) throws -> Void) {
      testDescription = name
      self.apply = apply
    }
  }

  static let changes: [Change] =
    [
      Change("the directory is removed") { try FileManager.default.removeItem(atPath: $0.directory.path) },
      Change("the directory is moved") {
        try FileManager.default.moveItem(atPath: $0.directory.path, toPath: $0.directory.path + "-old")
      },
      Change("the directory is replaced by another log") { fixture in
        try FileManager.default.moveItem(atPath: fixture.directory.path, toPath: fixture.directory.path + "-old")
        let other = try fixture.open()
        try other.createTopic("t")
        try other.produce(7, to: "t")
      },
      Change("the directory is replaced by a copy of itself") { fixture in
        let path = fixture.directory.path
        try FileManager.default.moveItem(atPath: path, toPath: path + "-old")
        try FileManager.default.copyItem(atPath: path + "-old", toPath: path)
      },
    ]
    + ["orderstream.db", "orderstream.db-wal", "orderstream.db-shm", "marks", "write.lock", "turn.lock", "segments"].map
  {
    name in
    Change("\(name) is removed") { try FileManager.default.removeItem(atPath: "\($0.directory.path)/\(name)") }
  }
    + [
      Change("segments is replaced by a copy of itself") { fixture in
        let path = fixture.directory.segments
        try FileManager.default.moveItem(atPath: path, toPath: path + "-old")
        try FileManager.default.copyItem(atPath: path + "-old", toPath: path)
      }
    ]

  private func filled() throws -> (LogFixture, EmbeddedBroker) {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t")
    try broker.produce(10, to: "t")
    return (fixture, broker)
  }

  private func failure(_ body: () throws(BrokerError) -> Void) -> BrokerError? {
    do {
      try body()
      return nil
    } catch {
      return error
    }
  }

  private func expectGone(_ error: BrokerError?, _ fixture: LogFixture, _ change: Change) {
    #expect(error?.code == .io, "\(change.testDescription): \(String(describing: error))")
    #expect(error?.description.contains(fixture.directory.path) == true, "\(String(describing: error))")
    #expect(error?.why.contains("while it was in use") == true, "\(String(describing: error))")
  }

  @Test("Nothing is acknowledged that went into files without a name", arguments: changes)
  func producer(change: Change) throws {
    let (fixture, broker) = try filled()
    let producer = try broker.producer(topic: "t", pace: .bulk)
    defer { producer.close() }
    func send() throws(BrokerError) {
      try TestRecord(value: "x").lend { record throws(BrokerError) in try producer.send(record) }
      try producer.flush(timeout: .seconds(30))
    }
    try send()
    try change.apply(fixture)
    expectGone(failure(send), fixture, change)
    #expect(producer.deliveries.acknowledged == 1 && producer.deliveries.failed == 1)
  }

  @Test("A transaction is not committed into files without a name", arguments: changes)
  func transaction(change: Change) throws {
    let (fixture, broker) = try filled()
    try broker.createTopic("out")
    let member = try TestConsumer(broker, topic: "t", group: "g", outputs: ["out"])
    defer { member.close() }
    #expect(try TestConsumer.pump([member]) { member.pending.count == 10 })
    try member.send(TestRecord(value: "x"))
    try change.apply(fixture)
    expectGone(failure { () throws(BrokerError) in try member.commit() }, fixture, change)
  }

  @Test("A reader that waits ends soon and says what happened; nobody makes a new log", arguments: changes)
  func reader(change: Change) throws {
    let (fixture, broker) = try filled()
    let reader = try TestConsumer(broker, topic: "t")
    let admin = try broker.admin()
    try reader.consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    while reader.pending.count < 10 { try reader.step(timeout: .seconds(1)) }
    try change.apply(fixture)
    let isThere = FileManager.default.fileExists(atPath: fixture.directory.path)
    expectGone(failure { () throws(BrokerError) in try reader.step(timeout: .seconds(2)) }, fixture, change)
    for topic in ["t", "new"] {
      expectGone(
        failure { () throws(BrokerError) in _ = try broker.producer(topic: topic, pace: .bulk) }, fixture, change)
    }
    expectGone(
      failure { () throws(BrokerError) in _ = try broker.consumer(.init(topic: "t", membership: .none)) }, fixture,
      change)
    expectGone(
      failure { () throws(BrokerError) in
        try admin.apply(.createTopic(name: "new", partitions: 1, replicationFactor: nil))
      }, fixture, change)
    #expect(FileManager.default.fileExists(atPath: fixture.directory.path) == isThere)
    admin.close()
    reader.close()
  }

  @Test("The log that has the name now is left as it is by those who had the old one open")
  func replacement() throws {
    let (fixture, broker) = try filled()
    let reader = try TestConsumer(broker, topic: "t", group: "g", outputs: [])
    try Self.changes[2].apply(fixture)
    let other = try fixture.open()
    reader.close()
    _ = failure { () throws(BrokerError) in try broker.produce(1, to: "t") }
    #expect(try other.contents(of: "t").count == 7)
    try other.produce(1, to: "t")
    #expect(try fixture.open().contents(of: "t").count == 8)
    #expect(try other.admin().groups(named: nil).isEmpty)
  }

  @Test("Many commits and reads of a log at rest find it in its place")
  func inPlace() throws {
    let (fixture, broker) = try filled()
    defer { withExtendedLifetime(fixture) {} }
    let reader = try TestConsumer(broker, topic: "t")
    try reader.consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    for _ in 0..<60 {
      try broker.produce(1000, to: "t")
      try reader.step(timeout: .milliseconds(20))
    }
    while reader.pending.count < 60_010 { try reader.step(timeout: .seconds(1)) }
    reader.close()
  }
}
