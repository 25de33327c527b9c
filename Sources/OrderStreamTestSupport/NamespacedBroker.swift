import OrderStreamCore

/// A broker that many tests share, seen as if it were one test's own: topics and groups get a prefix on the way in, and
/// only those that have it come out.
final class NamespacedBroker: Broker {
  private let inner: any Broker
  private let prefix: String

  init(_ inner: any Broker, prefix: String) {
    self.inner = inner
    self.prefix = prefix
  }

  var name: String { inner.name }

  var hasUncommittedRecords: Bool { inner.hasUncommittedRecords }

  func admin() throws(BrokerError) -> any Admin { NamespacedAdmin(try inner.admin(), prefix: prefix) }

  func producer(_ options: ProducerOptions) throws(BrokerError) -> any Producer {
    var inside = options
    inside.topic = prefix + options.topic
    return try inner.producer(inside)
  }

  func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    let membership: ConsumerOptions.Membership =
      switch options.membership {
      case .none: .none
      case .sole(let group): .sole(group: prefix + group)
      case .member(let group): .member(group: prefix + group)
      }
    var own = options
    own.topic = prefix + options.topic
    own.membership = membership
    return try inner.consumer(own)
  }

  func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    try inner.transaction(for: consumer, outputs: outputs.map { prefix + $0 }, guarantee: guarantee)
  }
}

/// The admin of a `NamespacedBroker`. Names that could not be anybody's are passed on as they are, to be refused.
final class NamespacedAdmin: Admin {
  private let inner: any Admin
  private let prefix: String

  init(_ inner: any Admin, prefix: String) {
    self.inner = inner
    self.prefix = prefix
  }

  func topics(named name: String?) throws(BrokerError) -> [TopicDescription] {
    try inner.topics(named: name.map(inside)).compactMap { topic in
      let group = topic.stateOf.flatMap(outside)
      // A state topic has the prefix within its name.
      guard let name = outside(topic.name) ?? group.map({ _ in topic.name }) else { return nil }
      return TopicDescription(
        name: name, partitionCount: topic.partitionCount, isInternal: topic.isInternal || name.hasPrefix("__"),
        stateOf: group, id: topic.id)
    }
  }

  func watermarks(topic: String) throws(BrokerError) -> [Watermarks] { try inner.watermarks(topic: inside(topic)) }

  func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] {
    let looks = try inner.looks(at: topics.map(inside), within: limit)
    return Dictionary(uniqueKeysWithValues: looks.compactMap { entry in outside(entry.key).map { ($0, entry.value) } })
  }

  func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset] {
    try inner.offsets(topic: inside(topic), at: timestampMs)
  }

  func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing {
    let listing = try inner.groupListing(named: name.map(inside), within: limit)
    return GroupListing(
      listing.groups.compactMap { group in
        guard let name = outside(group.group) else { return nil }
        var group = group
        group.group = name
        group.members = group.members.map { member in
          GroupDescription.Member(
            id: member.id, host: member.host, partitions: member.partitions.compactMap(outside),
            isOfThisProgram: member.isOfThisProgram)
        }
        group.committed = Dictionary(
          uniqueKeysWithValues: group.committed.compactMap { entry in outside(entry.key).map { ($0, entry.value) } })
        group.doubts = Dictionary(
          uniqueKeysWithValues: group.doubts.compactMap { entry in outside(entry.key).map { ($0, entry.value) } })
        return group
      }, failure: listing.failure)
  }

  func readState(
    group: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
  ) throws(BrokerError) {
    try inner.readState(group: inside(group), within: limit) { topic, stored in
      if let name = outside(topic) { body(name, stored) }
    }
  }

  func apply(_ change: AdminChange) throws(BrokerError) {
    switch change {
    case .createTopic(let name, let partitions, let replicationFactor, let source, let settings):
      try inner.apply(
        .createTopic(
          name: name.isEmpty || name.utf8.count > 200 ? name : inside(name), partitions: partitions,
          replicationFactor: replicationFactor, recordsOf: source.map(inside), settings: settings))
    case .addPartitions(let topic, let total): try inner.apply(.addPartitions(topic: inside(topic), total: total))
    case .deleteTopic(let topic): try inner.apply(.deleteTopic(inside(topic)))
    case .deleteGroup(let group): try inner.apply(.deleteGroup(inside(group)))
    case .deleteRecords(let partition, let before):
      try inner.apply(
        .deleteRecords(TopicPartition(topic: inside(partition.topic), partition: partition.partition), before: before))
    }
  }

  func close() { inner.close() }

  private func inside(_ name: String) -> String { prefix + name }

  private func outside(_ name: String) -> String? {
    name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
  }

  private func outside(_ partition: TopicPartition) -> TopicPartition? {
    outside(partition.topic).map { TopicPartition(topic: $0, partition: partition.partition) }
  }
}
