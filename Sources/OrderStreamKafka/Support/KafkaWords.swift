/// Names that this back end gives to things on the cluster.
enum KafkaWords {
  /// The setting of a topic for how large a batch it takes.
  static let recordLimitSetting = "max.message.bytes"

  static let stateTopicPrefix = "orderstream-"
  static let stateTopicSuffix = "-state"

  /// The compacted topic that holds a group's state.
  static func stateTopic(of group: String) -> String { stateTopicPrefix + group + stateTopicSuffix }

  /// The group whose state a topic of that name holds, if any.
  static func group(ofStateTopic topic: String) -> String? {
    let length = topic.utf8.count - stateTopicPrefix.utf8.count - stateTopicSuffix.utf8.count
    guard length > 0, topic.hasPrefix(stateTopicPrefix), topic.hasSuffix(stateTopicSuffix) else { return nil }
    return String(topic.dropFirst(stateTopicPrefix.count).dropLast(stateTopicSuffix.count))
  }

  /// Bookkeeping of the broker or of this program.
  static func isInternal(_ topic: String) -> Bool { topic.hasPrefix("__") || group(ofStateTopic: topic) != nil }

  /// A header of each state record: the identity of the member that wrote it, a blank, and the begin of its transaction as
  /// in `CommitMark`, by which the records of one transaction are known to belong together.
  static let writerHeader: StaticString = "writer"

  /// The partition of `__consumer_offsets` that holds a group's offsets: Java's `abs(hashCode) % count`.
  static func offsetsPartition(of group: String, count: Int32) -> Int32 {
    var hash: Int32 = 0
    for unit in group.utf16 { hash = hash &* 31 &+ Int32(unit) }
    return (hash == .min ? 0 : abs(hash)) % count
  }

  /// What the keys of a source partition's state records begin with. A topic's name has no `/`.
  static func stateKeyPrefix(topic: String, partition: Int32) -> [UInt8] { Array("\(topic)/\(partition)/".utf8) }

  /// The topic, the source partition and where the program's own key begins; `nil` for keys of others.
  static func parseStateKey(_ key: [UInt8]) -> (topic: String, partition: Int32, start: Int)? {
    let slash = UInt8(ascii: "/")
    guard let first = key.firstIndex(of: slash), let second = key[(first + 1)...].firstIndex(of: slash),
      let partition = Int32(String(decoding: key[(first + 1)..<second], as: UTF8.self))
    else { return nil }
    return (String(decoding: key[..<first], as: UTF8.self), partition, second + 1)
  }
}
