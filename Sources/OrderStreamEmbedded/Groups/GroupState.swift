import GRDB

/// Who shares one topic in one group: a state machine without I/O. `GroupStore` loads and saves it.
///
/// The protocol is eager. Whenever members or partitions change, the targets are computed again and the generation rises.
/// A member that sees a newer generation gives up all it owns; once every target of a member is free, it takes them all.
struct GroupState: Equatable {
  struct Member: Equatable {
    var id: String
    var host: String
    /// The generation whose assignment it took last; −1 before the first.
    var generation: Int64 = -1
  }

  struct Slot: Equatable {
    /// Row id.
    var partition: Int64
    var number: Int32
    /// The member that shall have it.
    var target: String?
    /// The member that has it: only its commits are taken.
    var owner: String?
    /// The generation in which `owner` took it.
    var generation: Int64 = -1
  }

  var generation: Int64 = 0
  /// Sorted by id.
  var members: [Member] = []
  /// By partition number.
  var slots: [Slot] = []

  mutating func join(_ member: Member) {
    members.append(member)
    members.sort { $0.id < $1.id }
    rebalance()
  }

  /// Members that left or died: what they own is free.
  mutating func remove(_ ids: Set<String>) {
    members.removeAll { ids.contains($0.id) }
    for index in slots.indices where slots[index].owner.map(ids.contains) ?? false { free(index) }
    rebalance()
  }

  /// Adds partitions that the topic got. Those that are known stay as they are.
  mutating func extend(to partitions: [PartitionRow]) {
    guard partitions.count > slots.count else { return }
    for row in partitions[slots.count...] { slots.append(Slot(partition: row.id, number: row.number)) }
    rebalance()
  }

  /// The member gives up what it owns.
  mutating func release(_ id: String) {
    for index in slots.indices where slots[index].owner == id { free(index) }
  }

  /// Gives the member its targets if they are all free, and returns their numbers, sorted.
  mutating func take(_ id: String) -> [Int32]? {
    guard let member = members.firstIndex(where: { $0.id == id }), canTake(id) else { return nil }
    var numbers: [Int32] = []
    for index in slots.indices where slots[index].target == id {
      slots[index].owner = id
      slots[index].generation = generation
      numbers.append(slots[index].number)
    }
    members[member].generation = generation
    return numbers
  }

  func canTake(_ id: String) -> Bool {
    !slots.contains { slot in slot.target == id && slot.owner != nil && slot.owner != id }
  }

  func contains(_ id: String) -> Bool { members.contains { $0.id == id } }

  /// Row ids of the partitions that the member took in that generation and still has.
  func owned(by id: String, generation: Int64) -> [Int64] {
    slots.filter { $0.owner == id && $0.generation == generation }.map(\.partition)
  }

  /// Whether every member works on the newest assignment.
  var isStable: Bool { members.allSatisfy { $0.generation == generation } }

  /// Range assignment: members in the order of their ids get neighbouring partitions, the first ones one more.
  private mutating func rebalance() {
    generation += 1
    var index = 0
    for (place, member) in members.enumerated() {
      let share = slots.count / members.count + (place < slots.count % members.count ? 1 : 0)
      for _ in 0..<share {
        slots[index].target = member.id
        index += 1
      }
    }
    if members.isEmpty {
      for index in slots.indices { slots[index].target = nil }
    }
  }

  private mutating func free(_ index: Int) {
    slots[index].owner = nil
    slots[index].generation = -1
  }
}

/// Loads and saves `GroupState`: the members and assignments of one group in one topic.
struct GroupStore {
  let group: GroupRow
  let topic: Int64
  /// For errors.
  let topicName: String

  private var key: [SQLValue] { [.integer(group.id), .integer(topic)] }

  /// - Parameter partitions: of the topic, where they have been read already.
  func load(_ database: Database, partitions: [PartitionRow]? = nil) throws -> GroupState {
    var state = GroupState()
    state.generation = try generation(database) ?? 0
    state.members = try members(database)
    for row in try partitions ?? PartitionRow.all(database, topic: topic, name: topicName) {
      state.slots.append(GroupState.Slot(partition: row.id, number: row.number))
    }
    // Partitions without a row here have come since the last rebalance.
    var known = 0
    try Query.run(
      database,
      """
      SELECT partition.number, target, owner, assignment.generation, assignment.crc FROM assignment
      JOIN partition ON partition.id = assignment.partition
      WHERE consumer_group = ? AND partition.topic = ? ORDER BY partition.number
      """, key
    ) { query in
      guard Int(query.integer(0)) == known, known < state.slots.count else { return }
      state.slots[known].target = query.optionalText(1)
      state.slots[known].owner = query.optionalText(2)
      state.slots[known].generation = query.integer(3)
      try checksum(state.slots[known])
        .check(query.integer(4), "the assignment of \(topicName)[\(known)] in the group \(group.name)")
      known += 1
    }
    state.slots.removeLast(state.slots.count - known)
    return state
  }

  /// The topics in which a group has had members.
  static func topics(_ database: Database, of group: GroupRow) throws -> [Int64] {
    var topics: [Int64] = []
    try Query.run(database, "SELECT topic FROM generation WHERE consumer_group = ?", [.integer(group.id)]) {
      topics.append($0.integer(0))
    }
    return topics
  }

