import CRdKafka
import OrderStreamCore

extension NativeClient {
  /// Replaces each timestamp (milliseconds, or a logical offset) by the first offset at or after it, −1 where there is
  /// none. One request a leader.
  func offsetsForTimes(_ list: borrowing PartitionList, _ timeout: Duration) throws(NativeError) {
    try NativeError.check(rd_kafka_offsets_for_times(pointer, list.pointer, timeout.pollMilliseconds))
  }

  /// For partitions of one topic, the first offset at or after a time (milliseconds, or a logical offset); `nil` where
  /// there is none.
  func offsets(
    _ topic: String, _ partitions: [Int32], at timestampMs: Int64, _ timeout: Duration
  ) throws(NativeError) -> [Offset?] {
    let list = PartitionList(topic: topic, partitions: partitions, offset: timestampMs)
    try offsetsForTimes(list, timeout)
    var found: [Offset?] = []
    for element in list.elements {
      try NativeError.check(element.error)
      found.append(element.offset < 0 ? nil : element.offset)
    }
    return found
  }

  /// The same for partitions of any topics, in their order and with the error of each one.
  func offsets(
    of partitions: [TopicPartition], at timestampMs: Int64, _ timeout: Duration
  ) throws(NativeError) -> [PartitionList.Element] {
    let list = PartitionList(capacity: partitions.count)
    for partition in partitions { list.add(partition.topic, partition.partition, offset: timestampMs) }
    try offsetsForTimes(list, timeout)
    return list.elements
  }

  /// Asks any broker for nothing in particular.
  func ping(_ timeout: Duration) throws(NativeError) {
    var result: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(pointer, 0, nil, &result, timeout.pollMilliseconds)
    if let result { rd_kafka_metadata_destroy(result) }
    try NativeError.check(code)
  }

  /// The brokers that there are, by id.
  func brokers(_ timeout: Duration) throws(NativeError) -> [ClusterDescription.Node] {
    var result: UnsafePointer<rd_kafka_metadata>?
    try NativeError.check(rd_kafka_metadata(pointer, 0, nil, &result, timeout.pollMilliseconds))
    guard let result else { return [] }
    defer { rd_kafka_metadata_destroy(result) }
    return (0..<Int(result.pointee.broker_cnt)).map { index in
      let broker = result.pointee.brokers[index]
      return ClusterDescription.Node(id: broker.id, address: "\(String(cString: broker.host)):\(broker.port)")
    }.sorted { $0.id < $1.id }
  }

  /// Describes one topic, or all when `name` is `nil`.
  func metadata(_ name: String?, _ timeout: Duration) throws(NativeError) -> [NativeTopicDescription] {
    var topic: OpaquePointer?
    if let name {
      topic = rd_kafka_topic_new(pointer, name, nil)
      if topic == nil { throw NativeError(rd_kafka_last_error()) }
    }
    defer { if let topic { rd_kafka_topic_destroy(topic) } }
    var result: UnsafePointer<rd_kafka_metadata>?
    try NativeError.check(
      rd_kafka_metadata(pointer, topic == nil ? 1 : 0, topic, &result, timeout.pollMilliseconds))
    guard let result else { return [] }
    defer { rd_kafka_metadata_destroy(result) }
    return (0..<Int(result.pointee.topic_cnt)).map { index in
      let topic = result.pointee.topics[index]
      let partitions = (0..<Int(topic.partition_cnt)).map { index in
        let partition = topic.partitions[index]
        return NativeTopicDescription.Partition(
          number: partition.id, leader: partition.leader, error: partition.err,
          replicas: Array(UnsafeBufferPointer(start: partition.replicas, count: Int(partition.replica_cnt))),
          inSync: Array(UnsafeBufferPointer(start: partition.isrs, count: Int(partition.isr_cnt))))
      }
      return NativeTopicDescription(name: String(cString: topic.topic), error: topic.err, partitions: partitions)
    }
  }

  /// What no other topic ever has, not even a later one of the same name; `nil` where librdkafka or the broker does not
  /// tell.
  func topicID(_ name: String, _ timeout: Duration) -> String? {
    var id = [CChar](repeating: 0, count: 64)
    orderstream_rd_kafka_topic_id(pointer, name, timeout.pollMilliseconds, &id, id.count)
    let text = id.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return text.isEmpty ? nil : text
  }
}

/// A topic as a broker describes it.
struct NativeTopicDescription {
  struct Partition {
    var number: Int32
    /// −1 when it has no leader.
    var leader: Int32
    var error: rd_kafka_resp_err_t
    /// Ids of brokers.
    var replicas: [Int32]
    var inSync: [Int32]
  }

  var name: String
  var error: rd_kafka_resp_err_t
  var partitions: [Partition]
}

// MARK: - Consuming

extension NativeClient {
  /// Joins the group with one topic. Rebalances arrive on the consumer queue.
  func subscribe(to topic: String) throws(NativeError) {
    let list = PartitionList(capacity: 1)
    list.add(topic, RD_KAFKA_PARTITION_UA, offset: Offset(RD_KAFKA_OFFSET_INVALID))
    try NativeError.check(rd_kafka_subscribe(pointer, list.pointer))
  }

  func unsubscribe() { _ = rd_kafka_unsubscribe(pointer) }

  /// Replaces the assignment; what was fetched for the old one is dropped.
  func assign(_ list: borrowing PartitionList) throws(NativeError) {
    try NativeError.check(rd_kafka_assign(pointer, list.pointer))
  }

  func unassign() throws(NativeError) { try NativeError.check(rd_kafka_assign(pointer, nil)) }

  /// Whether the group has already given this member's partitions away.
  var assignmentLost: Bool { rd_kafka_assignment_lost(pointer) != 0 }

  /// The member's id in its group; empty when it is in none.
  var memberID: String {
    guard let id = rd_kafka_memberid(pointer) else { return "" }
    defer { rd_kafka_mem_free(pointer, id) }
    return String(cString: id)
  }

  /// Fills in the group's committed offsets; below 0 where there are none.
  func committed(_ list: borrowing PartitionList, _ timeout: Duration) throws(NativeError) {
    try NativeError.check(rd_kafka_committed(pointer, list.pointer, timeout.pollMilliseconds))
  }

  /// Commits offsets as a member of the group, and waits for the answer, at most so long: the synchronous call of librdkafka
  /// 2.0.2 waits without end while the group has no coordinator.
  func commitOffsets(_ list: borrowing PartitionList, _ timeout: Duration) throws(NativeError) {
    let queue = NativeQueue.new(of: self)
    try NativeError.check(rd_kafka_commit_queue(pointer, list.pointer, queue.pointer, nil, nil))
    guard let answer = queue.poll(timeout) else { throw NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT) }
    try answer.check()
    guard let answered = rd_kafka_event_topic_partition_list(answer.pointer) else { return }
    for element in PartitionList.elements(of: UnsafePointer(answered)) { try NativeError.check(element.error) }
  }

  /// Starts closing; `isConsumerClosed` tells when it is done, while the queue is polled.
  func startClosing(_ queue: borrowing NativeQueue) throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_consumer_close_queue(pointer, queue.pointer))
  }

  var isConsumerClosed: Bool { rd_kafka_consumer_closed(pointer) != 0 }
}
