/// What a position record says beside its offset, so that what was lost or altered around it is noticed: how many other
/// state records the partition has and the sum of their checksums, and which topics the group has read and written.
///
/// Layout, little-endian: `u32 records | u64 sum of their checksums | mark of the source | u8 1 if there is an output,
/// then u8 length and name of the output, its mark, and i64 events`. A mark is `u8 length and id (0: unknown) | u8 1 if there is a
/// record, then i32 partition | i64 offset | u64 fingerprint`.
public struct StateProof: Hashable, Sendable {
  /// A topic that the group writes, by name.
  public struct Output: Hashable, Sendable {
    public var topic: String
    public var mark: TopicMark
    /// Records that were written to it for this source partition, from the first one on.
    public var events: Int64

    public init(topic: String, mark: TopicMark, events: Int64) {
      self.topic = topic
      self.mark = mark
      self.events = events
    }
  }

  public var records: UInt32 = 0
  /// Wrapping.
  public var checksums: UInt64 = 0
  public var source = TopicMark()
  /// The first output; `nil` for jobs that only read.
  public var output: Output?

  public init() {}

  func append(to buffer: ByteBuffer) {
    buffer.append(littleEndian: records)
    buffer.append(littleEndian: checksums)
    source.append(to: buffer)
    buffer.append(output == nil ? 0 : 1)
    if let output {
      Self.append(output.topic, to: buffer)
      output.mark.append(to: buffer)
      buffer.append(littleEndian: output.events)
    }
  }

  /// Takes a proof off the front of `bytes`; `nil` when they do not begin with one.
  init?(taking bytes: inout UnsafeRawBufferPointer) {
    var reader = Reader(rest: bytes)
    guard let records = reader.take(UInt32.self), let checksums = reader.take(UInt64.self),
      let source = TopicMark(&reader), let hasOutput = reader.take(UInt8.self), hasOutput <= 1
    else { return nil }
    self.records = records
    self.checksums = checksums
    self.source = source
    if hasOutput == 1 {
      guard let topic = reader.takeText(), let mark = TopicMark(&reader), let events = reader.take(Int64.self),
        events >= 0
      else { return nil }
      output = Output(topic: topic, mark: mark, events: events)
    }
    bytes = reader.rest
  }

  /// Names and ids have at most 255 bytes.
  fileprivate static func append(_ text: String, to buffer: ByteBuffer) {
    let bytes = text.utf8.prefix(255)
    buffer.append(UInt8(bytes.count))
    bytes.forEach { buffer.append($0) }
  }

  fileprivate struct Reader {
    var rest: UnsafeRawBufferPointer

    mutating func take<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> T? {
      guard rest.count >= MemoryLayout<T>.size else { return nil }
      defer { rest = UnsafeRawBufferPointer(rebasing: rest[MemoryLayout<T>.size...]) }
      return rest.littleEndian(at: 0, as: type)
    }

    mutating func takeText() -> String? {
      guard let length = take(UInt8.self), rest.count >= Int(length) else { return nil }
      defer { rest = UnsafeRawBufferPointer(rebasing: rest[Int(length)...]) }
      return String(decoding: rest.prefix(Int(length)), as: UTF8.self)
    }
  }
}

/// What tells a topic from another one that is made later under its name.
public struct TopicMark: Hashable, Sendable {
  /// The broker's own id; `nil` where it gives none.
  public var id: String?
  /// A record that the topic holds, the last one that was covered; `nil` while the id is enough, or before the first.
  public var record: RecordMark?

  public init(id: String? = nil, record: RecordMark? = nil) {
    self.id = id
    self.record = record
  }

  fileprivate func append(to buffer: ByteBuffer) {
    StateProof.append(id ?? "", to: buffer)
    buffer.append(record == nil ? 0 : 1)
    if let record {
      buffer.append(littleEndian: record.partition)
      buffer.append(littleEndian: record.offset)
      buffer.append(littleEndian: record.fingerprint)
    }
  }

  fileprivate init?(_ reader: inout StateProof.Reader) {
    guard let id = reader.takeText(), let hasRecord = reader.take(UInt8.self), hasRecord <= 1 else { return nil }
    self.id = id.isEmpty ? nil : id
    if hasRecord == 1 {
      guard let partition = reader.take(Int32.self), let offset = reader.take(Int64.self),
        let fingerprint = reader.take(UInt64.self), partition >= 0, offset >= 0
      else { return nil }
      record = RecordMark(partition: partition, offset: offset, fingerprint: fingerprint)
    }
  }
}

/// A record of a topic and what it holds: partition, offset, and a fingerprint of timestamp, key and value.
public struct RecordMark: Hashable, Sendable {
  public var partition: Int32
  public var offset: Offset
  public var fingerprint: UInt64

