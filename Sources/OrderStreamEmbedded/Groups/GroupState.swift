/// Who shares one topic in one group: a state machine without I/O. `GroupStore` loads and saves it.
///
/// The protocol is eager. Whenever members or partitions change, the targets are computed anew and the generation rises.
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
