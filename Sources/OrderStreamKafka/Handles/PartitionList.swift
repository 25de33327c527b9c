import CRdKafka
import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Owns one `rd_kafka_topic_partition_list_t`.
struct PartitionList: ~Copyable {
  let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  init(capacity: Int = 8) {
    pointer = rd_kafka_topic_partition_list_new(Int32(capacity))
  }

  /// Partitions of one topic with an offset each.
  init(topic: String, _ offsets: [PartitionOffset]) {
    self.init(capacity: offsets.count)
    for entry in offsets { add(topic, entry.partition, offset: entry.offset) }
  }

  /// Partitions of one topic, all with the same offset or logical offset.
  init(topic: String, partitions: some Sequence<Int32>, offset: Offset) {
    self.init(topic: topic, partitions.map { PartitionOffset(partition: $0, offset: offset) })
  }

  /// Takes over a list that librdkafka made.
  init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) { self.pointer = pointer }

  deinit { rd_kafka_topic_partition_list_destroy(pointer) }

  func add(_ topic: String, _ partition: Int32, offset: Offset) {
    rd_kafka_topic_partition_list_add(pointer, topic, partition).pointee.offset = offset
  }

  /// Gives every element the same text, which a group's coordinator keeps beside a committed offset.
  func setMetadata(_ text: String) {
    for index in 0..<Int(pointer.pointee.cnt) {
      let element = pointer.pointee.elems + index
      free(element.pointee.metadata)
      // librdkafka frees it with the list.
      element.pointee.metadata = text.withCString { strdup($0).map(UnsafeMutableRawPointer.init) }
      element.pointee.metadata_size = element.pointee.metadata == nil ? 0 : text.utf8.count
    }
  }

  struct Element {
    var topicPartition: TopicPartition
    var offset: Offset
    var error: rd_kafka_resp_err_t
    /// What was committed beside the offset; empty when nothing was.
    var metadata: [UInt8]
  }

  var elements: [Element] { Self.elements(of: UnsafePointer(pointer)) }

  /// Copies out a list that somebody else owns.
  static func elements(of list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [Element] {
    (0..<Int(list.pointee.cnt)).map { index in
      let element = list.pointee.elems[index]
      return Element(
        topicPartition: TopicPartition(topic: String(cString: element.topic), partition: element.partition),
        offset: element.offset, error: element.err,
        metadata: Array(UnsafeRawBufferPointer(start: element.metadata, count: element.metadata_size)))
    }
  }
}

/// Offsets of one topic with what stands beside them.
struct PositionList {
  var topic: String
  var positions: [PartitionOffset]
  var metadata: String

  init(topic: String, _ positions: [PartitionOffset], _ metadata: String) {
    self.topic = topic
    self.positions = positions
    self.metadata = metadata
  }
}
