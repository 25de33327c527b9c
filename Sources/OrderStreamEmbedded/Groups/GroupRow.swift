import GRDB
import OrderStreamCore

/// A consumer group as it is stored.
struct GroupRow {
  var id: Int64
  var name: String

  private var seal: RowSeal {
    var seal = RowSeal(.group)
    seal.add(id)
    seal.add(name)
    return seal
  }

  static func find(_ database: Database, name: String) throws -> GroupRow? {
    var found: GroupRow?
    try Query.run(database, "SELECT id, name, crc FROM consumer_group WHERE name = ?", [.text(name)]) {
      found = try GroupRow($0)
    }
    return found
  }

  /// All groups by name.
  static func all(_ database: Database) throws -> [GroupRow] {
    var rows: [GroupRow] = []
    try Query.run(database, "SELECT id, name, crc FROM consumer_group ORDER BY name") { rows.append(try GroupRow($0)) }
    return rows
  }

  /// The group of that name, made when there is none.
  static func findOrInsert(_ scope: WriteScope, name: String) throws -> GroupRow {
    if let row = try find(scope.database, name: name) { return row }
    try scope.run("INSERT INTO consumer_group (name, crc) VALUES (?, 0)", [.text(name)])
    let row = GroupRow(id: scope.database.lastInsertedRowID, name: name)
    try scope.run("UPDATE consumer_group SET crc = ? WHERE id = ?", [row.seal.sql, .integer(row.id)])
    return row
  }

  private init(id: Int64, name: String) {
    self.id = id
    self.name = name
  }

  private init(_ query: Query) throws {
    self.init(id: query.integer(0), name: query.text(1))
    try seal.check(query.integer(2), "the group \(name)")
  }
}
