/// The totals of a group over one topic, without the minutes.
public struct MetricsTotals: Sendable, Equatable {
  public struct Minute: Sendable, Equatable {
    /// Minutes since 1970 UTC.
    public var minute: Int64
    public var orders: Int64
    public var failed: Int64
  }

  public internal(set) var totalOrders: Int64 = 0
  public internal(set) var failedOrders: Int64 = 0
  public internal(set) var rejected: Int64 = 0
  /// Minutes that have orders.
  public internal(set) var minuteCount: Int64 = 0
  /// The newest minute that has orders.
  public internal(set) var currentMinute: Minute?

  /// Failed orders in hundredths of a percent of all orders, rounded half away from zero; 0 without orders.
  public var failureRateHundredths: Int64 { Self.rounded(failedOrders, times: 10_000, over: totalOrders) }

  /// Orders per minute that has orders, in hundredths, rounded half away from zero; 0 without orders.
  public var averageOrdersPerMinuteHundredths: Int64 { Self.rounded(totalOrders, times: 100, over: minuteCount) }

  /// `value · factor / divisor` for values ≥ 0, rounded half up (which is half away from zero); 0 over 0.
  private static func rounded(_ value: Int64, times factor: Int64, over divisor: Int64) -> Int64 {
    guard divisor > 0 else { return 0 }
    let (quotient, remainder) = divisor.dividingFullWidth(value.multipliedFullWidth(by: factor))
    return remainder >= divisor - remainder ? quotient + 1 : quotient
  }
}

/// Order metrics of a group over one topic: a function of the records alone.
public struct MetricsSummary: Sendable, Equatable {
  public typealias Minute = MetricsTotals.Minute

  public let totals: MetricsTotals
  /// Minutes that have orders, oldest first.
  public let minutes: [Minute]

  public var totalOrders: Int64 { totals.totalOrders }
  public var failedOrders: Int64 { totals.failedOrders }
  public var rejected: Int64 { totals.rejected }
  public var failureRateHundredths: Int64 { totals.failureRateHundredths }
  public var averageOrdersPerMinuteHundredths: Int64 { totals.averageOrdersPerMinuteHundredths }
  public var currentMinute: Minute? { totals.currentMinute }

  init(minutes table: MinuteTable, rejected: Int64) {
    var minutes: [Minute] = []
    minutes.reserveCapacity(table.count)
    table.forEach { minutes.append(Minute(minute: $0, orders: Int64($1), failed: Int64($2))) }
    minutes.sort { $0.minute < $1.minute }
    self.minutes = minutes
    totals = MetricsTotals(
      totalOrders: minutes.reduce(0) { $0 + $1.orders }, failedOrders: minutes.reduce(0) { $0 + $1.failed },
      rejected: rejected, minuteCount: Int64(minutes.count), currentMinute: minutes.last)
  }
}

extension PipelineLoop {
  /// The metrics of the whole group: what `metrics` (this loop's processor) holds for the partitions assigned here, and
  /// the stored state of all others. Call it from an observer (not with
  /// `commitsWhileReading`) or after `run`, before `close`.
  public func groupSummary(of metrics: OrderMetrics) throws(PipelineError) -> MetricsSummary {
    try metrics.summary(with: storedOfOthers())
  }

  /// Brings `live` up to date, as `groupSummary` would.
  /// - Returns: The minutes whose counts are not those of the last time, oldest first.
  public func refresh(_ live: LiveMetrics) throws(PipelineError) -> [MetricsTotals.Minute] {
    try live.refresh(with: storedOfOthers())
  }

  /// What is stored of the partitions that other members have; `nil` when there are none.
  private func storedOfOthers() throws(PipelineError) -> OrderMetrics? {
    let own = Set(progress.assigned)
    let others = (0..<(try partitionCountNow())).filter { !own.contains($0) }
    return others.isEmpty ? nil : try stored(others)
  }

  /// The metrics of the whole group as they are stored: what holds after a run that failed in the middle of a batch.
  public func storedGroupSummary() throws(PipelineError) -> MetricsSummary {
    try stored(Array(0..<(try partitionCountNow()))).summary(with: nil)
  }

