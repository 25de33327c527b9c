import CRdKafka
import OrderStreamCore

extension NativeClient {
  /// Queues a copy of one record; `tag` comes back in its delivery report. The record may be sent from any thread.
  func produce(
    _ record: OutgoingRecord, to topic: borrowing NativeTopic, tag: Int = 0
  ) -> rd_kafka_resp_err_t {
    let headers = record.headers.isEmpty ? nil : headerList(record.headers)
    let key = Self.presentBytes(record.key)
    let value = Self.presentBytes(record.value)
    // librdkafka takes 0 for "now", so the first millisecond of 1970 stands for the zeroth.
    let timestampMs = record.timestampMs == 0 ? 1 : record.timestampMs
    let result = orderstream_rd_kafka_produce(
      pointer, topic.pointer, record.partition, timestampMs, key, record.key?.count ?? 0, value,
      record.value?.count ?? 0, headers, UnsafeMutableRawPointer(bitPattern: tag))
    // On success they belong to the message.
    if result != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
    return result
  }

  /// Sends what lingers and waits up to `timeout` until nothing is queued. Serves delivery reports by callback; with
  /// reports as events, another thread must serve those.
  func flush(_ timeout: Duration) throws(NativeError) {
    try NativeError.check(rd_kafka_flush(pointer, timeout.pollMilliseconds))
  }

  /// Gives up everything that is queued or in flight; each record is reported as failed.
  func purge() {
    _ = rd_kafka_purge(pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
  }

  /// librdkafka takes a null pointer for "absent", so an empty span needs an address.
  private static func presentBytes(_ bytes: UnsafeRawBufferPointer?) -> UnsafeRawPointer? {
    guard let bytes else { return nil }
    return bytes.baseAddress ?? UnsafeRawPointer(emptyBytes)
  }

  private func headerList(_ headers: Headers) -> OpaquePointer? {
    let list = rd_kafka_headers_new(4)
    for header in headers {
      // Names and values are copied.
      rd_kafka_header_add(
        list, header.name.baseAddress?.assumingMemoryBound(to: CChar.self) ?? emptyBytes, header.name.count,
        Self.presentBytes(header.value), header.value?.count ?? 0)
    }
    return list
  }
}

/// One readable byte that lives for ever, for spans of length 0.
private nonisolated(unsafe) let emptyBytes: UnsafePointer<CChar> = {
  let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
  byte.initialize(to: 0)
  return UnsafePointer(byte)
}()
