import CRdKafka
import OrderStreamCore
import OrderStreamThreads

/// One client that writes outputs, transactional or plain, with its topics. A fatal error or a call past its deadline ends
/// the link; its owner makes another one, the transaction one with the same identity.
final class TransactionLink {
  /// How long a start may wait at the least for the coordinator, which may be finishing what an earlier owner of the
  /// identity left behind, and how much of that needs no words.
  private static let initLimit = Duration.seconds(60)
  private static let initNoteAfter = Duration.seconds(10)
  private static let fencedPause = Duration.milliseconds(200)

  let client: NativeClient
  /// When the identity was taken, milliseconds since 1970.
  let takenMs: Int64
  /// `nil` for a plain one.
  private let identity: String?
  private let group: String
  /// Outputs by index, then the state topic.
  private let names: [String]
  private let topics: [NativeTopic]
  private let context: KafkaContext
  private var failuresSeen = 0

  /// - Parameters:
  ///   - client: Has the identity.
  ///   - topics: Outputs by index, then the state topic.
  init(
    _ client: NativeClient, identity: String?, group: String, topics names: [String], _ context: KafkaContext
  ) throws(NativeError) {
    self.client = client
    self.identity = identity
    self.group = group
    self.names = names
    self.context = context
    takenMs = context.time.wallMilliseconds
    var topics: [NativeTopic] = []
    for name in names { topics.append(try NativeTopic(client, name)) }
    self.topics = topics
  }

  /// Makes a client, and waits until the coordinator has given it the identity.
  static func open(
    identity: String, group: String, topics: [String], limits: OutputLimits, _ context: KafkaContext
  ) throws(BrokerError) -> TransactionLink {
    let what = "cannot write transactions of the group \(group)"
    let client = try clientWithIdentity(identity, limits, what, context)
    do {
      let link = try TransactionLink(client, identity: identity, group: group, topics: topics, context)
      // The first transaction on a topic whose leaders the client does not know waits a second.
      for topic in topics { _ = try? client.metadata(topic, .seconds(5)) }
      return link
    } catch { throw context.errors.map(error, what) }
  }

  /// Makes a client without transactions.
  static func plain(
    group: String, topics: [String], limits: OutputLimits, _ context: KafkaContext
  ) throws(BrokerError) -> TransactionLink {
    let client = try context.factory.client(.outputs(limits))
    do {
      let link = try TransactionLink(client, identity: nil, group: group, topics: topics, context)
      for topic in topics { _ = try? client.metadata(topic, .seconds(5)) }
      return link
    } catch { throw context.errors.map(error, "cannot write the outputs of the group \(group)") }
  }

  private static func clientWithIdentity(
    _ identity: String, _ limits: OutputLimits, _ what: String, _ context: KafkaContext
  ) throws(BrokerError) -> NativeClient {
    let wait = OutageWait(context.outages, atLeast: initLimit, noteAfter: initNoteAfter)
    while true {
      let client = try context.factory.client(.transactional(id: identity, limits: limits))
      do throws(BrokerError) {
        try takeIdentity(identity, client, what, wait, context)
        return client
      } catch {
        // Taking an identity fences whoever takes it at the same time: also this client's own request whose answer was
        // lost with its coordinator, which another one goes on with.
        guard error.code == .fenced, wait.goesOn(because: error, pause: fencedPause) else { throw error }
      }
    }
  }

  private static func takeIdentity(
    _ identity: String, _ client: NativeClient, _ what: String, _ wait: OutageWait, _ context: KafkaContext
  ) throws(BrokerError) {
    while true {
      do {
        try client.initTransactions(.seconds(1))
        return wait.answered()
      } catch {
        client.poll(.zero)
        let isCutOff = client.events.allBrokersDown
        client.events.clearBrokersDown()
        let mapped = context.errors.map(error, what, needs: AccessRight(.write, .transactionalID(identity)))
        guard !mapped.isFatal, mapped.passesByItself else { throw mapped }
        let cause = isCutOff ? client.events.lastFailure : nil
        let told = cause.map { context.errors.map($0, what, recovery: .fatal) } ?? mapped
        guard wait.goesOn(because: told) else { throw told }
      }
    }
  }

  /// - Parameter marked: Whether `ClientEvents.takeDeliveredMark` is to tell where the record came to lie.
  func send(_ record: OutgoingRecord, to topic: Int, marked: Bool) -> rd_kafka_resp_err_t {
    client.produce(record, to: topics[topic], tag: marked ? 1 : 0)
  }

  /// Whether the client has lost a broker since it was asked last.
  func takeDisruption() -> Bool {
    client.poll(.zero)
    let count = client.events.failures
    defer { failuresSeen = count }
    return count != failuresSeen
  }

  /// The first delivery that failed, which is why a transaction must be aborted, or else what the call says itself.
  func cause(_ error: NativeError) -> NativeError {
    client.poll(.zero)
    return client.events.takeFailedDelivery() ?? error
  }

