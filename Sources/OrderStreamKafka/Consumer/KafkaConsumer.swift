import CRdKafka
import OrderStreamCore

/// A consumer of one topic: a static member of a group, the only user of a private group, or without a group. One thread.
///
/// Rebalances are only recorded when librdkafka announces them; the caller's answer (`assign`, `unassign`) is what moves
/// partitions, so a transaction can be finished first.
final class KafkaConsumer: Consumer {
  /// Of the 5 s that closing may take; the rest is for the client's threads to end.
  private static let closeLimit = Duration.milliseconds(3500)
  /// How long the group may keep offsets back because a transaction is open: the transaction's time-out and the
  /// coordinator's search for such transactions, twice.
  static let openTransactionLimit = Duration.seconds(60)
  /// How long offsets or state may be kept back by a transaction before it is seen to.
  static let settleAfter = Duration.milliseconds(500)
  /// Waiting that is worth a note.
  static let noteAfter = Duration.seconds(1)

  let options: ConsumerOptions
  let partitionCount: Int32
  /// `nil` without a group.
  let slot: IdentitySlot?
  /// What other members of the group may have left open when they died.
  let deadMembers: DeadMembers
  private var looksForDeadMembers = false
  /// Who this member is in the generation that gave it its partitions; transactions are fenced by it.
  private(set) var groupMetadata: GroupMetadata?
  private let context: KafkaContext
  private var source: RecordSource?
  private var state: StateReader?
  private var unanswered: ConsumerEvent?
  /// What the group has given (perhaps nothing) and was not given back.
  private(set) var owned: Set<Int32>?
  private var isAssigned: Bool { owned != nil }
  /// The one that commits this consumer's offsets.
  weak var transaction: KafkaTransaction?
  /// librdkafka forgets that an assignment was lost when positions are moved.
  private var isLost = false
  /// This member's id in the generation that it was assigned partitions in last.
  private var memberID = ""
  /// Clients that ended without an assignment in between.
  private var clientsInARow = 1
  private static let clientLimit = 5

  init(_ options: ConsumerOptions, partitionCount: Int32, context: KafkaContext) throws(BrokerError) {
    self.options = options
    self.partitionCount = partitionCount
    self.context = context
    slot = try InstancePlace.slot(of: options, context)
    deadMembers = DeadMembers(group: options.group ?? "", ownIdentity: slot?.identity ?? "", context: context)
    if let slot, !slot.isStable {
      context.note(
        .notice,
        "no lock can be had in \(context.lockDirectory), so a restart may wait for this member's session to end")
    }
    let source = try makeSource()
    self.source = source
    if case .sole = options.membership {
      unanswered = .assigned(Array(0..<partitionCount))
      // It commits before the first assignment when it resets the group.
      groupMetadata = GroupMetadata(of: source.client)
    }
  }

  /// Makes a client, which joins the group of a member.
  private func makeSource() throws(BrokerError) -> RecordSource {
    let isMember = if case .member = options.membership { true } else { false }
    let profile = options.group.map { ClientProfile.consumer(group: $0, instance: isMember ? slot?.identity : nil) }
    let client = try context.factory.client(profile ?? .reader())
    // Without the topic's leaders in hand the first fetch waits for the next metadata request.
    _ = try? client.metadata(options.topic, .seconds(5))
    if isMember {
      do { try client.subscribe(to: options.topic) } catch {
        throw context.errors.map(error, "cannot join the group of \(options.topic)")
      }
    }
    return RecordSource(
      client, topic: options.topic, group: options.group, context: context,
      readsHeaders: options.readsHeaders)
  }

  deinit { close() }

