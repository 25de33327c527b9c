import CRdKafka
import OrderStreamCore

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

  /// Records and events that wait in it.
  var count: Int { rd_kafka_queue_length(pointer) }

  /// Makes a `poll` of another thread return at once.
  borrowing func wake() { rd_kafka_queue_yield(pointer) }
}

/// Owns one `rd_kafka_event_t`: delivery reports, or the answer to an admin request.
struct NativeEvent: ~Copyable {
  let pointer: OpaquePointer
  private let client: NativeClient

  init(owning pointer: OpaquePointer, _ client: NativeClient) {
    self.pointer = pointer
    self.client = client
  }

  deinit { rd_kafka_event_destroy(pointer) }

  var isDeliveryReport: Bool { rd_kafka_event_type(pointer) == RD_KAFKA_EVENT_DR }

  /// Throws the error of a whole request.
  borrowing func check() throws(NativeError) {
    let code = rd_kafka_event_error(pointer)
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    throw NativeError(code, text: rd_kafka_event_error_string(pointer).map { String(cString: $0) })
  }

  /// Calls `body` with each record that is reported on; the reports are borrowed.
  borrowing func forEachReport(_ body: (borrowing DeliveryReport) -> Void) {
    while let message = rd_kafka_event_message_next(pointer) { body(DeliveryReport(message)) }
  }
}

/// What became of one record, borrowed from the event that brought it.
struct DeliveryReport: ~Copyable {
  private let message: UnsafePointer<rd_kafka_message_t>

  init(_ message: UnsafePointer<rd_kafka_message_t>) { self.message = message }

  var error: rd_kafka_resp_err_t { message.pointee.err }
  var partition: Int32 { message.pointee.partition }
  /// The number that was given to `NativeClient.produce`.
  var tag: Int { Int(bitPattern: message.pointee._private) }
  /// `nil` where the broker told none.
  var offset: Offset? { message.pointee.offset >= 0 ? message.pointee.offset : nil }
  /// Lent.
  var key: UnsafeRawBufferPointer? {
    message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) }
  }
  /// Lent.
  var value: UnsafeRawBufferPointer? {
    message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) }
  }
  /// Whether the record may be on the log although it is reported as failed.
  var mayBePersisted: Bool { rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED }

  /// How long ago the client was given the record. Reads the clock.
  var ageNanoseconds: Int64 { max(0, rd_kafka_message_latency(message)) * 1000 }

  /// A copy of the record, to be sent once more; without its timestamp (−1), which a failed record does not tell.
  func copy() -> UnacknowledgedRecord {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let headers = ByteBuffer(capacity: 64)
    MessageBuffer.appendHeaders(of: message, to: headers)
    return UnacknowledgedRecord(
      tag: tag, partition: partition, timestampMs: rd_kafka_message_timestamp(message, &type),
      key: key.map { Array($0) }, value: value.map { Array($0) }, headers: Array(headers.bytes),
      mayBePersisted: mayBePersisted)
  }
}

/// How a client reports what became of the records that it sent.
enum DeliveryReports {
  case none
  /// Through `ClientEvents`, while the client is polled or flushed.
  case callback
  /// As events of the main queue, many records an event.
  case events
}
