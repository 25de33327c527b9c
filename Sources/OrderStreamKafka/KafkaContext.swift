import CRdKafka
import OrderStreamCore
import Synchronization

/// What everything that works on one cluster shares. Any thread.
final class KafkaContext: Sendable {
  /// How long something that somebody has just made, or was seen before, may be unknown to a broker: they learn of it one
  /// after the other.
  static let appearanceLimit = Duration.seconds(5)
  /// How long brokers may be silent while one of them refuses this user, before that is taken for the reason.
  private static let refusalLimit = Duration.seconds(10)

  let factory: ClientFactory
  let errors: KafkaErrors
  let time: any TimeSource
  /// How long brokers that do not answer are waited for.
  let outages: OutageWatch
  /// Sees records that are not yet committed: its ends are high watermarks.
  let lookup: NativeClient
  let clusterID: String
  /// Where processes of this machine agree on identities.
  let lockDirectory: String

  private let stop: StopFlag?
  private struct GroupClient {
    /// Asked about groups in place of `lookup`, once that asks a broker that coordinates them no more.
    var client: NativeClient?
    /// When another one may be made.
    var next: Int64 = .min
  }

  private let groupClient = Mutex(GroupClient())
  /// In an election all of them are told so.
  private static let newClientInterval = Duration.seconds(2)

  init(
    factory: ClientFactory, errors: KafkaErrors, time: any TimeSource, outages: OutageLimit, stop: StopFlag?,
    lookup: NativeClient, clusterID: String, lockDirectory: String
  ) {
    self.factory = factory
    self.errors = errors
    self.time = time
    self.stop = stop
    let isSilent = if case .glance = outages { true } else { false }
    self.outages = OutageWatch(outages, time, stop: stop) { text in
      if !isSilent { factory.log.log(.warning, factory.redactor.redact(text)) }
    }
    self.lookup = lookup
    self.clusterID = clusterID
    self.lockDirectory = lockDirectory
  }

  /// The same cluster for one look that brokers have a short time to answer.
  func glancing(_ limit: Duration) -> KafkaContext {
    KafkaContext(
      factory: factory, errors: errors, time: time, outages: .glance(limit), stop: stop, lookup: lookup,
      clusterID: clusterID, lockDirectory: lockDirectory)
  }

  /// How long a client may take to learn who leads a partition now, after a question to the one that did.
  private static let hintLimit = Duration.milliseconds(500)

  func note(_ level: LogLevel, _ text: String) { factory.log.log(level, factory.redactor.redact(text)) }

  /// Asks until there is an answer; errors that time heals are asked again for as long as the run waits for brokers.
  /// - Parameters:
  ///   - needs: The right that the question takes.
  ///   - limit: Another limit than the run's, with its questions as long.
  func ask<Answer>(
    _ what: String, needs: AccessRight? = nil, limit: Duration? = nil,
    _ question: (Duration) throws(NativeError) -> Answer
  ) throws(BrokerError) -> Answer {
    let started = time.monotonicNanoseconds
    let wait = OutageWait(outages, began: started)
    let deadline = limit.map { Deadline($0, time) }
    lookup.events.forgetRefusal()
    while true {
      do {
        let answer = try question(deadline?.remaining(atMost: .seconds(5)) ?? outages.questionLimit)
        wait.answered()
        return answer
      } catch {
        let mapped = errors.map(error, what, needs: needs)
        guard mapped.passesByItself, deadline?.hasPassed != true else { throw mapped }
        lookup.poll(.zero)
        if let refusal = lookup.events.authenticationFailure,
          time.monotonicNanoseconds - started >= Self.refusalLimit.nanoseconds
        {
          throw errors.map(refusal, what, recovery: .fatal)
        }
        guard wait.goesOn(because: mapped) else { throw mapped }
      }
    }
  }

  /// What a group has committed, as `NativeClient.committedOffsets` tells it. A client of librdkafka 2.0.2 goes on asking the
  /// broker that coordinated the group once, which answers that it does not any more; a new client finds the right one, and
  /// is asked from then on.
  func committedOffsets(
    group: String, stable: (topic: String, count: Int32)? = nil, _ timeout: Duration
  ) throws(NativeError) -> [PartitionList.Element] {
    let client = groupClient.withLock { $0.client } ?? lookup
    do throws(NativeError) {
      return try client.committedOffsets(group: group, stable: stable, timeout)
    } catch {
      guard KafkaErrors.comesFromFormerCoordinator(error.code) else { throw error }
      let now = time.monotonicNanoseconds
      let isDue = groupClient.withLock { state in
        defer { if now >= state.next { state.next = now + Self.newClientInterval.nanoseconds } }
        return now >= state.next
      }
      guard isDue, let other = try? factory.client(.lookup(committed: false)) else { throw error }
      let offsets = try other.committedOffsets(group: group, stable: stable, timeout)
      groupClient.withLock { $0.client = other }
      return offsets
    }
  }