  func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    let source = try openSource()
    batch.removeAll()
    if let event = pendingEvent(source) { return event }
    if source.client.isFatal { return try replace(source) }
    do { try source.fill(batch, timeout: timeout) } catch {
      guard source.client.isFatal else { throw error }
      batch.removeAll()
      return try replace(source)
    }
    if batch.isEmpty && batch.ends.isEmpty {
      if let event = pendingEvent(source) { return event }
      // Others may wait for what this member has left open, and it may have nothing to write for long.
      try transaction?.closeOwn()
    }
    return .polled
  }

  /// The event that waits for the caller's answer. Partitions that were to be given back may be lost meanwhile.
  private func pendingEvent(_ source: RecordSource) -> ConsumerEvent? {
    switch source.client.events.takeRebalance() {
    case .assign(let partitions):
      clientsInARow = 1
      memberID = source.client.memberID
      if options.instance != nil { slot?.note(memberID) }
      unanswered = .assigned(partitions)
      owned = Set(partitions)
      looksForDeadMembers = !partitions.isEmpty
      transaction?.needsLook = true
      takeGroupMetadata(source.client)
    case .revoke(let lost): unanswered = lost || isLost ? .lost : .revoked
    case nil: break
    }
    if unanswered == .revoked && source.client.assignmentLost { unanswered = .lost }
    return unanswered
  }

  // MARK: - Fenced clients

  /// Answers a fatal error of the client. A member whose coordinator was away for longer than its session is fenced by
  /// itself: librdkafka has forgotten its member id by then, and asks without one for an instance that the coordinator
  /// knows. Then another client takes its place, after the caller has given back what the old one had. A member that
  /// somebody else has replaced ends.
  private func replace(_ source: RecordSource) throws(BrokerError) -> ConsumerEvent {
    let error = source.client.fatalError ?? NativeError(RD_KAFKA_RESP_ERR__FATAL)
    var failure = context.errors.map(error, "cannot read \(options.topic)", recovery: .fatal)
    guard case .member = options.membership, error.code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID else { throw failure }
    if isAssigned {
      unanswered = .lost
      return .lost
    }
    let mayJoin = context.outages.limit == .none || clientsInARow < Self.clientLimit
    guard mayJoin, !isTakenByAnother() else {
      failure.why = "another process has taken the place of this member (\(error.name))"
      failure.remedy = "let one process use an identity, or run again"
      throw failure
    }
    clientsInARow += 1
    context.note(.notice, "this member of \(requireGroup()) lost its session; it joins again")
    self.source = nil
    self.source = try makeSource()
    return .polled
  }

  /// Whether the group has a member with this member's instance id and another member id. When that cannot be learnt,
  /// nobody else is assumed: the lock of the identity keeps other processes of this machine away.
  private func isTakenByAnother() -> Bool {
    guard let slot, let group = try? context.lookup.groups(requireGroup(), .seconds(5)).first else { return false }
    // Coordinators make the id of a static member of its instance id and a random part.
    return group.members.contains { $0.id.hasPrefix(slot.identity + "-") && $0.id != memberID }
  }

  private func takeGroupMetadata(_ client: NativeClient) {
    groupMetadata = GroupMetadata(of: client)
    // Between the assignment and now the session may have ended; then no transaction of this member is valid.
    if let generation = groupMetadata?.generation, generation < 0 { groupMetadata = nil }
  }

  func assign(_ positions: [PartitionOffset]) throws(BrokerError) {
    let source = try openSource()
    precondition(
      unanswered != .revoked && unanswered != .lost, "partitions that are taken away are answered with unassign")
    isLost = isLost || source.client.assignmentLost
    try source.assign(positions)
    unanswered = nil
  }

  func unassign() throws(BrokerError) {
    let source = try openSource()
    if case .member = options.membership { groupMetadata = nil }
    // Of a client that has failed nothing is left to give back.
    do { try source.unassign() } catch { if !source.client.isFatal { throw error } }
    unanswered = nil
    owned = nil
    isLost = false
  }

  func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?] {
    let source = try openSource()
    let group = requireGroup()
    let what = "cannot read the committed offsets of \(group)"
    if partitions.isEmpty { return [] }
    if looksForDeadMembers {
      looksForDeadMembers = false
      deadMembers.end()
    }
    var patience = Patience(
      "waiting for an open transaction of the group \(group) to end", limit: Self.openTransactionLimit, context)
    let outage = OutageWait(context.outages, atLeast: Self.openTransactionLimit)
    let settled = Deadline(Self.settleAfter, context.time)
    while true {
      do {
        let list = PartitionList(
          topic: options.topic, partitions: partitions, offset: Offset(RD_KAFKA_OFFSET_INVALID))
        try source.client.committed(list, .seconds(1))
        var offsets: [CommittedOffset?] = []
        for element in list.elements {
          try NativeError.check(element.error)
          let mark = CommitMark(element.metadata)
          offsets.append(
            element.offset < 0
              ? nil : CommittedOffset(element.offset, committer: mark?.identity, committedMs: mark?.endMs))
        }
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
        if settled.hasPassed && mayWait { try transaction?.settle() }
        // What is busy answers, and is in somebody's way.
        let goesOn = mapped.code == .busy ? patience.goesOn() : outage.goesOn(because: mapped)
        guard goesOn else { throw mapped }
      }
    }
  }

  func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError) {
    _ = try openSource()
    let reader = state ?? StateReader(group: requireGroup(), context: context)
    state = reader
    // Records of an own transaction are not committed, and waiting for its end here would be waiting for ever.
    try reader.read(
      options.topic, partitions, waiting: transaction?.isOpen != true, settle: transaction?.settle, body)
  }

  func close() {
    guard let source else { return }
    self.source = nil
    state = nil
    groupMetadata = nil
    let deadline = Deadline(Self.closeLimit, context.time)
    if case .member = options.membership { leave(source, deadline) }
    if !source.close(deadline) {
      context.note(.warning, "the group of \(options.topic) did not answer; its session ends by itself")
    }
    // The name of an instance is free for the next one; a transaction of this consumer has been closed before.
    if options.instance != nil { slot?.release() }
  }

  /// The process of this consumer and its transaction is gone: nobody is told. For tests.
  func die() {
    source = nil
    state = nil
    transaction?.die()
    slot?.abandon()
  }

  /// Ends the client as a coordinator does that takes it for another one. For tests.
  func raiseFencing() {
    source?.client.raiseFatalError(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, reason: "raised by a test")
  }

  /// A static member does not leave by closing: it unsubscribes, serves the revoke, and is gone when it has no id. A
  /// member that is just joining cannot leave, so its assignment is waited for.
  private func leave(_ source: RecordSource, _ deadline: Deadline) {
    var pending = pendingEvent(source)
    while !isAssigned && pending == nil && deadline.remaining > .seconds(2) && !source.isCutOff {
      source.serve(.milliseconds(10))
      pending = pendingEvent(source)
    }
    // Before the unsubscription, because librdkafka revokes nothing while it waits for this answer.
    if case .assigned = pending { try? source.assign([]) }
    source.client.unsubscribe()
    if pending == .revoked || pending == .lost { try? source.unassign() }
    while !source.client.memberID.isEmpty && deadline.remaining > .seconds(1) && !source.isCutOff {
      source.serve(deadline.remaining(atMost: .milliseconds(10)))
      switch source.client.events.takeRebalance() {
      case .assign: try? source.assign([])
      case .revoke: try? source.unassign()
      case nil: break
      }
    }
  }

  private func openSource() throws(BrokerError) -> RecordSource {
    if let source { return source }
    throw BrokerError(.internalError, "cannot read \(options.topic)", why: "the consumer is closed")
  }

  private func requireGroup() -> String {
    guard let group = options.group else {
      preconditionFailure("committed offsets and state belong to a group; this consumer has none")
    }
    return group
  }
}
