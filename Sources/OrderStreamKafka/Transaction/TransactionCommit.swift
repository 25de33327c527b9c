import OrderStreamCore
import OrderStreamThreads

/// The calls of one commit. They run on a thread of their own, besides the one that waits for them here: a call of
/// librdkafka 2.0.2 that a broker's death has met may never return, whatever time-out it was given (issue 5423), and the
/// port's commit has to. Used by the thread that commits.
final class TransactionCommit {
  enum Outcome: Sendable {
    case committed
    /// - Parameters:
    ///   - error: `nil` when the deadline has passed.
    ///   - mayBeCommitted: The brokers were told to commit, and what they did is not known.
    case failed(_ error: NativeError?, mayBeCommitted: Bool)
  }

  /// How long a commit may take, repetitions included: a little longer than the coordinator lets a transaction live. One
  /// without an answer for as long is given up, and what became of it is looked for, also when the broker has long been
  /// back. Not earlier: an answer that comes late is worth more than what can be found out without it.
  static let limit = ClientProfile.transactionTimeout + .seconds(5)
  /// A commit that takes longer is told.
  private static let slow = Duration.seconds(5)

  /// Between two looks at what the cluster is doing.
  private static let slice = Duration.milliseconds(100)

  /// For errors.
  private let what: String
  private let context: KafkaContext
  /// On the monotonic clock, nanoseconds.
  private let started: Int64
  private let thread: BackgroundThread<Outcome>
  /// For its answer, once it takes long.
  private var wait: OutageWait?

  /// Starts at once.
  init(
    _ client: NativeClient, topic: String, _ offsets: [PartitionOffset], _ group: GroupMetadata, mark: CommitMark,
    _ what: String, _ context: KafkaContext
  ) {
    self.what = what
    self.context = context
    let time = context.time
    let deadline = Deadline(Self.limit, time)
    started = time.monotonicNanoseconds
    thread = BackgroundThread.endingByItself {
      // Without it a commit waits for the linger time of its own flush.
      do { try client.flush(deadline.remaining) } catch { return .failed(nil, mayBeCommitted: false) }
      var mayBeCommitted = false
      do throws(NativeError) {
        let list = PartitionList(topic: topic, offsets)
        list.setMetadata(mark.text)
        try client.repeating(until: deadline, time) { () throws(NativeError) in try client.sendOffsets(list, group) }
        mayBeCommitted = true
        try client.repeating(until: deadline, time) { () throws(NativeError) in try client.commitTransaction() }
        return .committed
      } catch {
        return .failed(error.canBeRepeated ? nil : error, mayBeCommitted: mayBeCommitted)
      }
    }
  }

  /// Waits for the end. A commit that takes long is an outage like any other, which is said. One that takes too long is
  /// lost: its client is left to the thread that waits for it, and another one finds out what became of it, waiting for
  /// brokers as ever.
  /// - Throws: When brokers have not answered for longer than the run waits; the thread still has the client then.
  func outcome() throws(BrokerError) -> Outcome {
    while true {
      if let outcome = thread.join(Self.slice) { return outcome }
      if try isLost() { return .failed(nil, mayBeCommitted: true) }
    }
  }

  private func isLost() throws(BrokerError) -> Bool {
    let age = Duration.nanoseconds(context.time.monotonicNanoseconds - started)
    if age < Self.slow { return false }
    if context.outages.hasStopped {
      guard age >= Self.limit else { return false }
      throw context.stopped(what)
    }
    let wait = wait ?? OutageWait(context.outages, atLeast: Self.limit, noteAfter: .zero)
    self.wait = wait
    let why = BrokerError(
      .timedOut, what, why: "the brokers have not finished it for \(age.milliseconds / 1000) s",
      remedy: "check the cluster's health", recovery: .fatal)
    guard wait.goesOn(because: why, pause: .zero) else { throw why }
    return age >= Self.limit && hasBrokers
  }

