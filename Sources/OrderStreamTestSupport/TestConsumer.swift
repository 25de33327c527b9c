import OrderStreamCore

/// A consumer that answers every event as the ports ask for, and keeps what it reads. Several of them are pumped by one
/// thread.
public final class TestConsumer {
  public let consumer: any Consumer
  public let transaction: (any Transaction)?
  public let batch = RecordBatch()
  /// Records read since the last commit.
  public private(set) var pending: [TestRecord] = []
  /// Records whose offsets were committed.
  public private(set) var committed: [TestRecord] = []
  /// What is assigned; `nil` between assignments.
  public private(set) var assigned: [Int32]?
  public private(set) var positions: [Int32: Offset] = [:]
  public private(set) var ends: [Int32: Offset] = [:]
  public private(set) var events: [ConsumerEvent] = []

  public init(
    _ broker: any Broker, topic: String, group: String? = nil, outputs: [String] = [],
    guarantee: Guarantee = .exactlyOnce
  ) throws(BrokerError) {
    consumer = try broker.consumer(
      ConsumerOptions(topic: topic, membership: group.map { .member(group: $0) } ?? .none))
    transaction = group == nil ? nil : try broker.transaction(for: consumer, outputs: outputs, guarantee: guarantee)
  }

  /// One poll, with the answer that it asks for.
  public func step(timeout: Duration = .zero) throws(BrokerError) {
    let event = try consumer.poll(into: batch, timeout: timeout)
    if event != .polled { events.append(event) }
    switch event {
    case .polled:
      for index in 0..<batch.count {
        pending.append(TestRecord(batch[index]))
        positions[batch[index].partition] = batch[index].offset.next
      }
      for end in batch.ends {
        ends[end.partition] = end.offset
        positions[end.partition] = end.offset
      }
    case .assigned(let partitions):
      let offsets = try consumer.committedOffsets(partitions)
      let starts = zip(partitions, offsets).map { PartitionOffset(partition: $0.0, offset: $0.1 ?? 0) }
      try consumer.assign(starts)
      positions = Dictionary(uniqueKeysWithValues: starts.map { ($0.partition, $0.offset) })
      assigned = partitions
    case .revoked:
      try commit()
      try giveUp()
    case .lost:
      try transaction?.abort()
      try giveUp()
    }
  }

  /// Commits the positions of everything read.
  public func commit() throws(BrokerError) {
    let offsets = positions.map { PartitionOffset(partition: $0.key, offset: $0.value) }
    try transaction?.commit(offsets)
    committed += pending
    pending = []
  }

  /// Aborts and reads again from the committed offsets.
  public func abort() throws(BrokerError) {
    try transaction?.abort()
    pending = []
    let partitions = assigned ?? []
    let offsets = try consumer.committedOffsets(partitions)
    let starts = zip(partitions, offsets).map { PartitionOffset(partition: $0.0, offset: $0.1 ?? 0) }
    try consumer.assign(starts)
    positions = Dictionary(uniqueKeysWithValues: starts.map { ($0.partition, $0.offset) })
  }

  public func send(_ record: TestRecord, to output: Int = 0) throws(BrokerError) {
    guard let transaction else { preconditionFailure("outputs need a group") }
    try record.lend { outgoing throws(BrokerError) in try transaction.send(outgoing, to: output) }
  }

  /// - Parameter value: `nil` removes the record.
  public func put(_ key: String, _ value: String?, partition: Int32) throws(BrokerError) {
    let (key, value) = (buffer(key), value.map { buffer($0) })
    defer { withExtendedLifetime((key, value)) {} }
    try transaction?.putState(partition: partition, key: key.bytes, value: value?.bytes)
  }

  /// Every state record of these partitions, as `partition/key` → value.
  public func state(_ partitions: [Int32]) throws(BrokerError) -> [String: String] {
    var records: [String: String] = [:]
    try consumer.readState(partitions) { stored in
      let key = String(decoding: stored.key, as: UTF8.self)
      records["\(stored.partition)/\(key)"] = String(decoding: stored.value, as: UTF8.self)
    }
    return records
  }

  public func close() {
    transaction?.close()
    consumer.close()
  }

  private func giveUp() throws(BrokerError) {
    pending = []
    assigned = nil
    ends = [:]
    positions = [:]
    try consumer.unassign()
  }

  private func buffer(_ text: String) -> ByteBuffer {
    let buffer = ByteBuffer(capacity: 64)
    buffer.append(text)
    return buffer
  }

  /// Pumps all of them in turn until `condition` holds.
  /// - Returns: whether it came to hold within `limit`.
  public static func pump(
    _ consumers: [TestConsumer], within limit: Duration = .seconds(10), until condition: () throws -> Bool
  ) throws -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while clock.now < deadline {
      if try condition() { return true }
      for consumer in consumers { try consumer.step(timeout: .milliseconds(consumers.count == 1 ? 20 : 2)) }
    }
    return try condition()
  }
}
