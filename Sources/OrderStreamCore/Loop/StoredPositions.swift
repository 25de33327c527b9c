/// How far a group's state goes in one partition, and what it says of its topics.
struct StoredPosition {
  var nextOffset: Offset
  /// `nil` in state that 0.1.0 wrote.
  var proof: StateProof?
  /// When it was written, milliseconds since 1970 UTC, if known.
  var timestampMs: Int64?
  var origin: StoredState.Origin
}

/// Takes in the state records of a group for one topic, and finds what is missing or altered among them.
struct StoredPositions {
  private struct Found {
    var position: StoredPosition?
    /// Records other than the position, and the sum of their checksums.
    var records: UInt32 = 0
    var checksums: UInt64 = 0
  }

  private let topic: String
  private let group: String
  /// `nil`: any job's.
  private let kind: StateKind?
  private var found: [Int32: Found] = [:]
  private var failure: PipelineError?

  init(topic: String, group: String, kind: StateKind?) {
    self.topic = topic
    self.group = group
    self.kind = kind
  }

  /// By partition.
  var positions: [Int32: StoredPosition] { found.compactMapValues(\.position) }

  /// Takes one record in and hands it on; after the first error nothing more.
  mutating func take(
    _ stored: StoredState, _ visit: (Int32, StateRecord) throws(PipelineError) -> Void = { _, _ in }
  ) {
    guard failure == nil else { return }
    do throws(PipelineError) {
      let record = try Self.parse(stored, kind: kind, topic: topic, group: group)
      if record.key == .position {
        found[stored.partition, default: Found()].position = StoredPosition(
          nextOffset: record.nextOffset, proof: record.proof, timestampMs: stored.timestampMs,
          origin: stored.origin)
      } else {
        found[stored.partition, default: Found()].records += 1
        found[stored.partition]!.checksums &+= record.checksum
      }
      try visit(stored.partition, record)
    } catch {
      failure = error
    }
  }

  /// - Throws: what the first record that could not be taken in was; `damagedState` where records are missing.
  func check() throws(PipelineError) {
    if let failure { throw failure }
    for (partition, found) in found.sorted(by: { $0.key < $1.key }) {
      let place = TopicPartition(topic: topic, partition: partition)
      guard let position = found.position else {
        throw .damagedState(place, why: "the record position of group \(group) is missing")
      }
      // Of an earlier topic only the positions may be left.
      guard let proof = position.proof, position.origin != .earlierTopic else { continue }
      if proof.records != found.records {
        throw .damagedState(
          place, why: "group \(group) has \(found.records) of the \(proof.records) records that its position counts")
      }
      if proof.checksums != found.checksums {
        throw .damagedState(place, why: "the checksums of the records of group \(group) do not match its position")
      }
    }
  }

  private static func parse(
    _ stored: StoredState, kind: StateKind?, topic: String, group: String
  ) throws(PipelineError) -> StateRecord {
    do throws(StateRecord.Refusal) {
      return try StateRecord(key: stored.key, value: stored.value, kind: kind)
    } catch {
      switch error {
      case .otherJob(let job): throw .foreignState(group: group, why: "it belongs to \(job)")
      case .damaged(let why):
        throw .damagedState(
          TopicPartition(topic: topic, partition: stored.partition), why: "group \(group): \(why)")
      }
    }
  }
}

/// What a group's state says of the topics that the group has read, for commands that look at it from outside. State that
/// is damaged says nothing: the group's own next run names it.
public struct StoredGroup {
  private let group: String
  private var found: [String: StoredPositions] = [:]

  /// - Parameter limit: As `Admin.readState` has it.
  public init(group: String, admin: any Admin, within limit: Duration? = nil) throws(BrokerError) {
    self.group = group
    var found: [String: StoredPositions] = [:]
    try admin.readState(group: group, within: limit) { topic, stored in
      found[topic, default: StoredPositions(topic: topic, group: group, kind: nil)].take(stored)
    }
    self.found = found
  }

  /// The topics that it has state of.
  public var topics: Set<String> { Set(found.keys) }

  /// The topics that the group has written for the orders of a topic; empty also in state of 0.1.0, which does not say.
  public func outputs(for topic: String) -> Set<String> {
    Set((found[topic]?.positions ?? [:]).values.compactMap { $0.proof?.output?.topic })
  }

  /// Whether the state speaks of an earlier topic of this name, which is there now.
  public func isOfEarlierTopic(
    _ topic: TopicDescription, committed: [TopicPartition: Offset], broker: any Broker, admin: any Admin,
    stop: StopFlag
  ) throws(BrokerError) -> Bool {
    guard let positions = found[topic.name]?.positions, !positions.isEmpty else { return false }
    let identity = TopicIdentity(topic: topic.name, id: topic.id, broker: broker, admin: admin, stop: stop)
    let watermarks = try admin.watermarks(topic: topic.name)
    for (partition, position) in positions.sorted(by: { $0.key < $1.key }) {
      // Partitions are never taken away from a topic.
      guard watermarks.indices.contains(Int(partition)) else { return true }
      let verdict = try identity.verdict(
        partition, position, committed: committed[TopicPartition(topic: topic.name, partition: partition)],
        watermarks: watermarks[Int(partition)])
      if verdict == .madeAnew { return true }
    }
    return false
  }
}
