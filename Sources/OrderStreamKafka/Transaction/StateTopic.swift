import OrderStreamCore

/// Makes the compacted topic that holds a group's state.
enum StateTopic {
  /// Small segments, because the newest one is never compacted.
  private static let settings = [
    ("cleanup.policy", "compact"), ("segment.bytes", "4194304"), ("segment.ms", "600000"),
    ("min.cleanable.dirty.ratio", "0.1"),
  ]

  /// Sees to it that the topic is there with at least `partitions` partitions, and returns its name.
  static func prepare(group: String, partitions: Int32, _ context: KafkaContext) throws(BrokerError) -> String {
    let topic = KafkaWords.stateTopic(of: group)
    let steps = TopicSteps(context: context)
    if let found = try context.describe(topic) {
      try requireCompaction(topic, group, context)
      if found.partitions.count < Int(partitions) {
        try accept(.configuration) { () throws(BrokerError) in try steps.addPartitions(topic, total: partitions) }
      }
    } else {
      try accept(.topicExists) { () throws(BrokerError) in
        try steps.create(topic, partitions: partitions, settings: settings)
      }
    }
    return topic
  }

  /// A topic that somebody else has made. Where old records are removed by age, what is left is no state.
  private static func requireCompaction(_ topic: String, _ group: String, _ context: KafkaContext) throws(BrokerError) {
    let policy: String?
    do { policy = try context.lookup.setting("cleanup.policy", of: topic, .seconds(5)) } catch {
      context.note(.info, "cannot see whether \(topic) is compacted: \(error.text)")
      return
    }
    guard let policy, !isCompacted(policy: policy) else { return }
    throw BrokerError(
      .configuration, "cannot keep the state of \(group) on \(topic)",
      why: "its cleanup.policy is \(policy), so records of the state are removed by age",
      remedy: "kafka-configs.sh --bootstrap-server \(context.errors.brokers) --alter --entity-type topics "
        + "--entity-name \(topic) --add-config cleanup.policy=compact",
      recovery: .none)
  }

  /// Compacted, and nothing else: "compact,delete" removes what is old too.
  static func isCompacted(policy: String) -> Bool {
    policy.split(separator: ",").map { $0.filter { $0 != " " } } == ["compact"]
  }

  /// Members of a group start at the same time: what another one has just done is no error.
  private static func accept(
    _ code: BrokerError.Code, _ step: () throws(BrokerError) -> Void
  ) throws(BrokerError) {
    do { try step() } catch { if error.code != code { throw error } }
  }
}
