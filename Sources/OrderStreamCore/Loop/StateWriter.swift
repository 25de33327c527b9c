/// Puts the state records of one partition into a transaction, each with the offset that it covers.
public struct StateWriter {
  let transaction: any Transaction
  let partition: Int32
  let nextOffset: Offset
  let kind: StateKind
  /// Learns of every record but the position, which tells of them.
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
