import OrderStreamCore

/// Ends what dead members of a group have left open. The identity that committed last stands beside each committed
/// offset; one that is no longer a member is initialised once, which makes its coordinator abort its open transaction and
/// fences it. Without that the next owner would wait until the transaction times out. One that has only lost its session is known
/// to live by its lock, where it is on this machine; elsewhere it may be fenced, makes itself another client and goes on.
final class DeadMembers {
  /// How long one identity may take; its coordinator may be away.
  private static let initLimit = Duration.seconds(3)
  /// How many members of one machine are tried that have left no mark.
  private static let siblingLimit = 8

  private let group: String
  private let ownIdentity: String
  private let context: KafkaContext
  /// Identities that were ended, with the newest mark that they had left.
  private var ended: [String: Int64] = [:]

  init(group: String, ownIdentity: String, context: KafkaContext) {
    self.group = group
    self.ownIdentity = ownIdentity
    self.context = context
  }

  /// - Parameter siblings: Also those that this machine's other members would have: one that died in its first
  ///   transaction has left no mark.
  func end(siblings: Bool = false) {
    var identities = marks()
    if siblings { for identity in siblingIdentities where identities[identity] == nil { identities[identity] = -1 } }
    identities = identities.filter { ended[$0.key] != $0.value }
    for identity in gone(Set(identities.keys), elsewhere: true) where end(identity) {
      ended[identity] = identities[identity]
    }
  }

  /// Those that are no longer members of the group and whose processes, as far as can be seen, are dead. None when the
  /// group cannot be looked at.
  /// - Parameter elsewhere: Whether not to be a member is enough on another machine.
  func gone(_ identities: Set<String>, elsewhere: Bool) -> [String] {
    let identities = identities.subtracting([ownIdentity])
    guard !identities.isEmpty, let members = try? context.lookup.groups(group, .seconds(2)).first?.members else {
      return []
    }
    let living = IdentitySlot.held(group: group, clusterID: context.clusterID, directory: context.lockDirectory)
    let dead = Set(siblingIdentities)
    return identities.sorted().filter { identity in
      !members.contains { $0.isInstance(identity) } && !living.contains(identity)
        && (elsewhere || dead.contains(identity))
    }
  }

  /// The newest mark of each identity, also where a newer offset waits for a transaction to end.
  private func marks() -> [String: Int64] {
    var times: [String: Int64] = [:]
    for element in (try? context.committedOffsets(group: group, .seconds(2))) ?? [] {
      guard let mark = CommitMark(element.metadata) else { continue }
      times[mark.identity] = max(times[mark.identity] ?? 0, mark.endMs)
    }
    return times
  }

  private var siblingIdentities: [String] {
    IdentitySlot.abandoned(
      group: group, clusterID: context.clusterID, directory: context.lockDirectory, limit: Self.siblingLimit)
  }

  /// Every identity that has left a mark beside a committed offset.
  var committers: Set<String> { Set(marks().keys) }

  private func end(_ identity: String) -> Bool {
    guard take(identity) != nil else { return false }
    context.note(.info, "ended what \(identity), which is no longer a member of \(group), may have left open")
    return true
  }

  /// Makes its coordinator abort what an identity has open, and fences whoever uses it.
  /// - Returns: A client of that identity without an open transaction; `nil` when its coordinator does not answer.
  func take(_ identity: String) -> NativeClient? {
    guard let client = try? context.factory.client(.transactional(id: identity)) else { return nil }
    let deadline = Deadline(Self.initLimit, context.time)
    while true {
      do {
        try client.initTransactions(deadline.remaining(atMost: .seconds(1)))
        return client
      } catch {
        guard !error.isFatal, !deadline.hasPassed else {
          context.note(.info, "cannot end what \(identity) may have left open: \(error.text)")
          return nil
        }
      }
    }
  }
}
