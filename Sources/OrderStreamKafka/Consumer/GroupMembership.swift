import CRdKafka
import OrderStreamCore

/// What a consumer is in its group: who it is, what was assigned to it, and what was announced and not answered yet. A
/// static member, the only user of a private group, or without a group. One thread.
///
/// Rebalances are only recorded when librdkafka announces them; the caller's answer (`assign`, `unassign`) is what moves
/// partitions, so a transaction can be finished first.
final class GroupMembership {
  /// Clients that ended without an assignment in between.
  private static let clientLimit = 5

  /// Of the group; `nil` without one.
  let group: String?
  /// Whether the group gives the partitions.
  let isMember: Bool
  /// `nil` without a group.
  let slot: IdentitySlot?
  /// What other members of the group may have left open when they died.
  let deadMembers: DeadMembers
  /// Who this member is in the generation that gave it its partitions; transactions are fenced by it.
  private(set) var metadata: GroupMetadata?
  /// What the group has given (perhaps nothing) and was not given back.
  private(set) var owned: Set<Int32>?
  /// Waits for the caller's answer.
  private(set) var unanswered: ConsumerEvent?
  /// The transaction that commits this consumer's offsets.
  weak var transaction: KafkaTransaction?
  private let context: KafkaContext
  private let isInstance: Bool
  private var looksForDeadMembers = false
  /// librdkafka forgets that an assignment was lost when positions are moved.
  private var isLost = false
  /// This member's id in the generation that it was assigned partitions in last.
  private var memberID = ""
  private var clientsInARow = 1

  /// - Throws: `groupActive` when another process is the instance.
  init(_ options: ConsumerOptions, _ context: KafkaContext) throws(BrokerError) {
    group = options.group
    isMember = if case .member = options.membership { true } else { false }
    isInstance = options.instance != nil
    self.context = context
    slot = try InstancePlace.slot(of: options, context)
    deadMembers = DeadMembers(group: options.group ?? "", ownIdentity: slot?.identity ?? "", context: context)
    if let slot, !slot.isStable {
      context.note(
        .notice,
        "no lock file can be taken in \(context.lockDirectory), so a restart may wait for this member's session to end")
    }
  }

  func requireGroup() -> String {
    guard let group else {
      preconditionFailure("only a group has committed offsets and state; this consumer has none")
    }
    return group
  }

  /// The only user of its group has all partitions from the start.
  func beginAlone(_ client: NativeClient, partitionCount: Int32) {
    unanswered = .assigned(Array(0..<partitionCount))
    // It commits before the first assignment when it resets the group.
    metadata = GroupMetadata(of: client)
  }

  // MARK: - Rebalances

  /// The event that waits for the caller's answer. Partitions that were to be given back may be lost meanwhile.
  func pendingEvent(_ client: NativeClient) -> ConsumerEvent? {
    switch client.events.takeRebalance() {
    case .assign(let partitions):
      clientsInARow = 1
      memberID = client.memberID
      if isInstance { slot?.note(memberID) }
      unanswered = .assigned(partitions)
      owned = Set(partitions)
      looksForDeadMembers = !partitions.isEmpty
      transaction?.needsLook = true
      takeMetadata(client)
    case .revoke(let lost): unanswered = lost || isLost ? .lost : .revoked
    case nil: break
    }
    if unanswered == .revoked && client.assignmentLost { unanswered = .lost }
    return unanswered
  }

  private func takeMetadata(_ client: NativeClient) {
    metadata = GroupMetadata(of: client)
    // Between the assignment and now the session may have ended; then no transaction of this member is valid.
    if let generation = metadata?.generation, generation < 0 { metadata = nil }
  }

  /// Positions of what is assigned are about to be set.
  func willAssign(_ client: NativeClient) {
    precondition(
      unanswered != .revoked && unanswered != .lost, "partitions that are taken away are answered with unassign")
    isLost = isLost || client.assignmentLost
  }

  func didAssign() { unanswered = nil }

  /// What is assigned is about to be given back: no transaction of this generation is valid any more.
  func willUnassign() { if isMember { metadata = nil } }

  func didUnassign() {
    unanswered = nil
    owned = nil
    isLost = false
  }

  /// Before the first look at committed offsets after an assignment.
  func endDeadMembers() {
    guard looksForDeadMembers else { return }
    looksForDeadMembers = false
    deadMembers.end()
  }

  // MARK: - Fenced clients

  /// What a fatal error of the client means for a member. A member whose coordinator was away for longer than its session
  /// is fenced by itself: librdkafka has forgotten its member id by then, and asks without one for an instance that the
  /// coordinator knows. Then another client takes its place, after the caller has given back what the old one had.
  /// - Returns: `lost` while there is something to give back; `nil` when another client is to join.
  /// - Throws: For one that is not a member, and for a member that somebody else has replaced.
  func afterFatalError(_ error: NativeError, _ what: String) throws(BrokerError) -> ConsumerEvent? {
    var failure = context.errors.map(error, what, recovery: .fatal)
    guard isMember, error.code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID else { throw failure }
    if owned != nil {
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
    return nil
  }

  /// Whether the group has a member with this member's instance id and another member id. When that cannot be learnt,
  /// nobody else is assumed: the lock of the identity keeps other processes of this machine away.
  private func isTakenByAnother() -> Bool {
    guard let slot, let group = try? context.lookup.groups(requireGroup(), .seconds(5)).first else { return false }
    return group.members.contains { $0.isInstance(slot.identity) && $0.id != memberID }
  }

  // MARK: - Leaving

  /// A static member does not leave by closing: it unsubscribes, serves the revoke, and is gone when it has no id. A
  /// member that is just joining cannot leave, so its assignment is waited for.
  func leave(_ source: RecordSource, _ deadline: Deadline) {
    var pending = pendingEvent(source.client)
    while owned == nil && pending == nil && deadline.remaining > .seconds(2) && !source.liveness.isCutOff {
      source.serve(.milliseconds(10))
      pending = pendingEvent(source.client)
    }
    // Before the unsubscription, because librdkafka revokes nothing while it waits for this answer.
    if case .assigned = pending { try? source.assign([]) }
    source.client.unsubscribe()
    if pending == .revoked || pending == .lost { try? source.unassign() }
    while !source.client.memberID.isEmpty && deadline.remaining > .seconds(1) && !source.liveness.isCutOff {
      source.serve(deadline.remaining(atMost: .milliseconds(10)))
      switch source.client.events.takeRebalance() {
      case .assign: try? source.assign([])
      case .revoke: try? source.unassign()
      case nil: break
      }
    }
  }

  /// The consumer is closed. The name of an instance is free for the next one; a transaction has been closed before.
  func close() { if isInstance { slot?.release() } }

  func forgetMetadata() { metadata = nil }

  /// The process is gone. For tests.
  func die() {
    transaction?.die()
    slot?.abandon()
  }
}
