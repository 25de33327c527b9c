/// A stretch of the output topic in output order, held in memory while its sources are read. Bounded by
/// `eventLimit` and `byteLimit`.
final class AuditWindow {
  static let eventLimit = 32_000
  static let byteLimit = 8 << 20

  /// What is known about one inventory event.
  struct Event {
    let outputPartition: Int32
    let outputOffset: Offset
    /// `nil`: no source header, or one that names nothing.
    let source: SourceHeader?
    fileprivate let keyStart: Int
    /// −1: no key.
    fileprivate let keyLength: Int
    fileprivate let valueStart: Int
    fileprivate let valueLength: Int
    /// Items of the source order; 0 until the source was found.
    var itemCount = 0
    var verdict: Verdict = .unknown
  }

  enum Verdict {
    /// The source was not found (yet).
    case unknown
    case matches
    case differs
    case unverifiable
    case other
  }

  private(set) var events: [Event] = []
  /// What the first events that differ must be, by their index in `events`: so many as a report can name.
  private var expectedTexts: [Int: String] = [:]
  private let arena = ByteBuffer(capacity: 1 << 20)

  var isFull: Bool { events.count >= Self.eventLimit || arena.count >= Self.byteLimit }

  func removeAll() {
    events.removeAll(keepingCapacity: true)
    expectedTexts.removeAll()
    arena.removeAll()
  }

  func append(_ record: RecordBatch.View, source: SourceHeader?) {
    let keyStart = arena.count
    if let key = record.key { arena.append(key) }
    let valueStart = arena.count
    if let value = record.value { arena.append(value) }
    events.append(
      Event(
        outputPartition: record.partition, outputOffset: record.offset, source: source, keyStart: keyStart,
        keyLength: record.key?.count ?? -1, valueStart: valueStart, valueLength: record.value?.count ?? -1))
  }

  func key(_ event: Event) -> UnsafeRawBufferPointer? { bytes(event.keyStart, event.keyLength) }

  func value(_ event: Event) -> UnsafeRawBufferPointer? { bytes(event.valueStart, event.valueLength) }

  private func bytes(_ start: Int, _ length: Int) -> UnsafeRawBufferPointer? {
    length < 0 ? nil : UnsafeRawBufferPointer(rebasing: arena.bytes[start..<(start + length)])
  }

  func setVerdict(_ verdict: Verdict, at index: Int) { events[index].verdict = verdict }

  /// Keeps what the event at `index` must be, as long as it may be among the first that differ in output order.
  func noteExpected(_ text: @autoclosure () -> String, at index: Int) {
    if expectedTexts.count >= AuditFindings.violationLimit, let last = expectedTexts.keys.max() {
      guard index < last else { return }
      expectedTexts[last] = nil
    }
    expectedTexts[index] = text()
  }

  func expectedText(at index: Int) -> String { expectedTexts[index] ?? "" }

  func setFound(itemCount: Int, verdict: Verdict, at index: Int) {
    events[index].itemCount = itemCount
    events[index].verdict = verdict
  }
}

/// Which items of which orders have been seen on the output: two bytes an order, one bit an item. Orders with more than
/// 16 items keep their bits beside, in words of 16 for each block of neighbouring offsets, and their two bytes say where:
/// so an order of n items takes 2 + n/8 bytes, rounded up to words, and its share of a block.
struct SeenItems {
  static let inlineItems = 16
  /// Offsets of a block. So many orders of a megabyte, which have at most 28 000 items (`{"item_id":"a","quantity":1,
  /// "price":0},` each), take fewer words than two bytes can number.
  private static let blockOffsets = 32
  private static let wordBits = 16

  private let lows: [Offset]
  private let counts: [Int]
  /// By partition and offset: the bits of a small order; of a large one, where its words begin in its block, from 1 on;
  /// 0 while nothing is marked.
  private var bits: [[UInt16]]
  /// By partition and block, for partitions that have a large order: the bits of its large orders.
  private var blocks: [[[UInt16]]]

  /// - Parameter ranges: for each source partition, the offsets that are verified.
  init(_ ranges: [Range<Offset>]) {
    lows = ranges.map(\.lowerBound)
    counts = ranges.map(\.count)
    bits = ranges.map { Array(repeating: 0, count: $0.count) }
    blocks = ranges.map { _ in [] }
  }

  /// Marks an item; returns whether it had been marked before.
  mutating func mark(partition: Int32, offset: Offset, line: Int32, itemCount: Int) -> Bool {
    let (partition, line) = (Int(partition), Int(line))
    let index = Int(offset - lows[partition])
    let bit = UInt16(1) << UInt16(line % Self.wordBits)
    if itemCount <= Self.inlineItems {
      defer { bits[partition][index] |= bit }
      return bits[partition][index] & bit != 0
    }
    if bits[partition][index] == 0 { makeWords(partition, index, itemCount) }
    let word = Int(bits[partition][index]) - 1 + line / Self.wordBits
    let block = index / Self.blockOffsets
    defer { blocks[partition][block][word] |= bit }
    return blocks[partition][block][word] & bit != 0
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
    let (partition, line) = (Int(partition), Int(line))
    let index = Int(offset - lows[partition])
    let found = bits[partition][index]
    let bit = UInt16(1) << UInt16(line % Self.wordBits)
    if itemCount <= Self.inlineItems { return found & bit != 0 }
    if found == 0 { return false }
    return blocks[partition][index / Self.blockOffsets][Int(found) - 1 + line / Self.wordBits] & bit != 0
  }

  /// Gives a large order its words.
  private mutating func makeWords(_ partition: Int, _ index: Int, _ itemCount: Int) {
    if blocks[partition].isEmpty {
      let count = (counts[partition] + Self.blockOffsets - 1) / Self.blockOffsets
      blocks[partition] = Array(repeating: [], count: count)
    }
    let block = index / Self.blockOffsets
    let words = blocks[partition][block].count
    precondition(words < Int(UInt16.max), "the orders of a block have fewer words than two bytes can number")
    bits[partition][index] = UInt16(words + 1)
    // By what is needed: doubling would cost more than the bits.
    blocks[partition][block].reserveCapacity(words + (itemCount + Self.wordBits - 1) / Self.wordBits)
    for _ in 0..<((itemCount + Self.wordBits - 1) / Self.wordBits) { blocks[partition][block].append(0) }
  }
}
