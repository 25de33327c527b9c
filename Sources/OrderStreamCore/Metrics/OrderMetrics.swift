/// Counts orders per source partition and minute of event time: the state of `analytics` and `replay`.
///
/// State: `position` holds `i64 rejected`; `hour/<n>` holds `u8 entries`, then for each minute of that hour that has
/// orders `u8 minute (0–59) | u32 orders | u32 failed`, little-endian. Partitions merge by adding, so any distribution
/// over members gives the same totals.
public final class OrderMetrics: Processor {
  /// The most distinct minutes a group may count (some 700 days without a gap).
  public static let minuteLimit = 1_000_000

  /// What to do with a poison record: `analytics` only reads, so there are two answers.
  public enum OnPoison: Sendable { case skip, fail }

  private struct Partition {
    var minutes = MinuteTable()
    var rejected: Int64 = 0
    /// Hours that changed since they were saved.
    var dirtyHours: Set<Int64> = []
    var lastDirtyHour: Int64 = .min
  }

  public let stateKind = StateKind.metrics
  private let topic: String
  private let onPoison: OnPoison
  private let decoder = OrderDecoder()
  /// For long runs, from the first one on; `nil` inside where there is no second core or thread.
  private lazy var scan = OrderScan()
  /// Whether long runs of orders are decoded on two threads. For the embedded log: a client of a cluster has threads of its
  /// own, which need the second core more (docs/performance.md).
  public var decodesOnTwoThreads = false
  private var partitions: [Int32: Partition] = [:]
  private var distinctMinutes = MinuteTable()
  /// Whether `changedHours` is wanted.
  var tracksChanges = false
  /// Hours that have changed since they were taken last; `nil` when more than orders has: partitions were assigned anew.
  private var changedHours: Set<Int64>?

  public init(topic: String, onPoison: OnPoison) {
    self.topic = topic
    self.onPoison = onPoison
  }

  public func restore(partition: Int32, _ record: StateRecord) throws(PipelineError) {
    let payload = record.payload
    switch record.key {
    case .position:
      guard payload.count == 8 else { throw damagedState(partition, "the record position has the wrong length") }
      let rejected = payload.littleEndian(at: 0, as: Int64.self)
      guard 0..<Self.recordLimit ~= rejected else {
        throw damagedState(partition, "the record position \(Self.impossible)")
      }
      partitions[partition, default: Partition()].rejected = rejected
    case .hour(let hour):
      guard let entries = payload.first, payload.count == 1 + Int(entries) * Self.entryLength else {
        throw damagedState(partition, "the record hour/\(hour) has the wrong length")
      }
      for entry in 0..<Int(entries) {
        let at = 1 + entry * Self.entryLength
        let orders = payload.littleEndian(at: at + 1, as: UInt32.self)
        let failed = payload.littleEndian(at: at + 5, as: UInt32.self)
        guard let minute = Self.minute(payload[at], ofHour: hour), failed <= orders, orders < .max else {
          throw damagedState(partition, "the record hour/\(hour) \(Self.impossible)")
        }
        add(minute: minute, orders: orders, failed: failed, to: partition)
      }
    }
  }

  /// State lies on a broker where others may write: what no run of this program stores is refused, never trapped on.
  private static func minute(_ minute: UInt8, ofHour hour: Int64) -> Int64? {
    guard minute < 60, CivilTime.minutesRange.lowerBound.hour...CivilTime.minutesRange.upperBound.hour ~= hour else {
      return nil
    }
    return hour * 60 + Int64(minute)
  }

  private static let impossible = "holds impossible numbers"

  /// More records than a partition holds in any lifetime; sums of partitions stay far below what a number can hold.
  private static let recordLimit: Int64 = 1 << 48
  private static let entryLength = 9

  private func damagedState(_ partition: Int32, _ why: String) -> PipelineError {
    .damagedState(TopicPartition(topic: topic, partition: partition), why: why)
  }

  private func add(minute: Int64, orders: UInt32, failed: UInt32, to partition: Int32) {
    if partitions[partition, default: Partition()].minutes.add(minute: minute, orders: orders, failed: failed) {
      _ = distinctMinutes.add(minute: minute, orders: 0, failed: 0)
    }
  }

  public func apply(
    _ batch: RecordBatch, _ range: Range<Int>, to transaction: any Transaction, until pendingBytes: Int
  ) throws(PipelineError) -> Int {
    let outcomes = decodesOnTwoThreads && range.count >= OrderScan.leastRecords ? scan?.outcomes(batch, range) : nil
    var index = range.lowerBound
    while index < range.upperBound {
      let number = batch.entries[index].partition
      var end = index + 1
      while end < range.upperBound, batch.entries[end].partition == number { end += 1 }
      // Taken out of the dictionary for the run, so that counting does not copy the table.
      var partition = partitions.removeValue(forKey: number) ?? Partition()
      defer { partitions[number] = partition }
      if let outcomes {
        try count(batch, index..<end, outcomes + (index - range.lowerBound), in: &partition)
      } else {
        try apply(batch, index..<end, to: &partition)
      }
      index = end
    }
    return index
  }

  private func apply(
    _ batch: RecordBatch, _ run: Range<Int>, to partition: inout Partition
  ) throws(PipelineError) {
    for index in run { try apply(batch[index], to: &partition) }
  }