  public init(partition: Int32, offset: Offset, fingerprint: UInt64) {
    self.partition = partition
    self.offset = offset
    self.fingerprint = fingerprint
  }

  public init(_ record: RecordBatch.View) {
    self.init(
      partition: record.partition, offset: record.offset, timestampMs: record.timestampMs, key: record.key,
      value: record.value)
  }

  public init(
    partition: Int32, offset: Offset, timestampMs: Int64, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?
  ) {
    var fingerprint = Fingerprint()
    fingerprint.add(timestampMs)
    fingerprint.add(key)
    fingerprint.add(value)
    self.init(partition: partition, offset: offset, fingerprint: fingerprint.value)
  }
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): tells altered or exchanged bytes apart by accident's standards,
/// not by an attacker's. Each part is ended by its length, so that bytes cannot move from one part to the next unseen.
public struct Fingerprint: Sendable {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
  private static let prime: UInt64 = 0x100_0000_01b3

  public init() {}

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* Self.prime }
    add(Int64(bytes.count))
  }

  /// An absent part is not an empty one.
  public mutating func add(_ bytes: UnsafeRawBufferPointer?) {
    if let bytes { add(bytes) } else { add(-1) }
  }

  public mutating func add(_ number: Int64) {
    withUnsafeBytes(of: number.littleEndian) { bytes in
      for byte in bytes { value = (value ^ UInt64(byte)) &* Self.prime }
    }
  }
}

/// Whether a topic is the one that a group's state speaks of, or another one that was made later under its name.
///
/// The broker's own id decides where there is one. Else committed offsets do, because brokers drop them with their topic;
/// and where those are gone (they expire too), the last record that the state covers: it must still be there, unless
/// retention has taken it. State of 0.1.0 names no record: then the topic must hold a record from before it was written.
struct TopicIdentity {
  enum Verdict: Equatable {
    case same
    case madeAnew
    /// The state reaches beyond the end of a partition that has kept the group's offsets.
    case beyondEnd
    /// It cannot be told, and why.
    case unknown(String)
  }

  let topic: String
  /// The broker's id of the topic as it is now.
  let id: String?
  let broker: any Broker
  let admin: any Admin
  let stop: StopFlag

  /// - Parameters:
  ///   - position: of the group's state in this partition.
  ///   - committed: the group's committed offset in it, if any.
  ///   - watermarks: of the partition now.
  func verdict(
    _ partition: Int32, _ position: StoredPosition, committed: Offset?, watermarks: Watermarks
  ) throws(BrokerError) -> Verdict {
    if position.origin == .earlierTopic { return .madeAnew }
    let mark = position.proof?.source
    if let known = mark?.id, let id, known != id { return .madeAnew }
    let isSame = committed != nil || position.origin == .thisTopic || mark?.id != nil && mark?.id == id
    if position.nextOffset > watermarks.high { return isSame ? .beyondEnd : .madeAnew }
    if isSame || position.nextOffset == 0 { return .same }
    if let record = mark?.record { return try holds(record, watermarks) }
    return try isOlder(partition, than: position, watermarks)
  }

  /// Whether the topic still holds the record of a mark.
  func holds(_ mark: RecordMark, _ watermarks: Watermarks) throws(BrokerError) -> Verdict {
    if mark.offset >= watermarks.high { return .madeAnew }
    if mark.offset < watermarks.low { return .same }
    let reader = try TopicReader(topic: topic, broker: broker, stop: stop, waits: { _ in })
    defer { reader.close() }
    var found: RecordMark?
    let range = PartitionRange(partition: mark.partition, offsets: mark.offset..<mark.offset.next)
    _ = try reader.read([range]) { record throws(BrokerError) in
      found = RecordMark(record)
      return true
    }
    guard let found else {
      return .unknown("the last record that its state covers, \(topic)[\(mark.partition)]@\(mark.offset), is not there")
    }
    return found == mark ? .same : .madeAnew
  }

  /// Whether the first record of the partition was there when the state was written.
  private func isOlder(
    _ partition: Int32, than position: StoredPosition, _ watermarks: Watermarks
  ) throws(BrokerError) -> Verdict {
    if position.nextOffset <= watermarks.low { return .same }
    guard let written = position.timestampMs else { return .unknown("its state does not say which one it covers") }
    let first = try admin.offsets(topic: topic, at: 0)
    let later = try admin.offsets(topic: topic, at: written + 1)
    guard first.indices.contains(Int(partition)), later.indices.contains(Int(partition)) else {
      return .unknown("its first record cannot be found")
    }
    return later[Int(partition)] > first[Int(partition)] ? .same : .madeAnew
  }
}
