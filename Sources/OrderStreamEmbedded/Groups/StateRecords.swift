import GRDB
import OrderStreamCore

/// The state records of a group, by source partition and key.
enum StateRecords {
  /// Pointers are valid during the call of `body`.
  static func each(
    _ database: Database, group: Int64, partition: PartitionRow, topic: String,
    _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
  ) throws {
    try Query.run(
      database, "SELECT key, value, crc FROM state WHERE consumer_group = ? AND partition = ?",
      [.integer(group), .integer(partition.id)]
    ) { query in
      let (key, value) = (query.bytes(0), query.bytes(1))
      try seal(group: group, partition: partition.id, key, value)
        .check(query.integer(2), "a state record of \(topic)[\(partition.number)]")
      body(key, value)
    }
  }

  /// - Parameter value: `nil` removes the record.
  static func put(
    _ scope: WriteScope, group: Int64, partition: Int64, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws {
    guard let value else {
      try scope.run(
        "DELETE FROM state WHERE consumer_group = ? AND partition = ? AND key = ?",
        [.integer(group), .integer(partition), .bytes(key)])
      return
    }
    try scope.run(
      "INSERT OR REPLACE INTO state (consumer_group, partition, key, value, crc) VALUES (?, ?, ?, ?, ?)",
      [
        .integer(group), .integer(partition), .bytes(key), .bytes(value),
        seal(group: group, partition: partition, key, value).sql,
      ])
  }

  private static func seal(
    group: Int64, partition: Int64, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
  ) -> RowSeal {
    var seal = RowSeal(.state)
    seal.add(group)
    seal.add(partition)
    seal.add(key)
    seal.add(value)
    return seal
  }
}
