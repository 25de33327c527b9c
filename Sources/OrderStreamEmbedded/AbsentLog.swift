import OrderStreamCore

/// A log that nobody has made yet, for commands that only look: it has no topics and no groups, and looking makes none.
public struct AbsentLog: Broker {
  public let name: String

  /// - Returns: `nil` when there is a log in that directory, or something that cannot be looked at: opening it says what.
  public init?(directory: String) {
    let directory = LogDirectory(path: directory)
    guard directory.isAbsent, (try? directory.refuseOtherThings()) != nil else { return nil }
    name = "embedded:\(directory.path)"
  }

  public func admin() throws(BrokerError) -> any Admin { AbsentAdmin() }

  public func producer(
    topic: String, pace: ProducerPace, reports: RecordReports.Detail
  ) throws(BrokerError) -> any Producer {
    throw TopicRow.unknown(topic)
  }

  public func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    throw TopicRow.unknown(options.topic)
  }

  public func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction {
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
