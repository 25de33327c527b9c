import OrderStreamCore

/// The largest records that the outputs of a transaction take, so that one that is refused is known before it is sent: the
/// broker's refusal aborts the whole transaction.
///
/// What counts is the record as it is before compression. The broker looks at what arrives, so this may refuse what would
/// just fit.
struct OutputLimits {
  /// The setting of a topic for how large a batch it takes.
  static let setting = "max.message.bytes"
  /// What a batch of one record has besides its key, value and headers, at the most.
  private static let batchOverhead = 128
  /// The most that is ever sent as one record: half of the producer's queue.
  private static let mostBytes = 32 << 20
  /// The default of librdkafka's `batch.size`.
  private static let batchBytes = 1_000_000
  /// Where brokers refuse what they should take, the next try is with a fraction of it, down to the least that is worth one.
  private static let reduction = 4
  private static let leastBytes = 4096

  /// By output.
  private(set) var bytes: [Int]

  init(bytes: [Int]) { self.bytes = bytes }

  /// Asks for the settings of the outputs. One that may not be seen is taken to be the default.
  init(of outputs: [String], _ context: KafkaContext) {
    bytes = outputs.map { topic in
      do throws(NativeError) {
        let found = try context.lookup.setting(OutputLimits.setting, of: topic, .seconds(5))
        return found.flatMap { Int($0) } ?? ClientProfile.recordByteLimit
      } catch {
        context.note(.info, "cannot see how large records \(topic) takes: \(error.text)")
        return ClientProfile.recordByteLimit
      }
    }
    let own = context.factory.messageByteLimit ?? Self.mostBytes
    bytes = bytes.map { min($0, own, Self.mostBytes) }
  }

  @inline(__always)
  static func size(of record: OutgoingRecord) -> Int {
    batchOverhead + (record.key?.count ?? 0) + (record.value?.count ?? 0) + record.headers.block.count
  }

  @inline(__always)
  func takes(_ record: OutgoingRecord, on output: Int) -> Bool { Self.size(of: record) <= bytes[output] }

  /// Why an output does not take a record; `nil` where it does.
  func refusal(of record: OutgoingRecord, on output: Int, topic: String, _ context: KafkaContext) -> BrokerError? {
    if takes(record, on: output) { return nil }
    return BrokerError(
      .recordTooLarge, "cannot append to \(topic)[\(record.partition)]",
      why: "the record has \(Self.size(of: record)) bytes and the topic takes \(bytes[output])",
      remedy: "raise the topic's \(Self.setting)"
        + (context.factory.messageByteLimit == nil ? "" : " and -X message.max.bytes"), recovery: .none)
  }

  /// After a broker has refused a batch to some of these topics: it takes less than its topics' settings say, or than was
  /// assumed without them, and another client tries with smaller batches and records.
  /// - Returns: whether there is something left to try.
  mutating func lower(_ refused: Set<String>, of topics: [String]) -> Bool {
    var isLowered = false
    for index in bytes.indices where refused.contains(topics[index]) && lower(index) { isLowered = true }
    return isLowered
  }

  /// After brokers have refused a batch to this output.
  /// - Returns: false when there is nothing left to try.
  mutating func lower(_ output: Int) -> Bool {
    guard bytes[output] / Self.reduction >= Self.leastBytes else { return false }
    bytes[output] /= Self.reduction
    return true
  }

  /// Of a client that sends such records, and no batch that is larger than the smallest limit.
  var settings: ClientProfile.Settings {
    let largest = max(ClientProfile.recordByteLimit, bytes.max() ?? 0)
    return [
      ("message.max.bytes", "\(largest)"), ("batch.size", "\(min(Self.batchBytes, bytes.min() ?? Self.batchBytes))"),
    ]
  }
}

/// Where a transaction has written, by topic and partition.
struct WrittenPartitions {
  private let topics: [String]
  private var written: [[Bool]]

  init(_ topics: [String]) {
    self.topics = topics
    written = topics.map { _ in [] }
  }

  @inline(__always)
  mutating func insert(_ topic: Int, _ partition: Int32) {
    while written[topic].count <= Int(partition) { written[topic].append(false) }
    written[topic][Int(partition)] = true
  }

  /// All of them, which are forgotten.
  mutating func take() -> Set<TopicPartition> {
    var partitions: Set<TopicPartition> = []
    for index in topics.indices {
      for (partition, isWritten) in written[index].enumerated() where isWritten {
        partitions.insert(TopicPartition(topic: topics[index], partition: Int32(partition)))
        written[index][partition] = false
      }
    }
    return partitions
  }
}
