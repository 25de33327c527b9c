import CRdKafka

/// Owns one reference to a queue of a client: the main queue (reports) or the consumer's (records, rebalances).
struct NativeQueue: ~Copyable, @unchecked Sendable {
  // Sendable: librdkafka's queues have locks of their own, and `pointer` never changes.
  let pointer: OpaquePointer
  private let client: NativeClient

  /// The queue of delivery reports and errors.
  static func main(of client: NativeClient) -> NativeQueue {
    NativeQueue(rd_kafka_queue_get_main(client.pointer), client)
  }

  /// A queue for the answer to one request.
  static func new(of client: NativeClient) -> NativeQueue {
    NativeQueue(rd_kafka_queue_new(client.pointer), client)
  }

  /// The queue of records, rebalances and errors; `nil` for a client without a group. The client's `poll` is of no use
  /// afterwards.
  static func consumer(of client: NativeClient) -> NativeQueue? {
    guard rd_kafka_poll_set_consumer(client.pointer) == RD_KAFKA_RESP_ERR_NO_ERROR,
      let pointer = rd_kafka_queue_get_consumer(client.pointer)
    else { return nil }
    return NativeQueue(pointer, client)
  }

  private init(_ pointer: OpaquePointer, _ client: NativeClient) {
    self.pointer = pointer
    self.client = client
  }

  deinit { rd_kafka_queue_destroy(pointer) }

  /// Waits up to `timeout` for an event, serving callbacks meanwhile.
  borrowing func poll(_ timeout: Duration) -> NativeEvent? {
    guard let event = rd_kafka_queue_poll(pointer, timeout.pollMilliseconds) else { return nil }
    return NativeEvent(owning: event, client)
  }

  /// Makes a `poll` of another thread return at once.
  borrowing func wake() { rd_kafka_queue_yield(pointer) }
}
