/// A stretch of the output topic in output order, held in memory while its sources are read. Bounded by
/// `eventLimit` and `byteLimit`.
final class AuditWindow {
  static let eventLimit = 32_000
  static let byteLimit = 8 << 20

  /// What is known about one inventory event.
  struct Event {
    let outputPartition: Int32
    let outputOffset: Offset
    /// Milliseconds since 1970.
    let timestampMs: Int64
    /// `nil`: no source header, or one that names nothing.
    let source: SourceHeader?
    fileprivate let keyStart: Int
    /// −1: no key.
    fileprivate let keyLength: Int
    fileprivate let valueStart: Int
    fileprivate let valueLength: Int
    /// Of a block of headers behind the value; 0 where they are not kept.
    fileprivate let headersLength: Int
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
    /// Nobody asked about its source.
    case outside
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

  /// - Parameter keepsHeaders: Whether all headers are wanted, and not only the source.
  func append(_ record: RecordBatch.View, source: SourceHeader?, keepsHeaders: Bool = false) {
    let keyStart = arena.count
    if let key = record.key { arena.append(key) }
    let valueStart = arena.count
    if let value = record.value { arena.append(value) }
    if keepsHeaders { arena.append(record.headers.block) }
    events.append(
      Event(
        outputPartition: record.partition, outputOffset: record.offset, timestampMs: record.timestampMs, source: source,
        keyStart: keyStart, keyLength: record.key?.count ?? -1, valueStart: valueStart,
        valueLength: record.value?.count ?? -1, headersLength: keepsHeaders ? record.headers.block.count : 0))
  }

  func key(_ event: Event) -> UnsafeRawBufferPointer? { bytes(event.keyStart, event.keyLength) }

  func value(_ event: Event) -> UnsafeRawBufferPointer? { bytes(event.valueStart, event.valueLength) }

  func headers(_ event: Event) -> Headers {
    let start = event.valueStart + max(event.valueLength, 0)
    return Headers(block: UnsafeRawBufferPointer(rebasing: arena.bytes[start..<(start + event.headersLength)]))
  }

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

  // MARK: - Sources

  /// Reads the records that the events name as their sources, each once and in offset order, and hands out each with the
  /// indexes of its events, by line. Events of another topic, and those whose source retention has removed, get their
  /// verdicts.
  /// - Parameter scope: the sources that are verified.
  /// - Returns: `false` when a stop was requested: nothing may be judged by what was not read.
  func readSources(
    _ scope: AuditScope, _ reader: TopicReader, _ visit: (RecordBatch.View, _ events: ArraySlice<Int>) -> Void
  ) throws(BrokerError) -> Bool {
    let source = scope.audited
    var ranges = source.map { $0.lowerBound..<$0.lowerBound }
    var order: [Int] = []
    for (index, event) in events.enumerated() {
      guard let header = event.source else { continue }
      if !header.isOfTopic {
        setVerdict(.other, at: index)
        continue
      }
      guard header.partition < source.count else { continue }
      let known = source[Int(header.partition)]
      if scope.isOutside(Int(header.partition), header.offset) {
        setVerdict(.outside, at: index)
      } else if header.offset < known.lowerBound {
        setVerdict(.unverifiable, at: index)
      } else if header.offset < known.upperBound {
        let range = ranges[Int(header.partition)]
        ranges[Int(header.partition)] =
          range.isEmpty
          ? header.offset..<header.offset.next
          : min(range.lowerBound, header.offset)..<max(range.upperBound, header.offset.next)
        order.append(index)
      }
    }
    order.sort { isBefore(events[$0], events[$1]) }
    var cursors = groups(order, count: source.count)
    let wanted = ranges.enumerated().map { PartitionRange(partition: Int32($0), offsets: $1) }
    return try reader.read(wanted) { [self] record throws(BrokerError) in
      let cursor = cursors[Int(record.partition)]
      var start = cursor.lowerBound
      while start < cursor.upperBound, sourceOffset(order[start]) < record.offset { start += 1 }
      var end = start
      while end < cursor.upperBound, sourceOffset(order[end]) == record.offset { end += 1 }
      cursors[Int(record.partition)] = end..<cursor.upperBound
      if start < end { visit(record, order[start..<end]) }
      return true
    }
  }

  private func sourceOffset(_ index: Int) -> Offset { events[index].source?.offset ?? 0 }

  private func isBefore(_ left: Event, _ right: Event) -> Bool {
    guard let left = left.source, let right = right.source else { return false }
    return (left.partition, left.offset, left.line) < (right.partition, right.offset, right.line)
  }

  /// The slices of a sorted list of events that belong to each source partition.
  private func groups(_ sorted: [Int], count: Int) -> [Range<Int>] {
    var groups = Array(repeating: 0..<0, count: count)
    var start = 0
    while start < sorted.count {
      let number = events[sorted[start]].source?.partition ?? 0
      var end = start
      while end < sorted.count, events[sorted[end]].source?.partition == number { end += 1 }
      groups[Int(number)] = start..<end
      start = end
    }
    return groups
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
