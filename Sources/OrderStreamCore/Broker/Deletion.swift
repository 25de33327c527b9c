/// Removes topics, groups and the start of topics: first a look at what is there, which is the plan, then each thing by
/// itself.
public struct Deletion {
  public struct Request: Hashable, Sendable {
    public var topics: [String]
    public var groups: [String]
    /// Keeps the topics and removes their records below this place.
    public var before: Place?

    public init(topics: [String] = [], groups: [String] = [], before: Place? = nil) {
      self.topics = topics
      self.groups = groups
      self.before = before
    }
  }

  /// What a request would remove, or has removed.
  public struct Plan: Hashable, Sendable {
    public struct Topic: Hashable, Sendable {
      public var name: String
      public var partitions: Int32
      /// A difference of offsets: records of a cluster's transactions that nobody sees count too.
      public var records: Int64
      /// Groups that stay and have read it, sorted.
      public var readers: [String]
    }

    public struct Group: Hashable, Sendable {
      public var name: String
      /// Partitions in which it has committed an offset.
      public var offsets: Int
      public var stateRecords: Int
      public var members: [GroupDescription.Member]
    }

    /// The start of one partition.
    public struct Start: Hashable, Sendable {
      public var place: TopicPartition
      public var low: Offset
      /// The first record that stays.
      public var before: Offset
      /// Groups that have not read all of it, sorted.
      public var unreadBy: [String]

      public var records: Int64 { before - low }
    }

    public var topics: [Topic] = []
    public var groups: [Group] = []
    public var starts: [Start] = []

    public var records: Int64 {
      starts.reduce(topics.reduce(0) { $0.saturatingAdd($1.records) }) { $0.saturatingAdd($1.records) }
    }
  }

  /// What a run has done.
  public struct Outcome: Sendable {
    public var gone = Plan()
    /// What is left, and why; nothing after a stop.
    public var failures: [BrokerError] = []
    public var left: [String] = []
    /// A request to stop came before everything was tried.
    public var isCutShort = false
  }

  /// How long groups that stay may take to say what they have read.
  private static let readersLimit = Duration.seconds(2)

  let request: Request
  let admin: any Admin
  /// Milliseconds since 1970.
  let now: Int64

  public init(_ request: Request, admin: any Admin, now: Int64) {
    self.request = request
    self.admin = admin
    self.now = now
  }

  // MARK: - The plan

  /// Looks at everything that is named.
  /// - Returns: the plan, and why it cannot be done as a whole: names that are not there, groups that are active.
  /// - Throws: when something cannot be looked at.
  public func plan() throws(BrokerError) -> (plan: Plan, refusals: [BrokerError]) {
    var (plan, refusals) = (Plan(), [BrokerError]())
    for group in request.groups {
      if let found = try look(atGroup: group) {
        plan.groups.append(found)
        if let member = found.members.first { refusals.append(Self.active(found, member)) }
      } else {
        refusals.append(
          BrokerError(
            .unknownGroup, "cannot delete the group \(group)", why: "there is no such group",
            remedy: "'orderstream status' lists those that are there", recovery: .none))
      }
    }
    // Groups that cannot be asked are no reason to keep a topic.
    let others = request.topics.isEmpty ? [] : (try? admin.groupListing(named: nil, within: Self.readersLimit))?.groups
    let staying = (others ?? []).filter { !request.groups.contains($0.group) }
    for name in request.topics {
      guard let topic = try admin.topic(name) else {
        refusals.append(
          BrokerError(
            .unknownTopic, "cannot delete the topic \(name)", why: "there is no such topic",
            remedy: "'orderstream status' lists those that are there", recovery: .none))
        continue
      }
      if topic.isInternal {
        refusals.append(Self.bookkeeping(topic))
        continue
      }
      let marks = try admin.watermarks(topic: name)
      if let place = request.before {
        do throws(BrokerError) { plan.starts += try starts(of: name, marks, place, staying) } catch {
          guard [.unknownPartition, .offsetOutOfRange].contains(error.code) else { throw error }
          refusals.append(error)
        }
      } else {
        plan.topics.append(
          Plan.Topic(
            name: name, partitions: topic.partitionCount, records: marks.reduce(0) { $0 + $1.high - $1.low },
            readers: staying.filter { group in group.usedPartitions.contains { $0.topic == name } }.map(\.group)))
      }
    }
    return (plan, refusals)
  }

