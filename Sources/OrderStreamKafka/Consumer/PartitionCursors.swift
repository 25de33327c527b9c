import OrderStreamCore

/// Where a consumer is in each partition that it was told to read. A partition's number is its index.
struct PartitionCursors {
  private struct Cursor {
    var isAssigned = false
    /// The least offset that may come next.
    var next: Offset = 0
    var isAtEnd = false
  }

  private var cursors: [Cursor] = []
  private var assigned: [Int32] = []
  /// Assigned partitions whose end has not been reached.
  private var behind = 0
  /// Round robin over partitions that are behind.
  private var turn = 0

  mutating func assign(_ positions: [PartitionOffset]) {
    for partition in assigned { cursors[Int(partition)] = Cursor() }
    assigned = positions.map(\.partition)
    for position in positions {
      while cursors.count <= Int(position.partition) { cursors.append(Cursor()) }
      cursors[Int(position.partition)] = Cursor(isAssigned: true, next: position.offset)
    }
    behind = assigned.count
  }

  var isEmpty: Bool { assigned.isEmpty }
  var isAnyBehind: Bool { behind > 0 }

  func isAssigned(_ partition: Int32) -> Bool {
    Int(partition) < cursors.count && partition >= 0 && cursors[Int(partition)].isAssigned
  }

  /// The least offset that may come next.
  func next(_ partition: Int32) -> Offset { cursors[Int(partition)].next }

  /// Whether a record belongs to the assignment and was not seen; then the cursor passes it.
  @inline(__always)
  mutating func accept(_ partition: Int32, _ offset: Offset) -> Bool {
    guard isAssigned(partition), offset >= cursors[Int(partition)].next else { return false }
    cursors[Int(partition)].next = offset.next
    if cursors[Int(partition)].isAtEnd {
      cursors[Int(partition)].isAtEnd = false
      behind += 1
    }
    return true
  }

  /// Notes that the end of a partition was reached; false for an end from before the assignment.
  mutating func acceptEnd(_ partition: Int32, _ offset: Offset) -> Bool {
    guard isAssigned(partition), offset >= cursors[Int(partition)].next else { return false }
    cursors[Int(partition)].next = offset
    if !cursors[Int(partition)].isAtEnd {
      cursors[Int(partition)].isAtEnd = true
      behind -= 1
    }
    return true
  }

  /// A partition that is behind, each time another one.
  mutating func nextBehind() -> Int32? {
    guard behind > 0 else { return nil }
    for step in 1...assigned.count {
      let index = (turn + step) % assigned.count
      guard !cursors[Int(assigned[index])].isAtEnd else { continue }
      turn = index
      return assigned[index]
    }
    return nil
  }
}