  /// The members alone, sorted by id.
  func members(_ database: Database) throws -> [GroupState.Member] {
    var members: [GroupState.Member] = []
    try Query.run(
      database, "SELECT id, host, generation, crc FROM member WHERE consumer_group = ? AND topic = ? ORDER BY id", key
    ) { query in
      let member = GroupState.Member(id: query.text(0), host: query.text(1), generation: query.integer(2))
      try checksum(member).check(query.integer(3), "the member \(member.id) of the group \(group.name)")
      members.append(member)
    }
    return members
  }

  /// Whether a member took this partition in that generation and still has it.
  func owns(_ database: Database, _ row: PartitionRow, _ id: String, generation: Int64) throws -> Bool {
    var isOwner = false
    try Query.run(
      database, "SELECT target, owner, generation, crc FROM assignment WHERE consumer_group = ? AND partition = ?",
      [.integer(group.id), .integer(row.id)]
    ) { query in
      var slot = GroupState.Slot(partition: row.id, number: row.number)
      slot.target = query.optionalText(0)
      slot.owner = query.optionalText(1)
      slot.generation = query.integer(2)
      try checksum(slot)
        .check(query.integer(3), "the assignment of \(topicName)[\(row.number)] in the group \(group.name)")
      isOwner = slot.owner == id && slot.generation == generation
    }
    return isOwner
  }

  /// The generation alone, `nil` before the first member.
  func generation(_ database: Database) throws -> Int64? {
    var found: Int64?
    try Query.run(
      database, "SELECT number, crc FROM generation WHERE consumer_group = ? AND topic = ?", key
    ) { query in
      let number = query.integer(0)
      try checksum(generation: number).check(query.integer(1), "the generation of the group \(group.name)")
      found = number
    }
    return found
  }

  /// Loads, lets `body` change the state, and writes what is different.
  func change<T>(_ scope: WriteScope, _ body: (inout GroupState) throws -> T) throws -> T {
    let before = try load(scope.database)
    var state = before
    state.extend(to: try PartitionRow.all(scope.database, topic: topic, name: topicName))
    let result = try body(&state)
    try save(state, before: before, scope)
    return result
  }

  /// Removes everything that is stored here.
  func erase(_ scope: WriteScope) throws {
    try scope.run("DELETE FROM generation WHERE consumer_group = ? AND topic = ?", key)
    try scope.run("DELETE FROM member WHERE consumer_group = ? AND topic = ?", key)
    try scope.run(
      "DELETE FROM assignment WHERE consumer_group = ? AND partition IN (SELECT id FROM partition WHERE topic = ?)", key
    )
  }

  private func save(_ state: GroupState, before: GroupState, _ scope: WriteScope) throws {
    if state.generation != before.generation {
      try scope.run(
        "INSERT OR REPLACE INTO generation (consumer_group, topic, number, crc) VALUES (?, ?, ?, ?)",
        key + [.integer(state.generation), checksum(generation: state.generation).sql])
    }
    for member in before.members where !state.contains(member.id) {
      try scope.run(
        "DELETE FROM member WHERE consumer_group = ? AND topic = ? AND id = ?", key + [.text(member.id)])
    }
    for member in state.members where !before.members.contains(member) {
      try scope.run(
        "INSERT OR REPLACE INTO member (consumer_group, topic, id, host, generation, crc) VALUES (?, ?, ?, ?, ?, ?)",
        key + [.text(member.id), .text(member.host), .integer(member.generation), checksum(member).sql])
    }
    for (index, slot) in state.slots.enumerated() where index >= before.slots.count || before.slots[index] != slot {
      try scope.run(
        """
        INSERT OR REPLACE INTO assignment (consumer_group, partition, target, owner, generation, crc)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        [
          .integer(group.id), .integer(slot.partition), .optional(slot.target), .optional(slot.owner),
          .integer(slot.generation), checksum(slot).sql,
        ])
    }
  }

  private func checksum(generation: Int64) -> RowChecksum {
    var checksum = RowChecksum(.generation)
    checksum.add(group.id)
    checksum.add(topic)
    checksum.add(generation)
    return checksum
  }

  private func checksum(_ member: GroupState.Member) -> RowChecksum {
    var checksum = RowChecksum(.member)
    checksum.add(group.id)
    checksum.add(topic)
    checksum.add(member.id)
    checksum.add(member.host)
    checksum.add(member.generation)
    return checksum
  }

  private func checksum(_ slot: GroupState.Slot) -> RowChecksum {
    var checksum = RowChecksum(.assignment)
    checksum.add(group.id)
    checksum.add(slot.partition)
    checksum.add(slot.target)
    checksum.add(slot.owner)
    checksum.add(slot.generation)
    return checksum
  }
}

/// A consumer group as it is stored.
struct GroupRow {
  var id: Int64
  var name: String

  private var checksum: RowChecksum {
    var checksum = RowChecksum(.group)
    checksum.add(id)
    checksum.add(name)
    return checksum
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
    try scope.run("UPDATE consumer_group SET crc = ? WHERE id = ?", [row.checksum.sql, .integer(row.id)])
    return row
  }

  private init(id: Int64, name: String) {
    self.id = id
    self.name = name
  }

  private init(_ query: Query) throws {
    self.init(id: query.integer(0), name: query.text(1))
    try checksum.check(query.integer(2), "the group \(name)")
  }
}
