import CRdKafka
import OrderStreamCore

/// Reads assigned partitions of one topic through one consumer client: the part that group members, sole consumers and
/// the state reader share. One thread.
///
/// Everything that touches the client's queue and its assignment is done by this thread, because librdkafka 2.0.2 may
/// return records from before a seek when those run in parallel.
final class RecordSource {
  /// Fetchers that cannot be told to look more often sleep up to a second after their local queue was full; a question to
  /// the leader wakes them. How long records may be missing before that.
  private static let wakeAfter = Duration.milliseconds(3)
  /// How long the answer is waited for, which does not matter.
  private static let wakeLimit = Duration.milliseconds(50)
  /// How long nothing may come, neither a record nor an end, before the brokers are asked whether they are there:
  /// librdkafka does not tell of every broker that is gone.
  private static let silenceLimit = Duration.seconds(5)
  /// A caller that comes back after more than this has done something else.
  private static let pause = Duration.seconds(1)
  /// How long nothing may come from a partition that has not ended, although brokers answer, before that is an outage:
  /// the partition has no leader, or its leader is not one of those that answer.
  private static let progressLimit = Duration.seconds(10)
  /// How long a call waits inside librdkafka, so that deadlines and rebalances are looked at.
  private static let waitSlice = Duration.milliseconds(100)
  /// How long reading waits at the least in an outage.
  private static let leastOutage = Duration.seconds(30)

  let client: NativeClient
  let topic: String
  /// `nil` when the client's group is only a name.
  private let group: String?
  private let context: KafkaContext
  private let queue: NativeQueue
  // Those without a run-time check are touched for every record, by nothing that calls back (docs/performance.md).
  @exclusivity(unchecked) private var buffer = MessageBuffer()
  @exclusivity(unchecked) private var cursors = PartitionCursors()
  @exclusivity(unchecked) private var recordsSinceWake = 0
  /// Whether there is a `heldError`.
  @exclusivity(unchecked) private var isHeld = false
  /// Found behind records that still had to be handed over.
  private var heldError: BrokerError? { didSet { isHeld = heldError != nil } }
  private var outage: OutageWait?
  private var lookAgain: Deadline?
  /// When something came last, or polling began after a pause.
  private var lastSign: Int64
  private var lastPoll: Int64
  /// Scratch space; `nil`: headers are left out.
  private let headers: ByteBuffer?

  /// - Parameter group: `nil` when the client's group is only a name.
  init(
    _ client: NativeClient, topic: String, group: String?, context: KafkaContext, readsHeaders: Bool = true
  ) {
    guard let queue = NativeQueue.consumer(of: client) else {
      preconditionFailure("a consumer client has a group, if only by name")
    }
    self.client = client
    self.topic = topic
    self.group = group
    self.queue = queue
    self.context = context
    headers = readsHeaders ? ByteBuffer(capacity: 256) : nil
    lastSign = context.time.monotonicNanoseconds
    lastPoll = lastSign
  }

  // Messages hold on to their client, which ends only when the last of them is gone.
  deinit { buffer.removeAll() }

  /// Reads on from exactly these positions; whatever was fetched before is dropped.
  func assign(_ positions: [PartitionOffset]) throws(BrokerError) {
    forget()
    lastSign = context.time.monotonicNanoseconds
    do { try client.assign(PartitionList(topic: topic, positions)) } catch {
      throw context.errors.map(error, "cannot read \(topic)")
    }
    cursors.assign(positions)
  }

  func unassign() throws(BrokerError) {
    forget()
    do { try client.unassign() } catch { throw context.errors.map(error, "cannot give back partitions of \(topic)") }
  }

  private func forget() {
    buffer.removeAll()
    cursors.assign([])
    heldError = nil
  }

