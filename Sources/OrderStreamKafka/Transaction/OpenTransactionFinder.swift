import CRdKafka
import OrderStreamCore

/// Finds transactions that are open on the partitions that a group's transactions write, on the group's offsets, and what
/// can be seen of them. One thread.
final class OpenTransactionFinder {
  /// Where transactions are open.
  struct Open {
    /// Until the last stable offset has passed this one.
    var ends: [TopicPartition: Offset] = [:]
    /// Of the source topic: those whose committed offsets wait.
    var offsets: Set<Int32> = []

    var isEmpty: Bool { ends.isEmpty && offsets.isEmpty }
  }

  private let group: String
  private let source: String
  /// Outputs by index, then the state topic.
  private let topics: [String]
  private let context: KafkaContext
  /// Its ends of partitions are last stable offsets.
  private var stable: NativeClient?

  init(group: String, source: String, topics: [String], _ context: KafkaContext) {
    self.group = group
    self.source = source
    self.topics = topics
    self.context = context
  }

  private var stateTopic: String { topics[topics.count - 1] }

  /// What is open now.
  func find() throws(BrokerError) -> Open {
    var partitions: [TopicPartition] = []
    for topic in topics {
      partitions += (0..<(try context.partitionCount(of: topic))).map { TopicPartition(topic: topic, partition: $0) }
    }
    // In this order: what lies below this end, and is not stable afterwards, is open.
    let ends = try ends(of: partitions, context.lookup)
    let open = Open(
      ends: Dictionary(uniqueKeysWithValues: zip(partitions, ends)), offsets: try pendingOffsets())
    return try stillOpen(open, offsetsAreNew: true)
  }

  /// What is left of what was open.
  func stillOpen(_ open: Open, offsetsAreNew: Bool = false) throws(BrokerError) -> Open {
    var left = open
    let partitions = Array(open.ends.keys)
    for (partition, stable) in zip(partitions, try ends(of: partitions, try stableClient())) {
      if stable >= open.ends[partition]! { left.ends[partition] = nil }
    }
    if !open.offsets.isEmpty && !offsetsAreNew { left.offsets.formIntersection(try pendingOffsets()) }
    return left
  }

  private func stableClient() throws(BrokerError) -> NativeClient {
    if let stable { return stable }
    let client = try context.factory.client(.lookup(committed: true))
    stable = client
    return client
  }

  private func ends(of partitions: [TopicPartition], _ client: NativeClient) throws(BrokerError) -> [Offset] {
    var ends: [TopicPartition: Offset] = [:]
    for topic in Set(partitions.map(\.topic)).sorted() {
      let numbers = partitions.filter { $0.topic == topic }.map(\.partition)
      for (number, end) in zip(numbers, try context.ends(topic, numbers, client: client)) {
        ends[TopicPartition(topic: topic, partition: number)] = end
      }
    }
    return partitions.map { ends[$0] ?? 0 }
  }

  private func pendingOffsets() throws(BrokerError) -> Set<Int32> {
    let partitions = (topic: source, count: try context.partitionCount(of: source))
    return Set(
      try committed(stable: partitions).filter {
        $0.error == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT && $0.topicPartition.topic == source
      }.map(\.topicPartition.partition))
  }

  /// What the group has committed.
  /// - Parameter stable: As in `NativeClient.committedOffsets`.
  func committed(stable: (topic: String, count: Int32)? = nil) throws(BrokerError) -> [PartitionList.Element] {
    let what = "cannot read the committed offsets of \(group)"
    return try context.ask(what, needs: AccessRight(.describe, .group(group))) { timeout throws(NativeError) in
      do throws(NativeError) {
        return try context.committedOffsets(group: group, stable: stable, timeout)
      } catch {
        guard error.code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND else { throw error }
        return []
      }
    }
  }

  /// Each with the offset at which its oldest open transaction begins.
  func places(_ open: Open) -> [Coordinates] {
    var partitions = open.ends.keys.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    if !open.offsets.isEmpty, let offsets = offsetsPartition { partitions.append(offsets) }
    let ends = (try? stableClient()).flatMap { try? self.ends(of: partitions, $0) } ?? partitions.map { _ in 0 }
    return zip(partitions, ends).map { Coordinates($0, offset: $1) }
  }

  /// Where the cluster keeps the group's offsets.
  private var offsetsPartition: TopicPartition? {
    let topic = "__consumer_offsets"
    guard let count = try? context.partitionCount(of: topic), count > 0 else { return nil }
    return TopicPartition(topic: topic, partition: CoordinatorLog.partition(of: group, count: count))
  }

  /// The first record that hangs in each partition.
  func firstHanging(_ open: Open) throws(BrokerError) -> [TopicPartition: PeekedRecord] {
    let partitions = Array(open.ends.keys)
    let stable = try ends(of: partitions, try stableClient())
    var first: [TopicPartition: PeekedRecord] = [:]
    for (partition, offset) in zip(partitions, stable) {
      first[partition] = try context.records(of: partition, from: offset, limit: 1, committed: false).first
    }
    return first
  }

  /// The state records of an identity that can be seen: the newest timestamp, and the transactions that wrote them.
  func visibleState(of identity: String) throws(BrokerError) -> (newestMs: Int64?, begins: Set<Int64>) {
    var newest: Int64?
    var begins: Set<Int64> = []
    for partition in 0..<(try context.partitionCount(of: stateTopic)) {
      let place = TopicPartition(topic: stateTopic, partition: partition)
      for record in try context.records(of: place, from: 0, limit: .max, committed: true) {
        guard record.writer == identity else { continue }
        newest = max(newest ?? 0, record.timestampMs)
        if let begin = record.beginMs { begins.insert(begin) }
      }
    }
    return (newest, begins)
  }
}

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
    let client = try factory.client(.reader(committed ? .committed : .uncommitted))
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
    let writer = Headers(block: headers.bytes).first(named: StateTopic.writerHeader)
    let words = writer.map { String(decoding: $0, as: UTF8.self).split(separator: " ") } ?? []
    return PeekedRecord(
      timestampMs: timestampMs, writer: words.first.map(String.init),
      beginMs: words.count > 1 ? Int64(words[1]) : nil)
  }
}
