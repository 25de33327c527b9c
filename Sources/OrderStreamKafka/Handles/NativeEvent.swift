import CRdKafka

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
