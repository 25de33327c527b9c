/// Sends the orders of a source at a pace, until there are no more or a stop is requested, and waits for their
/// acknowledgements.
public struct OrderPublisher {
  /// Orders between two looks at the clock, the stop flag and the reports, at full speed.
  static let stride: Int64 = 256
  /// A paced publisher that is ahead sleeps at least this long: the price is that much more latency at rates above 5000/s.
  static let leastSleepNanoseconds: Int64 = 200_000
  /// How long the last acknowledgements may take after the last record.
  public static let flushTimeout: Duration = .seconds(60)

  /// Nanoseconds after the start at which the order of an index (0-based) is due.
  public typealias Schedule = @Sendable (_ index: Int64) -> Int64

  private let source: any OrderSource
  private let producer: any Producer
  private let schedule: Schedule?
  private let time: any TimeSource
  private let stop: StopFlag
  private let latency: AcknowledgementLatency?
  private let observer: (any DeliveryObserver)?

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
  ///   - latency: is started with the run; the producer has the same one.
  ///   - observer: the producer's, which hears nothing from it of orders that it does not take.
  public init(
    _ source: any OrderSource, producer: any Producer, schedule: Schedule?, time: any TimeSource, stop: StopFlag,
    latency: AcknowledgementLatency? = nil, observer: (any DeliveryObserver)? = nil
  ) {
    self.observer = observer
    self.source = source
    self.producer = producer
    self.schedule = schedule
    self.time = time
    self.stop = stop
    self.latency = latency
  }

  /// Sends all orders and waits for their acknowledgements. After a request to stop an order may be left in the source's
  /// hand.
  /// - Parameter progress: called a few times a second with the publisher's state.
  /// - Throws: why records could not be sent or were not acknowledged (`producer.deliveries` tells how many), or what the
  ///   source throws.
  public mutating func run(progress: (OrderPublisher) -> Void) throws {
    let start = time.monotonicNanoseconds
    startNanoseconds = start
    latency?.begin(at: start)
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

  /// Sleeps until an order is due, in slices, so that a stop is seen. No order is sent before it is due, since its latency
  /// counts from then.
  private func pace(until due: Int64, _ progress: (OrderPublisher) -> Void) {
    progress(self)
    while !stop.isRequested {
      let rest = due - time.monotonicNanoseconds
      guard rest > 0 else { return }
      time.sleep(.nanoseconds(min(max(rest, Self.leastSleepNanoseconds), 100_000_000)))
      progress(self)
    }
  }

  private mutating func sendNext<Source: OrderSource>(of source: Source, _ wallMilliseconds: Int64) throws {
    let order = source.take(sequence: sent, wallMilliseconds: wallMilliseconds)
    let record: OutgoingRecord
    if let exact = order.exact {
      record = exact
    } else {
      record = OutgoingRecord(
        partition: Partitioner.partition(key: order.key, count: producer.partitionCount),
        timestampMs: wallMilliseconds, key: order.key, value: order.value, headers: order.headers)
    }
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
    observer?.together { observer?.failed(sent - 1, mayBeOnLog: false) }
    var reports = RecordReports()
    reports.refused = [RecordReports.Refusal(sequence: sent - 1, error: error)]
    try source.note(reports)
  }
}

/// Where the orders of a run come from, one after the other: the generator, or lines that somebody else has written.
/// A class, so that the publisher calls it without a copy or an allocation for each order.
public protocol OrderSource: AnyObject {
  /// Whether an order may be long in coming, so that the clock is read for each one.
  var mayKeepWaiting: Bool { get }

  /// Takes the next order in hand, unless one is.
  /// - Returns: `false` when there are no more, and when a request to stop ended the wait for one.
  func advance() throws -> Bool

  /// Hands out the order in hand.
  /// - Parameter sequence: how `note` will name it, as in `RecordReports`.
  func take(sequence: Int64, wallMilliseconds: Int64) -> SourceOrder

  /// What became of orders that were handed out.
  func note(_ reports: RecordReports) throws
}

/// An order on its way to a producer. The bytes are lent by the source, until its next `advance`.
public struct SourceOrder {
  public var key: UnsafeRawBufferPointer
  public var value: UnsafeRawBufferPointer
  public var headers: Headers
  /// Whether its status is `failed`.
  public var isFailed: Bool
  /// A record that is sent as it is, whatever stands in the others; `nil` for one that is made of them.
  public var exact: OutgoingRecord?

  /// A record that is sent as it is: into its partition, with its timestamp.
  public init(exact record: OutgoingRecord, isFailed: Bool) {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    self.init(key: nothing, value: nothing, isFailed: isFailed)
    exact = record
  }

  public init(
    key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, headers: Headers = .none, isFailed: Bool
  ) {
    self.key = key
    self.value = value
    self.headers = headers
    self.isFailed = isFailed
  }
}

/// Orders of the generator, each made when it is taken.
public final class GeneratedOrders: OrderSource {
  /// Refusals that are kept.
  public static let refusalLimit = 20

  public let options: OrderGenerator.Options
  /// Orders that the broker refused for what they are, by their index in the run: the first ones. How many there are in
  /// all is `OrderPublisher.refusedAtOnce` and `Producer.deliveries.refused`.
  public private(set) var refusals: [RecordReports.Refusal] = []
  // Only `take` changes these; a check of each access would cost as much as a tenth of an order.
  @exclusivity(unchecked) private var generator: OrderGenerator
  @exclusivity(unchecked) private var left: Int64
  private let value = ByteBuffer()
  /// What the last of so many orders says about the topic's numbers.
  private let trace: (Int64) -> OrderNumbering.Trace?
  /// Whether the order that is handed out next is the last one, however many were asked for.
  private let isOver: (() -> Bool)?
  /// The header block of the last order; `nil` for none.
  private var lastHeaders: ByteBuffer?
  /// Orders of this run in all: fewer than `options.count` when the time was over before that.
  public private(set) var count: Int64

  /// - Parameters:
  ///   - limit: no more orders than that, whatever their number is for the event times.
  ///   - isOver: asked before each order: whether it is the last one because the time is over.
  ///   - trace: what the last of so many orders says about the topic's numbers.
  /// - Precondition: `options.problem` is `nil`.
  public init(
    _ options: OrderGenerator.Options, limit: Int64 = .max, isOver: (() -> Bool)? = nil,
    trace: @escaping (Int64) -> OrderNumbering.Trace? = { _ in nil }
  ) {
    self.options = options
    self.isOver = isOver
    self.trace = trace
    generator = OrderGenerator(options)
    count = min(options.count, limit)
    left = count
  }

  public var mayKeepWaiting: Bool { false }

  public func advance() -> Bool { left > 0 }

  @inline(__always)
  public func take(sequence: Int64, wallMilliseconds: Int64) -> SourceOrder {
    let order = generator.next(wallMilliseconds: wallMilliseconds, into: value)
    left -= 1
    if let isOver, left > 0, isOver() {
      count -= left
      left = 0
    }
    if left == 0, let trace = trace(count) {
      let block = ByteBuffer(capacity: 64)
      Headers.append(name: OrderNumbering.header, text: trace.text, to: block)
      lastHeaders = block
    }
    return SourceOrder(
      key: order.key(in: value), value: value.bytes,
      headers: left == 0 ? lastHeaders.map { Headers(block: $0.bytes) } ?? .none : .none,
      isFailed: order.isFailed)
  }

  public func note(_ reports: RecordReports) {
    refusals += reports.refused.prefix(max(0, Self.refusalLimit - refusals.count))
  }
}
