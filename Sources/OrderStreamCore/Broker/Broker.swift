/// A log that orders travel on. A back end gives these five ports; a processor never learns which back end it is.
///
/// A broker may be used from several threads; what it makes belongs to the thread that uses it (not `Sendable`).
public protocol Broker: Sendable {
  /// What documents and notes call this broker: `embedded:/path` or `host:port,…`. Never holds a secret.
  var name: String { get }

  /// - Throws: `BrokerError` when the broker cannot be reached or opened.
  func admin() throws(BrokerError) -> any Admin

  /// A producer for one existing topic.
  /// - Parameter reports: the records that `Producer.takeReports` tells of.
  func producer(topic: String, pace: ProducerPace, reports: RecordReports.Detail) throws(BrokerError) -> any Producer

  /// A consumer of one existing topic.
  func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer

  /// Transactions that commit outputs, state and the offsets of `consumer` together. `outputs` are existing topics;
  /// `Transaction.send` names them by their index here. One per consumer; used on the consumer's thread.
  func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction
}

extension Broker {
  /// A producer that tells of refused records only.
  public func producer(topic: String, pace: ProducerPace) throws(BrokerError) -> any Producer {
    try producer(topic: topic, pace: pace, reports: .refusals)
  }
}

/// What a producer should be good at.
public enum ProducerPace: Sendable {
  /// As many records a second as the broker takes.
  case bulk
  /// Records arrive at a rate that somebody watches: each one leaves within a few milliseconds.
  case interactive
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
