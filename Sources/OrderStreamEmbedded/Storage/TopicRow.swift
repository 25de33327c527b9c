import GRDB
import OrderStreamCore

/// A topic as it is stored.
struct TopicRow {
  var id: Int64
  var name: String
  var partitionCount: Int32

  private var checksum: RowChecksum {
    var checksum = RowChecksum(.topic)
    checksum.add(id)
    checksum.add(name)
    checksum.add(Int64(partitionCount))
    return checksum
  }

  /// The topic of that name, `nil` when there is none.
  static func find(_ database: Database, name: String) throws -> TopicRow? {
    var found: TopicRow?
    try Query.run(database, "SELECT id, name, partitions, crc FROM topic WHERE name = ?", [.text(name)]) {
      found = try TopicRow($0)
    }
    return found
  }

  static func find(_ database: Database, id: Int64) throws -> TopicRow? {
    var found: TopicRow?
    try Query.run(database, "SELECT id, name, partitions, crc FROM topic WHERE id = ?", [.integer(id)]) {
      found = try TopicRow($0)
    }
    return found
  }

  /// - Throws: `unknownTopic`.
  static func get(_ database: Database, name: String) throws -> TopicRow {
    guard let row = try find(database, name: name) else { throw unknown(name) }
    return row
  }

  /// - Throws: `damaged` when partitions are missing.
  func partitions(_ database: Database) throws -> [PartitionRow] {
    let rows = try PartitionRow.all(database, topic: id, name: name)
    if rows.count != Int(partitionCount) {
      throw StorageErrors.damaged("\(name)[\(rows.count)]", why: "the partition is missing: the log was altered")
    }
    return rows
  }

  /// For those who have read this topic before: there may be more partitions since.
  /// - Throws: `gone`; `damaged` when partitions are missing.
  func partitionsNow(_ database: Database) throws -> [PartitionRow] {
    let rows = try PartitionRow.all(database, topic: id, name: name)
    if rows.isEmpty { throw gone }
    return rows.count < Int(partitionCount) ? try partitions(database) : rows
  }

  static func unknown(_ name: String) -> BrokerError {
    BrokerError(
      .unknownTopic, "cannot find the topic \(name)", why: "the log has no topic of that name",
      remedy: "create it, or name another with --topic", recovery: .none)
  }

  /// A topic of the same name that was made since is another one.
  var gone: BrokerError {
    BrokerError(
      .unknownTopic, "cannot go on with \(name)", why: "the topic was deleted while it was read",
      remedy: "if it was created again, run again", recovery: .none)
  }

  /// All topics by name.
  static func all(_ database: Database) throws -> [TopicRow] {
    var rows: [TopicRow] = []
    try Query.run(database, "SELECT id, name, partitions, crc FROM topic ORDER BY name") {
      rows.append(try TopicRow($0))
    }
    return rows
  }

  /// Adds a topic without partitions, and returns its row.
  static func insert(_ scope: WriteScope, name: String) throws -> TopicRow {
    try scope.run("INSERT INTO topic (name, partitions, crc) VALUES (?, 0, 0)", [.text(name)])
    return TopicRow(id: scope.database.lastInsertedRowID, name: name, partitionCount: 0)
  }

  func save(_ scope: WriteScope) throws {
    try scope.run(
      "UPDATE topic SET partitions = ?, crc = ? WHERE id = ?",
      [.integer(Int64(partitionCount)), checksum.sql, .integer(id)])
  }

  private init(id: Int64, name: String, partitionCount: Int32) {
    self.id = id
    self.name = name
    self.partitionCount = partitionCount
  }

  private init(_ query: Query) throws {
    self.init(
      id: query.integer(0), name: query.text(1), partitionCount: Int32(truncatingIfNeeded: query.integer(2)))
    try checksum.check(query.integer(3), "the topic \(name)")
  }
}

/// A partition as it is stored.
struct PartitionRow {
  var id: Int64
  var topic: Int64
  var number: Int32
  var low: Offset = 0
  var high: Offset = 0

  private static let columns = "id, topic, number, low, high, crc"

  private var checksum: RowChecksum {
    var checksum = RowChecksum(.partition)
    checksum.add(id)
    checksum.add(topic)
    checksum.add(Int64(number))
    checksum.add(low)
    checksum.add(high)
    return checksum
  }

