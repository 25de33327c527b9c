import CRdKafka
import OrderStreamCore

/// A consumer of one topic: reads through a `RecordSource`, and follows its group through a `GroupMembership`. One thread.
final class KafkaConsumer: Consumer {
  /// Of the 5 s that closing may take; the rest is for the client's threads to end.
  private static let closeLimit = Duration.milliseconds(3500)
  /// How long the group may keep offsets back because a transaction is open: the transaction's time-out and the
  /// coordinator's search for such transactions, twice.
  private static let openTransactionLimit = Duration.seconds(60)

  let options: ConsumerOptions
  let partitionCount: Int32
  let membership: GroupMembership
  private let context: KafkaContext
  private var source: RecordSource?
  private var state: StateReader?

  init(_ options: ConsumerOptions, partitionCount: Int32, context: KafkaContext) throws(BrokerError) {
    self.options = options
    self.partitionCount = partitionCount
    self.context = context
    membership = try GroupMembership(options, context)
    let source = try makeSource()
    self.source = source
    if case .sole = options.membership { membership.beginAlone(source.client, partitionCount: partitionCount) }
  }

  /// Makes a client, which joins the group of a member.
  private func makeSource() throws(BrokerError) -> RecordSource {
    let isMember = membership.isMember
    let profile = options.group.map { group in
      ClientProfile.consumer(group: group, instance: isMember ? membership.slot?.identity : nil)
    }
    let client = try context.factory.client(profile ?? .reader(options.isolation))
    // Without the topic's leaders in hand the first fetch waits for the next metadata request.
    _ = try? client.metadata(options.topic, .seconds(5))
    if isMember {
      do { try client.subscribe(to: options.topic) } catch {
        throw context.errors.map(error, "cannot join the group of \(options.topic)")
      }
    }
    return RecordSource(
      client, topic: options.topic, group: options.group, context: context,
      readsHeaders: options.readsHeaders, dropsRepeats: options.dropsRepeats)
  }

  deinit { close() }

