import CRdKafka
import OrderStreamCore

/// What errors mean that come in the place of a record.
struct ReadErrors {
  let client: NativeClient
  let topic: String
  /// `nil` when the client's group is only a name.
  let group: String?
  let context: KafkaContext

  /// - Returns: `nil` when it passes by itself.
  func meaning(of message: ConsumedMessage, _ cursors: PartitionCursors) -> BrokerError? {
    let error = message.nativeError
    switch error.code {
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
      context.note(.info, "reading \(topic): \(error.text)")
      return nil
    case RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
      // A broker in trouble; librdkafka asks again.
      context.note(.warning, "reading \(topic): \(error.text)")
      return nil
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      guard let group else { return nil }
      return context.errors.denied([AccessRight(.read, .group(group))], error, "cannot join the group \(group)")
    case RD_KAFKA_RESP_ERR__FATAL:
      return context.errors.map(client.fatalError ?? error, "cannot read \(topic)", recovery: .fatal)
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      guard cursors.isAssigned(message.partition) else { return nil }
      return gone(message.partition, at: cursors.next(message.partition), error)
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART where (try? context.partitionCount(of: topic)) != nil:
      // A broker that has restarted was not told of it yet.
      return nil
    default:
      if context.errors.map(error, "").passesByItself {
        context.note(.info, "reading \(topic): \(error.text)")
        return nil
      }
      let place = message.partition >= 0 ? "\(topic)[\(message.partition)]" : topic
      let right = AccessRight(.read, .topic(topic))
      return context.errors.map(error, "cannot read \(place)", needs: right, recovery: .fatal)
    }
  }

  /// Names the range that is still there.
  private func gone(_ partition: Int32, at offset: Offset, _ error: NativeError) -> BrokerError {
    var mapped = context.errors.map(error, "cannot read \(topic)[\(partition)]@\(offset)")
    mapped.code = .offsetOutOfRange
    mapped.recovery = .fatal
    if let low = try? context.starts(topic, [partition]).first, let high = try? context.ends(topic, [partition]).first {
      mapped.why = "the partition holds offsets \(low) to \(high); the rest is gone (\(error.name))"
    }
    return mapped
  }
}
