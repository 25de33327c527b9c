import Foundation
import GRDB
import OrderStreamCore
import OrderStreamTestSupport

/// A small log with orders, inventory events and two groups that have more to do, and ways to spoil a copy of it. Most of
/// its orders are in segments, some and all events in rows.
final class DamagedLog: Sendable {
  private let place = TemporaryDirectory()
  /// Closed: everything is in the database.
  let closed: String
  /// As a killed process leaves it: a part is in the write-ahead log alone.
  let killed: String
  /// The closed log, before its last records and commits.
  let older: String

  init() throws {
    let log = place.path + "/log"
    (closed, killed, older) = (place.path + "/closed", place.path + "/killed", place.path + "/older")
    let files = FileManager.default
    try Self.fill(log)
    try files.copyItem(atPath: log, toPath: older)
    try Self.fill(log)
    try files.copyItem(atPath: log, toPath: closed)
    // What a kill leaves: one more user has the log open, so that nothing is folded in.
    let user = try EmbeddedLog.open(log)
    try Self.fill(log)
    try files.copyItem(atPath: log, toPath: killed)
    withExtendedLifetime(user) {}
  }

  /// Orders, then what the two groups do with a part of them.
  private static func fill(_ log: String) throws {
    let broker = try EmbeddedLog.open(log)
    let admin = try broker.admin()
    defer { admin.close() }
    if try admin.topic(Answers.source) == nil {
      for topic in [Answers.source, Answers.output] { try broker.createTopic(topic, partitions: 2) }
    }
    let first = try admin.watermarks(topic: Answers.source).reduce(1) { $0 + $1.high }
    for batch in 0..<4 {
      let producer = try broker.producer(topic: Answers.source, pace: .bulk)
      // Makes the commit large enough for a segment, and is no order.
      if batch < 3 {
        try TestRecord(
          partition: Int32(batch % 2), timestampMs: 1_705_314_600_000, value: String(repeating: "-", count: 33_000)
        )
        .lend { record throws(BrokerError) in try producer.send(record) }
      }
      let options = OrderGenerator.Options(
        seed: 1, failureRate: 0.2, firstOrder: first + Int64(batch) * 30, count: 30,
        eventTime: .span(startSeconds: 1_705_314_600, spanNanoseconds: 14_400_000_000_000))
      var publisher = OrderPublisher(
        GeneratedOrders(options), producer: producer, schedule: nil, time: SystemTime(), stop: StopFlag())
      try publisher.run { _ in }
      producer.close()
    }
    try Answers.work(broker, upTo: 100)
  }

  /// A copy to spoil; the caller removes it.
  func copy(of log: String) throws -> String {
    let path = place.path + "/" + UUID().uuidString
    try FileManager.default.copyItem(atPath: log, toPath: path)
    // Nobody lives in a copy.
    try? FileManager.default.removeItem(atPath: path + "/members")
    return path
  }

  /// Makes a log, which must have small commits alone, what version 1 would have made of it.
  static func makeFirstVersion(_ log: String) throws {
    let queue = try DatabaseQueue(path: log + "/orderstream.db")
    try queue.write { database in
      let triggers = try String.fetchAll(database, sql: FirstVersion.triggers)
      try database.execute(sql: FirstVersion.statements(dropping: triggers))
    }
    try queue.writeWithoutTransaction { try $0.execute(sql: FirstVersion.pages) }
    try queue.close()
    try FileManager.default.removeItem(atPath: log + "/segments")
  }

  /// The files that hold records, and how far each is committed.
  static func segments(of log: String) throws -> [String: Int] {
    let queue = try DatabaseQueue(path: log + "/orderstream.db")
    defer { try? queue.close() }
    let rows = try queue.read { try Row.fetchAll($0, sql: "SELECT id, length FROM segment") }
    return Dictionary(
      uniqueKeysWithValues: rows.map { row -> (String, Int) in
        let digits = String(row["id"] as Int)
        return ("\(log)/segments/\(String(repeating: "0", count: 10 - digits.count))\(digits)", row["length"])
      })
  }

  /// Changes rows behind the log's back.
  static func edit(_ log: String, sql: String) throws {
    let queue = try DatabaseQueue(path: log + "/orderstream.db")
    try queue.write { try $0.execute(sql: sql) }
    try queue.close()
  }

  /// What the database says, beside whoever has it open.
  static func version(of log: String) throws -> Int {
    let queue = try DatabaseQueue(path: log + "/orderstream.db")
    defer { try? queue.close() }
    return try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") } ?? -1
  }

  static func edit(_ path: String, _ change: (inout Data) -> Void) throws {
    let url = URL(fileURLWithPath: path)
    var bytes = try Data(contentsOf: url)
    change(&bytes)
    try bytes.write(to: url)
  }
}
