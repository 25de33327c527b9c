import Synchronization

/// How far a group is behind in one partition: last stable offset − max(committed offset, low watermark), or unknown with
/// a reason. The only definition of lag in the project. An offset difference: control records between count too.
public enum Lag: Hashable, Sendable {
  case known(Int64)
  case unknown(reason: String)

  /// - Parameters:
  ///   - committed: the next offset to read, `nil` when the group has committed nothing in this partition.
  ///   - beginsAtEarliest: whether the group reads from the low watermark where it has committed nothing, as groups of
  ///     this program do. Where another one begins is its own matter.
  ///   - doubt: why `committed` says nothing about this partition, in words: the topic was made anew since.
  public init(_ look: PartitionLook, committed: Offset?, beginsAtEarliest: Bool, doubt: String? = nil) {
    guard let marks = look.watermarks, doubt == nil else {
      self = .unknown(reason: doubt ?? look.reason ?? "it was not asked")
      return
    }
    if let committed, committed > marks.high {
      self = .unknown(reason: "committed beyond the end at \(marks.high)")
    } else if committed == nil && !beginsAtEarliest && marks.stable > marks.low {
      self = .unknown(reason: "nothing committed")
    } else {
      // A transaction may be open below what the group has read.
      self = .known(max(0, marks.stable - max(committed ?? marks.low, marks.low)))
    }
  }

  /// Records behind, `nil` when unknown.
  public var records: Int64? {
    if case .known(let records) = self { records } else { nil }
  }

  /// Why it is unknown, `nil` when it is known.
  public var reason: String? {
    if case .unknown(let reason) = self { reason } else { nil }
  }
}

/// How far a group is behind in topics that it reads, partition by partition and in all.
public struct GroupLag: Hashable, Sendable {
  public struct Partition: Hashable, Sendable {
    public var topicPartition: TopicPartition
    public var committed: Offset?
    /// Last stable offset; `nil` when the partition could not be asked or is gone.
    public var stable: Offset? { watermarks?.stable }
    /// `nil` likewise.
    public var watermarks: Watermarks?
    public var lag: Lag

    public init(_ topicPartition: TopicPartition, committed: Offset?, watermarks: Watermarks?, lag: Lag) {
      self.topicPartition = topicPartition
      self.committed = committed
      self.watermarks = watermarks
      self.lag = lag
    }
  }

  /// Every partition of the topics, and those that are gone in which something was committed; sorted.
  public var partitions: [Partition]

  public init(partitions: [Partition]) { self.partitions = partitions }

  /// - Parameters:
  ///   - topics: those that count.
  ///   - looks: at these topics, taken after the group was described, so that no commit in between looks like one beyond
  ///     the end; a topic that is missing here is gone.
  public init(of group: GroupDescription, in topics: some Sequence<String>, looks: [String: TopicLook]) {
    let used = Dictionary(grouping: group.usedPartitions, by: \.topic).mapValues { $0.map(\.partition) }
    partitions = topics.sorted().flatMap { Self.partitions(of: group, in: $0, used: used[$0] ?? [], looks[$0]) }
  }

  private static func partitions(
    of group: GroupDescription, in topic: String, used: [Int32], _ look: TopicLook?
  ) -> [Partition] {
    let seen = look?.partitions ?? []
    return Set(used).union(seen.indices.map { Int32($0) }).sorted().map { number in
      let place = TopicPartition(topic: topic, partition: number)
      let committed = group.committed[place]
      let partition: PartitionLook =
        if let look {
          seen.indices.contains(Int(number))
            ? seen[Int(number)] : .unseen(reason: look.reason ?? "the topic has no such partition any more")
        } else {
          .unseen(reason: "the topic \(topic) is gone")
        }
      return Partition(
        place, committed: committed, watermarks: partition.watermarks,
        lag: Lag(
          partition, committed: committed, beginsAtEarliest: group.beginsAtEarliest, doubt: group.doubt(about: topic)))
    }
  }

  /// Unknown as soon as the lag of one partition is, and when no partition is known.
  public var total: Lag {
    if let unknown = partitions.first(where: { $0.lag.records == nil }) {
      return .unknown(reason: "\(unknown.topicPartition): \(unknown.lag.reason ?? "")")
    }
    return partitions.isEmpty ? .unknown(reason: "no partitions are known") : .known(atLeast)
  }

  /// The sum over the partitions whose lag is known.
  public var atLeast: Int64 { partitions.reduce(0) { $0.saturatingAdd($1.lag.records ?? 0) } }
}

/// The processor of `lag-demo`: notes which orders were consumed, once they are committed.
public final class LagProcessor: Processor {
  public let stateKind = StateKind.lag
  private let recorder: LagRecorder
  private var pending: [Int64] = []

  public init(recorder: LagRecorder) { self.recorder = recorder }

  public func restore(partition: Int32, _ record: StateRecord) throws(PipelineError) {}

  public func apply(
    _ batch: RecordBatch, _ range: Range<Int>, to transaction: any Transaction, until pendingBytes: Int
  ) throws(PipelineError) -> Int {
    for index in range { pending.append(batch[index].key.flatMap(OrderNumber.parse) ?? -1) }
    return range.upperBound
  }

  public func saveState(partition: Int32, to writer: StateWriter) throws(PipelineError) {
    try writer.put(.position) { _ in }
  }

  public func committed() {
    recorder.commit(pending)
    pending.removeAll(keepingCapacity: true)
  }

  public func forgetAll() { pending.removeAll(keepingCapacity: true) }
}

/// What the consumers of `lag-demo` saw, in committed transactions, order by order. Shared by their threads.
public final class LagRecorder: Sendable {
  private struct Seen {
    /// By number − first number.
    var isSeen: [Bool]
    /// Records seen, also those that are none of the orders produced here.
    var committed: Int64 = 0
  }

  private let firstOrder: Int64
  private let seen: Mutex<Seen>

  /// - Parameter count: orders `firstOrder`, `firstOrder + 1`, … that will be produced.
  public init(firstOrder: Int64, count: Int) {
    self.firstOrder = firstOrder
    seen = Mutex(Seen(isSeen: Array(repeating: false, count: count)))
  }

  /// Takes in the orders of one committed transaction.
  func commit(_ numbers: [Int64]) {
    seen.withLock { seen in
      for number in numbers {
        let index = number - firstOrder
        seen.committed += 1
        if index >= 0 && index < seen.isSeen.count {
          seen.isSeen[Int(index)] = true
        }
      }
    }
  }

  /// Records consumed so far.
  public var consumed: Int64 { seen.withLock { $0.committed } }

  /// Orders that were produced and passed by the committed offsets and yet never seen, and times that an order, or a
  /// stranger, was seen too often.
  /// - Parameter lag: records that are not consumed yet; they are not lost.
  public func verdict(produced: Int64, lag: Int64) -> (lost: Int64, duplicated: Int64) {
    seen.withLock { seen in
      let distinct = seen.isSeen.reduce(Int64(0)) { $0 + ($1 ? 1 : 0) }
      return (max(0, produced - lag - distinct), seen.committed - distinct)
    }
  }
}
