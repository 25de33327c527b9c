import CRdKafka
import OrderStreamCore

/// Reads assigned partitions of one topic through one consumer client: the part that group members, sole consumers and
/// the state reader share. One thread.
///
/// Everything that touches the client's queue and its assignment is done by this thread, because librdkafka 2.0.2 may
/// return records from before a seek when those run in parallel.
final class RecordSource {
  /// How long a call waits inside librdkafka, so that deadlines and rebalances are looked at.
  private static let waitSlice = Duration.milliseconds(100)

  let client: NativeClient
  let topic: String
  let liveness: BrokerLiveness
  private let errors: ReadErrors
  private let context: KafkaContext
  private let queue: NativeQueue
  // Those without a run-time check are touched for every record, by nothing that calls back (docs/performance.md).
  @exclusivity(unchecked) private var buffer = MessageBuffer()
  @exclusivity(unchecked) private var cursors = PartitionCursors()
  @exclusivity(unchecked) private var fetchers: FetcherWakeUp
  /// Whether there is a `heldError`.
  @exclusivity(unchecked) private var isHeld = false
  /// Found behind records that still had to be handed over.
  private var heldError: BrokerError? { didSet { isHeld = heldError != nil } }
  /// Scratch space; `nil`: headers are left out.
  private let headers: ByteBuffer?
  private let dropsRepeats: Bool

  /// - Parameters:
  ///   - group: `nil` when the client's group is only a name.
  ///   - dropsRepeats: Whether records that come again are dropped, as `ConsumerOptions` has it.
  init(
    _ client: NativeClient, topic: String, group: String?, context: KafkaContext, readsHeaders: Bool = true,
    dropsRepeats: Bool = true
  ) {
    guard let queue = NativeQueue.consumer(of: client) else {
      preconditionFailure("a consumer client has a group, if only by name")
    }
    self.client = client
    self.topic = topic
    self.queue = queue
    self.context = context
    headers = readsHeaders ? ByteBuffer(capacity: 256) : nil
    self.dropsRepeats = dropsRepeats
    fetchers = FetcherWakeUp(of: client)
    errors = ReadErrors(client: client, topic: topic, group: group, context: context)
    liveness = BrokerLiveness(client, topic: topic, context)
  }

  // Messages hold on to their client, which ends only when the last of them is gone.
  deinit { buffer.removeAll() }

  /// Reads on from exactly these positions; whatever was fetched before is dropped.
  func assign(_ positions: [PartitionOffset]) throws(BrokerError) {
    forget()
    liveness.restart()
    do { try client.assign(PartitionList(topic: topic, positions)) } catch {
      throw context.errors.map(error, "cannot read \(topic)")
    }
    cursors.assign(positions)
  }

  func unassign() throws(BrokerError) {
    forget()
    do { try client.unassign() } catch { throw context.errors.map(error, "cannot give back partitions of \(topic)") }
  }

  private func forget() {
    buffer.removeAll()
    cursors.assign([])
    heldError = nil
  }

  /// Fills an empty batch: waits up to `timeout` for the first record, end or rebalance, and takes what else is there.
  func fill(_ batch: RecordBatch, timeout: Duration) throws(BrokerError) {
    if let error = heldError { throw error }
    liveness.pollBegins()
    defer { liveness.pollEnds(hasSign: !batch.isEmpty || !batch.ends.isEmpty) }
    drain(into: batch)
    if batch.isEmpty && batch.ends.isEmpty && heldError == nil { try waitForOne(batch, timeout) }
    while buffer.isEmpty && !batch.isFull && heldError == nil && !client.events.hasRebalance {
      wakeEarly()
      buffer.fill(queue, limit: batch.recordLimit - batch.count)
      if buffer.isEmpty { break }
      drain(into: batch)
    }
    if batch.isEmpty && batch.ends.isEmpty, let error = heldError { throw error }
  }

  private func wakeEarly() {
    guard !ClientProfile.setsQueueBackoff, cursors.isAnyBehind, fetchers.isDue(queued: queue.count) else { return }
    fetchers.wake(client, topic, &cursors, waiting: false)
  }

  /// Serves the queue while the caller waits for the group; records that come are dropped.
  func serve(_ timeout: Duration) {
    buffer.removeAll()
    buffer.fillOne(queue, timeout: timeout)
    buffer.removeAll()
  }

  /// Ends the consumer and serves what the group still asks for; says whether it was done within `deadline`.
  func close(_ deadline: Deadline) -> Bool {
    forget()
    // Of its own: forwarding the consumer's queue to itself would keep its records, and with them the client, for ever.
    let closing = NativeQueue.new(of: client)
    do { try client.startClosing(closing) } catch { return true }
    while !client.isConsumerClosed {
      if deadline.hasPassed || liveness.isCutOff { return false }
      _ = closing.poll(deadline.remaining(atMost: .milliseconds(10)))
      if client.events.takeRebalance() != nil { try? client.unassign() }
    }
    return true
  }

