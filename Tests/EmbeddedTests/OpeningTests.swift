import Foundation
import GRDB
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

@Suite struct OpeningTests {
  @Test("Every connection has synchronous FULL, a write-ahead log and no automatic checkpoints")
  func settings() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t")
    try withExtendedLifetime(broker) {
      let connection = try LogConnection(fixture.directory, log: SilentLog(), time: SystemTime())
      #expect(try connection.pragma("synchronous") == 2)
      #expect(try connection.pragma("wal_autocheckpoint") == 0)
      #expect(try connection.pragma("page_size") == Int64(LogSchema.pageBytes))
      connection.close()
      #expect(FileManager.default.fileExists(atPath: fixture.directory.database + "-wal"))
    }
  }

  @Test("A new log is marked, private to its owner, and named after its directory")
  func newLog() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    #expect(broker.name == "embedded:\(fixture.directory.path)")
    #expect(try fixture.permissions(fixture.directory.path) == 0o700)
    #expect(try fixture.integer("PRAGMA application_id") == 0x4F53_5452)
    #expect(try fixture.integer("PRAGMA user_version") == 2)
    withExtendedLifetime(broker) {}
  }

  @Test("A database of another program is refused and left as it is")
  func foreignDatabase() throws {
    let fixture = LogFixture()
    try fixture.directory.create()
    try fixture.edit("CREATE TABLE theirs (x)")
    let before = try Data(contentsOf: URL(fileURLWithPath: fixture.directory.database))
    #expect(code(fixture) == .foreignLog)
    #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.directory.database)) == before)
    try fixture.edit("PRAGMA application_id = 7")
    #expect(code(fixture) == .foreignLog)
  }

  @Test("A file that is no database is refused and left as it is")
  func noDatabase() throws {
    let fixture = LogFixture()
    try fixture.directory.create()
    let text = Data(String(repeating: "not a database ", count: 1000).utf8)
    try text.write(to: URL(fileURLWithPath: fixture.directory.database))
    #expect(code(fixture) == .foreignLog)
    #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.directory.database)) == text)
  }

  @Test("A log of a newer version is refused in words")
  func newer() throws {
    let fixture = try LogFixture.filled()
    try fixture.edit("PRAGMA user_version = 9")
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .newerLog && error?.why.contains("version 9") == true)
  }

  @Test("A directory that cannot be made is named")
  func cannotCreate() throws {
    let error = #expect(throws: BrokerError.self) {
      try EmbeddedBroker.open(directory: "/dev/null/log", log: SilentLog(), time: SystemTime())
    }
    #expect(error?.code == .cannotCreate && error?.what.contains("/dev/null/log") == true)
  }

  @Test("A directory with other things in it becomes no log, for nobody, and stays as it is")
  func otherThings() throws {
    let fixture = LogFixture()
    let files = FileManager.default
    try files.createDirectory(atPath: fixture.directory.path, withIntermediateDirectories: true)
    for name in ["lost+found", ".DS_Store"] {
      #expect(files.createFile(atPath: fixture.directory.path + "/" + name, contents: nil))
    }
    #expect(files.createFile(atPath: fixture.directory.path + "/letter.txt", contents: nil))
    let error = #expect(throws: BrokerError.self) { try fixture.open() }
    #expect(error?.code == .foreignLog && error?.why.contains("letter.txt") == true)
    #expect(AbsentLog(directory: fixture.directory.path) == nil, "who looks is told so too")
    #expect(try files.contentsOfDirectory(atPath: fixture.directory.path).count == 3)
    try files.removeItem(atPath: fixture.directory.path + "/letter.txt")
    #expect(code(fixture) == nil, "what file systems and file managers put there is in nobody's way")
    #expect(files.createFile(atPath: fixture.directory.path + "/letter.txt", contents: nil))
    #expect(code(fixture) == nil, "a log that is there stays one")
  }

  @Test("A log that can only be read is read without its locks, and goes on being read when a writer comes")
  func reading() throws {
    let fixture = try LogFixture.filled()
    let connection = try LogConnection(fixture.directory, access: .reading, log: SilentLog(), time: SystemTime())
    defer { connection.close() }
    try connection.checkStructure()
    try connection.checkAllTails()
    let admin = EmbeddedAdmin(connection)
    #expect(try admin.watermarks(topic: "t").map(\.high) == [3000, 3000, 3000])
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(!names.contains { $0.hasSuffix("-shm") || $0.hasSuffix("-wal") }, "\(names)")
    let version = try connection.dataVersion()
    let refusal = #expect(throws: BrokerError.self) { try admin.apply(.deleteGroup("g")) }
    #expect(refusal?.code == .unauthorized)
    let writer = try fixture.open()
    try writer.produce(3, to: "t", partitions: 3)
    #expect(try connection.dataVersion() != version)
    #expect(try admin.watermarks(topic: "t").map(\.high) == [3001, 3001, 3001])
    try writer.produce(3, to: "t", partitions: 3)
    #expect(try admin.watermarks(topic: "t").map(\.high) == [3002, 3002, 3002])
  }

  @Test("Changes in a write-ahead log that cannot be read are not passed over in silence")
  func withoutIndex() throws {
    let fixture = try LogFixture.filled()
    let copy = try fixture.copyOfOpenLog()
    let count = try LogConnection(copy, access: .reading, log: SilentLog(), time: SystemTime())
    #expect(try EmbeddedAdmin(count).watermarks(topic: "t").map(\.high) == [3001, 3001, 3001])
    count.close()
    try FileManager.default.removeItem(atPath: copy.sharedIndex)
    let error = #expect(throws: BrokerError.self) {
      try LogConnection(copy, access: .reading, log: SilentLog(), time: SystemTime())
    }
    #expect(error?.code == .unauthorized && error?.why.contains("orderstream.db-wal") == true)
  }

  @Test("A log that nobody has open is one directory: it may be copied and moved")
  func copy() throws {
    let fixture = try LogFixture.filled()
    let copy = try fixture.copy(to: "copy")
    let broker = try EmbeddedBroker.open(directory: copy.path, log: SilentLog(), time: SystemTime())
    #expect(try broker.contents(of: "t").count == 9000)
    #expect(!FileManager.default.fileExists(atPath: fixture.directory.database + "-wal"))
  }

  @Test("What is left of a log that was not made to its end is no other program's file")
  func halfMade() throws {
    let fixture = LogFixture()
    try fixture.directory.create()
    for file in [fixture.directory.journal, fixture.directory.turnLock] {
      #expect(FileManager.default.createFile(atPath: file, contents: Data(count: 512)))
    }
    try fixture.open().createTopic("t")
    #expect(try fixture.open().admin().topics(named: nil).count == 1)
  }

  @Test("Many objects opening one new log at once make one log")
  func race() throws {
    let fixture = LogFixture()
    let failures = Failures()
    let threads = (0..<6).map { number in
      let directory = fixture.directory
      let thread = Thread {
        failures.catching {
          let broker = try EmbeddedBroker.open(directory: directory.path, log: SilentLog(), time: SystemTime())
          try broker.createTopic("t\(number)")
          try broker.produce(10, to: "t\(number)")
        }
        failures.finish()
      }
      thread.start()
      return thread
    }
    failures.wait(for: threads.count)
    #expect(failures.all.isEmpty, "\(failures.all)")
    #expect(try fixture.open().admin().topics(named: nil).count == 6)
  }

  private func code(_ fixture: LogFixture) -> BrokerError.Code? {
    do throws(BrokerError) {
      _ = try fixture.open()
      return nil
    } catch {
      return error.code
    }
  }
}
