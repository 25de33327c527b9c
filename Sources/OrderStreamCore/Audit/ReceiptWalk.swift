/// A run of `produce` and the file that has its receipt.
public struct ReceiptOfFile: Sendable {
  public var file: String
  public var receipt: Receipt

  public init(file: String, receipt: Receipt) {
    self.file = file
    self.receipt = receipt
  }
}

/// A chunk of a receipt, by the indexes of its run and of itself in its partition.
struct ChunkIndex: Hashable {
  var run: Int
  var chunk: Int
}

/// Walks over the chunks that receipts have of one partition, as its records come in the order of their offsets. Chunks of
/// different runs may lie in each other and name the same offsets: each is walked over by itself.
struct ReceiptWalk {
  /// A chunk that has begun.
  struct Open {
    let index: ChunkIndex
    let offsets: [ClosedRange<Offset>]
    /// Of its records that are there; `nil` when nobody wants it.
    fileprivate let hash: RecordHash?
    /// The range and the offset in it that come next, and which record of the chunk that is, from 0.
    private var range = 0
    private var next: Offset
    private var position: Int64 = 0
    /// Records that are there, that are not, and that lie below the start of the log.
    private(set) var present: Int64 = 0
    private(set) var missing: Int64 = 0
    private(set) var removed: Int64 = 0
    /// The first stretches that are missing, and which record of the chunk each begins with.
    private(set) var gaps: [(offsets: ClosedRange<Offset>, position: Int64)] = []

    fileprivate init(_ index: ChunkIndex, _ offsets: [ClosedRange<Offset>], hash: RecordHash?) {
      self.index = index
      self.offsets = offsets
      self.hash = hash
      next = offsets[0].lowerBound
    }

    var first: Offset { offsets[0].lowerBound }
    var last: Offset { offsets[offsets.count - 1].upperBound }

    /// The same chunk from its begin.
    func rewound() -> Open { Open(index, offsets, hash: nil) }

    /// Passes what lies before an offset that is not behind the last one.
    /// - Returns: which record of the chunk is at the offset; `nil` when none is.
    mutating func pass(to offset: Offset, low: Offset) -> Int64? {
      while offset > offsets[range].upperBound { skipRange(low) }
      guard offset >= next else { return nil }
      if offset > next { skip(next...(offset - 1), low) }
      defer {
        present += 1
        position += 1
        next = offset.next
        if offset == offsets[range].upperBound, range + 1 < offsets.count { enter(range + 1) }
      }
      return position
    }

    /// Passes all that is left.
    fileprivate mutating func finish(_ low: Offset) {
      while range < offsets.count, next <= last { skipRange(low) }
    }

    private mutating func enter(_ number: Int) {
      range = number
      next = offsets[number].lowerBound
    }

    private mutating func skipRange(_ low: Offset) {
      if next <= offsets[range].upperBound { skip(next...offsets[range].upperBound, low) }
      if range + 1 < offsets.count { enter(range + 1) } else { next = last.next }
    }

    private mutating func skip(_ skipped: ClosedRange<Offset>, _ low: Offset) {
      let count = Int64(skipped.count)
      let gone = min(max(low - skipped.lowerBound, 0), count)
      removed += gone
      missing += count - gone
      if gone < count, gaps.count < AuditFindings.violationLimit {
        gaps.append(((skipped.lowerBound + gone)...skipped.upperBound, position + gone))
      }
      position += count
      next = skipped.upperBound.next
    }
  }

  private let receipts: [ReceiptOfFile]
  private let partition: Int
  /// The start of the log.
  private let low: Offset
  private let isHashing: Bool
  /// By their first offsets.
  private let chunks: [ChunkIndex]
  private var nextChunk = 0
  /// The first offset of the chunk that begins next.
  private var nextFirst = Offset.max
  private var open: [Open] = []
  private var spareHashes: [RecordHash] = []

  init(_ receipts: [ReceiptOfFile], partition: Int, low: Offset, isHashing: Bool) {
    self.receipts = receipts
    self.partition = partition
    self.low = low
    self.isHashing = isHashing
    var chunks: [ChunkIndex] = []
    for (run, file) in receipts.enumerated() where partition < file.receipt.partitions.count {
      chunks += file.receipt.partitions[partition].chunks.indices.map { ChunkIndex(run: run, chunk: $0) }
    }
    let first = { (index: ChunkIndex) in
      receipts[index.run].receipt.partitions[partition].chunks[index.chunk].offsets[0].lowerBound
    }
    // They mostly are in order already.
    chunks.sort { first($0) < first($1) }
    self.chunks = chunks
    if let index = chunks.first { nextFirst = first(index) }
  }

  /// Offsets from the first to the last that a receipt names; `nil` when none names one.
  var extent: ClosedRange<Offset>? {
    let ranges = chunks.map { self[$0].offsets }
    guard let first = ranges.first?.first?.lowerBound, let last = ranges.compactMap(\.last?.upperBound).max() else {
      return nil
    }
    return first...last
  }

  private subscript(_ index: ChunkIndex) -> Receipt.Chunk {
    receipts[index.run].receipt.partitions[partition].chunks[index.chunk]
  }

  /// Takes the next record.
  /// - Parameter close: gets each chunk that is over, with the digest of its records that are there.
  /// - Returns: a chunk that names its offset; `nil` when none does.
  mutating func take(_ record: RecordBatch.View, _ close: (Open, Digest?) -> Void) -> ChunkIndex? {
    let offset = record.offset
    while nextFirst <= offset, nextChunk < chunks.count { openNext() }
    var found: ChunkIndex?
    var place = 0
    while place < open.count {
      if open[place].last < offset {
        self.close(open.remove(at: place), close)
        continue
      }
      if open[place].pass(to: offset, low: low) != nil {
        open[place].hash?.add(key: record.key, value: record.value)
        found = open[place].index
      }
      place += 1
    }
    return found
  }

  /// Ends the partition: all that was not there is missing.
  mutating func finish(_ close: (Open, Digest?) -> Void) {
    while nextChunk < chunks.count { openNext() }
    while !open.isEmpty { self.close(open.removeFirst(), close) }
  }

  private mutating func openNext() {
    let index = chunks[nextChunk]
    nextChunk += 1
    nextFirst = nextChunk < chunks.count ? self[chunks[nextChunk]].offsets[0].lowerBound : .max
    let hash = isHashing ? spareHashes.popLast() ?? RecordHash() : nil
    open.append(Open(index, self[index].offsets, hash: hash))
  }

  private mutating func close(_ chunk: Open, _ body: (Open, Digest?) -> Void) {
    var chunk = chunk
    chunk.finish(low)
    body(chunk, chunk.hash?.finish())
    if let hash = chunk.hash { spareHashes.append(hash) }
  }
}
