import GRDB
import OrderStreamCore

/// A topic as it is stored.
struct TopicRow {
  var id: Int64
  var name: String
  var partitionCount: Int32

  private var seal: RowSeal {
    var seal = RowSeal(.topic)
    seal.add(id)
    seal.add(name)
    seal.add(Int64(partitionCount))
    return seal
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
      remedy: "if it was made anew, start again", recovery: .none)
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
      [.integer(Int64(partitionCount)), seal.sql, .integer(id)])
  }

  private init(id: Int64, name: String, partitionCount: Int32) {
    self.id = id
    self.name = name
    self.partitionCount = partitionCount
  }

  private init(_ query: Query) throws {
    self.init(
      id: query.integer(0), name: query.text(1), partitionCount: Int32(truncatingIfNeeded: query.integer(2)))
    try seal.check(query.integer(3), "the topic \(name)")
  }
}
