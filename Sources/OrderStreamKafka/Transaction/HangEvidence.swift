import OrderStreamCore

/// What can be seen of a transaction that its coordinator has ended without telling all partitions: a broker that is
/// killed or restarted between the two may write "complete" without the markers, and then the next commit of the same
/// producer publishes whatever the transaction had left there. Says how it must be closed: as it ended.
struct HangEvidence: Hashable, Sendable {
  enum Verdict: Hashable, Sendable {
    case commit
    case abort
    /// Another producer's, which no transaction of this identity can close.
    case notOurs
    /// It may have been committed or aborted, and a guess would lose records or double them.
    case unknown
  }

  /// How this process's last transaction ended, if it had one and knows.
  enum Outcome: Hashable, Sendable {
    case unknown, committed, aborted
  }

  var outcome = Outcome.unknown
  /// Whether offsets of the group wait for a transaction to end.
  var offsetsPend = false
  /// Whether a partition of the state topic hangs.
  var stateHangs = false
  /// The newest mark of this identity beside the offsets that do not wait.
  var mark: CommitMark?
  /// Whether state of the very transaction that hangs can be seen, or its mark: what is committed anywhere is committed.
  var isSeen = false
  /// The timestamp of the newest state record of this identity that can be seen; looked for when offsets wait.
  var newestStateMs: Int64?
  /// The timestamp of the earliest record of this identity, or of an identity that is not known, that hangs; `nil` when
  /// none does.
  var firstHangingMs: Int64?

  /// Whether what hangs is known to be this identity's: of outputs alone nobody says whose they are.
  var isOwn: Bool { outcome != .unknown || stateHangs || firstHangingMs.map { $0 <= mark?.endMs ?? .min } ?? true }

  var verdict: Verdict {
    if firstHangingMs == nil && !offsetsPend { return .notOurs }
    switch outcome {
    case .committed: return .commit
    case .aborted: return .abort
    case .unknown: return isSeen ? .commit : offsetsPend ? verdictByState : verdictByMark
    }
  }

  /// A transaction that is committed has moved the offsets, and these are all there.
  private var verdictByMark: Verdict {
    guard let firstHangingMs, let mark else { return .abort }
    if firstHangingMs > mark.endMs { return .abort }
    return firstHangingMs >= mark.beginMs ? .commit : .notOurs
  }

  /// Offsets do not tell, but state that can be seen, and is newer than they are, was committed with those that wait.
  private var verdictByState: Verdict {
    if let newestStateMs, newestStateMs > mark?.endMs ?? -1 { return .commit }
    return stateHangs ? .unknown : .abort
  }
}

/// What the transaction coordinator has written down of one identity, in the cluster's own topic `__transaction_state`: the
/// only place that tells how a transaction ended whose markers are missing everywhere. Reading it needs the right to, and
/// nothing else: where it cannot be read it tells nothing.
///
/// Keys and values are those of Kafka's `TransactionLogKey` and `TransactionLogValue`, versions 0 and 1 (see
/// `transaction-coordinator/src/main/resources/common/message` in Apache Kafka).
struct CoordinatorLog {
  private static let topic = "__transaction_state"
  /// How much earlier than the first record that hangs a transaction may have begun: longer than it may live.
  private static let before = ClientProfile.transactionTimeout + .seconds(30)
  /// How much later it may seem to have begun: the coordinator hears of it with its first record.
  private static let after = Duration.milliseconds(1000)

  /// One state of a transaction.
  struct Entry: Hashable, Sendable {
    /// How it ended, or is about to; `nil` while it is open, and for an identity without one.
    var outcome: HangEvidence.Outcome?
    /// When it began by the coordinator's clock, milliseconds since 1970; −1 without one.
    var startMs: Int64
    /// When this was written, by the coordinator's clock.
    var updateMs: Int64
  }

  /// How the transaction of an identity ended that its first record hangs of.
  /// - Parameters:
  ///   - firstMs: The timestamp of that record, by this machine's clock.
  ///   - takenMs: When this process took the identity, by the same clock: the coordinator wrote that down too, so its
  ///     clock can be compared with this one.
  /// - Returns: `unknown` when the log cannot be read, or does not tell beyond doubt.
  static func outcome(of identity: String, firstMs: Int64, takenMs: Int64, _ context: KafkaContext)
    -> HangEvidence.Outcome
  {
    guard let entries = try? read(identity, since: firstMs, context) else { return .unknown }
    return outcome(entries, firstMs: firstMs, takenMs: takenMs)
  }

