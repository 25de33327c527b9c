import CRdKafka
import OrderStreamCore
import OrderStreamThreads

/// Looks at partitions, each leader asked by itself, so that one that does not answer neither fails nor delays the
/// others. Any thread.
struct PartitionLooks: Sendable {
  /// Leaders move, and clients hear of new partitions late: what fails is asked once more.
  private static let rounds = 2

  let context: KafkaContext
  /// Its ends of partitions are last stable offsets.
  let stable: NativeClient

  /// Topics that are gone are missing.
  func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] {
    let deadline = Deadline(limit, context.time)
    var looks: [String: TopicLook] = [:]
    var byLeader: [Int32: [TopicPartition]] = [:]
    for topic in try describe(topics, until: deadline) {
      guard topic.error == RD_KAFKA_RESP_ERR_NO_ERROR else {
        looks[topic.name] = TopicLook(partitions: [], reason: words(NativeError(topic.error)))
        continue
      }
      let count = topic.partitions.count
      looks[topic.name] = TopicLook(
        partitions: Array(repeating: .unseen(reason: "it has no leader"), count: count),
        placements: topic.partitions.sorted { $0.number < $1.number }.map {
          PartitionPlacement(
            leader: $0.leader >= 0 ? $0.leader : nil, replicas: $0.replicas.sorted(), inSync: $0.inSync.sorted())
        })
      for partition in topic.partitions where partition.leader >= 0 && (0..<count).contains(Int(partition.number)) {
        byLeader[partition.leader, default: []].append(
          TopicPartition(topic: topic.name, partition: partition.number))
      }
    }
    for (partition, look) in ask(byLeader, until: deadline) {
      looks[partition.topic]?.partitions[Int(partition.partition)] = look
    }
    return looks
  }

  /// Those that are there, and those that cannot be described, with their error.
  private func describe(
    _ topics: [String], until deadline: Deadline
  ) throws(BrokerError) -> [NativeTopicDescription] {
    if topics.isEmpty { return [] }
    let only = topics.count == 1 ? topics[0] : nil
    let wanted = Set(topics)
    var found = try context.ask("cannot describe topics", limit: deadline.remaining) { timeout throws(NativeError) in
      try context.lookup.metadata(only, timeout).filter { wanted.contains($0.name) }
    }
    // A list of all leaves out those that this user may not see; asked by name they say so.
    if only == nil {
      for name in wanted.subtracting(found.map(\.name)).sorted() {
        found += (try? context.lookup.metadata(name, deadline.remaining)) ?? []
      }
    }
    return found.filter {
      ![RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC].contains($0.error)
    }
  }

  private func ask(
    _ byLeader: [Int32: [TopicPartition]], until deadline: Deadline
  ) -> [TopicPartition: PartitionLook] {
    if byLeader.count == 1, let (leader, partitions) = byLeader.first {
      return ask(leader, partitions, until: deadline)
    }
    let threads = byLeader.map { leader, partitions in
      (leader, partitions, BackgroundThread.endingByItself { ask(leader, partitions, until: deadline) })
    }
    var looks: [TopicPartition: PartitionLook] = [:]
    for (leader, partitions, thread) in threads {
      // A little longer than the questions themselves take at most.
      let answer = thread.join(deadline.remaining + .milliseconds(100)) ?? silent(leader, partitions)
      looks.merge(answer) { first, _ in first }
    }
    return looks
  }

  private func ask(
    _ leader: Int32, _ partitions: [TopicPartition], until deadline: Deadline
  ) -> [TopicPartition: PartitionLook] {
    var looks: [TopicPartition: PartitionLook] = [:]
    var left = partitions
    for round in 1...Self.rounds {
      do {
        looks.merge(try askOnce(left, until: deadline)) { _, second in second }
      } catch {
        if error.code == RD_KAFKA_RESP_ERR__TIMED_OUT {
          looks.merge(silent(leader, left)) { _, second in second }
        } else {
          // The error of one partition is all that librdkafka tells of a request.
          looks.merge(askOneByOne(leader, left, until: deadline)) { _, second in second }
        }
      }
      left = left.filter { looks[$0]?.watermarks == nil }
      if left.isEmpty || round == Self.rounds || deadline.hasPassed { break }
      for topic in Set(left.map(\.topic)) {
        for client in [context.lookup, stable] { _ = try? client.metadata(topic, deadline.remaining) }
      }
    }
    return looks
  }

  private func askOneByOne(
    _ leader: Int32, _ partitions: [TopicPartition], until deadline: Deadline
  ) -> [TopicPartition: PartitionLook] {
    var looks: [TopicPartition: PartitionLook] = [:]
    for partition in partitions {
      do { looks.merge(try askOnce([partition], until: deadline)) { _, second in second } } catch {
        looks[partition] =
          KafkaErrors.isSilence(error.code)
          ? silent(leader, [partition])[partition] : .unseen(reason: words(error))
      }
    }
    return looks
  }

  private func askOnce(
    _ partitions: [TopicPartition], until deadline: Deadline
  ) throws(NativeError) -> [TopicPartition: PartitionLook] {
    func offsets(_ place: Int32, _ client: NativeClient) throws(NativeError) -> [PartitionList.Element] {
      if deadline.hasPassed { throw NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT) }
      return try client.offsets(of: partitions, at: Int64(place), deadline.remaining)
    }
    // In this order, because all three only grow: low ≤ stable ≤ high holds although they are asked one by one.
    let low = try offsets(RD_KAFKA_OFFSET_BEGINNING, context.lookup)
    let stable = try offsets(RD_KAFKA_OFFSET_END, stable)
    let high = try offsets(RD_KAFKA_OFFSET_END, context.lookup)
    var looks: [TopicPartition: PartitionLook] = [:]
    for index in partitions.indices {
      let elements = [low[index], stable[index], high[index]]
      if let error = elements.first(where: { $0.error != RD_KAFKA_RESP_ERR_NO_ERROR })?.error {
        if KafkaErrors.isSilence(error) { throw NativeError(error) }
        looks[partitions[index]] = .unseen(reason: words(NativeError(error)))
      } else {
        let low = max(0, low[index].offset)
        let stable = max(low, stable[index].offset)
        looks[partitions[index]] = .seen(Watermarks(low: low, high: max(stable, high[index].offset), stable: stable))
      }
    }
    return looks
  }

  private func silent(_ leader: Int32, _ partitions: [TopicPartition]) -> [TopicPartition: PartitionLook] {
    let reason = "its leader, broker \(leader), did not answer in time"
    return Dictionary(uniqueKeysWithValues: partitions.map { ($0, .unseen(reason: reason)) })
  }

  private func words(_ error: NativeError) -> String { context.errors.map(error, "").why }
}
