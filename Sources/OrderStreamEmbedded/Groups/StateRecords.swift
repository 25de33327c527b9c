import GRDB
import OrderStreamCore

/// The state records of a group, by source partition and key.
enum StateRecords {
  /// One record. Its pointers are valid during the call that hands it over.
  struct Record {
    /// Row id.
    let partition: Int64
    let key: UnsafeRawBufferPointer
    let value: UnsafeRawBufferPointer
    fileprivate let group: Int64
    fileprivate let crc: Int64

    /// - Parameter place: what it is a record of, for the error.
    /// - Throws: `damaged`.
    func check(_ place: @autoclosure () -> String) throws {
      try StateRecords.checksum(group: group, partition: partition, key, value).check(
        crc, "a state record of \(place())")
    }
  }

  /// Visits the records of these partitions of one topic, in one pass.
  static func each(
    _ database: Database, group: Int64, of rows: [PartitionRow], topic: String,
    _ body: (_ partition: Int32, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
  ) throws {
    guard let first = rows.map(\.id).min(), let last = rows.map(\.id).max() else { return }
    let numbers = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0.number) })
    try each(database, group: group, from: first, through: last) { record in
      // Rows of another topic may lie between.
      guard let number = numbers[record.partition] else { return }
      try record.check("\(topic)[\(number)]")
      body(number, record.key, record.value)
    }
  }

  /// Visits a group's records, unchecked, in the order of the partitions' row ids.
  static func each(
    _ database: Database, group: Int64, from first: Int64 = 1, through last: Int64 = LogSchema.partitionLimit,
    _ body: (Record) throws -> Void
  ) throws {
    try Query.run(
      database,
      """
      SELECT partition, key, value, crc FROM state
      WHERE consumer_group = ? AND partition BETWEEN ? AND ? ORDER BY partition
      """,
      [.integer(group), .integer(first), .integer(last)]
    ) { query in
      try body(
        Record(
          partition: query.integer(0), key: query.bytes(1), value: query.bytes(2), group: group, crc: query.integer(3))
      )
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
        checksum(group: group, partition: partition, key, value).sql,
      ])
  }

  // MARK: - Topics that are gone

  /// No partition has this row id. What a group knows of topics that are gone is kept under it, with keys as on Kafka:
  /// `<topic>/<partition>/position`.
  private static let goneTopics: Int64 = 0

  /// Keeps the positions that groups have in a topic that is being removed, so that a later topic of its name is not
  /// taken for it. The other records go.
  static func keepPositions(_ scope: WriteScope, of topic: TopicRow) throws {
    var positions: [(group: Int64, number: Int64, value: [UInt8])] = []
    let key = Array("position".utf8)
    try key.withUnsafeBytes { key in
      // One pass over the table: no index begins with the partition.
      try Query.run(
        scope.database,
        """
        SELECT consumer_group, partition.number, value FROM state CROSS JOIN partition ON partition.id = state.partition
        WHERE key = ? AND topic = ?
        """, [.bytes(key), .integer(topic.id)]
      ) { positions.append(($0.integer(0), $0.integer(1), Array($0.bytes(2)))) }
    }
    for position in positions {
      let key = Array("\(topic.name)/\(position.number)/position".utf8)
      try key.withUnsafeBytes { key in
        try position.value.withUnsafeBytes { value in
          try put(scope, group: position.group, partition: goneTopics, key: key, value: value)
        }
      }
    }
    try scope.run(
      "DELETE FROM state WHERE partition IN (SELECT id FROM partition WHERE topic = ?)", [.integer(topic.id)])
  }

  /// The positions that a group has in a topic of that name that is gone.
  static func eachOfEarlierTopic(
    _ database: Database, group: Int64, topic: String, _ body: (StoredState) -> Void
  ) throws {
    try eachOfGoneTopics(database, group: group) { name, stored in if name == topic { body(stored) } }
  }

  /// The positions that a group has in topics that are gone, with their names.
  static func eachOfGoneTopics(
    _ database: Database, group: Int64, _ body: (_ topic: String, StoredState) -> Void
  ) throws {
    try each(database, group: group, from: goneTopics, through: goneTopics) { record in
      try record.check("topics that are gone")
      let (key, value) = (record.key, record.value)
      let parts = String(decoding: key, as: UTF8.self).split(separator: "/", maxSplits: 2)
      guard parts.count == 3, let partition = Int32(parts[1]) else { return }
      let own = UnsafeRawBufferPointer(rebasing: key[(parts[0].utf8.count + parts[1].utf8.count + 2)...])
      body(
        String(parts[0]), StoredState(partition: partition, key: own, value: value, origin: .earlierTopic))
    }
  }

  /// Forgets what a group knew of a topic of that name that is gone.
  static func forgetEarlierTopic(_ scope: WriteScope, group: Int64, topic: String) throws {
    var keys: [[UInt8]] = []
    let prefix = Array("\(topic)/".utf8)
    try each(scope.database, group: group, from: goneTopics, through: goneTopics) { record in
      try record.check("topics that are gone")
      if record.key.starts(with: prefix) { keys.append(Array(record.key)) }
    }
    for key in keys {
      try key.withUnsafeBytes { try put(scope, group: group, partition: goneTopics, key: $0, value: nil) }
    }
  }

  private static func checksum(
    group: Int64, partition: Int64, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
  ) -> RowChecksum {
    var checksum = RowChecksum(.state)
    checksum.add(group)
    checksum.add(partition)
    checksum.add(key)
    checksum.add(value)
    return checksum
  }
}

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
      try CommittedOffsets.checksum(group: group, partition: partition, offset)
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
        checksum(group: group, partition: partition, offset).sql,
      ])
  }

  private static func checksum(group: Int64, partition: Int64, _ offset: Offset) -> RowChecksum {
    var checksum = RowChecksum(.committed)
    checksum.add(group)
    checksum.add(partition)
    checksum.add(offset)
    return checksum
  }
}