  func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    let source = try openSource()
    batch.removeAll()
    if let event = membership.pendingEvent(source.client) { return event }
    if source.client.isFatal { return try replace(source) }
    do { try source.fill(batch, timeout: timeout) } catch {
      guard source.client.isFatal else { throw error }
      batch.removeAll()
      return try replace(source)
    }
    if batch.isEmpty && batch.ends.isEmpty {
      if let event = membership.pendingEvent(source.client) { return event }
      // Others may wait for what this member has left open, and it may have nothing to write for long.
      try membership.transaction?.closeOwn()
    }
    return .polled
  }

  /// Answers a fatal error of the client: with another one, where the membership can go on.
  private func replace(_ source: RecordSource) throws(BrokerError) -> ConsumerEvent {
    let error = source.client.fatalError ?? NativeError(RD_KAFKA_RESP_ERR__FATAL)
    if let event = try membership.afterFatalError(error, "cannot read \(options.topic)") { return event }
    self.source = nil
    self.source = try makeSource()
    return .polled
  }

  func assign(_ positions: [PartitionOffset]) throws(BrokerError) {
    let source = try openSource()
    membership.willAssign(source.client)
    try source.assign(positions)
    membership.didAssign()
  }

  func unassign() throws(BrokerError) {
    let source = try openSource()
    membership.willUnassign()
    // Of a client that has failed nothing is left to give back.
    do { try source.unassign() } catch { if !source.client.isFatal { throw error } }
    membership.didUnassign()
  }

  func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?] {
    let source = try openSource()
    let group = membership.requireGroup()
    let what = "cannot read the committed offsets of \(group)"
    if partitions.isEmpty { return [] }
    membership.endDeadMembers()
    var wait = BoundedWait(
      "waiting for an open transaction of the group \(group) to end", limit: Self.openTransactionLimit, context)
    let outage = OutageWait(context.outages, atLeast: Self.openTransactionLimit)
    let settled = Deadline(OpenTransactionWait.settleAfter, context.time)
    while true {
      do {
        let offsets = try askCommitted(partitions, of: group, source.client)
        outage.answered()
        return offsets
      } catch {
        // Some brokers answer so for a group that nobody has used; others say that it has no offsets.
        if error.code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return partitions.map { _ in nil } }
        let isGroup = error.code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
        let right = AccessRight(.describe, isGroup ? .group(group) : .topic(options.topic))
        let mapped = context.errors.map(error, what, needs: right)
        guard mapped.passesByItself else { throw mapped }
        // librdkafka asks again itself when offsets wait for a transaction to end, until its time is over.
        let mayWait = [RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR__TIMED_OUT].contains(error.code)
        if settled.hasPassed && mayWait { try membership.transaction?.settle() }
        // What is busy answers, and is in somebody's way.
        let goesOn = mapped.code == .busy ? wait.goesOn() : outage.goesOn(because: mapped)
        guard goesOn else { throw mapped }
      }
    }
  }

  /// Asks the member's own client, and where that does not answer the one that looks: librdkafka 2.0.2 lets such questions
  /// lie while the group has something to settle with the caller, who asks before the next poll.
  private func askCommitted(
    _ partitions: [Int32], of group: String, _ client: NativeClient
  ) throws(NativeError) -> [CommittedOffset?] {
    var elements: [Int32: PartitionList.Element] = [:]
    do throws(NativeError) {
      let list = PartitionList(
        topic: options.topic, partitions: partitions, offset: Offset(RD_KAFKA_OFFSET_INVALID))
      try client.committed(list, .seconds(1))
      for element in list.elements { elements[element.topicPartition.partition] = element }
    } catch {
      guard error.code == RD_KAFKA_RESP_ERR__TIMED_OUT else { throw error }
      let all = (topic: options.topic, count: partitions.max()! + 1)
      for element in try context.committedOffsets(group: group, stable: all, .seconds(1)) {
        elements[element.topicPartition.partition] = element
      }
    }
    var offsets: [CommittedOffset?] = []
    for partition in partitions {
      guard let element = elements[partition] else {
        offsets.append(nil)
        continue
      }
      try NativeError.check(element.error)
      let mark = CommitMark(element.metadata)
      offsets.append(
        element.offset < 0
          ? nil
          : CommittedOffset(
            element.offset, committer: mark?.identity ?? OffsetMark(element.metadata)?.identity,
            committedMs: mark?.endMs))
    }
    return offsets
  }

  /// Commits offsets without a transaction, each with this mark beside it. Any thread, beside polls.
  func commit(_ offsets: [PartitionOffset], mark: String, _ deadline: Deadline) throws(NativeError) {
    guard let client = source?.client else { throw NativeError(RD_KAFKA_RESP_ERR__STATE, text: "it is closed") }
    let list = PartitionList(topic: options.topic, offsets)
    list.setMetadata(mark)
    try client.commitOffsets(list, deadline.remaining)
  }

  /// Whether the client is still in the generation that gave this member its partitions.
  var isInItsGeneration: Bool {
    guard let client = source?.client, let own = membership.metadata?.generation, own >= 0 else { return false }
    return !client.assignmentLost && GroupMetadata(of: client)?.generation == own
  }

  func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError) {
    _ = try openSource()
    let reader = state ?? StateReader(group: membership.requireGroup(), context: context)
    state = reader
    // Records of an own transaction are not committed, and waiting for its end here would be waiting for ever.
    try reader.read(
      options.topic, partitions, waiting: membership.transaction?.isOpen != true,
      settle: membership.transaction?.settle, body)
  }

  func close() {
    guard let source else { return }
    self.source = nil
    state = nil
    membership.forgetMetadata()
    let deadline = Deadline(Self.closeLimit, context.time)
    if membership.isMember { membership.leave(source, deadline) }
    if !source.close(deadline), membership.isMember {
      context.note(.warning, "the group of \(options.topic) did not answer; its session ends by itself")
    }
    membership.close()
  }

  /// The process of this consumer and its transaction is gone: nobody is told. For tests.
  func die() {
    source = nil
    state = nil
    membership.die()
  }

  /// Ends the client as a coordinator does that takes it for another one. For tests.
  func raiseFencing() {
    source?.client.raiseFatalError(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, reason: "raised by a test")
  }

  private func openSource() throws(BrokerError) -> RecordSource {
    if let source { return source }
    throw BrokerError(.internalError, "cannot read \(options.topic)", why: "the consumer is closed")
  }
}
