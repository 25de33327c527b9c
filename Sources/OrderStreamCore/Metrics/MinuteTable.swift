/// Orders and failed orders by minute: a hash table with open addressing (linear probing, at most 3/4 full), 16 bytes a
/// slot, so that a million minutes stay under 34 MB. The last minute used is remembered, because orders come nearly
/// sorted: then counting one costs two additions. A count that would pass 2³² − 1 stays there: only state that somebody
/// has altered comes near, and it must not trap.
public struct MinuteTable: Sendable {
  struct Slot {
    /// Minutes since 1970 UTC; `emptyMinute` in a free slot.
    var minute: Int64
    var orders: UInt32
    var failed: UInt32

    @inline(__always)
    mutating func add(orders more: UInt32, failed moreFailed: UInt32) {
      orders = Self.sum(orders, more)
      failed = Self.sum(failed, moreFailed)
    }

    @inline(__always)
    private static func sum(_ count: UInt32, _ more: UInt32) -> UInt32 {
      let (sum, isOver) = count.addingReportingOverflow(more)
      return isOver ? .max : sum
    }
  }

  private static let emptyMinute = Int64.min

  private var slots: [Slot] = []
  private var lastIndex = -1
  public private(set) var count = 0

  public init() {}

  /// Counts one order. Returns whether this minute is new here.
  @inline(__always)
  public mutating func add(minute: Int64, failed: Bool) -> Bool {
    if lastIndex >= 0, slots[lastIndex].minute == minute {
      slots[lastIndex].add(orders: 1, failed: failed ? 1 : 0)
      return false
    }
    return add(minute: minute, orders: 1, failed: failed ? 1 : 0)
  }

  /// Adds counts to a minute. Returns whether this minute is new here.
  public mutating func add(minute: Int64, orders: UInt32, failed: UInt32) -> Bool {
    precondition(minute != Self.emptyMinute, "event times lie in the years 0000 to 9999")
    if (count + 1) * 4 > slots.count * 3 { grow() }
    let index = find(minute)
    lastIndex = index
    let isNew = slots[index].minute == Self.emptyMinute
    if isNew {
      slots[index].minute = minute
      count += 1
    }
    slots[index].add(orders: orders, failed: failed)
    return isNew
  }

  /// The counts of a minute, `nil` when it has no order.
  public func counts(of minute: Int64) -> (orders: UInt32, failed: UInt32)? {
    guard !slots.isEmpty else { return nil }
    let slot = slots[find(minute)]
    return slot.minute == Self.emptyMinute ? nil : (slot.orders, slot.failed)
  }

  /// Every minute that has orders, in no particular order.
  public func forEach(_ body: (_ minute: Int64, _ orders: UInt32, _ failed: UInt32) -> Void) {
    for slot in slots where slot.minute != Self.emptyMinute { body(slot.minute, slot.orders, slot.failed) }
  }

  private func find(_ minute: Int64) -> Int {
    let mask = slots.count - 1
    // Fibonacci hashing (Knuth, TAOCP 3, 6.4): neighbouring minutes spread over the table.
    var index = Int(truncatingIfNeeded: (UInt64(bitPattern: minute) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while slots[index].minute != minute && slots[index].minute != Self.emptyMinute { index = (index + 1) & mask }
    return index
  }

  private mutating func grow() {
    let old = slots
    slots = Array(
      repeating: Slot(minute: Self.emptyMinute, orders: 0, failed: 0), count: max(64, old.count * 2))
    lastIndex = -1
    for slot in old where slot.minute != Self.emptyMinute { slots[find(slot.minute)] = slot }
  }
}
