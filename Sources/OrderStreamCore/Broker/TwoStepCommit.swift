/// What a back end does for commits without a transaction: outputs by a plain producer, and offsets by themselves. Used by
/// one thread at a time.
///
/// What fails for a reason that may pass requires an abort, which `drop` answers; only `commit` may throw retriable errors.
public protocol CommitSteps: AnyObject {
  /// Why an output cannot take a record of this size, as far as that is known before it is sent; `nil` where it can.
  func refusal(of record: OutgoingRecord, on output: Int) -> BrokerError?

  /// Gives one record to the producer of an output, which sends it in the background. The record has no `refusal`.
  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError)

  /// Returns when everything that was sent is acknowledged.
  func flush() throws(BrokerError)

  /// Commits the next offset to read of each partition, durably.
  /// - Throws: `fenced` (requires abort) when a partition no longer belongs to this member.
  func commit(_ offsets: [PartitionOffset]) throws(BrokerError)

  /// Gives up what was sent and is not acknowledged; it may be on the log all the same.
  func drop() throws(BrokerError)

  /// Frees everything, within a few seconds. Idempotent.
  func close()
}

/// Outputs and offsets of one consumer in two steps, one after the other: what a run does that has given up the
/// transaction. Who dies between the two has written outputs that it writes again (`atLeastOnce`), or has passed records
/// whose outputs nobody writes (`atMostOnce`).
///
/// State would belong to neither step, so there is none: `putState` is a programmer error. Of what `Transaction` says,
/// "all or nothing" holds for each step alone; after an error that requires an abort the first step may have been made.
public final class TwoStepCommit: Transaction {
  private let guarantee: Guarantee
  private let steps: any CommitSteps
  /// What is sent only once the offsets are committed; empty with `atLeastOnce`.
  private var held = HeldRecords()
  public private(set) var pendingBytes = 0
  /// The first step of the commit that is tried was made; only the second one is left.
  private var isHalfMade = false

  /// - Parameter guarantee: one of the weaker ones.
  public init(_ guarantee: Guarantee, _ steps: any CommitSteps) {
    precondition(guarantee != .exactlyOnce, "exactly-once is one transaction")
    self.guarantee = guarantee
    self.steps = steps
  }

  public func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    if let refusal = steps.refusal(of: record, on: output) { throw refusal }
    pendingBytes += (record.key?.count ?? 0) + (record.value?.count ?? 0) + record.headers.block.count
    if guarantee == .atMostOnce { held.append(record, output) } else { try steps.send(record, to: output) }
  }

  public func takes(_ record: OutgoingRecord, on output: Int) -> Bool { steps.refusal(of: record, on: output) == nil }

  public func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    preconditionFailure("state is written in a transaction, and there is none")
  }

  public func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    let isOutputFirst = guarantee == .atLeastOnce
    if !isHalfMade {
      if isOutputFirst { try steps.flush() } else { try steps.commit(offsets) }
      isHalfMade = true
      Failpoint.reach("commit/between-steps")
    }
    if isOutputFirst {
      try steps.commit(offsets)
    } else {
      try held.forEach { record, output throws(BrokerError) in try steps.send(record, to: output) }
      try steps.flush()
    }
    forget()
  }

  public func abort() throws(BrokerError) {
    forget()
    try steps.drop()
  }

  public func close() { steps.close() }

  private func forget() {
    held.removeAll()
    isHalfMade = false
    pendingBytes = 0
  }
}

/// Copies of records in the order in which they came.
private struct HeldRecords {
  private struct Entry {
    var output: Int
    var partition: Int32
    var timestampMs: Int64
    /// Lengths of what lies behind each other in the bytes; −1 for none.
    var key: Int, value: Int, headers: Int
  }

  private let bytes = ByteBuffer()
  private var entries: [Entry] = []

  mutating func append(_ record: OutgoingRecord, _ output: Int) {
    entries.append(
      Entry(
        output: output, partition: record.partition, timestampMs: record.timestampMs, key: record.key?.count ?? -1,
        value: record.value?.count ?? -1, headers: record.headers.block.count))
    if let key = record.key { bytes.append(key) }
    if let value = record.value { bytes.append(value) }
    bytes.append(record.headers.block)
  }

  mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    bytes.removeAll()
  }

  /// The records are lent for the call.
  func forEach(_ body: (OutgoingRecord, _ output: Int) throws(BrokerError) -> Void) throws(BrokerError) {
    let all = bytes.bytes
    var start = 0
    func take(_ count: Int) -> UnsafeRawBufferPointer? {
      guard count >= 0 else { return nil }
      defer { start += count }
      return UnsafeRawBufferPointer(rebasing: all[start..<start + count])
    }
    for entry in entries {
      let (key, value, headers) = (take(entry.key), take(entry.value), take(entry.headers))
      let record = OutgoingRecord(
        partition: entry.partition, timestampMs: entry.timestampMs, key: key, value: value,
        headers: headers.map { Headers(block: $0) } ?? .none)
      try body(record, entry.output)
    }
  }
}
