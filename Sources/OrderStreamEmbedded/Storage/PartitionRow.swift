import GRDB
import OrderStreamCore

/// A partition as it is stored.
struct PartitionRow {
  var id: Int64
  var topic: Int64
  var number: Int32
  var low: Offset = 0
  var high: Offset = 0

  /// Stands for no partition: rows begin at 1.
  static let none = PartitionRow(id: 0, topic: 0, number: 0)

  private static let columns = "id, topic, number, low, high, crc"

  private var seal: RowSeal {
    var seal = RowSeal(.partition)
    seal.add(id)
    seal.add(topic)
    seal.add(Int64(number))
    seal.add(low)
    seal.add(high)
    return seal
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

  static func insert(_ scope: WriteScope, topic: Int64, number: Int32) throws {
    try scope.run(
      "INSERT INTO partition (topic, number, low, high, crc) VALUES (?, ?, 0, 0, 0)",
      [.integer(topic), .integer(Int64(number))])
    let id = scope.database.lastInsertedRowID
    guard id < LogSchema.partitionLimit else {
      throw BrokerError(
        .unsupported, "cannot make a partition", why: "a log has had at most \(LogSchema.partitionLimit) of them",
        remedy: "use another log", recovery: .none)
    }
    try PartitionRow(id: id, topic: topic, number: number).save(scope)
  }

  func save(_ scope: WriteScope) throws {
    try scope.run(
      "UPDATE partition SET low = ?, high = ?, crc = ? WHERE id = ?",
      [.integer(low), .integer(high), seal.sql, .integer(id)])
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
    try seal.check(query.integer(5), "\(name)[\(number)]")
  }
}
