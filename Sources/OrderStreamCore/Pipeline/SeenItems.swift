/// Which items of which orders have been seen on the output: two bytes an order, one bit an item. Orders with more than
/// 16 items keep their bits in a side table.
struct SeenItems {
  static let inlineItems: Int32 = 16

  private struct Place: Hashable {
    let partition: Int32
    let offset: Offset
  }

  private let lows: [Offset]
  private var bits: [[UInt16]]
  private var large: [Place: [UInt64]] = [:]

  /// - Parameter ranges: for each source partition, the offsets that are verified.
  init(_ ranges: [Range<Offset>]) {
    lows = ranges.map(\.lowerBound)
    bits = ranges.map { Array(repeating: 0, count: $0.count) }
  }

  /// Marks an item; returns whether it had been marked before.
  mutating func mark(partition: Int32, offset: Offset, line: Int32, itemCount: Int) -> Bool {
    if itemCount <= Self.inlineItems {
      let bit = UInt16(1) << UInt16(line)
      let index = Int(offset - lows[Int(partition)])
      defer { bits[Int(partition)][index] |= bit }
      return bits[Int(partition)][index] & bit != 0
    }
    let place = Place(partition: partition, offset: offset)
    let bit = UInt64(1) << UInt64(line & 63)
    var words = large[place] ?? Array(repeating: 0, count: (itemCount + 63) / 64)
    defer {
      words[Int(line >> 6)] |= bit
      large[place] = words
    }
    return words[Int(line >> 6)] & bit != 0
  }

  /// Whether every item of an order is marked: the fast question.
  func isComplete(partition: Int32, offset: Offset, itemCount: Int) -> Bool {
    if itemCount <= Self.inlineItems {
      let all = UInt16(truncatingIfNeeded: (UInt32(1) << UInt32(itemCount)) - 1)
      return bits[Int(partition)][Int(offset - lows[Int(partition)])] == all
    }
    return (0..<Int32(itemCount)).allSatisfy {
      isMarked(partition: partition, offset: offset, line: $0, itemCount: itemCount)
    }
  }

  func isMarked(partition: Int32, offset: Offset, line: Int32, itemCount: Int) -> Bool {
    if itemCount <= Self.inlineItems {
      return bits[Int(partition)][Int(offset - lows[Int(partition)])] & UInt16(1) << UInt16(line) != 0
    }
    guard let words = large[Place(partition: partition, offset: offset)] else { return false }
    return words[Int(line >> 6)] & UInt64(1) << UInt64(line & 63) != 0
  }
}
