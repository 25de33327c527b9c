import CRdKafka
import OrderStreamCore

extension NativeClient {
  /// Queues a copy of one record; `tag` comes back in its delivery report. The record may be sent from any thread.
  func produce(
    _ record: OutgoingRecord, to topic: NativeTopic, tag: Int = 0
  ) -> rd_kafka_resp_err_t {
    let headers = record.headers.isEmpty ? nil : headerList(record.headers)
    let key = Self.presentBytes(record.key)
    let value = Self.presentBytes(record.value)
    // librdkafka takes 0 for "now", so the first millisecond of 1970 stands for the zeroth.
    let timestampMs = record.timestampMs == 0 ? 1 : record.timestampMs
    let result = orderstream_rd_kafka_produce(
      pointer, topic.pointer, record.partition, timestampMs, key, record.key?.count ?? 0, value,
      record.value?.count ?? 0, headers, UnsafeMutableRawPointer(bitPattern: tag))
    // On success the message owns them.
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

/// Owns one `rd_kafka_topic_t` of a producer.
final class NativeTopic {
  let pointer: OpaquePointer
  private let client: NativeClient

  init(_ client: NativeClient, _ name: String) throws(NativeError) {
    guard let pointer = rd_kafka_topic_new(client.pointer, name, nil) else {
      throw NativeError(rd_kafka_last_error())
    }
    self.pointer = pointer
    self.client = client
  }

  deinit { rd_kafka_topic_destroy(pointer) }
}

// MARK: - Transactions

/// Transaction calls block for at most the transaction's time-out (librdkafka's meaning of −1); deadlines beyond that
/// are the caller's.
extension NativeClient {
  /// Gets the identity of this producer, and aborts what an earlier owner of it left open.
  func initTransactions(_ timeout: Duration) throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_init_transactions(pointer, timeout.pollMilliseconds))
  }

  func beginTransaction() throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_begin_transaction(pointer))
  }

  func sendOffsets(_ offsets: borrowing PartitionList, _ group: GroupMetadata) throws(NativeError) {
    try NativeError.check(
      consuming: rd_kafka_send_offsets_to_transaction(pointer, offsets.pointer, group.pointer, -1))
  }

  func commitTransaction() throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_commit_transaction(pointer, -1))
  }

  func abortTransaction(_ timeout: Duration? = nil) throws(NativeError) {
    try NativeError.check(consuming: rd_kafka_abort_transaction(pointer, timeout?.pollMilliseconds ?? -1))
  }

  /// Repeats a call of a transaction while its error is one that repeating may heal.
  func repeating(
    until deadline: Deadline, _ time: any TimeSource, _ call: () throws(NativeError) -> Void
  ) throws(NativeError) {
    while true {
      do { return try call() } catch {
        guard error.canBeRepeated && !deadline.hasPassed else { throw error }
        time.sleep(.milliseconds(5))
      }
    }
  }
}

extension NativeError {
  /// Whether a call of a transaction may succeed when it is made once more.
  var canBeRepeated: Bool { isRetriable && !isFatal && !requiresAbort }
}

/// Owns one `rd_kafka_consumer_group_metadata_t`: who a member is in one generation of its group. A transaction is
/// fenced by it, so it is taken when partitions are assigned and not when a transaction commits: a member that has lost
/// its session would by then say "generation −1", which a coordinator accepts from anybody.
final class GroupMetadata: @unchecked Sendable {
  // Sendable: the object behind `pointer` never changes.
  let pointer: OpaquePointer

  /// `nil` before the group is known.
  init?(of client: NativeClient) {
    guard let pointer = rd_kafka_consumer_group_metadata(client.pointer) else { return nil }
    self.pointer = pointer
  }

  /// Of a group that nobody has joined: no generation.
  init?(group: String) {
    guard let pointer = rd_kafka_consumer_group_metadata_new(group) else { return nil }
    self.pointer = pointer
  }

  deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }

  /// −1 outside of a group's generation.
  var generation: Int32 {
    let told = orderstream_rd_kafka_generation(pointer)
    return told == Int32.min ? serializedGeneration : told
  }

  /// For versions of librdkafka that tell nobody but themselves.
  private var serializedGeneration: Int32 {
    var bytes: UnsafeMutableRawPointer?
    var size = 0
    if let error = rd_kafka_consumer_group_metadata_write(pointer, &bytes, &size) {
      rd_kafka_error_destroy(error)
      return -1
    }
    guard let bytes else { return -1 }
    defer { rd_kafka_mem_free(nil, bytes) }
    // The serialised form is "CGMDv2:", then the generation in the machine's byte order.
    let magic = Array("CGMDv2:".utf8)
    let all = UnsafeRawBufferPointer(start: bytes, count: size)
    guard size >= magic.count + 4, all.prefix(magic.count).elementsEqual(magic) else { return -1 }
    return all.loadUnaligned(fromByteOffset: magic.count, as: Int32.self)
  }
}
