import GRDB
import OrderStreamCore

/// The next offsets to read that a group has committed.
enum CommittedOffsets {
  static func get(_ database: Database, group: Int64, partition: PartitionRow, topic: String) throws -> Offset? {
    var found: Offset?
    try Query.run(
      database, "SELECT next_offset, crc FROM committed WHERE consumer_group = ? AND partition = ?",
      [.integer(group), .integer(partition.id)]
    ) { query in
      let offset = query.integer(0)
      try seal(group: group, partition: partition.id, offset)
        .check(query.integer(1), "the committed offset of \(topic)[\(partition.number)]")
      found = offset
    }
    return found
  }

  static func put(_ scope: WriteScope, group: Int64, partition: Int64, _ offset: Offset) throws {
    try scope.run(
      "INSERT OR REPLACE INTO committed (consumer_group, partition, next_offset, crc) VALUES (?, ?, ?, ?)",
      [
        .integer(group), .integer(partition), .integer(offset),
        seal(group: group, partition: partition, offset).sql,
      ])
  }

  private static func seal(group: Int64, partition: Int64, _ offset: Offset) -> RowSeal {
    var seal = RowSeal(.committed)
    seal.add(group)
    seal.add(partition)
    seal.add(offset)
    return seal
  }
}
