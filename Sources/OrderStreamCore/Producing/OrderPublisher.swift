/// Sends the orders of a source at a pace, until there are no more or a stop is requested, and waits for their
/// acknowledgements.
public struct OrderPublisher {
  /// Orders between two looks at the clock, the stop flag and the reports, at full speed.
  static let stride: Int64 = 256
  /// A paced publisher sleeps once it is at least this far ahead.
  static let leastSleepNanoseconds: Int64 = 500_000
  /// How long the last acknowledgements may take after the last record.
  public static let flushTimeout: Duration = .seconds(60)

  /// Nanoseconds after the start at which the order of an index (0-based) is due.
  public typealias Schedule = @Sendable (_ index: Int64) -> Int64

  private let source: any OrderSource
  private let producer: any Producer
  private let schedule: Schedule?
  private let time: any TimeSource
  private let stop: StopFlag

  /// Orders that the producer was given so far, those that it did not take included.
  public private(set) var sent: Int64 = 0
  /// Of these, the ones whose status is `failed`.
  public private(set) var failedOrders: Int64 = 0
  /// Orders that the producer did not take for what they are. They are in none of its counts; the source has been told.
  public private(set) var refusedAtOnce: Int64 = 0
  /// Monotonic clock at the start of the run; `nil` before.
  public private(set) var startNanoseconds: Int64?

  /// - Parameters:
  ///   - producer: the source is told what it reports while the run goes on; what comes last is left to be taken.
  ///   - schedule: the pace; `nil` for as fast as possible.
  public init(
    _ source: any OrderSource, producer: any Producer, schedule: Schedule?, time: any TimeSource, stop: StopFlag
  ) {
    self.source = source
    self.producer = producer
    self.schedule = schedule
    self.time = time
    self.stop = stop
  }

  /// Sends all orders and waits for their acknowledgements. After a request to stop an order may be left in the source's
  /// hand.
  /// - Parameter progress: called a few times a second with the publisher's state.
  /// - Throws: why records could not be sent or were not acknowledged (`producer.deliveries` tells how many), or what the
  ///   source throws.
  public mutating func run(progress: (OrderPublisher) -> Void) throws {
    let start = time.monotonicNanoseconds
    startNanoseconds = start
    // The same loop for both; for the generator the compiler makes one of its own, without calls through the protocol.
    if let generated = source as? GeneratedOrders {
      try sendAll(of: generated, start, progress)
    } else {
      try sendAll(of: source, start, progress)
    }
    Failpoint.reach("publisher/before-flush")
    try producer.finish(queued: sent - refusedAtOnce, timeout: Self.flushTimeout, stop: stop, time: time)
    Failpoint.reach("publisher/after-flush")
  }

  private mutating func sendAll<Source: OrderSource>(
    of source: Source, _ start: Int64, _ progress: (OrderPublisher) -> Void
  ) throws {
    // Where orders take their time, a clock that was read for an earlier one would be wrong.
    let stride = schedule != nil || source.mayKeepWaiting ? 1 : Self.stride
    var wall = time.wallMilliseconds
    while !stop.isRequested, try source.advance() {
      if let schedule {
        pace(until: start.saturatingAdd(schedule(sent)), progress)
        if stop.isRequested { break }
      }
      if sent % stride == 0 {
        wall = time.wallMilliseconds
        if schedule == nil { progress(self) }
      }
      try sendNext(of: source, wall)
      if schedule != nil || sent % Self.stride == 0 { try source.note(producer.takeReports()) }
    }
  }

  /// Sleeps until an order is due, in slices, so that a stop is seen.
  private func pace(until due: Int64, _ progress: (OrderPublisher) -> Void) {
    progress(self)
    while !stop.isRequested {
      let rest = due - time.monotonicNanoseconds
      guard rest >= Self.leastSleepNanoseconds else { return }
      time.sleep(.nanoseconds(min(rest, 100_000_000)))
      progress(self)
    }
  }

  private mutating func sendNext<Source: OrderSource>(of source: Source, _ wallMilliseconds: Int64) throws {
    let order = source.take(sequence: sent, wallMilliseconds: wallMilliseconds)
    let record = OutgoingRecord(
      partition: Partitioner.partition(key: order.key, count: producer.partitionCount),
      timestampMs: wallMilliseconds, key: order.key, value: order.value, headers: order.headers)
    sent += 1
    do throws(BrokerError) {
      try producer.send(record)
    } catch {
      try noteRefusal(error)
    }
    if order.isFailed { failedOrders += 1 }
  }

  /// What the producer did not take for what it is, is refused; another error ends the run.
  private mutating func noteRefusal(_ error: BrokerError) throws {
    guard error.code == .recordTooLarge else {
      sent -= 1
      throw error
    }
    refusedAtOnce += 1
    var reports = RecordReports()
    reports.refused = [RecordReports.Refusal(sequence: sent - 1, error: error)]
    try source.note(reports)
  }
}
