/// What a position record says beside its offset, so that what was lost or altered around it is noticed: how many other
/// state records the partition has and the sum of their checksums, and which topics the group has read and written.
///
/// Layout, little-endian: `u32 records | u64 sum of their checksums | mark of the source | u8 1 if there is an output,
/// then u8 length and name of the output, and its mark`. A mark is `u8 length and id (0: unknown) | u8 1 if there is a
/// record, then i32 partition | i64 offset | u64 fingerprint`.
public struct StateProof: Hashable, Sendable {
  /// A topic that the group writes, by name.
  public struct Output: Hashable, Sendable {
    public var topic: String
    public var mark: TopicMark

    public init(topic: String, mark: TopicMark) {
      self.topic = topic
      self.mark = mark
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
      guard let topic = reader.takeText(), let mark = TopicMark(&reader) else { return nil }
      output = Output(topic: topic, mark: mark)
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

/// The checksums of the state records that a member holds, by source partition: what a position record tells the next
/// reader to expect. All of them but the position are hours.
public final class StateLedger {
  private struct Partition {
    var checksums: [Int64: UInt64] = [:]
    /// Wrapping.
    var sum: UInt64 = 0
  }

  private var partitions: [Int32: Partition] = [:]

  public init() {}

  func removeAll() { partitions.removeAll() }

  /// Notes that a record was written, or was found. The position is none of those that it tells of.
  func note(_ partition: Int32, _ key: StateRecord.Key, checksum: UInt64) {
    guard case .hour(let hour) = key else { return }
    let old = partitions[partition, default: Partition()].checksums.updateValue(checksum, forKey: hour) ?? 0
    partitions[partition]?.sum &+= checksum &- old
  }

  func count(_ partition: Int32) -> UInt32 { UInt32(clamping: partitions[partition]?.checksums.count ?? 0) }
  func sum(_ partition: Int32) -> UInt64 { partitions[partition]?.sum ?? 0 }
}
