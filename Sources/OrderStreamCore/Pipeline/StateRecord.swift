/// One record of a group's state for one source partition. Keys: `position` (one a partition, written by the loop with
/// every commit) and `hour/<n>` (one for each hour of event time, n hours since 1970 UTC).
///
/// Every value begins with `u8 format (1) | u8 kind | i64 next offset that it covers`, little-endian; the rest belongs
/// to the processor.
public struct StateRecord {
  /// What a state record is about.
  public enum Key: Hashable, Sendable {
    case position
    /// Hours since 1970-01-01T00:00 UTC, may be negative.
    case hour(Int64)
  }

  static let format: UInt8 = 1
  static let prefixLength = 10

  public let key: Key
  /// The next offset to read after everything that this record counts.
  public let nextOffset: Offset
  /// The processor's part of the value. Borrowed.
  public let payload: UnsafeRawBufferPointer

  /// - Throws: `foreignState` when the bytes are not a state record of `kind`.
  init(
    key keyBytes: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, kind: StateKind, group: String
  ) throws(PipelineError) {
    guard let key = Self.parse(keyBytes), value.count >= Self.prefixLength else {
      throw .foreignState(group: group, why: "it holds a record that no job of this program writes")
    }
    guard value[0] == Self.format else {
      throw .foreignState(group: group, why: "it has format \(value[0]), and this version reads \(Self.format)")
    }
    guard value[1] == kind.rawValue else {
      let other = StateKind(rawValue: value[1]).map { "\($0)" } ?? "another job"
      throw .foreignState(group: group, why: "it belongs to \(other)")
    }
    self.key = key
    nextOffset = Int64(littleEndian: value.loadUnaligned(fromByteOffset: 2, as: Int64.self))
    guard nextOffset >= 0 else {
      throw .foreignState(group: group, why: "it covers the offset \(nextOffset), which no partition has")
    }
    payload = UnsafeRawBufferPointer(rebasing: value[Self.prefixLength...])
  }

  private static func parse(_ key: UnsafeRawBufferPointer) -> Key? {
    if key.elementsEqual("position".utf8) { return .position }
    let prefix = "hour/".utf8
    guard key.starts(with: prefix) else { return nil }
    return Int64(String(decoding: key.dropFirst(prefix.count), as: UTF8.self)).map(Key.hour)
  }

  static func append(_ key: Key, to buffer: ByteBuffer) {
    switch key {
    case .position:
      buffer.append("position" as StaticString)
    case .hour(let hour):
      buffer.append("hour/" as StaticString)
      buffer.append(String(hour))
    }
  }
}

/// Puts the state records of one partition into a transaction, each with the offset that it covers.
public struct StateWriter {
  let transaction: any Transaction
  let partition: Int32
  let nextOffset: Offset
  let kind: StateKind
  /// Scratch space, reused between records.
  let key: ByteBuffer
  let value: ByteBuffer

  /// Writes one record; `payload` appends the processor's part.
  public func put(_ recordKey: StateRecord.Key, payload: (ByteBuffer) -> Void) throws(PipelineError) {
    key.removeAll()
    StateRecord.append(recordKey, to: key)
    value.removeAll()
    value.append(StateRecord.format)
    value.append(kind.rawValue)
    value.append(littleEndian: nextOffset)
    payload(value)
    do {
      try transaction.putState(partition: partition, key: key.bytes, value: value.bytes)
    } catch {
      throw .broker(error)
    }
  }
}
