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

  /// Members of a group start at the same time: what another one has just done is no error.
  private static func accept(
    _ code: BrokerError.Code, _ step: () throws(BrokerError) -> Void
  ) throws(BrokerError) {
    do { try step() } catch { if error.code != code { throw error } }
  }
}
