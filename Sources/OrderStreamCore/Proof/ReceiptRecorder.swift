import Synchronization

/// Makes the lines of a receipt of what a producer tells. Knows no file and no clock: whoever has those takes the lines
/// out, once a second, and ends the receipt.
///
/// Its memory is that of a chunk for each partition, the lines that nobody has taken, and a bit for each record that is
/// sent between the oldest one without an answer and the newest.
public final class ReceiptRecorder: DeliveryObserver, @unchecked Sendable {
  // All that can change is touched only while `lock` is held.
  private let lock = Mutex<Void>(())
  /// Record bytes that are digested at a time.
  private static let digestBytes = 16 << 10
  /// Bytes of lines that may wait before `overflow` is called.
  public static let lineLimit = 4 << 20

  /// Of generated orders.
  private var firstOrder: Int64?
  /// Has the lines taken out, when they become many.
  private let overflow: @Sendable () -> Void

  // Touched for each record, by nothing that calls back: the run-time check is left out (docs/performance.md).
  /// By partition.
  @exclusivity(unchecked) private var open: [OpenChunk] = []
  /// Records of one partition that are not digested yet.
  private let undigested = ByteBuffer(capacity: ReceiptRecorder.digestBytes + (4 << 10))
  @exclusivity(unchecked) private var undigestedPartition = 0
  /// Partitions whose open chunk has more than its last line says.
  @exclusivity(unchecked) private var changed: [Int] = []
  @exclusivity(unchecked) private var answered = SequenceWindow()
  @exclusivity(unchecked) private var counts = Counts()
  private var lines = ByteBuffer()
  private var failed = NumberRanges()
  private var unknown = NumberRanges()
  private var isEnded = false

  /// Records so far.
  public struct Counts: Sendable {
    /// With and without an offset.
    public var acknowledged: Int64 = 0
    public var withoutOffset: Int64 = 0
    public var failed: Int64 = 0
    public var unknown: Int64 = 0
  }

  /// - Parameter overflow: called on a thread of the producer.
  public init(overflow: @escaping @Sendable () -> Void = {}) { self.overflow = overflow }

  /// To be called before anything is sent: the head's line comes first.
  public func begin(_ head: Receipt.Head) {
    lock.withLock { _ in
      firstOrder = head.orders?.firstOrder
      open = Array(repeating: OpenChunk(), count: Int(head.partitionCount))
      ReceiptLine.head(head).append(to: lines)
    }
  }

  // MARK: - What the producer tells

  public func together(_ body: () -> Void) {
    let isFull = lock.withLock { _ in
      if !isEnded { body() }
      return lines.count >= Self.lineLimit
    }
    if isFull { overflow() }
  }

  public func acknowledged(_ record: AcknowledgedRecord) {
    counts.acknowledged += 1
    answered.insert(record.sequence)
    let partition = Int(record.partition)
    guard let offset = record.offset else { return noteWithoutOffset(record) }
    if partition != undigestedPartition {
      digest()
      undigestedPartition = partition
    }
    if !open[partition].takes(offset, record.sequence) { close(partition) }
    if open[partition].add(offset, record.sequence) { changed.append(partition) }
    RecordDigests.append(key: record.key, value: record.value, to: undigested)
    if open[partition].records == Receipt.chunkRecords {
      close(partition)
    } else if undigested.count >= Self.digestBytes {
      digest()
    }
  }

  public func failed(_ sequence: Int64, mayBeOnLog: Bool) {
    answered.insert(sequence)
    if mayBeOnLog {
      counts.unknown += 1
      unknown.append(sequence)
    } else {
      counts.failed += 1
      failed.append(sequence)
    }
  }

  private func noteWithoutOffset(_ record: AcknowledgedRecord) {
    counts.withoutOffset += 1
    let key = record.key.flatMap { UTF8Text.isValid($0) ? String(decoding: $0, as: UTF8.self) : nil }
    let digest = Digest(key: record.key, value: record.value)
    ReceiptLine.withoutOffset([.init(partition: record.partition, key: key, digest: digest)]).append(to: lines)
  }

  // MARK: - Chunks

  private func digest() {
    guard !undigested.isEmpty else { return }
    open[undigestedPartition].hash.add(undigested.bytes)
    undigested.removeAll()
  }

  /// Ends the chunk of a partition whose records are those that wait to be digested.
  private func close(_ partition: Int) {
    digest()
    append(partition, open[partition].hash.finish())
    open[partition].beginNext()
  }

  private func append(_ partition: Int, _ digest: Digest) {
    let chunk = open[partition]
    ReceiptLine.chunk(
      Receipt.Chunk(
        partition: Int32(partition), number: chunk.number, offsets: chunk.offsets,
        orders: firstOrder.map { $0 + chunk.sequences.lowerBound...$0 + chunk.sequences.upperBound }, digest: digest)
    ).append(to: lines)
  }

  /// Writes the open chunks as they stand, where they have grown.
  private func appendOpen() {
    digest()
    for partition in changed {
      open[partition].isListed = false
      if open[partition].records > 0 { append(partition, open[partition].hash.soFar) }
    }
    changed.removeAll(keepingCapacity: true)
  }

  // MARK: - The lines

  /// Moves the lines that have come since the last call to the end of a buffer, those of open chunks as they stand too.
  /// - Returns: How many records are acknowledged by these lines and those before them.
  public func takeLines(into buffer: ByteBuffer) -> Int64 {
    lock.withLock { _ in
      appendOpen()
      buffer.append(lines.bytes)
      // A longer stop of the disk leaves no room behind.
      if lines.capacity > Self.lineLimit { lines = ByteBuffer() } else { lines.removeAll() }
      return counts.acknowledged
    }
  }

