/// Sends records to one topic, in the background, in order per partition. A record is acknowledged when it is durable.
public protocol Producer: AnyObject {
  /// Partitions of the topic when the producer was made.
  var partitionCount: Int32 { get }

  /// Queues one record; blocks while the queue is full. Returning is no acknowledgement: `deliveries` counts those.
  /// - Throws: when the producer can take no more records at all (fatal), or `recordTooLarge`: this one is refused, it
  ///   counts nowhere, and the producer goes on.
  func send(_ record: OutgoingRecord) throws(BrokerError)

  /// Returns when every queued record is acknowledged or failed, or when `timeout` has passed.
  /// - Throws: the first reason for which records failed, if any failed since the last flush. Those that were refused for
  ///   what they are do not count: `takeReports` names them.
  func flush(timeout: Duration) throws(BrokerError)

  /// What became of the records so far. May be read from any thread.
  var deliveries: DeliveryCounts { get }

  /// What became of single records since the last call, as far as the producer was asked to tell. The sender's thread.
  func takeReports() -> RecordReports

  /// Gives up what is still queued (counted as failed) and frees everything. Idempotent.
  func close()
}

/// What a producer sends to, how, and who hears of it.
public struct ProducerOptions {
  public var topic: String
  public var pace: ProducerPace
  public var acks: Acks
  /// The records that `Producer.takeReports` tells of.
  public var reports: RecordReports.Detail
  /// Is told of each acknowledgement.
  public var latency: AcknowledgementLatency?
  /// Is told what became of each record.
  public var observer: (any DeliveryObserver)?

  public init(
    topic: String, pace: ProducerPace, acks: Acks = .all, reports: RecordReports.Detail = .refusals,
    latency: AcknowledgementLatency? = nil, observer: (any DeliveryObserver)? = nil
  ) {
    self.topic = topic
    self.pace = pace
    self.acks = acks
    self.reports = reports
    self.latency = latency
    self.observer = observer
  }
}

/// Hears what became of each record of a producer, once, before `Producer.deliveries` counts it. Of what is left without
/// an answer when the producer is closed, and of a record that `send` threw for, it hears nothing.
///
/// Called from threads of the producer, one call of `together` at a time; the producer waits meanwhile.
public protocol DeliveryObserver: AnyObject, Sendable {
  /// Calls `body`, which tells of records that were answered together.
  func together(_ body: () -> Void)

  /// A record is durable. Only inside `together`.
  func acknowledged(_ record: AcknowledgedRecord)

  /// A record is not acknowledged, and will not be. Only inside `together`.
  /// - Parameters:
  ///   - sequence: as in `RecordReports`.
  ///   - mayBeOnLog: whether only its answer may be missing.
  func failed(_ sequence: Int64, mayBeOnLog: Bool)
}

/// A record that was acknowledged. Its bytes are lent, for the call that brings it.
public struct AcknowledgedRecord {
  /// As in `RecordReports`.
  public var sequence: Int64
  public var partition: Int32
  /// `nil` where the broker told none: it dropped the record, because it had it already.
  public var offset: Offset?
  public var key: UnsafeRawBufferPointer?
  public var value: UnsafeRawBufferPointer?

  @inline(__always)
  public init(
    sequence: Int64, partition: Int32, offset: Offset?, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?
  ) {
    self.sequence = sequence
    self.partition = partition
    self.offset = offset
    self.key = key
    self.value = value
  }
}

/// Whose word makes a record acknowledged.
public enum Acks: String, Hashable, Sendable, CaseIterable {
  /// All replicas that are in sync. What is acknowledged outlives any of them.
  case all
  /// The leader alone: what it has not passed on goes with it. On a log with one copy the same as `all`.
  case leader = "1"
  /// Nobody's: a record counts as sent once it was handed over, and never as acknowledged.
  case none = "0"
}

/// What a producer should be good at.
public enum ProducerPace: Sendable {
  /// As many records a second as the broker takes.
  case bulk
  /// Records arrive at a rate that somebody watches: each one leaves within a few milliseconds.
  case interactive
}

extension Producer {
  /// Waits for the last acknowledgements, and once a stop is requested only a moment longer.
  /// - Parameters:
  ///   - queued: Calls of `send` that did not throw.
  ///   - timeout: How long they may take when nobody asks to stop.
  /// - Throws: as `flush`. When the time is over it returns, and `deliveries` tells what is missing.
  public func finish(
    queued: Int64, timeout: Duration, stop: StopFlag, time: any TimeSource
  ) throws(BrokerError) {
    let slice = Duration.milliseconds(200)
    let stopLimit = Duration.seconds(1)
    let start = time.monotonicNanoseconds
    var stopWait = Stopwatch()
    while true {
      try flush(timeout: min(slice, timeout))
      let counts = deliveries
      let now = time.monotonicNanoseconds
      if counts.settled >= queued || now - start >= timeout.nanoseconds { return }
      if stop.isRequested, stopWait.hasPassed(stopLimit, at: now) { return }
    }
  }
}

/// What became of single records. A record is named by its sequence: how often `send` was called before it, the calls that
/// threw included.
public struct RecordReports: Sendable {
  /// Which records a producer tells of.
  public enum Detail: Sendable {
    /// Those that the broker refuses for what they are, up to `refusalLimit` between two calls.
    case refusals
    /// All of them. Those that no report has come for when the producer is closed are not acknowledged either.
    case all
  }

  /// So many refusals wait for somebody to ask for them.
  public static let refusalLimit = 1000

  /// A record that the broker refused alone, so it is the record's own fault.
  public struct Refusal: Sendable {
    public var sequence: Int64
    public var error: BrokerError

    public init(sequence: Int64, error: BrokerError) {
      self.sequence = sequence
      self.error = error
    }
  }

  /// With `Acks.none` those that were handed over.
  public var acknowledged: [Int64] = []
  public var refused: [Refusal] = []
  /// Failed for another reason.
  public var failed: [Int64] = []

  public init() {}
}

/// `settled` grows towards the number of records sent; after `close` it equals it.
public struct DeliveryCounts: Hashable, Sendable {
  public var acknowledged: Int64 = 0
  /// Handed over, with `Acks.none`: nobody was asked whether they are on the log.
  public var unanswered: Int64 = 0
  /// Not acknowledged: may or may not be on the log.
  public var failed: Int64 = 0
  /// Of the failed ones, those that the broker refused for what they are: they are not on the log.
  public var refused: Int64 = 0
  /// Of the failed ones, those that may be on the log all the same, because only their answer is missing.
  public var uncertain: Int64 = 0
  /// Acknowledged after later records of their partition, because they were sent again after a refusal of others: they
  /// may stand behind those.
  public var reordered: Int64 = 0
  /// Acknowledged, but sent a second time after a failure of the producer, so the log may hold it twice.
  public var possiblyDuplicated: Int64 = 0
  /// Acknowledged records by partition; the count is the topic's partition count.
  public var acknowledgedByPartition: [Int64]

  /// Known to have left: acknowledged, or with `Acks.none` handed over.
  public var sent: Int64 { acknowledged + unanswered }
  /// Nothing more will be learnt of these.
  public var settled: Int64 { sent + failed }

  public init(partitionCount: Int32) {
    acknowledgedByPartition = Array(repeating: 0, count: Int(partitionCount))
  }
}