  static func outcome(_ entries: [Entry], firstMs: Int64, takenMs: Int64) -> HangEvidence.Outcome {
    guard let taken = entries.last(where: { $0.outcome == nil && $0.startMs < 0 }) else { return .unknown }
    let first = firstMs + (taken.updateMs - takenMs)
    let ended = entries.filter { entry in
      entry.outcome != nil
        && (first - before.milliseconds...first + after.milliseconds).contains(entry.startMs)
    }
    return ended.max { $0.startMs < $1.startMs }?.outcome ?? .unknown
  }

  /// The partition of a coordinator's topic that holds a group (`__consumer_offsets`) or an identity: Java's
  /// `abs(hashCode) % count`.
  static func partition(of name: String, count: Int32) -> Int32 {
    var hash: Int32 = 0
    for unit in name.utf16 { hash = hash &* 31 &+ Int32(unit) }
    return (hash == .min ? 0 : abs(hash)) % count
  }

  private static func read(
    _ identity: String, since firstMs: Int64, _ context: KafkaContext
  ) throws(BrokerError) -> [Entry] {
    let count = try context.partitionCount(of: topic)
    guard count > 0 else { return [] }
    let place = TopicPartition(topic: topic, partition: partition(of: identity, count: count))
    // Clocks of machines differ by less than this.
    let since = max(0, firstMs - 600_000)
    let start = try context.offsets(topic, [place.partition], at: since, client: context.lookup)[0]
    guard let start else { return [] }
    var entries: [Entry] = []
    try context.visit(place, from: start, committed: false) { message in
      if let key = message.key, let value = message.value, isKey(key, of: identity), let entry = entry(value) {
        entries.append(entry)
      }
      return true
    }
    return entries
  }

  /// `i16 version 0 | i16 length | UTF-8`.
  static func isKey(_ key: UnsafeRawBufferPointer, of identity: String) -> Bool {
    var key = BigEndianReader(key)
    guard key.integer(Int16.self) == 0, let length = key.integer(Int16.self) else { return false }
    return key.bytes(Int(length)).map { String(decoding: $0, as: UTF8.self) } == identity
  }

  static func entry(_ value: UnsafeRawBufferPointer) -> Entry? {
    var value = BigEndianReader(value)
    guard let version = value.integer(Int16.self), 0...1 ~= version else { return nil }
    let isFlexible = version == 1
    guard value.bytes(8 + 2 + 4) != nil, let status = value.integer(Int8.self),
      value.skipPartitions(isFlexible: isFlexible), let update = value.integer(Int64.self),
      let start = value.integer(Int64.self)
    else { return nil }
    // TransactionState.java: Empty 0, Ongoing 1, PrepareCommit 2, PrepareAbort 3, CompleteCommit 4, CompleteAbort 5.
    let outcome: HangEvidence.Outcome? =
      switch status {
      case 2, 4: .committed
      case 3, 5: .aborted
      default: nil
      }
    return Entry(outcome: outcome, startMs: status == 0 ? -1 : start, updateMs: update)
  }
}

/// Reads the wire format of Kafka's records; `nil` beyond the end.
private struct BigEndianReader {
  private let buffer: UnsafeRawBufferPointer
  private var position = 0

  init(_ buffer: UnsafeRawBufferPointer) { self.buffer = buffer }

  mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> T? {
    bytes(MemoryLayout<T>.size).map { T(bigEndian: $0.loadUnaligned(as: T.self)) }
  }

  mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
    guard count >= 0, count <= buffer.count - position else { return nil }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: buffer[position..<position + count])
  }

  /// An unsigned varint, as compact lengths are written: one more than the length, 0 for none.
  private mutating func varint() -> Int? {
    var value = 0
    for shift in stride(from: 0, to: 35, by: 7) {
      guard let byte = integer(UInt8.self) else { return nil }
      value |= Int(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }

  private mutating func length(isFlexible: Bool, _ isString: Bool) -> Int? {
    if isFlexible { return varint().map { $0 - 1 } }
    return isString ? integer(Int16.self).map(Int.init) : integer(Int32.self).map(Int.init)
  }

  /// Tagged fields: a count, then tag, length and bytes of each.
  private mutating func skipTags() -> Bool {
    guard let count = varint() else { return false }
    for _ in 0..<count { guard varint() != nil, let length = varint(), bytes(length) != nil else { return false } }
    return true
  }

  /// An array of topics with their partitions, or none.
  mutating func skipPartitions(isFlexible: Bool) -> Bool {
    guard let topics = length(isFlexible: isFlexible, false) else { return false }
    for _ in 0..<max(0, topics) {
      guard let name = length(isFlexible: isFlexible, true), bytes(name) != nil,
        let partitions = length(isFlexible: isFlexible, false), bytes(4 * max(0, partitions)) != nil,
        !isFlexible || skipTags()
      else { return false }
    }
    return true
  }
}
