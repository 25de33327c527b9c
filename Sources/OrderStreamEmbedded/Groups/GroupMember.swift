import Foundation
import GRDB
import OrderStreamCore

/// One consumer's membership in its group: joins, follows the assignment, watches the others and leaves. Used on the
/// consumer's thread.
final class GroupMember {
  /// How often the other members are looked at.
  private static let watchInterval = Duration.milliseconds(250)
  private static let leaveLimit = Duration.seconds(4)
  /// A poll comes back soon even while a stopped process holds the write lock; the next poll tries again.
  private static let pollLimit = Duration.seconds(1)

  private enum Phase {
    /// Not a member: never joined, or taken for dead and replaced.
    case outside
    /// Owns nothing and waits until its targets are free.
    case waiting
    /// Owns partitions that `assign` has not answered yet.
    case offered([Int32])
    case working([Int32])
    case lost
  }

  /// What a look at the log brought.
  enum Finding {
    case event(ConsumerEvent)
    /// Reading may go on.
    case working
    /// Nothing to do but wait.
    case waiting
    /// `advance` will change something.
    case canAdvance
  }

  /// Who commits: ownership is stored under both.
  struct Identity {
    var id = ""
    /// The generation in which the partitions were taken.
    var generation: Int64 = -1
  }

  let store: GroupStore
  private let connection: LogConnection
  private let name: String
  private(set) var identity = Identity()
  private var id: String { identity.id }
  private var phase = Phase.outside
  private var file: MemberFile?
  private var heartbeat: Heartbeat?
  /// `nil`: now.
  private var nextWatch: Deadline?

  /// - Parameter name: What its ids begin with.
  init(_ connection: LogConnection, store: GroupStore, name: String? = nil) {
    self.connection = connection
    self.name = name ?? "orderstream"
    self.store = store
  }

  private var what: String { "cannot take part in the group \(store.group.name)" }

  /// The partitions that this member may read and commit, as far as it knows.
  var assigned: [Int32] {
    switch phase {
    case .offered(let numbers), .working(let numbers): numbers
    case .outside, .waiting, .lost: []
    }
  }

  /// Looks inside an open read transaction.
  func look(_ database: Database) throws -> Finding {
    switch phase {
    case .outside: return .canAdvance
    case .waiting:
      let state = try store.load(database)
      if !state.contains(id) { phase = .outside }
      return !state.contains(id) || state.canTake(id) ? .canAdvance : .waiting
    case .offered(let numbers): return .event(.assigned(numbers))
    case .lost: return .event(.lost)
    case .working(let numbers):
      // Whoever takes a partition away raises the generation.
      if try store.generation(database) == identity.generation { return .working }
      let state = try store.load(database)
      if state.contains(id) && state.owned(by: id, generation: identity.generation).count == numbers.count {
        return .event(.revoked)
      }
      phase = .lost
      return .event(.lost)
    }
  }

  /// Joins if this is no member, and takes the targets if they are free.
  func advance() throws(BrokerError) { try enter(alone: false, lockWithin: Self.pollLimit) }

  /// Joins; with `alone` only if nobody else is there.
  /// - Throws: `groupActive`.
  func join(alone: Bool) throws(BrokerError) {
    try enter(alone: alone, lockWithin: LogConnection.lockLimit)
  }

  /// The caller has taken over what was offered.
  func acceptOffer() {
    if case .offered(let numbers) = phase { phase = .working(numbers) }
  }

  func unassign() throws(BrokerError) {
    switch phase {
    case .outside, .waiting: return
    case .lost: phase = .outside
    case .offered, .working:
      Failpoint.reach("group/before-release")
      try connection.write(what) { scope in try store.change(scope) { $0.release(id) } }
      phase = .waiting
    }
  }

