import CRdKafka

/// Owns one `rd_kafka_topic_t` of a producer.
struct NativeTopic: ~Copyable {
  let pointer: OpaquePointer
  let name: String
  private let client: NativeClient

  init(_ client: NativeClient, _ name: String) throws(NativeError) {
    guard let pointer = rd_kafka_topic_new(client.pointer, name, nil) else {
      throw NativeError(rd_kafka_last_error())
    }
    self.pointer = pointer
    self.name = name
    self.client = client
  }

  deinit { rd_kafka_topic_destroy(pointer) }
}
