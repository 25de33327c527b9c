/// One record of a group's state for one source partition. Keys: `position` (one a partition, written by the loop with
/// every commit) and `hour/<n>` (one for each hour of event time, n hours since 1970 UTC).
///
/// Every value begins with `u8 format (2) | u8 kind | i64 next offset that it covers | u64 checksum of key and value`,
/// little-endian. In a position record a `StateProof` follows; the rest belongs to the processor. Format 1, which 0.1.0
/// wrote, has neither checksum nor proof; it is read, and replaced by what is written next.
public struct StateRecord {
  /// What a state record is about.
  public enum Key: Hashable, Sendable {
    case position
    /// Hours since 1970-01-01T00:00 UTC, may be negative.
    case hour(Int64)
  }

  /// Why bytes are no state record of a job.
  enum Refusal: Error {
    /// It is whole, and another job's.
    case otherJob(String)
    /// No job of this version writes it: altered, or put there by another program.
    case damaged(String)
  }

  static let format: UInt8 = 2
  private static let firstFormat: UInt8 = 1
  private static let firstPrefixLength = 10
  static let prefixLength = 18

  public let key: Key
  /// The next offset to read after everything that this record counts.
  public let nextOffset: Offset
  /// Of key and value.
  let checksum: UInt64
  /// `nil` in format 1 and in records other than the position.
  let proof: StateProof?
  /// The processor's part of the value. Borrowed.
  public let payload: UnsafeRawBufferPointer

  /// - Parameter kind: of the job that may have written it; `nil`: any.
  init(
    key keyBytes: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, kind: StateKind?
  ) throws(Refusal) {
    let name = String(decoding: keyBytes.prefix(40), as: UTF8.self)
    guard let key = Self.parse(keyBytes), let format = value.first else {
      throw .damaged("orderstream writes no record \(name)")
    }
    guard format == Self.format || format == Self.firstFormat else {
      throw .damaged("the record \(name) has format \(format), and this version reads up to \(Self.format)")
    }
    let prefix = format == Self.format ? Self.prefixLength : Self.firstPrefixLength
    guard value.count >= prefix else { throw .damaged("the record \(name) is cut off") }
    checksum = Self.checksum(keyBytes, value, format: format)
    if format == Self.format, value.littleEndian(at: 10, as: UInt64.self) != checksum {
      throw .damaged("the checksum of the record \(name) does not match")
    }
    guard kind == nil || value[1] == kind?.rawValue else {
      throw .otherJob(StateKind(rawValue: value[1]).map { "\($0)" } ?? "another job")
    }
    self.key = key
    nextOffset = value.littleEndian(at: 2, as: Int64.self)
    guard nextOffset >= 0 else {
      throw .damaged("the record \(name) covers the negative offset \(nextOffset)")
    }
    var rest = UnsafeRawBufferPointer(rebasing: value[prefix...])
    if format == Self.format && key == .position {
      guard let proof = StateProof(taking: &rest) else { throw .damaged("the record \(name) is cut off") }
      self.proof = proof
    } else {
      proof = nil
    }
    payload = rest
  }

  /// Over key and value without the checksum's own bytes.
  static func checksum(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, format: UInt8) -> UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(key)
    if format == Self.format {
      fingerprint.add(UnsafeRawBufferPointer(rebasing: value[..<firstPrefixLength]))
      fingerprint.add(UnsafeRawBufferPointer(rebasing: value[prefixLength...]))
    } else {
      fingerprint.add(value)
    }
    return fingerprint.value
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

/// Which job wrote a state record.
public enum StateKind: UInt8, Sendable {
  case inventory = 1
  case metrics = 2
  case lag = 3
}

/// Puts the state records of one partition into a transaction, each with the offset that it covers.
public struct StateWriter {
  let transaction: any Transaction
  let partition: Int32
  let nextOffset: Offset
  let kind: StateKind
  /// Counts every record but the position, which holds the sums.
  let ledger: StateLedger
  var source = TopicMark()
  var output: StateProof.Output?
  /// Scratch space, reused between records.
  let key: ByteBuffer
  let value: ByteBuffer

  /// Writes one record; `payload` appends the processor's part. The position comes last: it tells of the others.
  public func put(_ recordKey: StateRecord.Key, payload: (ByteBuffer) -> Void) throws(PipelineError) {
    key.removeAll()
    StateRecord.append(recordKey, to: key)
    value.removeAll()
    value.append(StateRecord.format)
    value.append(kind.rawValue)
    value.append(littleEndian: nextOffset)
    value.append(littleEndian: UInt64(0))
    if recordKey == .position { proof.append(to: value) }
    payload(value)
    let checksum = StateRecord.checksum(key.bytes, value.bytes, format: StateRecord.format)
    value.overwrite(littleEndian: checksum, at: 10)
    ledger.note(partition, recordKey, checksum: checksum)
    try brokerCall(try transaction.putState(partition: partition, key: key.bytes, value: value.bytes))
  }

  private var proof: StateProof {
    var proof = StateProof()
    proof.records = ledger.count(partition)
    proof.checksums = ledger.sum(partition)
    proof.source = source
    proof.output = output
    return proof
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