  /// Where librdkafka says "see the delivery reports": what the report says.
  func reason(_ error: NativeError) -> NativeError {
    guard error.requiresAbort, var report = client.events.takeFailedDelivery() else { return error }
    switch report.code {
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: return error
    default:
      report.requiresAbort = true
      return report
    }
  }

  /// An error of this client's transaction in words. Where a right is missing it names those that may be meant: what is
  /// forbidden stays forbidden when it is tried again.
  func meaning(of error: NativeError, _ what: String) -> BrokerError {
    let mapped = context.errors.map(error, what, recovery: .abort)
    guard mapped.code == .unauthorized else { return mapped }
    let isTopic = error.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
    let append = "cannot append to \(refusedTopics.joined(separator: " and "))"
    return context.errors.denied(missingRights(error), error, isTopic ? append : what)
  }

  /// The topics that brokers have refused to this producer; all of them when they did not say which.
  private var refusedTopics: [String] {
    let refused = client.events.refusedTopics.filter(names.contains)
    return refused.isEmpty ? names : refused.sorted()
  }

  /// The rights of which one is missing.
  private func missingRights(_ error: NativeError) -> [AccessRight] {
    switch error.code {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return refusedTopics.map { AccessRight(.write, .topic($0)) }
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED: return [AccessRight(.read, .group(group))]
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return [AccessRight(.idempotentWrite, .cluster)]
    default:
      return identity.map { [AccessRight(.write, .transactionalID($0))] }
        ?? refusedTopics.map { AccessRight(.write, .topic($0)) }
    }
  }

  /// Gives up what is queued, so that nothing of it is reported when the client ends.
  func drop() {
    client.purge()
    try? client.flush(.milliseconds(100))
  }
}

// MARK: - Closing what hangs

extension TransactionLink {
  private static let closeLimit = Duration.seconds(15)
  private static let graceOfClose = Duration.seconds(1)

  /// Closes what an earlier transaction of this identity has left open, as it had ended: by a transaction over the same
  /// partitions, which becomes one with it. librdkafka takes no part in a partition without a record there, so each gets
  /// one: a tombstone, which readers of state ignore, and which on an output, where it can be seen after a commit, names a
  /// source of its own.
  /// - Parameters:
  ///   - partitions: Each with the index of its topic, and an offset for the tombstone's source.
  ///   - timestampMs: Of the tombstones: not later than the transaction that is closed.
  ///   - offsets: Where the group's offsets wait too.
  /// - Throws: An error that requires an abort. After `timedOut` a thread may still hold the client.
  func close(
    _ partitions: [(TopicPartition, index: Int, offset: Offset)], stateIndex: Int, sourceHeader: String,
    timestampMs: Int64, offsets: PositionList?, commit: Bool
  ) throws(BrokerError) {
    let deadline = Deadline(Self.closeLimit, context.time)
    do throws(NativeError) {
      try client.beginTransaction()
      for (place, index, offset) in partitions {
        let source = "\(sourceHeader)/\(place.partition)/\(offset)/0"
        try sendTombstone(place.partition, index, timestampMs, source: index == stateIndex ? nil : source)
      }
      try client.flush(deadline.remaining)
      // A broker that goes away meanwhile may keep these calls for ever (librdkafka issue 5423).
      let ending = ending(offsets, commit: commit, deadline)
      guard let failure = ending.join(deadline.remaining + Self.graceOfClose) else {
        throw NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT)
      }
      if let failure { throw failure }
    } catch {
      throw context.errors.map(cause(error), "cannot close a transaction of the group \(group)", recovery: .abort)
    }
  }

  /// Ends the open transaction on a thread of its own; it yields what went wrong.
  private func ending(
    _ offsets: PositionList?, commit: Bool, _ deadline: Deadline
  ) -> BackgroundThread<NativeError?> {
    let (client, group, time) = (client, group, context.time)
    return .endingByItself {
      do throws(NativeError) {
        if let offsets, let metadata = GroupMetadata(group: group) {
          let list = PartitionList(topic: offsets.topic, offsets.positions)
          list.setMetadata(offsets.metadata)
          try client.repeating(until: deadline, time) { () throws(NativeError) in
            try client.sendOffsets(list, metadata)
          }
        }
        try client.repeating(until: deadline, time) { () throws(NativeError) in
          if commit { try client.commitTransaction() } else { try client.abortTransaction(deadline.remaining) }
        }
        return nil
      } catch { return error }
    }
  }

  private func sendTombstone(
    _ partition: Int32, _ index: Int, _ timestampMs: Int64, source: String?
  ) throws(NativeError) {
    let block = ByteBuffer(capacity: 64)
    if let source { Headers.append(name: "source", text: source, to: block) }
    let key = ByteBuffer(capacity: 16)
    key.append("orderstream" as StaticString)
    defer { withExtendedLifetime((block, key)) {} }
    try NativeError.check(
      send(
        OutgoingRecord(
          partition: partition, timestampMs: timestampMs, key: key.bytes, value: nil,
          headers: Headers(block: block.bytes)), to: index, marked: false))
  }
}
