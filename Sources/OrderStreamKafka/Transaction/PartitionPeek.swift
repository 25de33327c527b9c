import CRdKafka
import OrderStreamCore

/// A record that is looked at for who wrote it, and when.
struct PeekedRecord {
  var timestampMs: Int64
  /// The identity that wrote it, where it says so: state records do.
  var writer: String?
  /// The begin of the transaction that it was written in.
  var beginMs: Int64?
}

extension KafkaContext {
  /// How long records that must be there may be missing.
  private static let peekLimit = Duration.seconds(5)

  /// The records of one partition from an offset on, at most `limit`, up to its end.
  /// - Parameter committed: Whether only those that are committed; else those of open transactions too.
  func records(
    of place: TopicPartition, from offset: Offset, limit: Int, committed: Bool
  ) throws(BrokerError) -> [PeekedRecord] {
    var records: [PeekedRecord] = []
    let headers = ByteBuffer(capacity: 256)
    try visit(place, from: offset, committed: committed) { message in
      records.append(message.peek(headers))
      return records.count < limit
    }
    return records
  }

  /// Hands over the records of one partition from an offset on, up to its end or until `body` returns false.
  func visit(
    _ place: TopicPartition, from offset: Offset, committed: Bool, _ body: (ConsumedMessage) -> Bool
  ) throws(BrokerError) {
    let what = "cannot read \(place)"
    let client = try factory.client(.peek(committed: committed))
    guard let queue = NativeQueue.consumer(of: client) else {
      preconditionFailure("a consumer client has a group, if only by name")
    }
    _ = try? client.metadata(place.topic, .seconds(5))
    let start = max(offset, try starts(place.topic, [place.partition])[0])
    do {
      try client.assign(
        PartitionList(topic: place.topic, [PartitionOffset(partition: place.partition, offset: start)]))
    } catch { throw errors.map(error, what) }
    var buffer = MessageBuffer()
    let deadline = Deadline(Self.peekLimit, time)
    while true {
      buffer.fillOne(queue, timeout: .milliseconds(100))
      guard !buffer.isEmpty else {
        if deadline.hasPassed { throw errors.map(NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT), what) }
        continue
      }
      let message = buffer.first
      switch message.error {
      case RD_KAFKA_RESP_ERR_NO_ERROR: if !body(message) { return }
      case RD_KAFKA_RESP_ERR__PARTITION_EOF: return
      default: break
      }
      buffer.removeFirst()
    }
  }
}

extension ConsumedMessage {
  /// - Parameter headers: Scratch space.
  fileprivate func peek(_ headers: ByteBuffer) -> PeekedRecord {
    headers.removeAll()
    appendHeaders(to: headers)
    let writer = Headers(block: headers.bytes).first(named: KafkaWords.writerHeader)
    let words = writer.map { String(decoding: $0, as: UTF8.self).split(separator: " ") } ?? []
    return PeekedRecord(
      timestampMs: timestampMs, writer: words.first.map(String.init),
      beginMs: words.count > 1 ? Int64(words[1]) : nil)
  }
}