  /// Counts a run of records that were decoded.
  /// - Parameter outcomes: of the run's first record and those behind it.
  private func count(
    _ batch: RecordBatch, _ run: Range<Int>, _ outcomes: UnsafePointer<OrderScan.Outcome>, in partition: inout Partition
  ) throws(PipelineError) {
    for index in run {
      let outcome = outcomes[index - run.lowerBound]
      if outcome.isPoison {
        try apply(batch[index], to: &partition)
      } else if !count(outcome.minute, failed: outcome.isFailed, in: &partition) {
        throw .tooManyMinutes(coordinates(batch[index]))
      }
    }
  }

  /// Applies one record that was read without a group.
  func apply(_ record: RecordBatch.View) throws(PipelineError) {
    try apply(record, to: &partitions[record.partition, default: Partition()])
  }

  @inline(__always)
  private func apply(_ record: RecordBatch.View, to partition: inout Partition) throws(PipelineError) {
    if let poison = decoder.decode(record.value) {
      if onPoison == .fail { throw .poison(coordinates(record), poison) }
      partition.rejected += 1
      return
    }
    if !count(decoder.order.minute, failed: decoder.order.isFailed, in: &partition) {
      throw .tooManyMinutes(coordinates(record))
    }
  }

  /// - Returns: whether the order was counted: one more minute may be too many.
  @inline(__always)
  private func count(_ minute: Int64, failed: Bool, in partition: inout Partition) -> Bool {
    if distinctMinutes.count >= Self.minuteLimit, distinctMinutes.counts(of: minute) == nil { return false }
    if partition.minutes.add(minute: minute, failed: failed) {
      _ = distinctMinutes.add(minute: minute, orders: 0, failed: 0)
    }
    let hour = minute.hour
    if hour != partition.lastDirtyHour {
      partition.lastDirtyHour = hour
      partition.dirtyHours.insert(hour)
    }
    return true
  }

  private func coordinates(_ record: RecordBatch.View) -> Coordinates {
    Coordinates(TopicPartition(topic: topic, partition: record.partition), offset: record.offset)
  }

  public func saveState(partition number: Int32, to writer: StateWriter) throws(PipelineError) {
    let partition = partitions[number] ?? Partition()
    for hour in partition.dirtyHours {
      try writer.put(.hour(hour)) { value in
        let countPosition = value.count
        value.append(0)
        var entries: UInt8 = 0
        for minute in 0..<Int64(60) {
          guard let counts = partition.minutes.counts(of: hour * 60 + minute) else { continue }
          value.append(UInt8(minute))
          value.append(littleEndian: counts.orders)
          value.append(littleEndian: counts.failed)
          entries += 1
        }
        value.overwrite(littleEndian: entries, at: countPosition)
      }
    }
    try writer.put(.position) { $0.append(littleEndian: partition.rejected) }
    if tracksChanges { changedHours?.formUnion(partition.dirtyHours) }
    partitions[number]?.dirtyHours.removeAll(keepingCapacity: true)
    partitions[number]?.lastDirtyHour = .min
  }

  public func committed() {}

  public func forgetAll() {
    partitions.removeAll()
    distinctMinutes = MinuteTable()
    changedHours = nil
  }

  // MARK: - What it holds

  /// The hours that have changed since the last call; `nil` when partitions were assigned anew meanwhile.
  func takeChangedHours() -> Set<Int64>? {
    defer { changedHours = [] }
    return changedHours
  }

  /// The counts of a minute in all partitions held here; `nil` when it has no order.
  func counts(of minute: Int64) -> (orders: UInt32, failed: UInt32)? {
    var sum = MinuteTable.Slot(minute: minute, orders: 0, failed: 0)
    for partition in partitions.values {
      if let counts = partition.minutes.counts(of: minute) { sum.add(orders: counts.orders, failed: counts.failed) }
    }
    return sum.orders == 0 ? nil : (sum.orders, sum.failed)
  }

  /// Rejected records of all partitions held here.
  var rejected: Int64 { partitions.values.reduce(0) { $0 + $1.rejected } }

  /// The totals of all partitions held here, and of those that `others` holds, merged; the same for any order of
  /// arrival and any partitioning.
  /// - Throws: `tooManyMinutes` when both together pass the limit.
  public func summary(with others: OrderMetrics?) throws(PipelineError) -> MetricsSummary {
    let (minutes, rejected) = try merged(with: others)
    return MetricsSummary(minutes: minutes, rejected: rejected)
  }

  /// - Throws: `tooManyMinutes` when both together pass the limit.
  func merged(with others: OrderMetrics?) throws(PipelineError) -> (minutes: MinuteTable, rejected: Int64) {
    var merged = MinuteTable()
    for partitions in [partitions, others?.partitions ?? [:]] {
      for partition in partitions.values {
        partition.minutes.forEach { minute, orders, failed in
          _ = merged.add(minute: minute, orders: orders, failed: failed)
        }
      }
    }
    guard merged.count <= Self.minuteLimit else { throw .tooManyMinutes(nil) }
    return (merged, rejected + (others?.rejected ?? 0))
  }
}

extension Int64 {
  /// The hour since 1970 of a minute since 1970, rounded down also before 1970.
  var hour: Int64 { self >= 0 ? self / 60 : (self - 59) / 60 }
}
