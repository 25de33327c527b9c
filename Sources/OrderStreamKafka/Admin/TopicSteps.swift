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
