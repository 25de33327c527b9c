import CRdKafka
import OrderStreamCore

/// Looks at a cluster and changes its topics and groups. One thread.
final class KafkaAdmin: Admin {

  private let context: KafkaContext
  private let steps: TopicSteps
  /// Its ends of partitions are last stable offsets.
  private var stable: NativeClient?

  init(_ context: KafkaContext) throws(BrokerError) {
    self.context = context
    steps = TopicSteps(context: context)
    stable = try context.factory.client(.lookup(committed: true))
  }

  func topics(named name: String?) throws(BrokerError) -> [TopicDescription] {
    if let name {
      guard var found = try context.describe(name).map(Self.description) else { return [] }
      found.id = context.lookup.topicID(name, .seconds(5))
      return [found]
    }
    let all = try context.ask("cannot list topics") { timeout throws(NativeError) in
      try context.lookup.metadata(nil, timeout)
    }
    return all.filter { $0.error == RD_KAFKA_RESP_ERR_NO_ERROR }.map(Self.description).sorted { $0.name < $1.name }
  }

  private static func description(_ topic: NativeTopicDescription) -> TopicDescription {
    TopicDescription(
      name: topic.name, partitionCount: Int32(topic.partitions.count), isInternal: StateTopic.isInternal(topic.name),
      stateOf: StateTopic.group(of: topic.name))
  }

  func watermarks(topic: String) throws(BrokerError) -> [Watermarks] {
    let partitions = try partitions(of: topic)
    // In this order, because all three only grow: low ≤ stable ≤ high holds although they are asked one by one.
    let low = try context.starts(topic, partitions)
    let stable = try context.ends(topic, partitions, client: openStable())
    let high = try context.ends(topic, partitions)
    return partitions.indices.map { index in
      let stable = max(stable[index], low[index])
      return Watermarks(low: low[index], high: max(high[index], stable), stable: stable)
    }
  }

  func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] {
    try PartitionLooks(context: context, stable: openStable()).looks(at: topics, within: limit)
  }

  func cluster(within limit: Duration) throws(BrokerError) -> ClusterDescription? {
    let brokers = try context.ask("cannot list the brokers", limit: limit) { timeout throws(NativeError) in
      try context.lookup.brokers(timeout)
    }
    return ClusterDescription(id: context.clusterID.isEmpty ? nil : context.clusterID, brokers: brokers)
  }

  func settings(_ names: [String], of topic: String, within limit: Duration) throws(BrokerError) -> [String: String]? {
    let right = AccessRight(.describeConfigs, .topic(topic))
    return try context.ask("cannot read the settings of \(topic)", needs: right, limit: limit) {
      timeout throws(NativeError) in
      try context.lookup.settings(names, of: topic, timeout)
    }
  }

  func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset] {
    let partitions = try partitions(of: topic)
    // The protocol takes negative times for logical offsets; no record is older than 1970.
    let found = try context.offsets(topic, partitions, at: max(0, timestampMs), client: context.lookup)
    if !found.contains(nil) { return found.map { $0! } }
    let ends = try context.ends(topic, partitions)
    return zip(found, ends).map { $0 ?? $1 }
  }

  private func partitions(of topic: String) throws(BrokerError) -> [Int32] {
    Array(0..<(try context.partitionCount(of: topic)))
  }

  func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing {
    try GroupLook(context: context, name: name).listing(within: limit)
  }

  func readState(
    group: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
  ) throws(BrokerError) {
    let context = limit.map(self.context.glancing) ?? self.context
    try StateReader(group: group, context: context).readAll(body)
  }

  func apply(_ change: AdminChange) throws(BrokerError) {
    switch change {
    case .createTopic(let name, let partitions, let replicationFactor, let source, let own):
      try checkName(name)
      try steps.create(
        name, partitions: partitions, replicationFactor: replicationFactor,
        settings: (source.map(settings(forRecordsOf:)) ?? [])
          + own.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    case .addPartitions(let topic, let total): try steps.addPartitions(topic, total: total)
    case .deleteTopic(let topic): try steps.delete(topic)
    case .deleteGroup(let group): try deleteGroup(group)
    case .deleteRecords(let partition, let before): try deleteRecords(partition, before: before)
    }
  }

  /// What the headers of a dead letter may have besides those of its record.
  private static let headerRoom = 1024

  /// Nothing where it cannot be seen: then the new topic takes what the cluster takes by default.
  private func settings(forRecordsOf source: String) -> [(String, String)] {
    let name = OutputLimits.setting
    guard
      let limit = (try? context.lookup.setting(name, of: source, .seconds(5))).flatMap({ $0 }).flatMap({ Int32($0) })
    else { return [] }
    return [(name, "\(min(Int(limit) + Self.headerRoom, Int(Int32.max)))")]
  }

  private func checkName(_ name: String) throws(BrokerError) {
    guard BrokerName.isValid(name) else {
      throw BrokerError(
        .invalidTopic, "cannot create the topic \(name.debugDescription)", why: BrokerName.rule, recovery: .none)
    }
  }

  private func deleteGroup(_ group: String) throws(BrokerError) {
    do { try context.lookup.deleteGroup(group, TopicSteps.changeLimit) } catch {
      if error.code != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND {
        throw context.errors.map(
          error, "cannot delete the group \(group)", needs: AccessRight(.delete, .group(group)),
          recovery: BrokerError.Recovery.none)
      }
    }
    let stateTopic = StateTopic.name(of: group)
    if try context.describe(stateTopic) != nil { try steps.delete(stateTopic) }
  }

  private func deleteRecords(_ partition: TopicPartition, before: Offset) throws(BrokerError) {
    let list = PartitionList(capacity: 1)
    list.add(partition.topic, partition.partition, offset: before)
    do { try context.lookup.deleteRecords(list, TopicSteps.changeLimit) } catch {
      throw context.errors.map(
        error, "cannot delete records of \(partition)@…\(before)",
        needs: AccessRight(.delete, .topic(partition.topic)), recovery: BrokerError.Recovery.none)
    }
  }

  func close() { stable = nil }

  private func openStable() throws(BrokerError) -> NativeClient {
    if let stable { return stable }
    throw BrokerError(.internalError, "cannot look at the cluster", why: "the admin is closed")
  }
}

