import CRdKafka
import OrderStreamCore

/// What became of one record, borrowed from the event that brought it.
struct DeliveryReport: ~Copyable {
  private let message: UnsafePointer<rd_kafka_message_t>

  init(_ message: UnsafePointer<rd_kafka_message_t>) { self.message = message }

  var error: rd_kafka_resp_err_t { message.pointee.err }
  var partition: Int32 { message.pointee.partition }
  /// The number that was given to `NativeClient.produce`.
  var tag: Int { Int(bitPattern: message.pointee._private) }
  /// Whether the record may be on the log although it is reported as failed.
  var mayBePersisted: Bool { rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED }

  /// A copy of the record, to be sent once more; without its timestamp (−1), which a failed record does not tell.
  func copy() -> UnacknowledgedRecord {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let headers = ByteBuffer(capacity: 64)
    MessageBuffer.appendHeaders(of: message, to: headers)
    return UnacknowledgedRecord(
      tag: tag, partition: partition, timestampMs: rd_kafka_message_timestamp(message, &type),
      key: message.pointee.key.map { Array(UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len)) },
      value: message.pointee.payload.map { Array(UnsafeRawBufferPointer(start: $0, count: message.pointee.len)) },
      headers: Array(headers.bytes), mayBePersisted: mayBePersisted)
  }
}
