import GRDB
import OrderStreamCore

/// Reads one topic of the log, alone or as a member of a group.
final class EmbeddedConsumer: Consumer {
  /// How often a waiting reader looks whether somebody has committed.
  private static let step = Duration.milliseconds(5)
  /// No other program commits to the log, and its members have no identity that outlives them.
  private static let committer = "orderstream"
  /// A read of fewer records is not worth a thread.
  private static let longRead = 2000

  let connection: LogConnection
  let topic: TopicRow
  let member: GroupMember?
  private var instance: InstanceLock?
  private let reader: BatchReader
  private var positions: [ReadPosition] = []
  /// The topic's partitions, and the `dataVersion` at which they were read.
  private var known: (version: Int64, rows: [PartitionRow])?
  private var turn = 0
  /// `dataVersion` at the last look; `nil` when a look is due whatever it is.
  private var lookedAt: Int64?
  private var hasUnread = false
  /// From the first long read on.
  private(set) var ahead: ReadAhead?
  /// Without another connection everything is read here.
  private var canReadAhead = true
  private var isClosed = false
  /// The group has state of an earlier topic of this name, which the next commit of state replaces.
  private(set) var hasEarlierState = false

  init(_ connection: LogConnection, _ options: ConsumerOptions) throws(BrokerError) {
    self.connection = connection
    let topic = try connection.read("cannot consume \(options.topic)") { try TopicRow.get($0, name: options.topic) }
    self.topic = topic
    reader = BatchReader(topic, connection)
    guard let name = options.group else {
      member = nil
      return
    }
    try Names.checkGroup(name)
    var group = try connection.read("cannot join the group \(name)") { try GroupRow.find($0, name: name) }
    if group == nil {
      group = try connection.write("cannot join the group \(name)") { try GroupRow.findOrInsert($0, name: name) }
    }
    if let name = options.instance { instance = try InstanceLock(name, group: group!, in: connection.directory) }
    let member = GroupMember(
      connection, store: GroupStore(group: group!, topic: topic.id, topicName: topic.name), name: options.instance)
    self.member = member
    var isSole = false
    if case .sole = options.membership { isSole = true }
    try member.join(alone: isSole)
  }

  deinit { close() }

  func poll(into batch: RecordBatch, timeout: Duration) throws(BrokerError) -> ConsumerEvent {
    precondition(!isClosed, "a consumer is not used after close")
    batch.removeAll()
    let deadline = Deadline(timeout, connection.time)
    while true {
      do throws(BrokerError) {
        let event = try look(batch)
        if event != .polled || !batch.isEmpty || !batch.ends.isEmpty { return event }
      } catch  where error.code == .busy {
        // A write lock that somebody holds for long keeps a member from joining and from taking over, not from living: it
        // tries again, and says why nothing comes.
        connection.log.log(.warning, error.description)
        lookedAt = nil
      }
      if deadline.hasPassed { return .polled }
      connection.time.sleep(deadline.remaining(atMost: Self.step))
    }
  }

  func assign(_ positions: [PartitionOffset]) throws(BrokerError) {
    try check(positions.map(\.partition))
    if let member {
      let assigned = Set(member.assigned)
      precondition(
        positions.allSatisfy { assigned.contains($0.partition) }, "a member reads only what was assigned to it")
      member.acceptOffer()
    }
    ahead?.cancel()
    self.positions = positions.map(ReadPosition.init)
    lookedAt = nil
  }

  func unassign() throws(BrokerError) {
    ahead?.cancel()
    positions = []
    hasUnread = false
    lookedAt = nil
    try member?.unassign()
  }

  func committed(_ partitions: [Int32]) throws(BrokerError) -> [CommittedOffset?] {
    let group = groupID
    return try read(partitions) { database, rows in
      let found = try CommittedOffsets.all(database, group: group, of: rows, topic: topic.name)
      return rows.map { row in found[row.id].map { CommittedOffset($0, committer: Self.committer) } }
    }
  }

