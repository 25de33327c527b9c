/// Records of a partition at offsets that no receipt names: what was acknowledged without an offset, what was acknowledged
/// elsewhere in the partition and is there again, and what nobody was told of.
///
/// They are kept as SHA-256 digests, a slice at a time, and the acknowledged records are read again and looked up.
final class UnreceiptedRecords {
  struct Twice {
    /// Of the record that is there again.
    var offset: Offset
    /// Where it was acknowledged; `nil` of one without an offset.
    var first: Offset?
    var run: Int
    /// `nil` of one without an offset.
    var chunk: Int?
    var key: String?
  }

  struct Missing {
    var run: Int
    var key: String?
    var count: Int64
  }

  struct Counts {
    var unacknowledged: Int64 = 0
    var others: Int64 = 0
  }

  /// 48 bytes each.
  private static let sliceLimit = 200_000

  /// A digest without a place of its own in memory.
  private struct Words: Hashable {
    var first: UInt64
    var second: UInt64
    var third: UInt64
    var fourth: UInt64

    init(_ digest: Digest) {
      (first, second, third, fourth) = digest.bytes.withUnsafeBytes { bytes in
        func word(_ number: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: number * 8, as: UInt64.self) }
        return (word(0), word(1), word(2), word(3))
      }
    }
  }

  private struct Record {
    var words: Words
    var offset: Offset
    /// Whether a run has made it without an acknowledgement.
    var isUnacknowledged: Bool
    var isTwice = false
  }

  private struct Unplaced {
    var run: Int
    var key: String?
    var left: Int64
  }

  private let topic: String
  private let receipts: [ReceiptOfFile]
  private let hash = RecordHash()
  private var partition = 0
  private var range: Range<Offset> = 0..<0
  private var records: [Record] = []
  private var unplaced: [Words: Unplaced] = [:]
  /// The first ones, and how many there are by run.
  private var twice: [Twice] = []
  private var twiceCounts: [Int: Int64] = [:]

  init(topic: String, _ receipts: [ReceiptOfFile]) {
    self.topic = topic
    self.receipts = receipts
  }

  var isFull: Bool { records.count >= Self.sliceLimit }

  func begin(_ partition: Int, _ range: Range<Offset>) {
    self.partition = partition
    self.range = range
    unplaced = [:]
    for (run, file) in receipts.enumerated() where partition < file.receipt.partitions.count {
      for record in file.receipt.partitions[partition].withoutOffset {
        unplaced[Words(record.digest), default: Unplaced(run: run, key: record.key, left: 0)].left += 1
      }
    }
  }

  /// - Parameter orders: of each run, what makes its orders again.
  func add(_ record: RecordBatch.View, _ orders: [ReceiptOrders?]) {
    hash.add(key: record.key, value: record.value)
    let words = Words(hash.finish())
    if let found = unplaced[words] {
      if found.left > 0 {
        unplaced[words]?.left -= 1
      } else {
        note(Twice(offset: record.offset, run: found.run, key: AuditFindings.text(record.key)))
      }
      return
    }
    let isUnacknowledged = orders.contains { orders in
      guard let orders, let number = orders.number(of: record) else { return false }
      return !orders.isAcknowledged(number, partition: partition)
    }
    // Doubling would leave room for as many again.
    if records.isEmpty { records.reserveCapacity(Self.sliceLimit) }
    records.append(Record(words: words, offset: record.offset, isUnacknowledged: isUnacknowledged))
  }

  /// Decides about the slice.
  /// - Parameter reader: of the topic, beside the one that the slice comes from.
  /// - Returns: how many are there just once; `nil` when a stop was requested.
  func resolve(_ reader: () throws(BrokerError) -> TopicReader) throws(BrokerError) -> Counts? {
    if records.isEmpty { return Counts() }
    var walk = ReceiptWalk(receipts, partition: partition, low: range.lowerBound, isHashing: false)
    if let extent = walk.extent {
      let offsets = max(extent.lowerBound, range.lowerBound)..<min(extent.upperBound.next, range.upperBound)
      if offsets.lowerBound < offsets.upperBound {
        records.sort { $0.words.first < $1.words.first }
        let reader = try reader()
        let wanted = PartitionRange(partition: Int32(partition), offsets: offsets)
        let isRead = try reader.read([wanted]) { record throws(BrokerError) in
          if let chunk = walk.take(record, { _, _ in }) { compare(record, chunk) }
          return true
        }
        guard isRead else { return nil }
      }
    }
    var counts = Counts()
    for record in records where !record.isTwice {
      if record.isUnacknowledged { counts.unacknowledged += 1 } else { counts.others += 1 }
    }
    records.removeAll(keepingCapacity: true)
    return counts
  }

  /// Marks the records of the slice that are an acknowledged one.
  private func compare(_ record: RecordBatch.View, _ chunk: ChunkIndex) {
    hash.add(key: record.key, value: record.value)
    let words = Words(hash.finish())
    var (low, high) = (0, records.count)
    while low < high {
      let middle = (low + high) / 2
      if records[middle].words.first < words.first { low = middle + 1 } else { high = middle }
    }
    while low < records.count, records[low].words.first == words.first {
      if records[low].words == words, !records[low].isTwice {
        records[low].isTwice = true
        note(
          Twice(
            offset: records[low].offset, first: record.offset, run: chunk.run, chunk: chunk.chunk,
            key: AuditFindings.text(record.key)))
      }
      low += 1
    }
  }

  private func note(_ record: Twice) {
    twiceCounts[record.run, default: 0] += 1
    if twice.count < AuditFindings.violationLimit { twice.append(record) }
  }

  /// What was found to be there twice since the last call: the first ones, and how many by run.
  func takeTwice() -> (first: [Twice], counts: [Int: Int64]) {
    defer { (twice, twiceCounts) = ([], [:]) }
    return (twice, twiceCounts)
  }

  /// What was acknowledged without an offset and was not found.
  func takeUnplaced() -> [Missing] {
    defer { unplaced = [:] }
    return unplaced.values.filter { $0.left > 0 }.map { Missing(run: $0.run, key: $0.key, count: $0.left) }
      .sorted { ($0.run, $0.key ?? "") < ($1.run, $1.key ?? "") }
  }
}
