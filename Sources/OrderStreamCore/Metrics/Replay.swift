/// Computes the metrics of a group twice up to the same frozen ends: as the group has them, and again from the earliest
/// record, or the starts of a range, after a reset. The two reports must be the same bytes.
public struct Replay {
  public struct Pass: Sendable {
    public let summary: MetricsSummary
    public let run: RunSummary
  }

  public let broker: any Broker
  public let consumer: ConsumerOptions
  public let partitionCount: Int32
  /// Where both passes begin, by partition; `nil`: at the earliest records. Only for a group that has nothing yet.
  public let starts: [Offset]?
  /// Frozen high watermarks, or the ends of a range: the bound of both passes.
  public let ends: [Offset]
  public let time: any TimeSource
  public let stop: StopFlag

  public init(
    broker: any Broker, consumer: ConsumerOptions, partitionCount: Int32, starts: [Offset]? = nil, ends: [Offset],
    time: any TimeSource, stop: StopFlag
  ) {
    self.broker = broker
    self.consumer = consumer
    self.partitionCount = partitionCount
    self.starts = starts
    self.ends = ends
    self.time = time
    self.stop = stop
  }

  /// One pass, from where the group is, or from the earliest record after a reset of its offsets and state.
  public func compute(resetsGroup: Bool, observer: any PipelineObserver) throws(PipelineError) -> Pass {
    var settings = PipelineLoop.Settings(
      consumer: consumer, partitionCount: partitionCount, bound: .ends(ends))
    settings.starts = starts
    settings.resetsGroup = resetsGroup
    settings.commitsWhileReading = true
    let metrics = OrderMetrics(topic: consumer.topic, onPoison: .skip)
    let loop = try PipelineLoop(
      settings, broker: broker, processor: metrics, time: time, stop: stop, observer: observer)
    defer { loop.close() }
    let run = try loop.run()
    return Pass(summary: try loop.groupSummary(of: metrics), run: run)
  }
}