  private func waitForOne(_ batch: RecordBatch, _ timeout: Duration) throws(BrokerError) {
    let deadline = Deadline(timeout, context.time)
    while true {
      // A caller that does not wait comes back at once.
      let mayWake = timeout > .zero && !ClientProfile.setsQueueBackoff && cursors.isAnyBehind && fetchers.mayRest
      buffer.fillOne(queue, timeout: deadline.remaining(atMost: mayWake ? FetcherWakeUp.after : Self.waitSlice))
      if !buffer.isEmpty {
        drain(into: batch)
        if !batch.isEmpty || !batch.ends.isEmpty || heldError != nil { return }
      } else if mayWake {
        fetchers.wake(client, topic, &cursors, waiting: true)
      }
      try liveness.check(isBehind: cursors.isAnyBehind)
      if client.events.hasRebalance || deadline.hasPassed { return }
    }
  }

  /// Moves messages into the batch until it is full or something must wait for the next poll.
  private func drain(into batch: RecordBatch) {
    defer { buffer.destroyTaken() }
    while !buffer.isEmpty && !isHeld {
      let message = buffer.first
      switch message.error {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        if !take(message, into: batch) { return }
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if cursors.acceptEnd(message.partition, message.offset) {
          batch.appendEnd(PartitionOffset(partition: message.partition, offset: message.offset))
        }
      default: heldError = errors.meaning(of: message, cursors)
      }
      buffer.removeFirst()
    }
  }

  /// Copies a record in; false when it must wait for the next batch.
  @inline(__always)
  private func take(_ message: ConsumedMessage, into batch: RecordBatch) -> Bool {
    if batch.isFull { return false }
    if !batch.isEmpty && batch.byteCount + message.byteCount > batch.byteLimit { return false }
    // An end stands after its partition's records, so a record after an end begins the next batch.
    if !batch.ends.isEmpty && batch.ends.contains(where: { $0.partition == message.partition }) { return false }
    if cursors.accept(message.partition, message.offset)
      || !dropsRepeats && cursors.isAssigned(message.partition)
    {
      message.append(to: batch, headers: headers)
      fetchers.noteRecord(bytes: message.valueByteCount)
    }
    return true
  }
}

/// Where a consumer is in each partition that it was told to read. A partition's number is its index.
struct PartitionCursors {
  private struct Cursor {
    var isAssigned = false
    /// The least offset that may come next.
    var next: Offset = 0
    var isAtEnd = false
  }

  private var cursors: [Cursor] = []
  private var assigned: [Int32] = []
  /// Assigned partitions whose end has not been reached.
  private var behind = 0
  /// Round robin over partitions that are behind.
  private var turn = 0

  mutating func assign(_ positions: [PartitionOffset]) {
    for partition in assigned { cursors[Int(partition)] = Cursor() }
    assigned = positions.map(\.partition)
    for position in positions {
      while cursors.count <= Int(position.partition) { cursors.append(Cursor()) }
      cursors[Int(position.partition)] = Cursor(isAssigned: true, next: position.offset)
    }
    behind = assigned.count
  }

  var isEmpty: Bool { assigned.isEmpty }
  var isAnyBehind: Bool { behind > 0 }

  func isAssigned(_ partition: Int32) -> Bool {
    Int(partition) < cursors.count && partition >= 0 && cursors[Int(partition)].isAssigned
  }

  /// The least offset that may come next.
  func next(_ partition: Int32) -> Offset { cursors[Int(partition)].next }

  /// Whether a record is of an assigned partition and was not seen; then the cursor passes it.
  @inline(__always)
  mutating func accept(_ partition: Int32, _ offset: Offset) -> Bool {
    guard isAssigned(partition), offset >= cursors[Int(partition)].next else { return false }
    cursors[Int(partition)].next = offset.next
    if cursors[Int(partition)].isAtEnd {
      cursors[Int(partition)].isAtEnd = false
      behind += 1
    }
    return true
  }

  /// Notes that the end of a partition was reached; false for an end from before the assignment.
  mutating func acceptEnd(_ partition: Int32, _ offset: Offset) -> Bool {
    guard isAssigned(partition), offset >= cursors[Int(partition)].next else { return false }
    cursors[Int(partition)].next = offset
    if !cursors[Int(partition)].isAtEnd {
      cursors[Int(partition)].isAtEnd = true
      behind -= 1
    }
    return true
  }

  /// So many partitions that are behind, each time others.
  mutating func nextBehind(atMost limit: Int) -> [Int32] {
    (0..<min(limit, behind)).compactMap { _ in nextBehind() }
  }

  /// A partition that is behind, each time another one.
  mutating func nextBehind() -> Int32? {
    guard behind > 0 else { return nil }
    for step in 1...assigned.count {
      let index = (turn + step) % assigned.count
      guard !cursors[Int(assigned[index])].isAtEnd else { continue }
      turn = index
      return assigned[index]
    }
    return nil
  }
}
