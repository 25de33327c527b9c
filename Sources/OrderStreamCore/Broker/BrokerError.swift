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
