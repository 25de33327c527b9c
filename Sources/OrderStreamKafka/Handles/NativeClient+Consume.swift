import CRdKafka
import OrderStreamCore

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

  /// Starts closing; `isConsumerClosed` tells when it is done, while the queue is polled.
  func startClosing(_ queue: borrowing NativeQueue) throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_consumer_close_queue(pointer, queue.pointer))
  }

  var isConsumerClosed: Bool { rd_kafka_consumer_closed(pointer) != 0 }
}