  func readState(_ partitions: [Int32], _ body: (StoredState) -> Void) throws(BrokerError) {
    let group = groupID
    let wanted = Set(partitions)
    try read(partitions) { database, rows in
      try StateRecords.each(database, group: group, of: rows, topic: topic.name) { partition, key, value in
        body(StoredState(partition: partition, key: key, value: value, origin: .thisTopic))
      }
      try StateRecords.eachOfEarlierTopic(database, group: group, topic: topic.name) { found in
        guard wanted.contains(found.partition) else { return }
        hasEarlierState = true
        body(found)
      }
    }
  }

  func close() {
    if isClosed { return }
    isClosed = true
    member?.leave()
    instance = nil
    ahead?.close()
    connection.close()
  }

  /// For tests: ends as a killed process does.
  func die() {
    isClosed = true
    ahead?.close()
    member?.die()
    instance = nil
    connection.close()
  }

  private var groupID: Int64 {
    guard let member else { preconditionFailure("a consumer without a group has no offsets and no state") }
    return member.store.group.id
  }

  /// One look at the log, without waiting.
  private func look(_ batch: RecordBatch) throws(BrokerError) -> ConsumerEvent {
    if let member, try member.watchOthers() { lookedAt = nil }
    let version = try connection.dataVersion()
    if version == lookedAt && !hasUnread { return .polled }
    var finding = try read(into: batch)
    if case .canAdvance = finding, let member {
      try member.advance()
      finding = try read(into: batch)
    }
    // What commits from here on has another version.
    lookedAt = version
    if case .event(let event) = finding {
      lookedAt = nil
      return event
    }
    if !batch.ends.isEmpty { try connection.checkTails(batch.ends, of: known?.rows ?? []) }
    readAhead(of: batch)
    return .polled
  }

  /// After a long read with more behind it.
  private func readAhead(of batch: RecordBatch) {
    guard hasUnread, batch.count >= Self.longRead, canReadAhead else { return }
    if ahead == nil {
      do throws(BrokerError) {
        let own = try LogConnection(
          connection.directory, access: connection.access, log: connection.log, time: connection.time,
          beside: connection.files)
        ahead = ReadAhead(own, topic: topic, byteLimit: batch.byteLimit)
      } catch {
        connection.log.log(.info, "reading ahead is off: \(error.description)")
        canReadAhead = false
      }
    }
    ahead?.start(positions, known?.rows ?? [], recordLimit: batch.recordLimit, firstTurn: nextTurn())
  }

  private func nextTurn() -> Int {
    turn = (turn + 1) % positions.count
    return turn
  }

  private func read(into batch: RecordBatch) throws(BrokerError) -> GroupMember.Finding {
    try connection.read("cannot read \(topic.name)") { database in
      let partitions = try rows(database)
      if let member {
        let finding = try member.look(database)
        guard case .working = finding else { return finding }
      }
      if !positions.isEmpty {
        if let positions = ahead?.take(into: batch) {
          self.positions = positions
        } else {
          try reader.fill(batch, database, &positions, partitions, firstTurn: nextTurn())
        }
      }
      hasUnread = positions.contains { $0.next < partitions[Int($0.partition)].high }
      return .working
    }
  }

  private func check(_ partitions: [Int32]) throws(BrokerError) {
    try read(partitions) { _, _ in }
  }

  /// Reads something for these partitions, in one snapshot.
  private func read<T>(
    _ partitions: [Int32], _ body: (Database, [PartitionRow]) throws -> T
  ) throws(BrokerError) -> T {
    try connection.read("cannot read \(topic.name)") { database in
      let rows = try rows(database)
      let wanted = try partitions.map { number in
        guard rows.indices.contains(Int(number)) else {
          throw BrokerError(
            .unknownPartition, "cannot read \(topic.name)[\(number)]", why: "the topic has \(rows.count) partitions",
            recovery: .none)
        }
        return rows[Int(number)]
      }
      return try body(database, wanted)
    }
  }

  /// The topic's partitions in this snapshot, read again only when somebody has committed since.
  private func rows(_ database: Database) throws -> [PartitionRow] {
    // Inside a transaction it is the version of the snapshot.
    let version = try Query.integer(database, "PRAGMA data_version") ?? 0
    if let known, known.version == version { return known.rows }
    let rows = try topic.partitionsNow(database)
    known = (version, rows)
    return rows
  }
}
