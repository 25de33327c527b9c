import CRdKafka
import OrderStreamCore

/// Owns consumed messages between librdkafka's queue and a `RecordBatch`: taken in order, destroyed many at a time, as each
/// takes the lock under which librdkafka's thread allocates the next ones. Used by the consumer's thread only.
struct MessageBuffer: ~Copyable {
  /// Messages taken from the queue at a time.
  static let capacity = 10_000

  private let storage: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
  /// The first one that was not destroyed.
  private var taken = 0
  private var start = 0
  private var end = 0

  init() {
    storage = .allocate(capacity: Self.capacity)
    storage.initialize(repeating: nil, count: Self.capacity)
  }

  deinit {
    for index in taken..<end { rd_kafka_message_destroy(storage[index]) }
    storage.deallocate()
  }

  var isEmpty: Bool { start == end }

  mutating func removeAll() {
    start = end
    destroyTaken()
  }

  /// The message stays where it is until `destroyTaken`, or until the buffer is filled again.
  mutating func removeFirst() { start += 1 }

  mutating func destroyTaken() {
    for index in taken..<start { rd_kafka_message_destroy(storage[index]) }
    taken = start
  }

  /// The first message, borrowed until `removeFirst`.
  var first: ConsumedMessage { ConsumedMessage(storage[start]!) }

  /// Waits up to `timeout` for one message; returns early when a rebalance was recorded. The buffer must be empty.
  mutating func fillOne(_ queue: borrowing NativeQueue, timeout: Duration) {
    reset()
    if let message = rd_kafka_consume_queue(queue.pointer, timeout.pollMilliseconds) {
      storage[0] = message
      end = 1
    }
  }

  /// Takes what is there, up to `limit`, without waiting. The buffer must be empty.
  mutating func fill(_ queue: borrowing NativeQueue, limit: Int) {
    reset()
    end = max(0, rd_kafka_consume_batch_queue(queue.pointer, 0, storage, min(limit, Self.capacity)))
  }

  private mutating func reset() {
    precondition(isEmpty, "a buffer is filled when it is empty")
    destroyTaken()
    (taken, start, end) = (0, 0, 0)
  }

  /// Appends the headers of a message as a block of `Headers`; returns its length.
  @discardableResult
  static func appendHeaders(of message: UnsafePointer<rd_kafka_message_t>, to block: ByteBuffer) -> Int {
    var headers: OpaquePointer?
    guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return 0 }
    let before = block.count
    var index = 0
    var name: UnsafePointer<CChar>?
    var value: UnsafeRawPointer?
    var size = 0
    while rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
      let count = name.map { cStringLength($0) } ?? 0
      Headers.append(
        name: UnsafeRawBufferPointer(start: name, count: count),
        value: value.map { UnsafeRawBufferPointer(start: $0, count: size) }, to: block)
      index += 1
    }
    return block.count - before
  }

  private static func cStringLength(_ name: UnsafePointer<CChar>) -> Int {
    var length = 0
    while name[length] != 0 { length += 1 }
    return length
  }
}

/// One consumed message or event of a partition, borrowed from a `MessageBuffer`.
struct ConsumedMessage {
  private let message: UnsafeMutablePointer<rd_kafka_message_t>

  init(_ message: UnsafeMutablePointer<rd_kafka_message_t>) { self.message = message }

  @inline(__always) var error: rd_kafka_resp_err_t { message.pointee.err }
  @inline(__always) var partition: Int32 { message.pointee.partition }
  /// Of a record: its own; of the end of a partition: where the next record will come.
  @inline(__always) var offset: Offset { message.pointee.offset }
  @inline(__always) var valueByteCount: Int { message.pointee.len }
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
