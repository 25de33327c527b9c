import GRDBSQLite
import OrderStreamCore

/// The durable log inside this program: SQLite files in one directory, without a server. Several processes, and several
/// brokers in one process, may use a log at once.
///
/// ```swift
/// let broker = try EmbeddedBroker.open(directory: "/var/lib/orders", log: SilentLog(), time: time)
/// let producer = try broker.producer(topic: "order-events", pace: .bulk)
/// ```
public final class EmbeddedBroker: Broker, @unchecked Sendable {
  /// SQLite's version, `3.40.1`.
  public static var databaseVersion: String { String(cString: sqlite3_libversion()) }

  // Only `anchor` is not Sendable: it is never used, only kept open until this object goes.
  private let directory: LogDirectory
  private let log: any LogSink
  /// Keeps the log open between its users, so that each of them opens and closes quickly.
  private let anchor: LogConnection
  private let files: OpenFiles

  public var name: String { "embedded:\(directory.path)" }

  /// Opens the log in a directory, and makes both (mode 0700) when they are not there.
  /// - Parameters:
  ///   - onlyLooks: Nothing will be changed, so a log that this user or this mount does not let be written is opened as it
  ///     is, if it can be read.
  ///   - time: Its monotonic nanoseconds are compared with those of the other processes that use the log.
  /// - Throws: `cannotCreate`, `foreignLog` (also where the directory holds other files), `newerLog`, `unauthorized`,
  ///   `damaged` with coordinates, `diskFull`, `io`.
  public static func open(
    directory: String, onlyLooks: Bool = false, log: any LogSink, time: any TimeSource
  ) throws(BrokerError) -> EmbeddedBroker {
    let directory = LogDirectory(path: directory)
    let access = onlyLooks ? try directory.accessForLooking() : .full
    if access == .full {
      try directory.refuseOtherFiles()
      try directory.create()
    }
    let anchor = try LogConnection(directory, access: access, log: log, time: time)
    try anchor.checkStructure()
    try anchor.checkAllTails()
    try anchor.checkCopy()
    return EmbeddedBroker(directory, log: log, anchor: anchor)
  }

  private init(_ directory: LogDirectory, log: any LogSink, anchor: LogConnection) {
    self.directory = directory
    self.log = log
    self.anchor = anchor
    files = anchor.files
  }

  public func admin() throws(BrokerError) -> any Admin { EmbeddedAdmin(try connection()) }

  public func producer(_ options: ProducerOptions) throws(BrokerError) -> any Producer {
    try EmbeddedProducer(try connection(), options)
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    try EmbeddedConsumer(try connection(), options)
  }

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    guard let consumer = consumer as? EmbeddedConsumer else {
      preconditionFailure("a transaction commits the offsets of a consumer of the same broker")
    }
    if guarantee != .exactlyOnce {
      return TwoStepCommit(
        guarantee,
        try EmbeddedCommitSteps(consumer, outputs: outputs) { () throws(BrokerError) in try self.connection() })
    }
    return try EmbeddedTransaction(try connection(), consumer, outputs: outputs)
  }

  /// One more connection to the log that was opened, whatever has its name by now.
  func connection() throws(BrokerError) -> LogConnection {
    try LogConnection(directory, access: anchor.access, log: log, time: anchor.time, beside: files)
  }
}

/// Faults that tests bring about from outside, because nothing in the ports can.
extension EmbeddedBroker {
  /// The consumer's process dies: its locks are freed, and nothing else is done. The consumer must not be used afterwards.
  package static func kill(_ consumer: any Consumer) { embedded(consumer).die() }

  /// The consumer's process is stopped for longer than its lease. The consumer can go on afterwards.
  package static func freeze(_ consumer: any Consumer) throws(BrokerError) {
    try embedded(consumer).member?.freeze()
  }

  private static func embedded(_ consumer: any Consumer) -> EmbeddedConsumer {
    guard let consumer = consumer as? EmbeddedConsumer else { preconditionFailure("a consumer of the embedded log") }
    return consumer
  }
}

/// A log that nobody has made yet, for commands that only read: it has no topics and no groups, and reading creates none.
public struct AbsentLog: Broker {
  public let name: String

  /// - Returns: `nil` when there is a log in that directory, or something that cannot be looked at: opening it says what.
  public init?(directory: String) {
    let directory = LogDirectory(path: directory)
    guard directory.isAbsent, (try? directory.refuseOtherFiles()) != nil else { return nil }
    name = "embedded:\(directory.path)"
  }

  public func admin() throws(BrokerError) -> any Admin { AbsentAdmin() }

  public func producer(_ options: ProducerOptions) throws(BrokerError) -> any Producer {
    throw TopicRow.unknown(options.topic)
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    throw TopicRow.unknown(options.topic)
  }

  public func transaction(
    for consumer: any Consumer, outputs: [String], guarantee: Guarantee
  ) throws(BrokerError) -> any Transaction {
    preconditionFailure("there is no consumer of a log that is not there")
  }
}

private final class AbsentAdmin: Admin {
  func topics(named name: String?) throws(BrokerError) -> [TopicDescription] { [] }
  func watermarks(topic: String) throws(BrokerError) -> [Watermarks] { throw TopicRow.unknown(topic) }
  func offsets(topic: String, at timestampMs: Int64) throws(BrokerError) -> [Offset] { throw TopicRow.unknown(topic) }

  func looks(at topics: [String], within limit: Duration) throws(BrokerError) -> [String: TopicLook] { [:] }

  func groupListing(named name: String?, within limit: Duration) throws(BrokerError) -> GroupListing {
    GroupListing([])
  }

  func readState(
    group: String, within limit: Duration?, _ body: (_ topic: String, StoredState) -> Void
  ) throws(BrokerError) {}

  func apply(_ change: AdminChange) throws(BrokerError) {
    throw BrokerError(
      .unsupported, "cannot change the log", why: "there is none yet", remedy: "produce to it first", recovery: .none)
  }

  func close() {}
}
