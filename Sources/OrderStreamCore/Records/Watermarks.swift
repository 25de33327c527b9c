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

/// How far a group is behind in one partition: last stable offset − committed offset, never below 0, or unknown with a
/// reason. The only definition of lag in the project.
public enum Lag: Hashable, Sendable {
  case known(Int64)
  case unknown(reason: String)

  /// - Parameter committed: the next offset to read, `nil` when the group has committed nothing in this partition.
  public init(stable: Offset, committed: Offset?) {
    guard let committed else {
      self = .unknown(reason: "nothing committed")
      return
    }
    self = .known(max(0, stable - committed))
  }

  /// Records behind, `nil` when unknown.
  public var records: Int64? {
    if case .known(let records) = self { records } else { nil }
  }
}
