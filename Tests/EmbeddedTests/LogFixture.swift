import Foundation
import GRDB
import OrderStreamCore
import OrderStreamTestSupport
import Synchronization

@testable import OrderStreamEmbedded

/// A log in a temporary directory, with the means to look at its files and to damage them.
final class LogFixture {
  private let parent = TemporaryDirectory()
  let directory: LogDirectory

  init() { directory = LogDirectory(path: parent.path + "/a/log") }

  /// - Parameter copy: to be opened in its place.
  func open(_ copy: LogDirectory? = nil) throws(BrokerError) -> EmbeddedBroker {
    try EmbeddedBroker.open(directory: (copy ?? directory).path, log: SilentLog(), time: SystemTime())
  }

  /// A log with a topic `t` of 3 partitions and 9000 records in it, in 4 or more batches a partition, closed.
  static func filled() throws -> LogFixture {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 3)
    for _ in 0..<4 { try broker.produce(2250, to: "t", partitions: 3) }
    return fixture
  }

  /// A connection beside the log's own. On a busy machine a thread of the last one may still be closing it.
  private func queue() throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.busyMode = .timeout(10)
    return try DatabaseQueue(path: directory.database, configuration: configuration)
  }

  /// Changes rows behind the log's back.
  func edit(_ sql: String) throws {
    let queue = try queue()
    try queue.write { try $0.execute(sql: sql) }
    try queue.close()
  }

  func integer(_ sql: String) throws -> Int64 { try database { try Int64.fetchOne($0, sql: sql) } ?? -1 }

  func database<T>(_ body: (Database) throws -> T) throws -> T {
    let queue = try queue()
    defer { try? queue.close() }
    return try queue.read(body)
  }

  /// Makes the log, which must have small commits alone, what version 1 would have made of it.
  func makeFirstVersion() throws {
    let triggers = try database { try String.fetchAll($0, sql: FirstVersion.triggers) }
    let queue = try queue()
    try queue.write { try $0.execute(sql: FirstVersion.statements(dropping: triggers)) }
    try queue.writeWithoutTransaction { try $0.execute(sql: FirstVersion.pages) }
    try queue.close()
    try FileManager.default.removeItem(atPath: directory.segments)
  }

  /// What reading everything fails with, `nil` when it succeeds.
  func readingError() -> BrokerError? {
    do {
      let broker = try open()
      for topic in try broker.admin().topics(named: nil) { _ = try broker.contents(of: topic.name) }
      return nil
    } catch {
      return error
    }
  }

  /// Base offsets of the stored batches of a partition, in order.
  func bases(partition: Int64) throws -> [Offset] {
    let queue = try queue()
    defer { try? queue.close() }
    return try queue.read {
      try Int64.fetchAll(
        $0, sql: "SELECT id FROM batch WHERE id BETWEEN ? AND ? ORDER BY id",
        arguments: [
          LogSchema.batchID(partition: partition, base: 0), LogSchema.batchID(partition: partition + 1, base: 0) - 1,
        ])
    }.map(LogSchema.baseOffset(batchID:))
  }

  /// Flips a bit of a stored batch, wherever its bytes are.
  func flipBit(ofBatch id: Int64, at byte: Int64) throws {
    let queue = try queue()
    let place = try queue.read {
      try Row.fetchOne($0, sql: "SELECT segment, position, bytes FROM batch WHERE id = ?", arguments: [id])
    }
    try queue.close()
    guard let place, let segment: Int64 = place["segment"], let position: Int64 = place["position"] else {
      return try edit(
        """
        UPDATE batch SET payload = CAST(
          substr(payload, 1, \(byte)) || CASE substr(payload, \(byte + 1), 1) WHEN x'00' THEN x'01' ELSE x'00' END
          || substr(payload, \(byte + 2)) AS BLOB) WHERE id = \(id)
        """)
    }
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: directory.segment(segment)))
    try file.seek(toOffset: UInt64(position + byte))
    let found = try file.read(upToCount: 1)?.first ?? 0
    try file.seek(toOffset: UInt64(position + byte))
    try file.write(contentsOf: [found ^ 1])
    try file.close()
  }

  func permissions(_ path: String) throws -> Int {
    (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue ?? -1
  }

  func size(_ path: String) -> Int {
    ((try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? NSNumber)?.intValue ?? 0
  }

  /// The files of a log to which three more records have been written, as a killed process leaves them.
  func copyOfOpenLog() throws -> LogDirectory {
    let writer = try open()
    try writer.produce(3, to: "t", partitions: 3)
    return try withExtendedLifetime(writer) { try copy(to: "killed") }
  }

  /// Copies the whole directory, as a user may while nobody has the log open.
  /// - Parameter other: a copy that is to be copied in its place.
  func copy(to name: String, of other: LogDirectory? = nil) throws -> LogDirectory {
    let target = LogDirectory(path: parent.path + "/" + name)
    try FileManager.default.copyItem(atPath: (other ?? directory).path, toPath: target.path)
    return target
  }
}

/// The machine's clocks, ahead by as much as a test has moved them.
final class MovedTime: TimeSource {
  private let machine = SystemTime()
  private let ahead = Atomic<Int64>(0)
  private let step: Duration

  /// - Parameter step: By how much each look at the monotonic clock moves it.
  init(step: Duration = .zero) { self.step = step }

  func move(by duration: Duration) { ahead.add(duration.nanoseconds, ordering: .relaxed) }

  var monotonicNanoseconds: Int64 {
    move(by: step)
    return machine.monotonicNanoseconds + ahead.load(ordering: .relaxed)
  }

  var wallMilliseconds: Int64 { machine.wallMilliseconds }

  func sleep(_ duration: Duration) { machine.sleep(duration) }
}
