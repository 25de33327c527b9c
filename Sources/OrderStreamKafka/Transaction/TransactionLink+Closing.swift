import CRdKafka
import OrderStreamCore
import OrderStreamThreads

extension TransactionLink {
  private static let closeLimit = Duration.seconds(15)
  private static let graceOfClose = Duration.seconds(1)

  /// Closes what an earlier transaction of this identity has left open, as it had ended: by a transaction over the same
  /// partitions, which becomes one with it. librdkafka takes no part in a partition without a record there, so each gets
  /// one: a tombstone, which readers of state ignore, and which on an output, where it can be seen after a commit, names a
  /// source of its own.
  /// - Parameters:
  ///   - partitions: Each with the index of its topic, and an offset for the tombstone's source.
  ///   - timestampMs: Of the tombstones: not later than the transaction that is closed.
  ///   - offsets: Where the group's offsets wait too.
  /// - Throws: An error that requires an abort. After `timedOut` a thread may still hold the client.
  func close(
    _ partitions: [(TopicPartition, index: Int, offset: Offset)], stateIndex: Int, sourceHeader: String,
    timestampMs: Int64, offsets: PositionList?, group: String, commit: Bool, _ context: KafkaContext
  ) throws(BrokerError) {
    let deadline = Deadline(Self.closeLimit, context.time)
    do throws(NativeError) {
      try client.beginTransaction()
      for (place, index, offset) in partitions {
        let source = "\(sourceHeader)/\(place.partition)/\(offset)/0"
        try sendTombstone(place.partition, index, timestampMs, source: index == stateIndex ? nil : source)
      }
      try client.flush(deadline.remaining)
      // A broker that goes away meanwhile may keep these calls for ever (librdkafka issue 5423).
      let ending = ending(offsets, group: group, commit: commit, deadline, context.time)
      guard let failure = ending.join(deadline.remaining + Self.graceOfClose) else {
        throw NativeError(RD_KAFKA_RESP_ERR__TIMED_OUT)
      }
      if let failure { throw failure }
    } catch {
      throw context.errors.map(cause(error), "cannot close a transaction of the group \(group)", recovery: .abort)
    }
  }

  /// Ends the open transaction on a thread of its own; it yields what went wrong.
  private func ending(
    _ offsets: PositionList?, group: String, commit: Bool, _ deadline: Deadline, _ time: any TimeSource
  ) -> BackgroundThread<NativeError?> {
    let client = client
    return .endingByItself {
      do throws(NativeError) {
        if let offsets, let metadata = GroupMetadata(group: group) {
          let list = PartitionList(topic: offsets.topic, offsets.positions)
          list.setMetadata(offsets.metadata)
          try client.repeating(until: deadline, time) { () throws(NativeError) in
            try client.sendOffsets(list, metadata)
          }
        }
        try client.repeating(until: deadline, time) { () throws(NativeError) in
          if commit { try client.commitTransaction() } else { try client.abortTransaction(deadline.remaining) }
        }
        return nil
      } catch { return error }
    }
  }

  private func sendTombstone(
    _ partition: Int32, _ index: Int, _ timestampMs: Int64, source: String?
  ) throws(NativeError) {
    let block = ByteBuffer(capacity: 64)
    if let source { Headers.append(name: "source", text: source, to: block) }
    let key = ByteBuffer(capacity: 16)
    key.append("orderstream" as StaticString)
    defer { withExtendedLifetime((block, key)) {} }
    try NativeError.check(
      send(
        OutgoingRecord(
          partition: partition, timestampMs: timestampMs, key: key.bytes, value: nil,
          headers: Headers(block: block.bytes)), to: index, marked: false))
  }
}
