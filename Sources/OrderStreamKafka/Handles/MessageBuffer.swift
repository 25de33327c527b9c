import CRdKafka
import OrderStreamCore

/// Owns consumed messages between librdkafka's queue and a `RecordBatch`: taken in order, destroyed one by one.
/// Used by the consumer's thread only.
struct MessageBuffer: ~Copyable {
  /// Messages taken from the queue at a time.
  static let capacity = 1000

  private let storage: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
  private var start = 0
  private var end = 0

  init() {
    storage = .allocate(capacity: Self.capacity)
    storage.initialize(repeating: nil, count: Self.capacity)
  }

  deinit {
    for index in start..<end { rd_kafka_message_destroy(storage[index]) }
    storage.deallocate()
  }

  var isEmpty: Bool { start == end }

  mutating func removeAll() {
    while !isEmpty { removeFirst() }
  }

  mutating func removeFirst() {
    rd_kafka_message_destroy(storage[start])
    start += 1
  }

  /// The first message, borrowed until `removeFirst`.
  var first: ConsumedMessage { ConsumedMessage(storage[start]!) }

  /// Waits up to `timeout` for one message; returns early when a rebalance was recorded. The buffer must be empty.
  mutating func fillOne(_ queue: borrowing NativeQueue, timeout: Duration) {
    precondition(isEmpty, "a buffer is filled when it is empty")
    start = 0
    end = 0
    if let message = rd_kafka_consume_queue(queue.pointer, timeout.pollMilliseconds) {
      storage[0] = message
      end = 1
    }
  }

  /// Takes what is there, up to `limit`, without waiting. The buffer must be empty.
  mutating func fill(_ queue: borrowing NativeQueue, limit: Int) {
    precondition(isEmpty, "a buffer is filled when it is empty")
    start = 0
    end = max(0, rd_kafka_consume_batch_queue(queue.pointer, 0, storage, min(limit, Self.capacity)))
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