  private func look(atGroup name: String) throws(BrokerError) -> Plan.Group? {
    let group = try admin.group(name)
    var records = 0
    try admin.readState(group: name, within: nil) { _, _ in records += 1 }
    // A group that has expired, or whose removal was cut short, may have its state still.
    if group == nil, records == 0, try !admin.topics(named: nil).contains(where: { $0.stateOf == name }) { return nil }
    return Plan.Group(
      name: name, offsets: group?.committed.count ?? 0, stateRecords: records, members: group?.members ?? [])
  }

  private func starts(
    of topic: String, _ marks: [Watermarks], _ place: Place, _ groups: [GroupDescription]
  ) throws(BrokerError) -> [Plan.Start] {
    let offsets = try place.offsets(in: topic, marks, admin: admin, wallMilliseconds: now)
    let asked = zip(marks, offsets).filter { $0.1 != nil }
    // A number that no partition has reached is most often meant to be a time.
    if case .offset(let offset) = place.position, let last = asked.map(\.0.high).max(), offset > last {
      throw BrokerError(
        .offsetOutOfRange, "cannot delete records of \(topic) below \(offset)",
        why: "every partition ends before that, the last one at \(last)",
        remedy: "--before latest removes all records, --before @\(offset) those before a time in milliseconds",
        recovery: .none)
    }
    var starts: [Plan.Start] = []
    for (number, (marks, offset)) in zip(marks, offsets).enumerated() {
      guard let offset, offset > marks.low else { continue }
      let partition = TopicPartition(topic: topic, partition: Int32(number))
      let unreadBy = groups.filter { group in
        guard group.usedPartitions.contains(where: { $0.topic == topic }) else { return false }
        guard let committed = group.committed[partition] else { return group.beginsAtEarliest }
        return committed < offset
      }
      starts.append(
        Plan.Start(place: partition, low: marks.low, before: offset, unreadBy: unreadBy.map(\.group)))
    }
    return starts
  }

  private static func active(_ group: Plan.Group, _ member: GroupDescription.Member) -> BrokerError {
    BrokerError(
      .groupActive, "cannot delete the group \(group.name)",
      why: "its member \(member.id) on \(member.host) is active"
        + (group.members.count > 1 ? ", and \(group.members.count - 1) more" : ""),
      remedy: "stop it, then try again", recovery: .retry)
  }

  private static func bookkeeping(_ topic: TopicDescription) -> BrokerError {
    BrokerError(
      .invalidTopic, "cannot delete the topic \(topic.name)",
      why: topic.stateOf.map { "it holds the state of the group \($0)" } ?? "it is kept by the broker itself",
      remedy: topic.stateOf.map { "remove the group with --group \($0)" } ?? "leave it out", recovery: .none)
  }

  // MARK: - The work

  /// Tries each thing of the plan, groups first: their state goes before the topics that it speaks of.
  public func execute(_ plan: Plan, stop: StopFlag) -> Outcome {
    var outcome = Outcome()
    func attempt(_ name: String, _ change: AdminChange, _ done: () -> Void) {
      if stop.isRequested {
        outcome.isCutShort = true
        outcome.left.append(name)
        return
      }
      do throws(BrokerError) {
        try admin.apply(change)
        done()
      } catch  where error.code == .unknownTopic {
        // Somebody else was faster.
        done()
      } catch {
        outcome.failures.append(error)
        outcome.left.append(name)
      }
    }
    var gone = Plan()
    for group in plan.groups { attempt("group \(group.name)", .deleteGroup(group.name)) { gone.groups.append(group) } }
    for topic in plan.topics { attempt("topic \(topic.name)", .deleteTopic(topic.name)) { gone.topics.append(topic) } }
    for start in plan.starts {
      attempt("records of \(start.place)", .deleteRecords(start.place, before: start.before)) {
        gone.starts.append(start)
      }
    }
    outcome.gone = gone
    return outcome
  }
}