  /// Fills an empty batch: waits up to `timeout` for the first record, end or rebalance, and takes what else is there.
  func fill(_ batch: RecordBatch, timeout: Duration) throws(BrokerError) {
    if let error = heldError { throw error }
    let start = context.time.monotonicNanoseconds
    // Nothing can come while nobody polls.
    if start - lastPoll >= Self.pause.nanoseconds { lastSign = start }
    defer {
      lastPoll = context.time.monotonicNanoseconds
      if !batch.isEmpty || !batch.ends.isEmpty {
        lastSign = lastPoll
        endOutage()
      }
    }
    drain(into: batch)
    if batch.isEmpty && batch.ends.isEmpty && heldError == nil { try waitForOne(batch, timeout) }
    while buffer.isEmpty && !batch.isFull && heldError == nil && !client.events.hasRebalance {
      buffer.fill(queue, limit: batch.recordLimit - batch.count)
      if buffer.isEmpty { break }
      drain(into: batch)
    }
    if batch.isEmpty && batch.ends.isEmpty, let error = heldError { throw error }
  }

  /// Serves the queue while the caller waits for the group; records that come are dropped.
  func serve(_ timeout: Duration) {
    buffer.removeAll()
    buffer.fillOne(queue, timeout: timeout)
    buffer.removeAll()
  }

  /// Ends the consumer and serves what the group still asks for; says whether it was done within `deadline`.
  func close(_ deadline: Deadline) -> Bool {
    forget()
    // Of its own: forwarding the consumer's queue to itself would keep its records, and with them the client, for ever.
    let closing = NativeQueue.new(of: client)
    do { try client.startClosing(closing) } catch { return true }
    while !client.isConsumerClosed {
      if deadline.hasPassed || isCutOff { return false }
      _ = closing.poll(deadline.remaining(atMost: .milliseconds(10)))
      if client.events.takeRebalance() != nil { try? client.unassign() }
    }
    return true
  }

  private func waitForOne(_ batch: RecordBatch, _ timeout: Duration) throws(BrokerError) {
    let deadline = Deadline(timeout, context.time)
    while true {
      // A caller that does not wait comes back at once.
      let mayWake = !ClientProfile.setsQueueBackoff && timeout > .zero && recordsSinceWake > 0 && cursors.isAnyBehind
      buffer.fillOne(queue, timeout: deadline.remaining(atMost: mayWake ? Self.wakeAfter : Self.waitSlice))
      if !buffer.isEmpty {
        drain(into: batch)
        if !batch.isEmpty || !batch.ends.isEmpty || heldError != nil { return }
      } else if mayWake {
        wakeFetcher()
      }
      try checkBrokers()
      if client.events.hasRebalance || deadline.hasPassed { return }
    }
  }

  private func wakeFetcher() {
    recordsSinceWake = 0
    guard let partition = cursors.nextBehind() else { return }
    // Not rd_kafka_query_watermark_offsets: while the leader is down, 2.0.2 waits in it without end.
    let question = PartitionList(topic: topic, partitions: [partition], offset: Offset(RD_KAFKA_OFFSET_END))
    try? client.offsetsForTimes(question, Self.wakeLimit)
  }

  /// Whether no broker can be reached now.
  var isCutOff: Bool { client.events.allBrokersDown }

  /// Fails when no broker has been reachable for longer than this run waits, or when nothing comes although one answers.
  /// librdkafka tells of some brokers that are gone, and of none that is back.
  func checkBrokers() throws(BrokerError) {
    let silence = Duration.nanoseconds(context.time.monotonicNanoseconds - lastSign)
    guard isCutOff || silence >= Self.silenceLimit else { return endOutage() }
    if let lookAgain, !lookAgain.hasPassed { return }
    lookAgain = Deadline(isCutOff || outage != nil ? .seconds(1) : Self.silenceLimit, context.time)
    guard let problem = problem(silence) else { return endOutage() }
    let outage = outage ?? OutageWait(context.outages, atLeast: Self.leastOutage, noteAfter: .zero)
    self.outage = outage
    guard outage.goesOn(because: problem, pause: .zero) else {
      // The caller ends by itself.
      if context.outages.hasStopped { return }
      throw problem
    }
  }