  /// Ends the receipt: its tail is the last line, and nothing that the producer still tells is heard.
  /// - Parameters:
  ///   - sent: records, acknowledged or not; those that nothing was told of may be on the log.
  ///   - milliseconds: since 1970.
  ///   - input: the lines of somebody else that were read, with the digest of all bytes where they were read to their end.
  public func end(sent: Int64, at milliseconds: Int64, input: (lines: Int64, digest: Digest?)? = nil) {
    lock.withLock { _ in
      guard !isEnded else { return }
      isEnded = true
      for range in answered.missing(below: sent) {
        counts.unknown += Int64(range.count)
        unknown.append(range)
      }
      appendOpen()
      var tail = Receipt.Tail(isComplete: counts.unknown == 0, endedMilliseconds: milliseconds)
      (tail.acknowledged, tail.withoutOffset) = (counts.acknowledged, counts.withoutOffset)
      (tail.failed, tail.unknown) = (counts.failed, counts.unknown)
      if let firstOrder {
        tail.failedOrders = failed.ranges(from: firstOrder)
        tail.unknownOrders = unknown.ranges(from: firstOrder)
      }
      (tail.inputLines, tail.inputDigest) = (input?.lines, input?.digest)
      ReceiptLine.tail(tail).append(to: lines)
    }
  }

  /// What was told so far.
  public var soFar: Counts { lock.withLock { _ in counts } }
}

/// The chunk of a partition that grows.
private struct OpenChunk {
  var number: Int64 = 0
  var records: Int64 = 0
  /// Whether the partition stands among the changed ones.
  var isListed = false
  /// Made for the first record.
  lazy var hash = IncrementalHash()
  /// Ranges before the last one.
  private var ranges: [ClosedRange<Offset>] = []
  private var start: Offset = 0
  private var last: Offset = 0
  private var firstSequence: Int64 = 0
  private var lastSequence: Int64 = 0

  var offsets: [ClosedRange<Offset>] { ranges + [start...last] }
  var sequences: ClosedRange<Int64> { firstSequence...lastSequence }

  /// Whether a record comes behind those that are there.
  @inline(__always)
  func takes(_ offset: Offset, _ sequence: Int64) -> Bool {
    records == 0 || offset > last && sequence > lastSequence
  }

  /// - Returns: Whether the partition is to be listed among the changed ones.
  @inline(__always)
  mutating func add(_ offset: Offset, _ sequence: Int64) -> Bool {
    if records == 0 {
      (start, firstSequence) = (offset, sequence)
    } else if offset != last + 1 {
      ranges.append(start...last)
      start = offset
    }
    (last, lastSequence) = (offset, sequence)
    records += 1
    defer { isListed = true }
    return !isListed
  }

  mutating func beginNext() {
    number += 1
    records = 0
    ranges.removeAll(keepingCapacity: true)
  }
}

/// Which sequences have come, where they come in nearly ascending order: one bit each between the first one that has not
/// and the last one that has.
struct SequenceWindow {
  /// Words before it are whole, and kept until they are half of all.
  private var head = 0
  /// Of the word at `head`.
  private var base: Int64 = 0
  private var words: [UInt64] = [0]

  @inline(__always)
  mutating func insert(_ sequence: Int64) {
    let distance = sequence - base
    guard distance >= 0 else { return }
    let word = head + Int(distance >> 6)
    while word >= words.count { words.append(0) }
    words[word] |= 1 << UInt64(distance & 63)
    if word == head { advance() }
  }

  private mutating func advance() {
    while words[head] == .max {
      head += 1
      base += 64
      if head == words.count { words.append(0) }
    }
    if head > 1024, head * 2 > words.count {
      words.removeFirst(head)
      head = 0
    }
  }

  /// What has not come, ascending.
  func missing(below end: Int64) -> [ClosedRange<Int64>] {
    var ranges: [ClosedRange<Int64>] = []
    var sequence = base
    while sequence < end {
      let word = head + Int((sequence - base) >> 6)
      let bits = word < words.count ? words[word] : 0
      let next = min(end, sequence + 64)
      if bits == 0 || bits == .max {
        if bits == 0 { Self.append(sequence...next - 1, to: &ranges) }
      } else {
        for one in sequence..<next where bits & 1 << UInt64(one - sequence) == 0 { Self.append(one...one, to: &ranges) }
      }
      sequence = next
    }
    return ranges
  }

  private static func append(_ range: ClosedRange<Int64>, to ranges: inout [ClosedRange<Int64>]) {
    if let last = ranges.last, last.upperBound + 1 == range.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound...range.upperBound
    } else {
      ranges.append(range)
    }
  }
}

/// Numbers as ranges, as many as a receipt lists.
struct NumberRanges {
  private var all: [ClosedRange<Int64>] = []
  /// There are more than are listed; what still comes is not looked at.
  private var isCut = false

  mutating func append(_ number: Int64) { append(number...number) }

  mutating func append(_ range: ClosedRange<Int64>) {
    if let last = all.last, last.upperBound + 1 == range.lowerBound {
      all[all.count - 1] = last.lowerBound...range.upperBound
      return
    }
    if isCut { return }
    if all.count >= 2 * Receipt.rangeLimit {
      merge()
      isCut = all.count > Receipt.rangeLimit
    }
    if !isCut { all.append(range) }
  }

  private mutating func merge() {
    var merged: [ClosedRange<Int64>] = []
    for range in all.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    all = merged
  }

  /// - Parameter first: the number of 0.
  func ranges(from first: Int64) -> [ClosedRange<Int64>] {
    var copy = self
    copy.merge()
    return copy.all.prefix(Receipt.rangeLimit).map { first + $0.lowerBound...first + $0.upperBound }
  }
}
