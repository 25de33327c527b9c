import OrderStreamCore

/// Outputs and offsets of one consumer, each committed by itself: a producer an output, and a connection for the offsets.
///
/// Used by one thread at a time. A commit may run beside polls of the consumer: of that and its member it reads only what
/// no poll changes while partitions are assigned.
final class EmbeddedCommitSteps: CommitSteps {
  /// A disk that takes longer for what a commit holds is not going to take it.
  private static let flushLimit = Duration.seconds(60)

  private struct Output {
    let name: String
    /// Made for its first record, and anew after a failure.
    var producer: EmbeddedProducer?
    /// Records that it was given.
    var sent: Int64 = 0
  }

  private let connection: LogConnection
  /// One more connection to the same log.
  private let connect: () throws(BrokerError) -> LogConnection
  private let member: GroupMember
  private var outputs: [Output]

  init(
    _ consumer: EmbeddedConsumer, outputs: [String], connect: @escaping () throws(BrokerError) -> LogConnection
  ) throws(BrokerError) {
    guard let member = consumer.member else { preconditionFailure("offsets are committed by a consumer with a group") }
    self.member = member
    self.connect = connect
    let connection = try connect()
    self.connection = connection
    self.outputs = try connection.read("cannot open the outputs") { database in
      try outputs.map { Output(name: try TopicRow.get(database, name: $0).name) }
    }
  }

  func refusal(of record: OutgoingRecord, on output: Int) -> BrokerError? {
    let byteCount = RecordChunk.byteCount(of: record)
    guard byteCount > RecordChunk.largestRecordBytes else { return nil }
    return BrokerError(
      .recordTooLarge, "cannot append to \(outputs[output].name)[\(record.partition)]",
      why: "the record has \(byteCount) bytes and the log takes \(RecordChunk.largestRecordBytes)", recovery: .none)
  }

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    let producer = try producer(output)
    do throws(BrokerError) { try producer.send(record) } catch { throw failed(error) }
    outputs[output].sent += 1
  }

  private func producer(_ output: Int) throws(BrokerError) -> EmbeddedProducer {
    if let producer = outputs[output].producer { return producer }
    let producer = try EmbeddedProducer(
      try connect(), ProducerOptions(topic: outputs[output].name, pace: .bulk, reports: .refusals))
    outputs[output].producer = producer
    outputs[output].sent = 0
    return producer
  }

  func flush() throws(BrokerError) {
    for output in outputs {
      guard let producer = output.producer else { continue }
      do throws(BrokerError) { try producer.flush(timeout: Self.flushLimit) } catch { throw failed(error) }
      guard producer.deliveries.acknowledged == output.sent else {
        throw BrokerError(
          .timedOut, "cannot append to \(output.name)",
          why: "the disk did not take it within \(Self.flushLimit.milliseconds / 1000) s", recovery: .abort)
      }
    }
  }

  /// A producer that has failed is of no more use, and another one may succeed when the reason passes.
  private func failed(_ error: BrokerError) -> BrokerError {
    var error = error
    if error.isOutage { error.recovery = .abort }
    return error
  }

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    let (store, identity) = (member.store, member.identity)
    try connection.write("cannot commit to the group \(store.group.name)") { scope in
      let rows = try member.owned(scope, Set(offsets.map(\.partition)), as: identity)
      for offset in offsets {
        try CommittedOffsets.put(scope, group: store.group.id, partition: rows[offset.partition]!, offset.offset)
      }
    }
  }

  func drop() throws(BrokerError) {
    for index in outputs.indices {
      guard let producer = outputs[index].producer, producer.deliveries.acknowledged < outputs[index].sent else {
        continue
      }
      producer.close()
      outputs[index].producer = nil
    }
  }

  func close() {
    for index in outputs.indices {
      outputs[index].producer?.close()
      outputs[index].producer = nil
    }
    connection.closeWithoutLock()
  }
}