  /// What a wait says that a request to stop has ended.
  func stopped(_ what: String) -> BrokerError {
    BrokerError(.timedOut, what, why: "a request to stop ended the wait for it", remedy: "run again", recovery: .retry)
  }

  /// The topic's description, `nil` when there is none.
  func describe(_ topic: String) throws(BrokerError) -> NativeTopicDescription? {
    let what = "cannot describe \(topic)"
    let right = AccessRight(.describe, .topic(topic))
    let found = try ask(what, needs: right) { timeout throws(NativeError) in
      let found = try lookup.metadata(topic, timeout).first
      // A topic that is being made has no leader for a moment.
      if let found, found.error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE { throw NativeError(found.error) }
      return found
    }
    guard let found else { return nil }
    switch found.error {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return found
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC: return nil
    default: throw errors.map(NativeError(found.error), what, needs: right, recovery: BrokerError.Recovery.none)
    }
  }

  /// For a topic that the caller has reason to expect: somebody may have made it a moment ago.
  /// - Throws: `unknownTopic`.
  func partitionCount(of topic: String) throws(BrokerError) -> Int32 {
    let deadline = Deadline(Self.appearanceLimit, time)
    while true {
      if let found = try describe(topic) { return Int32(found.partitions.count) }
      guard !deadline.hasPassed, !outages.hasStopped else { throw unknown(topic) }
      time.sleep(.milliseconds(50))
    }
  }

  func unknown(_ topic: String) -> BrokerError {
    BrokerError(
      .unknownTopic, "cannot find \(topic)", why: "no topic of that name is on \(errors.brokers)",
      remedy: "create it first",
      recovery: .none)
  }

  /// For partitions of one topic, the first offset at or after each time; `nil` where there is none.
  /// - Parameters:
  ///   - timestampMs: Milliseconds since 1970, or one of librdkafka's logical offsets.
  ///   - client: Whose isolation level counts.
  func offsets(
    _ topic: String, _ partitions: [Int32], at timestampMs: Int64, client: NativeClient
  ) throws(BrokerError) -> [Offset?] {
    if partitions.isEmpty { return [] }
    var certain: Deadline?
    let right = AccessRight(.describe, .topic(topic))
    return try ask("cannot look up offsets of \(topic)", needs: right) { timeout throws(NativeError) in
      do throws(NativeError) {
        return try client.offsets(topic, partitions, at: timestampMs, timeout)
      } catch {
        guard Self.mayBeUnheardOf.contains(error.code) else {
          // The client goes on asking whom it knows for the leader, up to five minutes, unless it is told to look.
          if !isForbidden(error) { _ = try? client.metadata(topic, min(timeout, Self.hintLimit)) }
          throw error
        }
        // The topic has grown since this client was told of it; or a broker has restarted and was not told of it yet.
        let found = try client.metadata(topic, timeout).first
        if let found, found.error == RD_KAFKA_RESP_ERR_NO_ERROR, found.partitions.count > Int(partitions.max() ?? -1) {
          certain = nil
          do throws(NativeError) {
            return try client.offsets(topic, partitions, at: timestampMs, timeout)
          } catch {
            throw Self.mayBeUnheardOf.contains(error.code) ? NativeError(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) : error
          }
        }
        let deadline = certain ?? Deadline(Self.appearanceLimit, time)
        certain = deadline
        throw deadline.hasPassed ? error : NativeError(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
      }
    }
  }

  private func isForbidden(_ error: NativeError) -> Bool { errors.map(error, "").code == .unauthorized }

  /// What clients and brokers say of a topic or a partition that they have not been told of.
  private static let mayBeUnheardOf = [
    RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
  ]

  /// High watermarks of partitions of one topic.
  func ends(_ topic: String, _ partitions: [Int32], client: NativeClient? = nil) throws(BrokerError) -> [Offset] {
    try offsets(topic, partitions, at: Int64(RD_KAFKA_OFFSET_END), client: client ?? lookup).map { $0 ?? 0 }
  }

  /// Log start offsets of partitions of one topic.
  func starts(_ topic: String, _ partitions: [Int32]) throws(BrokerError) -> [Offset] {
    try offsets(topic, partitions, at: Int64(RD_KAFKA_OFFSET_BEGINNING), client: lookup).map { $0 ?? 0 }
  }
}