  private func endOutage() {
    context.outages.tellEnd()
    guard let outage else { return }
    self.outage = nil
    outage.answered()
  }

  /// Why nothing comes, if there is a reason.
  private func problem(_ silence: Duration) -> BrokerError? {
    do {
      try client.ping(.milliseconds(500))
    } catch {
      return context.errors.map(client.events.lastFailure ?? error, "cannot read \(topic)", recovery: .fatal)
    }
    client.events.clearBrokersDown()
    guard cursors.isAnyBehind && silence >= Self.progressLimit else { return nil }
    return BrokerError(
      .timedOut, "cannot read \(topic)", why: "nothing has come for \(silence.milliseconds / 1000) s",
      remedy: "look whether each partition has a leader", recovery: .fatal)
  }

  /// Moves messages into the batch until it is full or something must wait for the next poll.
  private func drain(into batch: RecordBatch) {
    while !buffer.isEmpty && !isHeld {
      let message = buffer.first
      switch message.error {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        if !take(message, into: batch) { return }
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if cursors.acceptEnd(message.partition, message.offset) {
          batch.appendEnd(PartitionOffset(partition: message.partition, offset: message.offset))
        }
      default: heldError = failure(message)
      }
      buffer.removeFirst()
    }
  }

  /// Copies a record in; false when it must wait for the next batch.
  @inline(__always)
  private func take(_ message: ConsumedMessage, into batch: RecordBatch) -> Bool {
    if batch.isFull { return false }
    if !batch.isEmpty && batch.byteCount + message.byteCount > batch.byteLimit { return false }
    // An end stands after its partition's records, so a record after an end begins the next batch.
    if !batch.ends.isEmpty && batch.ends.contains(where: { $0.partition == message.partition }) { return false }
    if cursors.accept(message.partition, message.offset) {
      message.append(to: batch, headers: headers)
      recordsSinceWake += 1
    }
    return true
  }

  /// What an error in the place of a record means; `nil` when it passes by itself.
  private func failure(_ message: ConsumedMessage) -> BrokerError? {
    let error = message.nativeError
    switch error.code {
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
      context.note(.info, "reading \(topic): \(error.text)")
      return nil
    case RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
      // A broker in trouble; librdkafka asks again.
      context.note(.warning, "reading \(topic): \(error.text)")
      return nil
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED where group == nil: return nil
    case RD_KAFKA_RESP_ERR__FATAL:
      return context.errors.map(client.fatalError ?? error, "cannot read \(topic)", recovery: .fatal)
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      guard cursors.isAssigned(message.partition) else { return nil }
      return gone(message.partition, error)
    default:
      if error.code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, let group {
        return context.errors.denied([AccessRight(.read, .group(group))], error, "cannot join the group \(group)")
      }
      if error.code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, (try? context.partitionCount(of: topic)) != nil {
        // A broker that has restarted was not told of it yet.
        return nil
      }
      if context.errors.map(error, "").passesByItself {
        context.note(.info, "reading \(topic): \(error.text)")
        return nil
      }
      let place = message.partition >= 0 ? "\(topic)[\(message.partition)]" : topic
      let right = AccessRight(.read, .topic(topic))
      return context.errors.map(error, "cannot read \(place)", needs: right, recovery: .fatal)
    }
  }

  /// Names the range that is still there.
  private func gone(_ partition: Int32, _ error: NativeError) -> BrokerError {
    var mapped = context.errors.map(error, "cannot read \(topic)[\(partition)]@\(cursors.next(partition))")
    mapped.code = .offsetOutOfRange
    mapped.recovery = .fatal
    if let low = try? context.starts(topic, [partition]).first, let high = try? context.ends(topic, [partition]).first {
      mapped.why = "the partition holds offsets \(low) to \(high); the rest is gone (\(error.name))"
    }
    return mapped
  }
}
