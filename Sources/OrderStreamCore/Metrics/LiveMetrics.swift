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

  /// The newest minutes of the last refresh, oldest first.
  public func newest(_ limit: Int) -> [Minute] {
    var newest: [Minute] = []
    table.forEach { minute, orders, failed in
      if newest.count >= limit, minute < newest[0].minute { return }
      let place = newest.firstIndex { $0.minute > minute } ?? newest.count
      newest.insert(Minute(minute: minute, orders: Int64(orders), failed: Int64(failed)), at: place)
      if newest.count > limit { newest.removeFirst() }
    }
    return newest
  }

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
