import CRdKafka
import OrderStreamCore

/// Changes of topics that can be seen everywhere when they return. Any thread.
struct TopicSteps {
  static let changeLimit = Duration.seconds(15)

  let context: KafkaContext

  func create(
    _ topic: String, partitions: Int32, replicationFactor: Int16? = nil, settings: [(String, String)] = []
  ) throws(BrokerError) {
    let what = "cannot create \(topic)"
    do {
      try context.lookup.createTopic(
        topic, partitions: partitions, replicationFactor: replicationFactor, settings: settings, Self.changeLimit)
    } catch { throw refused(error, what) }
    try settle(topic, partitions, what)
  }

  func addPartitions(_ topic: String, total: Int32) throws(BrokerError) {
    let what = "cannot add partitions to \(topic)"
    do { try context.lookup.addPartitions(topic, total: total, Self.changeLimit) } catch { throw refused(error, what) }
    try settle(topic, total, what)
  }

  func delete(_ topic: String) throws(BrokerError) {
    let what = "cannot delete \(topic)"
    do { try context.lookup.deleteTopic(topic, Self.changeLimit) } catch { throw refused(error, what) }
    let deadline = Deadline(Self.changeLimit, context.time)
    while try context.describe(topic) != nil {
      guard !deadline.hasPassed else { throw notSeen(what) }
      context.time.sleep(.milliseconds(20))
    }
  }

  /// Waits until every partition has a leader that knows it.
  private func settle(_ topic: String, _ partitions: Int32, _ what: String) throws(BrokerError) {
    let deadline = Deadline(Self.changeLimit, context.time)
    while true {
      if let found = try context.describe(topic), found.partitions.count >= Int(partitions),
        found.partitions.allSatisfy({ $0.leader >= 0 && $0.error == RD_KAFKA_RESP_ERR_NO_ERROR })
      {
        // Leaders that have not heard of the topic say "unknown" for a moment.
        let numbers = found.partitions.map(\.number)
        do {
          let list = PartitionList(topic: topic, partitions: numbers, offset: Offset(RD_KAFKA_OFFSET_END))
          try context.lookup.offsetsForTimes(list, .seconds(5))
          for element in list.elements { try NativeError.check(element.error) }
          return
        } catch { if deadline.hasPassed { throw context.errors.map(error, what) } }
      }
      guard !deadline.hasPassed else { throw notSeen(what) }
      context.time.sleep(.milliseconds(20))
    }
  }

  private func refused(_ error: NativeError, _ what: String) -> BrokerError {
    var mapped = context.errors.map(error, what)
    if mapped.isFatal { mapped.recovery = .none }
    return mapped
  }

  private func notSeen(_ what: String) -> BrokerError {
    BrokerError(
      .timedOut, what, why: "the brokers have not agreed on it within \(Self.changeLimit.milliseconds) ms",
      remedy: "try again", recovery: .retry)
  }
}