/// Changes of topics that can be seen everywhere when they return. Any thread.
struct TopicSteps {
  static let changeLimit = Duration.seconds(15)

  let context: KafkaContext

  func create(
    _ topic: String, partitions: Int32, replicationFactor: Int16? = nil, settings: [(String, String)] = []
  ) throws(BrokerError) {
    let what = "cannot create \(topic)"
    do throws(BrokerError) {
      let right = AccessRight(.create, .topic(topic), or: "CREATE cluster")
      try context.ask(what, needs: right) { timeout throws(NativeError) in
        try context.lookup.createTopic(
          topic, partitions: partitions, replicationFactor: replicationFactor, settings: settings, Self.changeLimit)
      }
    } catch {
      // Whoever was faster, the topic can be seen when this returns.
      if error.code == .topicExists { _ = try? context.partitionCount(of: topic) }
      throw refused(error)
    }
    try settle(topic, partitions, what)
  }

  func addPartitions(_ topic: String, total: Int32) throws(BrokerError) {
    let what = "cannot add partitions to \(topic)"
    do throws(BrokerError) {
      try context.ask(what, needs: AccessRight(.alter, .topic(topic))) { timeout throws(NativeError) in
        try context.lookup.addPartitions(topic, total: total, Self.changeLimit)
      }
    } catch { throw refused(error) }
    try settle(topic, total, what)
  }

  func delete(_ topic: String) throws(BrokerError) {
    let what = "cannot delete \(topic)"
    do { try context.lookup.deleteTopic(topic, Self.changeLimit) } catch {
      throw refused(context.errors.map(error, what, needs: AccessRight(.delete, .topic(topic))))
    }
    let deadline = Deadline(Self.changeLimit, context.time)
    while try context.describe(topic) != nil {
      guard !deadline.hasPassed else { throw notSeen(what) }
      context.time.sleep(.milliseconds(20))
    }
  }

  /// Waits until every partition has a leader that knows it.
  private func settle(_ topic: String, _ partitions: Int32, _ what: String) throws(BrokerError) {
    let wait = OutageWait(context.outages, atLeast: Self.changeLimit)
    while true {
      if let found = try context.describe(topic), found.partitions.count >= Int(partitions),
        found.partitions.allSatisfy({ $0.leader >= 0 && $0.error == RD_KAFKA_RESP_ERR_NO_ERROR })
      {
        // Leaders that have not heard of the topic say "unknown" for a moment.
        let numbers = found.partitions.map(\.number)
        do {
          let list = PartitionList(topic: topic, partitions: numbers, offset: Offset(RD_KAFKA_OFFSET_END))
          try context.lookup.offsetsForTimes(list, context.outages.questionLimit)
          for element in list.elements { try NativeError.check(element.error) }
          return wait.answered()
        } catch {
          let mapped = context.errors.map(error, what)
          guard wait.goesOn(because: mapped) else { throw mapped }
          continue
        }
      }
      guard wait.goesOn(because: notSeen(what)) else { throw notSeen(what) }
    }
  }

  private func refused(_ error: BrokerError) -> BrokerError {
    var mapped = error
    if mapped.isFatal { mapped.recovery = .none }
    return mapped
  }

  private func notSeen(_ what: String) -> BrokerError {
    BrokerError(
      .timedOut, what, why: "the brokers have not agreed on it in time",
      remedy: "try again", recovery: .retry)
  }
}
