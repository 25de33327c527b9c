import CRdKafka
import OrderStreamCore

extension NativeClient {
  /// Low and high border of a partition; the high one is the last stable offset on a read_committed client.
  func queryWatermarks(_ topic: String, _ partition: Int32, _ timeout: Duration) throws(NativeError) -> (
    low: Offset, high: Offset
  ) {
    var low: Offset = 0
    var high: Offset = 0
    try NativeError.check(
      rd_kafka_query_watermark_offsets(pointer, topic, partition, &low, &high, timeout.pollMilliseconds))
    return (low, high)
  }

  /// Replaces each timestamp (milliseconds, or a logical offset) by the first offset at or after it, −1 where there is
  /// none. One request a leader.
  func offsetsForTimes(_ list: borrowing PartitionList, _ timeout: Duration) throws(NativeError) {
    try NativeError.check(rd_kafka_offsets_for_times(pointer, list.pointer, timeout.pollMilliseconds))
  }

  /// Asks any broker for nothing in particular.
  func ping(_ timeout: Duration) throws(NativeError) {
    var result: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(pointer, 0, nil, &result, timeout.pollMilliseconds)
    if let result { rd_kafka_metadata_destroy(result) }
    try NativeError.check(code)
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
          number: partition.id, leader: partition.leader, error: partition.err)
      }
      return NativeTopicDescription(name: String(cString: topic.topic), error: topic.err, partitions: partitions)
    }
  }
}
