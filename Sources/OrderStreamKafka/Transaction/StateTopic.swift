import OrderStreamCore

/// The compacted topic that holds a group's state: its name, its keys, and how it is made.
enum StateTopic {
  private static let prefix = "orderstream-"
  private static let suffix = "-state"

  /// Small segments, because the newest one is never compacted.
  private static let settings = [
    ("cleanup.policy", "compact"), ("segment.bytes", "4194304"), ("segment.ms", "600000"),
    ("min.cleanable.dirty.ratio", "0.1"),
  ]

  /// Makes sure that the topic is there with at least `partitions` partitions, and returns its name.
  static func prepare(group: String, partitions: Int32, _ context: KafkaContext) throws(BrokerError) -> String {
    let topic = name(of: group)
    let steps = TopicSteps(context: context)
    if let found = try context.describe(topic) {
      try requireCompaction(topic, group, context)
      if found.partitions.count < Int(partitions) {
        try accept(.configuration) { () throws(BrokerError) in try steps.addPartitions(topic, total: partitions) }
      }
    } else {
      try accept(.topicExists) { () throws(BrokerError) in
        try steps.create(topic, partitions: partitions, settings: settings)
      }
    }
    return topic
  }

  /// A topic that somebody else has made. Where old records are removed by age, what is left is no state.
  private static func requireCompaction(_ topic: String, _ group: String, _ context: KafkaContext) throws(BrokerError) {
    let policy: String?
    do { policy = try context.lookup.setting("cleanup.policy", of: topic, .seconds(5)) } catch {
      context.note(.info, "cannot see whether \(topic) is compacted: \(error.text)")
      return
    }
    guard let policy, !isCompacted(policy: policy) else { return }
    throw BrokerError(
      .configuration, "cannot keep the state of \(group) on \(topic)",
      why: "its cleanup.policy is \(policy), so records of the state are removed by age",
      remedy: "kafka-configs.sh --bootstrap-server \(context.errors.brokers) --alter --entity-type topics "
        + "--entity-name \(topic) --add-config cleanup.policy=compact",
      recovery: .none)
  }

  /// Compacted, and nothing else: "compact,delete" removes what is old too.
  static func isCompacted(policy: String) -> Bool {
    policy.split(separator: ",").map { $0.filter { $0 != " " } } == ["compact"]
  }

  /// Members of a group start at the same time: what another one has just done is not an error.
  private static func accept(
    _ code: BrokerError.Code, _ step: () throws(BrokerError) -> Void
  ) throws(BrokerError) {
    do { try step() } catch { if error.code != code { throw error } }
  }

  // MARK: - Names and keys

  static func name(of group: String) -> String { prefix + group + suffix }

  /// The group whose state a topic of that name holds, if any.
  static func group(of topic: String) -> String? {
    let length = topic.utf8.count - prefix.utf8.count - suffix.utf8.count
    guard length > 0, topic.hasPrefix(prefix), topic.hasSuffix(suffix) else { return nil }
    return String(topic.dropFirst(prefix.count).dropLast(suffix.count))
  }

  /// Bookkeeping of the broker or of this program.
  static func isInternal(_ topic: String) -> Bool { topic.hasPrefix("__") || group(of: topic) != nil }

  /// A header of each state record: the identity of the member that wrote it, a blank, and the begin of its transaction as
  /// in `CommitMark`, by which the records of one transaction are recognised.
  static let writerHeader: StaticString = "writer"

  /// What the keys of a source partition's state records begin with. A topic's name has no `/`.
  static func keyPrefix(topic: String, partition: Int32) -> [UInt8] { Array("\(topic)/\(partition)/".utf8) }

  /// The topic, the source partition and where the program's own key begins; `nil` for keys of others.
  static func parseKey(_ key: [UInt8]) -> (topic: String, partition: Int32, start: Int)? {
    let slash = UInt8(ascii: "/")
    guard let first = key.firstIndex(of: slash), let second = key[(first + 1)...].firstIndex(of: slash),
      let partition = Int32(String(decoding: key[(first + 1)..<second], as: UTF8.self))
    else { return nil }
    return (String(decoding: key[..<first], as: UTF8.self), partition, second + 1)
  }
}

/// Makes the state records of a member's transactions. The bytes of a record are valid until the next one is made.
struct StateRecordBuilder {
  private let source: String
  private let writer: String
  private let key = ByteBuffer(capacity: 256)
  private let headers = ByteBuffer(capacity: 256)
  private var prefixes: [Int32: [UInt8]] = [:]

  /// - Parameters:
  ///   - source: The topic whose partitions have the state.
  ///   - writer: The member's identity.
  init(source: String, writer: String) {
    self.source = source
    self.writer = writer
  }

  /// Another transaction.
  func begin(_ beginMs: Int64) {
    headers.removeAll()
    Headers.append(name: StateTopic.writerHeader, text: "\(writer) \(beginMs)", to: headers)
  }

  mutating func record(
    partition: Int32, timestampMs: Int64, key own: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) -> OutgoingRecord {
    let prefix = prefixes[partition] ?? StateTopic.keyPrefix(topic: source, partition: partition)
    prefixes[partition] = prefix
    key.removeAll()
    prefix.withUnsafeBytes { key.append($0) }
    key.append(own)
    return OutgoingRecord(
      partition: partition, timestampMs: timestampMs, key: key.bytes, value: value,
      headers: Headers(block: headers.bytes))
  }
}
