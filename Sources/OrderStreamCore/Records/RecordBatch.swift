/// Records of one topic as a consumer hands them over: one byte arena and one entry a record, owned and reused by the
/// caller, filled by `Consumer.poll`. Filling it costs no allocation once it is warm.
///
/// Not `Sendable`. Views and pointers into it are valid until the next `removeAll` or append.
public final class RecordBatch {
  /// One record. Its key, value and headers lie one after another in the arena; a length of −1 means absent (no key,
  /// tombstone), which is not empty.
  public struct Entry {
    public let offset: Offset
    /// Record timestamp, milliseconds since 1970 UTC; −1 when the broker has none.
    public let timestampMs: Int64
    /// Where the key begins in the arena.
    fileprivate let start: Int
    public let partition: Int32
    fileprivate let keyLength: Int32
    fileprivate let valueLength: Int32
    /// Of a block as in `Headers`; 0 when there are none.
    fileprivate let headersLength: Int32
  }

  // The run-time check costs as much as adding an entry; nothing that touches these calls back (docs/performance.md).

  /// The most records a poll may put in. May be lowered between polls (a throttled consumer takes few at a time).
  @exclusivity(unchecked) public var recordLimit: Int
  /// A poll stops adding records once the arena holds this many bytes; one larger record still fits, alone.
  public let byteLimit: Int

  @exclusivity(unchecked) public private(set) var entries: [Entry] = []
  /// Partitions whose end was reached in this poll, after their records in `entries`: the offset where the next record
  /// will come, which may lie beyond the last record + 1 when control or aborted records were passed.
  @exclusivity(unchecked) public private(set) var ends: [PartitionOffset] = []
  @exclusivity(unchecked) private var arena: ByteBuffer

  public init(recordLimit: Int = 10_000, byteLimit: Int = 8 << 20) {
    precondition(recordLimit > 0 && byteLimit > 0, "a batch holds at least one record")
    self.recordLimit = recordLimit
    self.byteLimit = byteLimit
    arena = ByteBuffer(capacity: 1 << 16)
    entries.reserveCapacity(min(recordLimit, 1024))
  }

  public var count: Int { entries.count }
  public var isEmpty: Bool { entries.isEmpty }
  public var byteCount: Int { arena.count }
  public var isFull: Bool { entries.count >= recordLimit || arena.count >= byteLimit }

  public func removeAll() {
    entries.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    arena.removeAll()
  }

  /// Copies one record in. Any of the three may be absent (`nil`).
  public func append(
    partition: Int32, offset: Offset, timestampMs: Int64,
    key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, headers: UnsafeRawBufferPointer? = nil
  ) {
    let arena = arena
    let start = arena.count
    if let key { arena.append(key) }
    if let value { arena.append(value) }
    if let headers { arena.append(headers) }
    append(
      partition: partition, offset: offset, timestampMs: timestampMs, start: start,
      keyLength: key.map { Int32($0.count) } ?? -1, valueLength: value.map { Int32($0.count) } ?? -1,
      headersLength: Int32(headers?.count ?? 0))
  }

  /// Adds a record whose bytes were put in by `appendBytes`: key, value and headers one after another from `start` on.
  /// - Parameters:
  ///   - keyLength: −1 for no key.
  ///   - valueLength: −1 for a tombstone.
  public func append(
    partition: Int32, offset: Offset, timestampMs: Int64, start: Int, keyLength: Int32, valueLength: Int32,
    headersLength: Int32
  ) {
    entries.append(
      Entry(
        offset: offset, timestampMs: timestampMs, start: start, partition: partition,
        keyLength: keyLength, valueLength: valueLength, headersLength: headersLength))
  }

  /// Copies bytes into the arena for entries to point at, and returns where they start.
  @inline(__always)
  public func appendBytes(_ source: UnsafeRawBufferPointer) -> Int {
    let start = arena.count
    arena.append(source)
    return start
  }

  /// Has `body` write `length` bytes into the arena for entries to point at; nothing is added when it throws.
  /// - Returns: where they start, and the bytes, valid until the next append.
  public func appendBytes(
    exactly length: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) rethrows -> (start: Int, bytes: UnsafeRawBufferPointer) {
    let start = arena.count
    try arena.append(exactly: length, body)
    return (start, UnsafeRawBufferPointer(rebasing: arena.bytes[start...]))
  }

  public func appendEnd(_ end: PartitionOffset) { ends.append(end) }

  /// Exchanges records and ends with another batch, without a copy. Each keeps its limits.
  public func exchangeContents(with other: RecordBatch) {
    swap(&entries, &other.entries)
    swap(&ends, &other.ends)
    swap(&arena, &other.arena)
  }

  /// Keeps the first `count` records and forgets the rest and the ends, for a caller that stops inside a batch.
  public func keepFirst(_ count: Int) {
    precondition(count >= 0 && count <= entries.count, "a batch keeps at most what it has")
    entries.removeSubrange(count...)
    ends.removeAll(keepingCapacity: true)
  }

  /// The values alone, for threads that look at them side by side while nobody changes the batch: a class's fields cost
  /// each look a count of references, on one place in memory for all threads.
  public struct Values: @unchecked Sendable {
    fileprivate let entries: UnsafeBufferPointer<Entry>
    fileprivate let arena: UnsafeRawBufferPointer

    /// As `View.value`.
    @inline(__always)
    public subscript(index: Int) -> UnsafeRawBufferPointer? {
      let entry = entries[index]
      if entry.valueLength < 0 { return nil }
      return RecordBatch.part(of: arena, entry.start + Int(max(entry.keyLength, 0)), entry.valueLength)
    }
  }

  /// Lends the values for as long as `body` takes.
  public func withValues(_ body: (Values) -> Void) {
    let arena = arena
    entries.withUnsafeBufferPointer { body(Values(entries: $0, arena: arena.bytes)) }
    withExtendedLifetime(arena) {}
  }

  /// One record, borrowed from the batch.
  public struct View {
    public let partition: Int32
    public let offset: Offset
    public let timestampMs: Int64
    public let key: UnsafeRawBufferPointer?
    /// `nil` for a tombstone. `ByteBuffer.tailPadding` readable bytes follow it.
    public let value: UnsafeRawBufferPointer?
    public let headers: Headers
  }

  @inline(__always)
  public subscript(index: Int) -> View {
    let entry = entries[index]
    let bytes = arena.bytes
    let value = entry.start + Int(max(entry.keyLength, 0))
    let headers = value + Int(max(entry.valueLength, 0))
    return View(
      partition: entry.partition, offset: entry.offset, timestampMs: entry.timestampMs,
      key: entry.keyLength < 0 ? nil : Self.part(of: bytes, entry.start, entry.keyLength),
      value: entry.valueLength < 0 ? nil : Self.part(of: bytes, value, entry.valueLength),
      headers: Headers(block: Self.part(of: bytes, headers, entry.headersLength)))
  }

  @inline(__always)
  private static func part(
    of arena: UnsafeRawBufferPointer, _ start: Int, _ length: Int32
  ) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: arena[start..<start + Int(length)])
  }
}
