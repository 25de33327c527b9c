import CRdKafka
import OrderStreamCore

/// One consumed message or event of a partition, borrowed from a `MessageBuffer`.
struct ConsumedMessage {
  private let message: UnsafeMutablePointer<rd_kafka_message_t>

  init(_ message: UnsafeMutablePointer<rd_kafka_message_t>) { self.message = message }

  @inline(__always) var error: rd_kafka_resp_err_t { message.pointee.err }
  @inline(__always) var partition: Int32 { message.pointee.partition }
  /// Of a record: its own; of the end of a partition: where the next record will come.
  @inline(__always) var offset: Offset { message.pointee.offset }
  @inline(__always) var byteCount: Int { message.pointee.len + message.pointee.key_len }

  /// Milliseconds since 1970, −1 for none.
  var timestampMs: Int64 {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    return rd_kafka_message_timestamp(message, &type)
  }

  /// Appends its headers as a block of `Headers`.
  func appendHeaders(to block: ByteBuffer) { MessageBuffer.appendHeaders(of: message, to: block) }

  /// The error in librdkafka's words.
  var nativeError: NativeError {
    NativeError(error, text: rd_kafka_message_errstr(message).map { String(cString: $0) })
  }

  @inline(__always) var key: UnsafeRawBufferPointer? {
    message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) }
  }

  @inline(__always) var value: UnsafeRawBufferPointer? {
    message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) }
  }

  /// Copies the record into a batch; `headers` is scratch space, and without it they are left out: librdkafka makes two
  /// allocations to say that a record has none.
  @inline(__always)
  func append(to batch: RecordBatch, headers: ByteBuffer?) {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let timestampMs = rd_kafka_message_timestamp(message, &type)
    var block: UnsafeRawBufferPointer?
    if let headers {
      headers.removeAll()
      if MessageBuffer.appendHeaders(of: message, to: headers) > 0 { block = headers.bytes }
    }
    batch.append(
      partition: partition, offset: offset, timestampMs: timestampMs, key: key, value: value, headers: block)
  }
}
