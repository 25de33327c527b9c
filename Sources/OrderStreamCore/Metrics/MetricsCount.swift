/// Order metrics over records that are read one after the other, without a group and its state: of a certificate, and of a
/// topic as it was at a place. Gives the numbers that `OrderMetrics` gives for the same records.
public struct MetricsCount {
  private let topic: String
  private let onPoison: OrderMetrics.OnPoison
  private let decoder = OrderDecoder()
  private var minutes = MinuteTable()
  private var rejected: Int64 = 0
  public private(set) var records: Int64 = 0

  public init(topic: String, onPoison: OrderMetrics.OnPoison = .skip) {
    self.topic = topic
    self.onPoison = onPoison
  }

  /// - Returns: Why the record ends the run: it is no order, and that is not to be skipped, or its minute is one too many.
  public mutating func add(_ record: RecordBatch.View) -> PipelineError? {
    if let poison = decoder.decode(record.value) {
      if onPoison == .fail { return .poison(coordinates(of: record), poison) }
      rejected += 1
    } else {
      let isNew = minutes.add(minute: decoder.order.minute, failed: decoder.order.isFailed)
      if isNew, minutes.count > OrderMetrics.minuteLimit { return .tooManyMinutes(coordinates(of: record)) }
    }
    records += 1
    return nil
  }

  private func coordinates(of record: RecordBatch.View) -> Coordinates {
    Coordinates(TopicPartition(topic: topic, partition: record.partition), offset: record.offset)
  }

  /// The metrics over the records so far.
  public var summary: MetricsSummary { MetricsSummary(minutes: minutes, rejected: rejected) }
}
