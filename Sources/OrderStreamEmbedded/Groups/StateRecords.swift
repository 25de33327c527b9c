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

  // MARK: - Topics that are gone

  /// No partition has this row id. What a group knows of topics that are gone is kept under it, with keys as on Kafka:
  /// `<topic>/<partition>/position`.
  private static let goneTopics: Int64 = 0

  /// Keeps the positions that groups have in a partition whose topic is being removed, so that a later topic of its name
  /// is not taken for it. The other records go.
  static func buryPartition(_ scope: WriteScope, _ row: PartitionRow, topic: String) throws {
    var positions: [(group: Int64, value: [UInt8])] = []
    let key = Array("position".utf8)
    try key.withUnsafeBytes { key in
      try Query.run(
        scope.database, "SELECT consumer_group, value FROM state WHERE partition = ? AND key = ?",
        [.integer(row.id), .bytes(key)]
      ) { positions.append(($0.integer(0), Array($0.bytes(1)))) }
    }
    for position in positions {
      let key = Array("\(topic)/\(row.number)/position".utf8)
      try key.withUnsafeBytes { key in
        try position.value.withUnsafeBytes { value in
          try put(scope, group: position.group, partition: goneTopics, key: key, value: value)
        }
      }
    }
    try scope.run("DELETE FROM state WHERE partition = ?", [.integer(row.id)])
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
    let none = PartitionRow.none
    try each(database, group: group, partition: none, topic: "topics that are gone") { key, value in
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
    try each(scope.database, group: group, partition: .none, topic: topic) { key, _ in
      if key.starts(with: prefix) { keys.append(Array(key)) }
    }
    for key in keys {
      try key.withUnsafeBytes { try put(scope, group: group, partition: goneTopics, key: $0, value: nil) }
    }
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
