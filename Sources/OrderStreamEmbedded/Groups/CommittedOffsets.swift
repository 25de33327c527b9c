import GRDB
import OrderStreamCore

/// The next offsets to read that a group has committed.
enum CommittedOffsets {
  /// One of them.
  struct Record {
    /// Row id.
    let partition: Int64
    let offset: Offset
    fileprivate let group: Int64
    fileprivate let crc: Int64

    /// - Parameter place: the partition, for the error.
    /// - Throws: `damaged`.
    func check(_ place: @autoclosure () -> String) throws {
      try CommittedOffsets.seal(group: group, partition: partition, offset)
        .check(crc, "the committed offset of \(place())")
    }
  }

  /// Those of these partitions of one topic, by row id, in one pass.
  static func all(
    _ database: Database, group: Int64, of rows: [PartitionRow], topic: String
  ) throws -> [Int64: Offset] {
    var found: [Int64: Offset] = [:]
    guard let first = rows.map(\.id).min(), let last = rows.map(\.id).max() else { return found }
    let numbers = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0.number) })
    try each(database, group: group, from: first, through: last) { record in
      // Rows of another topic may lie between.
      guard let number = numbers[record.partition] else { return }
      try record.check("\(topic)[\(number)]")
      found[record.partition] = record.offset
    }
    return found
  }

  /// Visits a group's, unchecked, in the order of the partitions' row ids.
  static func each(
    _ database: Database, group: Int64, from first: Int64 = 1, through last: Int64 = LogSchema.partitionLimit,
    _ body: (Record) throws -> Void
  ) throws {
    try Query.run(
      database,
      """
      SELECT partition, next_offset, crc FROM committed
      WHERE consumer_group = ? AND partition BETWEEN ? AND ? ORDER BY partition
      """,
      [.integer(group), .integer(first), .integer(last)]
    ) { query in
      try body(
        Record(partition: query.integer(0), offset: query.integer(1), group: group, crc: query.integer(2)))
    }
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
