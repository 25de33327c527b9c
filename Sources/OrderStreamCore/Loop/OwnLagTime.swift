/// How old the first record is that a member has not committed, in each of its partitions, from what passes through its
/// hands: no record is asked for. What lies at a committed offset is known once it was read, so for a partition that is
/// behind it is the age that the record had when it was committed last. Wall clock, milliseconds.
struct OwnLagTime {
  private struct Partition {
    /// Of the first record that was taken and is not committed; −1 where it has none.
    var first: Int64?
    /// How old the first record was that the last commit covered.
    var age: Int64?
  }

  private var partitions: [Int32: Partition] = [:]

  /// Reading begins at committed offsets.
  mutating func begin() { partitions.removeAll() }

  /// What was taken and not committed is read again.
  mutating func forgetPending() { for key in partitions.keys { partitions[key]?.first = nil } }

  /// These records were taken.
  mutating func note(_ batch: RecordBatch, _ range: Range<Int>) {
    var last: Int32 = -1
    batch.entries.withUnsafeBufferPointer { entries in
      // Records of a partition lie side by side.
      for entry in entries[range] where entry.partition != last {
        last = entry.partition
        if partitions[last]?.first == nil { partitions[last, default: Partition()].first = entry.timestampMs }
      }
    }
  }

  /// All that was taken is committed.
  mutating func committed(at now: Int64) {
    for key in partitions.keys {
      guard let first = partitions[key]?.first else { continue }
      partitions[key] = Partition(first: nil, age: first < 0 ? nil : max(0, now - first))
    }
  }

  /// Of the partition that is behind most, in milliseconds; `nil` as soon as one is not known.
  /// - Parameter isAtEnd: Whether a partition is committed up to its end.
  func age(of assigned: [Int32], isAtEnd: (Int32) -> Bool, at now: Int64) -> Int64? {
    var oldest: Int64 = 0
    for number in assigned {
      let partition = partitions[number]
      if let first = partition?.first {
        guard first >= 0 else { return nil }
        oldest = max(oldest, now - first)
      } else if !isAtEnd(number) {
        guard let age = partition?.age else { return nil }
        oldest = max(oldest, age)
      }
    }
    return oldest
  }
}
