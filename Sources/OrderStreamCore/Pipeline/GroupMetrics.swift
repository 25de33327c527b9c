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
    let found = try brokerCall { () throws(BrokerError) in try admin.topic(topic)?.partitionCount }
    return max(progress.partitionCount, found ?? 0)
  }

  private func stored(_ partitions: [Int32]) throws(PipelineError) -> OrderMetrics {
    let stored = OrderMetrics(topic: settings.consumer.topic, onPoison: .skip)
    _ = try readState(of: partitions) { partition, record throws(PipelineError) in
      try stored.restore(partition: partition, record)
    }
    return stored
  }
}
