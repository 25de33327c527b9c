/// Finds the number of the first order that no run on a topic has used.
///
/// A run that is given its first number may use lower ones than an earlier run, so the last records of a topic do not tell
/// the highest number, and reading all of them takes half a second for a million. Therefore the last record of a run
/// carries a trace, one header: how many records the topic has with it, and the first number that was free then. While
/// the ends of the topic add up to that, nobody has written since, or beside that run, and the trace is exact. Else
/// (another producer, `--input`, a run that was cut short, an older version) all keys are read once, and the next run
/// leaves a trace again. What retention has removed counts only through a trace and the ends.
public struct OrderNumbering: Sendable {
  /// The header's name; its value is `<records>/<next number>`.
  static let header: StaticString = "order-numbers"
  /// Longest silence while records are read.
  static let readTimeout: Duration = .seconds(10)

  /// What a look at the last records has found.
  public struct Look: Sendable {
    /// The sum of the ends of all partitions.
    public let records: Int64
    /// The first number that is free; `nil` where only reading all keys can tell. `Int64.max` at most, which is taken.
    public let next: Int64?

    /// The trace of a run that is about to send these orders: the last one carries it. `nil` where it is not known what
    /// was used before.
    public func trace(firstOrder: Int64, count: Int64) -> Trace? {
      guard let next, count > 0 else { return nil }
      let (end, overflow) = firstOrder.addingReportingOverflow(count)
      return Trace(records: records + count, next: max(next, overflow ? .max : end))
    }
  }

  /// What the last record of a run says about the topic.
  public struct Trace: Hashable, Sendable {
    public var records: Int64
    public var next: Int64

    public init(records: Int64, next: Int64) {
      self.records = records
      self.next = next
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
      let parts = String(decoding: bytes, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, let records = Int64(parts[0]), let next = Int64(parts[1]), next > 0 else { return nil }
      self.init(records: records, next: next)
    }

    var text: String { "\(records)/\(next)" }
  }

  private let topic: String
  private let broker: any Broker
  private let time: any TimeSource
  private let watermarks: [Watermarks]

  public init(topic: String, broker: any Broker, admin: any Admin, time: any TimeSource) throws(BrokerError) {
    self.topic = topic
    self.broker = broker
    self.time = time
    watermarks = try admin.watermarks(topic: topic)
  }

  /// Reads the last record of each partition.
  public func look() throws(BrokerError) -> Look {
    let records = watermarks.reduce(0) { $0 + $1.high }
    let lasts = starts { $0.high - 1 }
    if records == 0 { return Look(records: 0, next: 1) }
    var next: Int64?
    try read(from: lasts) { record in
      if let trace = record.headers.first(named: Self.header).flatMap({ Trace($0) }), trace.records == records {
        next = max(next ?? 0, trace.next)
      }
    }
    return Look(records: records, next: next)
  }

  /// Reads all keys, for a topic whose last records tell nothing.
  /// - Parameter progress: hears how many were read, now and then.
  /// - Returns: 1 + the larger of the sum of the ends and the highest number; `Int64.max` at most, which is taken then.
  public func scan(progress: (Int64) -> Void) throws(BrokerError) -> Look {
    let records = watermarks.reduce(0) { $0 + $1.high }
    var highest = records
    var count: Int64 = 0
    try read(from: starts(\.low)) { record in
      if let key = record.key, let number = OrderNumber.parse(key) { highest = max(highest, number) }
      // A trace in the middle tells of numbers that retention may have removed.
      if !record.headers.isEmpty, let trace = record.headers.first(named: Self.header).flatMap({ Trace($0) }) {
        highest = max(highest, trace.next - 1)
      }
      count += 1
      if count % 100_000 == 0 { progress(count) }
    }
    return Look(records: records, next: highest == .max ? .max : highest + 1)
  }

  private func starts(_ offset: (Watermarks) -> Offset) -> [PartitionOffset] {
    watermarks.enumerated().compactMap { partition, marks in
      marks.high > marks.low ? PartitionOffset(partition: Int32(partition), offset: offset(marks)) : nil
    }
  }

  /// Visits the records from these offsets to the ends as they were at the start.
  private func read(
    from starts: [PartitionOffset], _ visit: (RecordBatch.View) -> Void
  ) throws(BrokerError) {
    guard !starts.isEmpty else { return }
    let consumer = try broker.consumer(ConsumerOptions(topic: topic, membership: .none))
    defer { consumer.close() }
    try consumer.assign(starts)
    let batch = RecordBatch()
    var open = Set(starts.map(\.partition))
    var lastNews = time.monotonicNanoseconds
    while !open.isEmpty {
      _ = try consumer.poll(into: batch, timeout: .milliseconds(100))
      for index in 0..<batch.count {
        let record = batch[index]
        let end = watermarks[Int(record.partition)].high
        if record.offset < end { visit(record) }
        if record.offset >= end - 1 { open.remove(record.partition) }
      }
      // What an open transaction hides is of no finished run.
      for end in batch.ends { open.remove(end.partition) }
      let now = time.monotonicNanoseconds
      if batch.count > 0 { lastNews = now }
      guard now - lastNews < Self.readTimeout.nanoseconds else {
        throw BrokerError(
          .timedOut, "cannot number the orders of \(topic)",
          why: "records of \(open.count) partitions did not come within \(Self.readTimeout.milliseconds) ms",
          remedy: "try again, or name a number with --first-order", recovery: .retry)
      }
    }
  }
}
