import OrderStreamCore

/// Finds the identity of a group's member. An instance (`--instance`) is the same on every machine, and a group lets the
/// later one of two members of one name throw the earlier one out; so the later one looks first, and ends.
enum InstancePlace {
  /// How long the session of a member that died elsewhere may take to end: the default of 6 s, and the broker's delay.
  private static let patience = Duration.seconds(10)
  private static let pause = Duration.milliseconds(250)

  /// - Returns: `nil` for a consumer without a group.
  /// - Throws: `groupActive` when another process is the instance.
  static func slot(of options: ConsumerOptions, _ context: KafkaContext) throws(BrokerError) -> IdentitySlot? {
    guard let group = options.group else { return nil }
    guard case .member = options.membership, let instance = options.instance else {
      return IdentitySlot(group: group, clusterID: context.clusterID, directory: context.lockDirectory)
    }
    guard
      let slot = IdentitySlot(
        instance: instance, group: group, clusterID: context.clusterID, directory: context.lockDirectory)
    else { throw taken(instance, group) }
    var patience = Patience(
      "waiting for an earlier member of the name \(instance) to leave the group \(group)", limit: patience, context)
    while try isTaken(slot, group, context) {
      guard patience.goesOn(pause: pause) else { throw taken(instance, group) }
    }
    return slot
  }

  /// Whether the group has a member of this identity that is not the one that left its id here, which is dead, because
  /// its lock was free.
  private static func isTaken(
    _ slot: IdentitySlot, _ group: String, _ context: KafkaContext
  ) throws(BrokerError) -> Bool {
    let found = try context.ask("cannot look for other members of the group \(group)") { timeout throws(NativeError) in
      try context.lookup.groups(group, timeout)
    }
    // Coordinators make the id of a static member of its instance id and a random part.
    let dead = slot.noted
    return found.contains { $0.members.contains { $0.id.hasPrefix(slot.identity + "-") && $0.id != dead } }
  }

  private static func taken(_ instance: String, _ group: String) -> BrokerError {
    BrokerError(
      .groupActive, "cannot join the group \(group) as \(instance)", why: "another process is the member of that name",
      remedy: "give each member a name of its own with --instance, or stop the other one first", recovery: .none)
  }
}
