extension PipelineLoop {
  /// The metrics of the whole group: what `metrics` (this loop's processor) holds for the partitions assigned here, and
  /// the stored state of all others. Call it from an observer or after `run`, before `close`.
  public func groupSummary(of metrics: OrderMetrics) throws(PipelineError) -> MetricsSummary {
    let own = Set(progress.assigned)
    let others = (0..<settings.partitionCount).filter { !own.contains($0) }
    guard !others.isEmpty else { return try metrics.summary(with: nil) }
    let stored = OrderMetrics(topic: settings.consumer.topic, onPoison: .skip)
    _ = try readState(of: others) { partition, record throws(PipelineError) in
      try stored.restore(partition: partition, record)
    }
    return try metrics.summary(with: stored)
  }
}
