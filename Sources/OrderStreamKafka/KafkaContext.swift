import CRdKafka
import OrderStreamCore

/// What everything that works on one cluster shares. Any thread.
final class KafkaContext: Sendable {
  /// How long a question to a broker may take, repetitions included.
  static let lookupLimit = Duration.seconds(10)

  let factory: ClientFactory
  let errors: KafkaErrors
  let time: any TimeSource
  /// Sees records that are not yet committed: its ends are high watermarks.
  let lookup: NativeClient
  let clusterID: String
  /// Where processes of this machine agree on identities.
  let lockDirectory: String

  init(
    factory: ClientFactory, errors: KafkaErrors, time: any TimeSource, lookup: NativeClient, clusterID: String,
    lockDirectory: String
  ) {
    self.factory = factory
    self.errors = errors
    self.time = time
    self.lookup = lookup
    self.clusterID = clusterID
    self.lockDirectory = lockDirectory
  }

  func note(_ level: LogLevel, _ text: String) { factory.log.log(level, factory.redactor.redact(text)) }

  /// Asks until there is an answer or `limit` has passed; errors that time heals are asked again.
  func ask<Answer>(
    _ what: String, limit: Duration = KafkaContext.lookupLimit, _ question: (Duration) throws(NativeError) -> Answer
  ) throws(BrokerError) -> Answer {
    let deadline = Deadline(limit, time)
    while true {
      do { return try question(deadline.remaining(atMost: .seconds(5))) } catch {
        let mapped = errors.map(error, what)
        guard mapped.isRetriable || mapped.code == .unreachable, !deadline.hasPassed else { throw mapped }
        time.sleep(.milliseconds(20))
      }
    }
  }

  /// The topic's description, `nil` when there is none.
  func describe(_ topic: String) throws(BrokerError) -> NativeTopicDescription? {
    let what = "cannot describe \(topic)"
    let found = try ask(what) { timeout throws(NativeError) in
      let found = try lookup.metadata(topic, timeout).first
      // A topic that is being made has no leader for a moment.
      if let found, found.error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE { throw NativeError(found.error) }
      return found
    }
    guard let found else { return nil }
    switch found.error {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return found
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC: return nil
    default: throw errors.map(NativeError(found.error), what, recovery: BrokerError.Recovery.none)
    }
  }

  /// - Throws: `unknownTopic`.
  func partitionCount(of topic: String) throws(BrokerError) -> Int32 {
    guard let found = try describe(topic) else { throw unknown(topic) }
    return Int32(found.partitions.count)
  }

  func unknown(_ topic: String) -> BrokerError {
    BrokerError(
      .unknownTopic, "cannot find \(topic)", why: "no topic of that name is on the cluster", remedy: "create it first",
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
    let what = "cannot look up offsets of \(topic)"
    return try ask(what) { timeout throws(NativeError) in
      do throws(NativeError) {
        return try client.offsets(topic, partitions, at: timestampMs, timeout)
      } catch {
        guard error.code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION else { throw error }
        // The topic has grown since this client was told of it.
        _ = try client.metadata(topic, timeout)
        return try client.offsets(topic, partitions, at: timestampMs, timeout)
      }
    }
  }

  /// High watermarks of partitions of one topic.
  func ends(_ topic: String, _ partitions: [Int32], client: NativeClient? = nil) throws(BrokerError) -> [Offset] {
    try offsets(topic, partitions, at: Int64(RD_KAFKA_OFFSET_END), client: client ?? lookup).map { $0 ?? 0 }
  }

  /// Log start offsets of partitions of one topic.
  func starts(_ topic: String, _ partitions: [Int32]) throws(BrokerError) -> [Offset] {
    try offsets(topic, partitions, at: Int64(RD_KAFKA_OFFSET_BEGINNING), client: lookup).map { $0 ?? 0 }
  }
}
