/// Generates orders and sends them at a pace, until all are sent or a stop is requested.
public struct OrderPublisher {
  /// Orders between two looks at the clock and the stop flag, at full speed.
  static let stride: Int64 = 256
  /// A paced publisher sleeps once it is at least this far ahead.
  static let leastSleepNanoseconds: Int64 = 500_000
  /// How long the last acknowledgements may take after the last record.
  public static let flushTimeout: Duration = .seconds(60)

  /// Nanoseconds after the start at which the order of an index (0-based) is due.
  public typealias Schedule = @Sendable (_ index: Int64) -> Int64

  private var generator: OrderGenerator
  private let producer: any Producer
  private let schedule: Schedule?
  private let time: any TimeSource
  private let stop: StopFlag
  private let value = ByteBuffer()
  /// The header block of the last order; empty for none.
  private let trace = ByteBuffer(capacity: 64)

  /// Orders sent so far whose status is `failed`.
  public private(set) var failedOrders: Int64 = 0
  /// Orders that the producer was given so far.
  public private(set) var sent: Int64 = 0
  /// Orders that the broker refused for what they are, by their index in the run (`sequence`): the first ones. How many
  /// there are in all is `refusedAtOnce` and `Producer.deliveries.refused`.
  public private(set) var refusals: [RecordReports.Refusal] = []
  /// Orders that the producer did not take, so they count nowhere else.
  public private(set) var refusedAtOnce: Int64 = 0
  /// Refusals that are kept.
  public static let refusalLimit = 20
  /// Monotonic clock at the first record sent; `nil` before.
  public private(set) var startNanoseconds: Int64?

  /// - Parameters:
  ///   - schedule: the pace; `nil` for as fast as possible.
  ///   - trace: what the last order says about the topic's numbers.
  public init(
    _ options: OrderGenerator.Options, producer: any Producer, schedule: Schedule?, time: any TimeSource,
    stop: StopFlag, trace: OrderNumbering.Trace? = nil
  ) {
    if let trace { Headers.append(name: OrderNumbering.header, text: trace.text, to: self.trace) }
    generator = OrderGenerator(options)
    self.producer = producer
    self.schedule = schedule
    self.time = time
    self.stop = stop
  }

  /// Sends all orders and waits for their acknowledgements.
  /// - Parameter progress: called a few times a second with the publisher's state.
  /// - Throws: why records could not be sent or were not acknowledged; `producer.deliveries` tells how many.
  public mutating func run(progress: (OrderPublisher) -> Void) throws(BrokerError) {
    let count = generator.options.count
    let start = time.monotonicNanoseconds
    startNanoseconds = start
    var wall = time.wallMilliseconds
    while sent < count && !stop.isRequested {
      if let schedule {
        pace(until: start.saturatingAdd(schedule(sent)), progress)
        if stop.isRequested { break }
        wall = time.wallMilliseconds
      } else if sent % Self.stride == 0 {
        wall = time.wallMilliseconds
        progress(self)
      }
      try sendNext(wall)
    }
    Failpoint.reach("publisher/before-flush")
    try producer.finish(queued: sent - refusedAtOnce, timeout: Self.flushTimeout, stop: stop, time: time)
    takeRefusals()
    Failpoint.reach("publisher/after-flush")
  }

  private mutating func takeRefusals() {
    refusals += producer.takeReports().refused.prefix(max(0, Self.refusalLimit - refusals.count))
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

  private mutating func sendNext(_ wallMilliseconds: Int64) throws(BrokerError) {
    let order = generator.next(wallMilliseconds: wallMilliseconds, into: value)
    let key = order.key(in: value)
    var record = OutgoingRecord(
      partition: Partitioner.partition(key: key, count: producer.partitionCount), timestampMs: wallMilliseconds,
      key: key, value: value.bytes)
    if sent + 1 == generator.options.count { record.headers = Headers(block: trace.bytes) }
    do throws(BrokerError) {
      try producer.send(record)
    } catch {
      guard error.code == .recordTooLarge else { throw error }
      refusedAtOnce += 1
      if refusals.count < Self.refusalLimit {
        refusals.append(RecordReports.Refusal(sequence: sent, error: error))
      }
    }
    sent += 1
    if order.isFailed { failedOrders += 1 }
  }
}