  /// Whatever was waited for is there, and an outage may be over.
  func tellAnswer() { if let wait { wait.answered() } else { context.outages.tellEnd() } }

  /// Whether these are the group's offsets. Asks through clients that any thread may use: the consumer's may be reading.
  static func areCommitted(
    _ offsets: [PartitionOffset], of topic: String, for group: String, _ context: KafkaContext
  ) throws(BrokerError) -> Bool {
    let partitions = (topic: topic, count: (offsets.map(\.partition).max() ?? -1) + 1)
    let wait = OutageWait(context.outages, atLeast: limit)
    while true {
      do {
        let found = try context.committedOffsets(group: group, stable: partitions, context.outages.questionLimit)
        for element in found { try NativeError.check(element.error) }
        wait.answered()
        return offsets.allSatisfy { offset in
          found.contains { $0.topicPartition.partition == offset.partition && $0.offset == offset.offset }
        }
      } catch {
        let mapped = context.errors.map(
          error, "cannot read the committed offsets of \(group)", needs: AccessRight(.describe, .group(group)))
        guard mapped.passesByItself, wait.goesOn(because: mapped) else { throw mapped }
      }
    }
  }

  /// Whether brokers answer, of which the commit may know nothing.
  private var hasBrokers: Bool {
    (try? context.lookup.metadata(nil, .seconds(2))) != nil
  }
}

/// What stands beside each committed offset on the cluster: which member of this program committed it, and when.
/// As text: `orderstream/1 <identity> <begin> <end>`, in milliseconds since 1970.
struct CommitMark: Hashable, Sendable {
  private static let word = "orderstream/1"

  /// The `transactional.id` of the committer. Has no space.
  var identity: String
  /// No record of the transaction has an earlier timestamp. Later than everything that the identity wrote before.
  var beginMs: Int64
  /// No record of the transaction has a later timestamp.
  var endMs: Int64

  init(identity: String, beginMs: Int64, endMs: Int64) {
    self.identity = identity
    self.beginMs = beginMs
    self.endMs = endMs
  }

  /// `nil` for what another program, or 0.1.0, has left beside an offset.
  init?(_ metadata: [UInt8]) {
    let parts = String(decoding: metadata, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == Self.word, !parts[1].isEmpty, let begin = Self.time(parts[2]),
      let end = Self.time(parts[3]), begin <= end
    else { return nil }
    self.init(identity: String(parts[1]), beginMs: begin, endMs: end)
  }

  private static func time(_ text: Substring) -> Int64? {
    guard let time = Int64(text), time >= 0, String(time) == text else { return nil }
    return time
  }

  var text: String { "\(Self.word) \(identity) \(beginMs) \(endMs)" }
}

/// The timestamps of an identity's transactions: each lies within its mark, and after everything before it, whatever the
/// clock of the machine does. So a record that hangs can be told to belong to a commit, or not.
struct CommitClock: Sendable {
  private let identity: String
  private var beginMs: Int64 = 0
  private var latestMs: Int64 = -1

  init(identity: String) { self.identity = identity }

  /// Of the open transaction; no other one of the identity has the same.
  var begin: Int64 { beginMs }

  /// What an earlier process with this identity has used.
  mutating func pass(_ mark: CommitMark) { latestMs = max(latestMs, mark.endMs) }

  mutating func begin(wallMs: Int64) {
    beginMs = max(wallMs, latestMs.saturatingAdd(1))
    latestMs = beginMs
  }

  /// The timestamp of a record of the open transaction that would have had this one.
  @inline(__always)
  mutating func stamp(_ timestampMs: Int64) -> Int64 {
    let stamp = max(timestampMs, beginMs)
    latestMs = max(latestMs, stamp)
    return stamp
  }

  /// The mark of the open transaction, which is about to be committed.
  mutating func mark(wallMs: Int64) -> CommitMark {
    latestMs = max(latestMs, wallMs)
    return CommitMark(identity: identity, beginMs: beginMs, endMs: latestMs)
  }
}