  /// Now and then looks whether the other members live, and removes those that do not.
  /// - Returns: whether it removed somebody.
  func watchOthers() throws(BrokerError) -> Bool {
    if let nextWatch, !nextWatch.hasPassed { return false }
    nextWatch = Deadline(Self.watchInterval, connection.time)
    let others = try connection.read(what) { try store.members($0) }.map(\.id).filter { $0 != id }
    guard others.contains(where: { !isAlive($0) }) else { return false }
    return try connection.write(what, lockWithin: Self.pollLimit) { scope in
      try store.change(scope) { state in
        // Only a member may: one that was replaced itself has nothing to say.
        state.contains(id) ? reap(&state) : false
      }
    }
  }

  /// Leaves at once. Whatever goes wrong, the lock on the member's file is freed, which says the same.
  func leave() {
    heartbeat?.stop()
    if file != nil {
      Failpoint.reach("group/before-leave")
      do throws(BrokerError) {
        try connection.write(what, lockWithin: Self.leaveLimit) { scope in
          try store.change(scope) { if $0.contains(id) { $0.remove([id]) } }
        }
      } catch {
        connection.log.log(.warning, error.description)
      }
      Failpoint.reach("group/left")
      MemberFile.remove(id, in: connection.directory)
      Failpoint.reach("group/file-removed")
    }
    die()
  }

  /// Gives up the lock on its file and nothing else, as a process does that dies.
  func die() {
    heartbeat?.stop()
    heartbeat = nil
    file = nil
    phase = .outside
  }

  /// For tests: looks as if the process had been stopped for longer than its lease.
  func freeze() throws(BrokerError) {
    heartbeat?.stop()
    try file?.backdate(by: MemberFile.lease * 2)
  }

  private func enter(alone: Bool, lockWithin limit: Duration) throws(BrokerError) {
    var taken: [Int32]?
    var newGeneration: Int64 = -1
    try connection.write(what, lockWithin: limit) { scope in
      try store.change(scope) { state in
        if !state.contains(id) {
          _ = reap(&state)
          if alone && !state.members.isEmpty { throw active(state) }
          try makeIdentity()
          state.join(GroupState.Member(id: id, host: Self.host))
        }
        taken = state.take(id)
        newGeneration = state.generation
      }
    }
    Failpoint.reach("group/entered")
    identity.generation = newGeneration
    phase = taken.map(Phase.offered) ?? .waiting
  }

  /// The machine's own name for itself, without asking the network.
  private static let host: String = {
    var name = [UInt8](repeating: 0, count: 256)
    let code = name.withUnsafeMutableBytes { gethostname($0.baseAddress!.assumingMemoryBound(to: CChar.self), 255) }
    return code == 0 ? String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) : "localhost"
  }()

  /// A new id, with its file and its heartbeat. Under the write lock.
  private func makeIdentity() throws(BrokerError) {
    heartbeat?.stop()
    if file != nil { MemberFile.remove(id, in: connection.directory) }
    let process = ProcessInfo.processInfo.processIdentifier
    identity.id = "\(name)-\(process)-" + String(UInt64.random(in: 0 ... .max), radix: 16)
    let file = try MemberFile(creating: id, in: connection.directory, connection.time)
    self.file = file
    Failpoint.reach("group/file-made")
    heartbeat = try Heartbeat(file, log: connection.log)
  }

  private func isAlive(_ id: String) -> Bool {
    MemberFile.isAlive(id, in: connection.directory, connection.time)
  }

  private func reap(_ state: inout GroupState) -> Bool {
    let dead = state.members.map(\.id).filter { $0 != id && !isAlive($0) }
    if dead.isEmpty { return false }
    state.remove(Set(dead))
    for id in dead {
      MemberFile.remove(id, in: connection.directory)
      Failpoint.reach("group/reaped")
      connection.log.log(.notice, "the member \(id) of the group \(store.group.name) is gone; its partitions are free")
    }
    return true
  }

  private func active(_ state: GroupState) -> BrokerError {
    BrokerError(
      .groupActive, "cannot use the group \(store.group.name) alone",
      why: "it has \(state.members.count) other member(s)", remedy: "stop them first, or name another group",
      recovery: .retry)
  }
}
