/// Records of one topic as a consumer hands them over: one byte arena and one entry a record, owned and reused by the
/// caller, filled by `Consumer.poll`. Filling it costs no allocation once it is warm.
///
/// Not `Sendable`. Views and pointers into it are valid until the next `removeAll` or append.
public final class RecordBatch {
  /// A span of the arena; `length` −1 means absent (no key, tombstone), which is not empty.
  public struct Span {
    public var start: Int
    public var length: Int32

    public init(start: Int, length: Int32) {
      self.start = start
      self.length = length
    }

    public static var absent: Span { Span(start: 0, length: -1) }
  }

  public struct Entry {
    public var partition: Int32
    public var offset: Offset
    /// Record timestamp, milliseconds since 1970 UTC; −1 when the broker has none.
    public var timestampMs: Int64
    public var key: Span
    public var value: Span
    /// A block as in `Headers`; length 0 or −1 when there are none.
    public var headers: Span

    public init(partition: Int32, offset: Offset, timestampMs: Int64, key: Span, value: Span, headers: Span) {
      self.partition = partition
      self.offset = offset
      self.timestampMs = timestampMs
      self.key = key
      self.value = value
      self.headers = headers
    }
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
    append(
      Entry(
        partition: partition, offset: offset, timestampMs: timestampMs, key: Self.copy(key, to: arena),
        value: Self.copy(value, to: arena), headers: Self.copy(headers, to: arena)))
  }

  /// Adds an entry whose spans point at bytes put in by `appendBytes`.
  @inline(__always)
  public func append(_ entry: Entry) { entries.append(entry) }

  /// Copies bytes into the arena for entries to point at, and returns where they start.
  @inline(__always)
  public func appendBytes(_ source: UnsafeRawBufferPointer) -> Int {
    let start = arena.count
    arena.append(source)
    return start
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

  @inline(__always)
  private static func copy(_ bytes: UnsafeRawBufferPointer?, to arena: ByteBuffer) -> Span {
    guard let bytes else { return .absent }
    let start = arena.count
    arena.append(bytes)
    return Span(start: start, length: Int32(bytes.count))
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
    return View(
      partition: entry.partition, offset: entry.offset, timestampMs: entry.timestampMs,
      key: Self.bytes(entry.key, in: bytes), value: Self.bytes(entry.value, in: bytes),
      headers: Self.bytes(entry.headers, in: bytes).map(Headers.init(block:)) ?? .none)
  }

  @inline(__always)
  private static func bytes(_ span: Span, in arena: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard span.length >= 0 else { return nil }
    guard let base = arena.baseAddress else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: base + span.start, count: Int(span.length))
  }
}