  /// The partitions that the topic has now: other members may read more of them than it had when this run began.
  private func partitionCountNow() throws(PipelineError) -> Int32 {
    let topic = settings.consumer.topic
    let found = try brokerCall(try admin.topic(topic)?.partitionCount)
    return max(progress.partitionCount, found ?? 0)
  }

  private func stored(_ partitions: [Int32]) throws(PipelineError) -> OrderMetrics {
    let stored = OrderMetrics(topic: settings.consumer.topic, onPoison: .skip)
    _ = try state.read(partitions) { partition, record throws(PipelineError) in
      try stored.restore(partition: partition, record)
    }
    return stored
  }
}

/// The metrics of a group while a run goes on, brought up to date at a cost that follows what has changed since the last
/// time. Where other members have partitions their state is read each time, which follows its size; whoever refreshes sees
/// to it that this stays a small part of the time.
public final class LiveMetrics {
  public typealias Minute = MetricsTotals.Minute

  /// Of the last refresh.
  public private(set) var totals = MetricsTotals()
  private let metrics: OrderMetrics
  /// What the totals were made of.
  private var table = MinuteTable()
  /// Whether `table` is that of the own partitions alone, as they were placed last.
  private var isOwn = false

  /// - Parameter metrics: The processor of the loop that is followed.
  public init(_ metrics: OrderMetrics) {
    self.metrics = metrics
    metrics.tracksChanges = true
  }

  /// Everything as of the last refresh, sorted: costs what there is, not what has changed.
  public var summary: MetricsSummary { MetricsSummary(minutes: table, rejected: totals.rejected) }

  /// - Parameter others: The metrics of the partitions that other members have; `nil` when there are none.
  /// - Returns: The minutes whose counts are not those of the last refresh, oldest first.
  /// - Throws: `tooManyMinutes`.
  func refresh(with others: OrderMetrics?) throws(PipelineError) -> [Minute] {
    let hours = metrics.takeChangedHours()
    guard others == nil, isOwn, let hours else { return try refreshWholly(with: others) }
    var changed: [Minute] = []
    for hour in hours.sorted() {
      for minute in hour * 60..<hour * 60 + 60 {
        guard let counts = metrics.counts(of: minute) else { continue }
        let before = table.counts(of: minute) ?? (0, 0)
        guard counts != before else { continue }
        guard counts.orders >= before.orders, counts.failed >= before.failed else {
          return try refreshWholly(with: nil)
        }
        if table.add(minute: minute, orders: counts.orders - before.orders, failed: counts.failed - before.failed) {
          totals.minuteCount += 1
        }
        totals.totalOrders += Int64(counts.orders - before.orders)
        totals.failedOrders += Int64(counts.failed - before.failed)
        changed.append(Minute(minute: minute, orders: Int64(counts.orders), failed: Int64(counts.failed)))
      }
    }
    if let newest = changed.last, newest.minute >= totals.currentMinute?.minute ?? .min {
      totals.currentMinute = newest
    }
    totals.rejected = metrics.rejected
    return changed
  }

  private func refreshWholly(with others: OrderMetrics?) throws(PipelineError) -> [Minute] {
    let (now, rejected) = try metrics.merged(with: others)
    let before = table
    var changed: [Minute] = []
    var totals = MetricsTotals(rejected: rejected, minuteCount: Int64(now.count))
    now.forEach { number, orders, failed in
      let minute = Minute(minute: number, orders: Int64(orders), failed: Int64(failed))
      totals.totalOrders += minute.orders
      totals.failedOrders += minute.failed
      if number >= totals.currentMinute?.minute ?? .min { totals.currentMinute = minute }
      if before.counts(of: number) ?? (0, 0) != (orders, failed) { changed.append(minute) }
    }
    before.forEach { minute, _, _ in
      if now.counts(of: minute) == nil { changed.append(Minute(minute: minute, orders: 0, failed: 0)) }
    }
    table = now
    self.totals = totals
    isOwn = others == nil
    return changed.sorted { $0.minute < $1.minute }
  }
}
