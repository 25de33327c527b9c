extension PipelineLoop {
  /// The metrics of the whole group: what `metrics` (this loop's processor) holds for the partitions assigned here, and
  /// the stored state of all others. Call it from an observer (not with
  /// `commitsWhileReading`) or after `run`, before `close`.
  public func groupSummary(of metrics: OrderMetrics) throws(PipelineError) -> MetricsSummary {
    let own = Set(progress.assigned)
    let others = (0..<progress.partitionCount).filter { !own.contains($0) }
    return try metrics.summary(with: others.isEmpty ? nil : stored(others))
  }

  /// The metrics of the whole group as they are stored: what holds after a run that failed in the middle of a batch.
  public func storedGroupSummary() throws(PipelineError) -> MetricsSummary {
    try stored(Array(0..<progress.partitionCount)).summary(with: nil)
  }

  private func stored(_ partitions: [Int32]) throws(PipelineError) -> OrderMetrics {
    let stored = OrderMetrics(topic: settings.consumer.topic, onPoison: .skip)
    _ = try readState(of: partitions) { partition, record throws(PipelineError) in
      try stored.restore(partition: partition, record)
    }
    return stored
  }
}
