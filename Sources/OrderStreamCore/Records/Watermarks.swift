/// The borders of a partition. `low ≤ stable ≤ high`.
public struct Watermarks: Hashable, Sendable {
  /// Log start offset: the first offset that can still be read.
  public var low: Offset
  /// High watermark: the offset that the next record will get.
  public var high: Offset
  /// Last stable offset: everything below it is committed or aborted. Equals `high` when no transaction is open.
  public var stable: Offset

  public init(low: Offset, high: Offset, stable: Offset) {
    self.low = low
    self.high = high
    self.stable = stable
  }
}

/// What a look at one partition brought.
public enum PartitionLook: Hashable, Sendable {
  case seen(Watermarks)
  /// It could not be asked, and why, in words: `it has no leader`.
  case unseen(reason: String)

  public var watermarks: Watermarks? {
    if case .seen(let marks) = self { marks } else { nil }
  }

  public var reason: String? {
    if case .unseen(let reason) = self { reason } else { nil }
  }
}

/// What a look at a topic that is there brought.
public struct TopicLook: Hashable, Sendable {
  /// By partition number.
  public var partitions: [PartitionLook]
  /// Why nobody tells which partitions the topic has, in words; `nil` when they are known.
  public var reason: String?

  public init(partitions: [PartitionLook], reason: String? = nil) {
    self.partitions = partitions
    self.reason = reason
  }
}

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
