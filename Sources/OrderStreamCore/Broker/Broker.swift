/// A log that orders travel on. A back end gives these five ports; a processor never learns which back end it is.
///
/// A broker may be used from several threads; what it makes belongs to the thread that uses it (not `Sendable`).
public protocol Broker: Sendable {
  /// What documents and notes call this broker: `embedded:/path` or `host:port,…`. Never holds a secret.
  var name: String { get }

  /// Whether consumers can be asked for `Isolation.uncommitted`: whether a transaction that is not committed is on the log.
  var hasUncommittedRecords: Bool { get }

  /// - Throws: `BrokerError` when the broker cannot be reached or opened.
  func admin() throws(BrokerError) -> any Admin

  /// A producer for one existing topic.
  func producer(_ options: ProducerOptions) throws(BrokerError) -> any Producer

  /// A consumer of one existing topic.
  func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer

  /// Transactions that commit outputs, state and the offsets of `consumer` together, or with a weaker guarantee outputs
  /// and offsets one after the other (`TwoStepCommit`). `outputs` are existing topics; `Transaction.send` names them by
  /// their index here. One per consumer; used on the consumer's thread.
  func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction
}

extension Broker {
  /// Transactions of the full guarantee.
  public func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction {
    try transaction(for: consumer, outputs: outputs, guarantee: .exactlyOnce)
  }

  public var hasUncommittedRecords: Bool { false }

  /// A producer with nothing out of the ordinary.
  public func producer(
    topic: String, pace: ProducerPace, reports: RecordReports.Detail = .refusals,
    latency: AcknowledgementLatency? = nil, observer: (any DeliveryObserver)? = nil
  ) throws(BrokerError) -> any Producer {
    try producer(ProducerOptions(topic: topic, pace: pace, reports: reports, latency: latency, observer: observer))
  }
}

/// Names of topics and groups that every back end takes: 1 to 200 of `A-Z a-z 0-9 . _ -`, and not `.` or `..`, which
/// Kafka refuses.
public enum BrokerName {
  public static let maxLength = 200

  public static func isValid(_ name: String) -> Bool {
    (1...maxLength).contains(name.utf8.count) && !isReserved(name) && name.unicodeScalars.allSatisfy(isAllowed)
  }

  public static func isReserved(_ name: String) -> Bool { name == "." || name == ".." }

  public static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
    default: false
    }
  }

  /// Why a name is refused, in words.
  public static let rule = "a name has 1 to 200 letters, digits, dots, underscores or hyphens, and is not . or .."
}

/// How long a program waits for brokers that give no answer: elections, a coordinator that moves, a broker that restarts.
public enum OutageLimit: Hashable, Sendable {
  /// Commands that only look: somebody waits for what they print.
  case look
  /// Runs with an end.
  case run
  /// Services (`--follow`): what passes by itself is waited out.
  case none
  /// One look that goes on without an answer, and says nothing of it.
  case glance(Duration)

  /// `nil`: without end.
  public var duration: Duration? {
    switch self {
    case .look: .seconds(10)
    case .run: .seconds(60)
    case .none: nil
    case .glance(let duration): duration
    }
  }
}

/// Why a broker could not do something. One type for all back ends; each maps its native codes in one file.
public struct BrokerError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Code: String, Hashable, Sendable {
    case unreachable, timedOut, authentication, unauthorized
    case unknownTopic, unknownGroup, topicExists, invalidTopic, unknownPartition
    case groupActive, fenced, offsetOutOfRange
    case recordTooLarge, deliveryFailed
    /// The broker does not take such a record (no key on a compacted topic, a timestamp that it forbids).
    case recordRefused
    /// A lock or a resource that somebody else holds; trying again later may help.
    case busy
    /// A setting that was refused or is unknown; a log of another program or of a newer version.
    case configuration, foreignLog, newerLog
    /// An error of the disk, the file system or the network below the broker; no room left; altered or missing data.
    case io, diskFull, damaged
    case cannotCreate, unsupported, internalError
  }

  /// What the caller may do next.
  public enum Recovery: String, Hashable, Sendable {
    /// The same call may succeed when repeated.
    case retry
    /// Abort the transaction, read the committed offsets and go on from there.
    case abort
    /// This object is of no more use.
    case fatal
    /// The request itself is refused; the object is fine.
    case none
  }

  public var code: Code
  /// What failed: `cannot append to order-events[2]`.
  public var what: String
  /// Why, in words, with the native name of the error where there is one.
  public var why: String
  /// What the user can do; empty when there is nothing.
  public var remedy: String
  public var recovery: Recovery

  public init(_ code: Code, _ what: String, why: String, remedy: String = "", recovery: Recovery = .fatal) {
    self.code = code
    self.what = what
    self.why = why
    self.remedy = remedy
    self.recovery = recovery
  }

  public var isRetriable: Bool { recovery == .retry }
  public var isFatal: Bool { recovery == .fatal }
  public var requiresAbort: Bool { recovery == .abort }

  /// `<what failed>: <why>; <what to do>`
  public var description: String { remedy.isEmpty ? "\(what): \(why)" : "\(what): \(why); \(remedy)" }
}

extension BrokerError {
  /// Whether it is of a kind that passes without anybody's doing: an election, a broker that restarts, somebody who holds a
  /// lock for a moment.
  public var passesByItself: Bool { isRetriable || code == .unreachable || code == .timedOut }

  /// Whether a transaction that failed so may succeed when brokers have recovered.
  public var isOutage: Bool { passesByItself || code == .deliveryFailed || code == .busy }
}
