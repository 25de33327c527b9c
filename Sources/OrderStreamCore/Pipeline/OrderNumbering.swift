/// Finds the number of the first order that a topic does not have yet.
public enum OrderNumbering {
  /// Longest wait for the last record of each partition.
  static let readTimeout: Duration = .seconds(10)

  /// 1 + the larger of the sum of the end offsets and the highest number in the last record of each partition,
  /// so that a later run makes new orders. `nil`: there is no such number, the topic has the last one.
  public static func firstNumber(
    topic: String, broker: any Broker, admin: any Admin, time: any TimeSource
  ) throws(BrokerError) -> Int64? {
    let watermarks = try admin.watermarks(topic: topic)
    let sum = watermarks.reduce(0) { $0 + $1.high }
    let lasts = watermarks.enumerated().compactMap { partition, marks in
      marks.high > marks.low ? PartitionOffset(partition: Int32(partition), offset: marks.high - 1) : nil
    }
    guard !lasts.isEmpty else { return sum + 1 }
    let taken = max(sum, try highestNumber(topic: topic, from: lasts, broker: broker, time: time))
    return taken == .max ? nil : taken + 1
  }

  private static func highestNumber(
    topic: String, from starts: [PartitionOffset], broker: any Broker, time: any TimeSource
  ) throws(BrokerError) -> Int64 {
    let consumer = try broker.consumer(ConsumerOptions(topic: topic, membership: .none))
    defer { consumer.close() }
    try consumer.assign(starts)
    let batch = RecordBatch(recordLimit: 100)
    let deadline = time.monotonicNanoseconds + readTimeout.nanoseconds
    var highest: Int64 = 0
    var open = Set(starts.map(\.partition))
    while !open.isEmpty && time.monotonicNanoseconds < deadline {
      _ = try consumer.poll(into: batch, timeout: .milliseconds(100))
      for index in 0..<batch.count {
        if let key = batch[index].key, let number = OrderNumber.parse(key) { highest = max(highest, number) }
      }
      for end in batch.ends { open.remove(end.partition) }
    }
    guard open.isEmpty else {
      throw BrokerError(
        .timedOut, "cannot number the orders of \(topic)",
        why: "the last records of \(open.count) partitions did not come within \(readTimeout.milliseconds) ms",
        remedy: "try again, or name a number with --first-order", recovery: .retry)
    }
    return highest
  }
}