  /// The partitions of a topic; each one's place is its number.
  /// - Parameter name: of the topic, for errors.
  /// - Throws: `damaged` when one was altered or is missing.
  static func all(_ database: Database, topic: Int64, name: String) throws -> [PartitionRow] {
    var rows: [PartitionRow] = []
    try Query.run(
      database, "SELECT \(columns) FROM partition WHERE topic = ? ORDER BY number", [.integer(topic)]
    ) { query in
      let row = try PartitionRow(query, name: name)
      guard row.number == rows.count else {
        throw StorageErrors.damaged("\(name)[\(rows.count)]", why: "the partition is missing: the log was altered")
      }
      rows.append(row)
    }
    return rows
  }

  /// One partition of a topic.
  /// - Throws: `damaged` when it was altered; `unknownTopic` when the topic or the partition is gone.
  static func get(_ database: Database, topic: Int64, number: Int32, name: String) throws -> PartitionRow {
    if let row = try find(database, topic: topic, number: number, name: name) { return row }
    guard let topic = try TopicRow.find(database, id: topic), number >= 0, number < topic.partitionCount else {
      throw TopicRow.unknown(name)
    }
    throw StorageErrors.damaged("\(name)[\(number)]", why: "the partition is missing: the log was altered")
  }

  /// One partition of a topic, `nil` when it is not there.
  static func find(_ database: Database, topic: Int64, number: Int32, name: String) throws -> PartitionRow? {
    var found: PartitionRow?
    try Query.run(
      database, "SELECT \(columns) FROM partition WHERE topic = ? AND number = ?",
      [.integer(topic), .integer(Int64(number))]
    ) { found = try PartitionRow($0, name: name) }
    return found
  }

  static func insert(_ scope: WriteScope, topic: Int64, number: Int32) throws {
    try scope.run(
      "INSERT INTO partition (topic, number, low, high, crc) VALUES (?, ?, 0, 0, 0)",
      [.integer(topic), .integer(Int64(number))])
    let id = scope.database.lastInsertedRowID
    guard id < LogSchema.partitionLimit else {
      throw BrokerError(
        .unsupported, "cannot make a partition",
        why: "a log makes at most \(LogSchema.partitionLimit), deleted ones included",
        remedy: "use another log", recovery: .none)
    }
    try PartitionRow(id: id, topic: topic, number: number).save(scope)
  }

  func save(_ scope: WriteScope) throws {
    try scope.run(
      "UPDATE partition SET low = ?, high = ?, crc = ? WHERE id = ?",
      [.integer(low), .integer(high), checksum.sql, .integer(id)])
  }

  private init(id: Int64, topic: Int64, number: Int32) {
    self.id = id
    self.topic = topic
    self.number = number
  }

  private init(_ query: Query, name: String) throws {
    self.init(id: query.integer(0), topic: query.integer(1), number: Int32(truncatingIfNeeded: query.integer(2)))
    low = query.integer(3)
    high = query.integer(4)
    try checksum.check(query.integer(5), "\(name)[\(number)]")
  }
}

/// Finds partitions by row id, in one snapshot. A topic's rows are read the first time that one of them is asked for, so
/// that a question about every partition of the log costs one pass.
struct PartitionIndex {
  let database: Database
  private var topics: [Int64: TopicRow] = [:]
  private var rows: [Int64: PartitionRow] = [:]
  /// By topic.
  private var partitions: [Int64: [PartitionRow]] = [:]

  /// - Parameter database: the snapshot; the index is valid as long as that is.
  init(_ database: Database) { self.database = database }

  /// A partition and its topic, `nil` when one of them is not there.
  /// - Throws: `damaged`.
  mutating func find(_ partition: Int64) throws -> (topic: TopicRow, row: PartitionRow)? {
    if let row = rows[partition] { return topics[row.topic].map { ($0, row) } }
    let id = try Query.integer(database, "SELECT topic FROM partition WHERE id = ?", [.integer(partition)])
    guard let id, let topic = try topic(id) else { return nil }
    _ = try self.partitions(of: topic)
    guard let row = rows[partition] else { throw StorageErrors.damaged(topic.name, why: "the log was altered") }
    return (topic, row)
  }

  mutating func topic(_ id: Int64) throws -> TopicRow? {
    if let known = topics[id] { return known }
    let found = try TopicRow.find(database, id: id)
    topics[id] = found
    return found
  }

  /// - Throws: `damaged` when partitions are missing.
  mutating func partitions(of topic: TopicRow) throws -> [PartitionRow] {
    if let known = partitions[topic.id] { return known }
    let found = try topic.partitions(database)
    topics[topic.id] = topic
    for row in found { rows[row.id] = row }
    partitions[topic.id] = found
    return found
  }
}
