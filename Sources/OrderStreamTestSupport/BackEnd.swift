import Foundation
import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamKafka

/// A row of the table that the contract suite runs over.
public struct BackEnd: Sendable, CustomStringConvertible {
  public let name: String
  private let differences: Set<Difference>
  private let make: @Sendable () -> any BrokerFixture

  public init(
    name: String, differences: Set<Difference> = [], make: @escaping @Sendable () -> any BrokerFixture
  ) {
    self.name = name
    self.differences = differences
    self.make = make
  }

  public func differs(by difference: Difference) -> Bool { differences.contains(difference) }

  /// How long it may take until the partitions of a dead member have another one.
  public var takeoverLimit: Duration { differs(by: .sessions) ? .seconds(12) : .seconds(5) }

  public var description: String { name }

  /// Runs one test on a new, empty log, which goes when `body` returns.
  public func run(_ body: (_ fixture: any BrokerFixture, _ broker: any Broker) throws -> Void) throws {
    let fixture = make()
    try withExtendedLifetime(fixture) { try body(fixture, try fixture.open()) }
  }

  /// Every back end; a Kafka cluster only when `ORDERSTREAM_TEST_BROKERS` names one, which is said aloud.
  public static let all: [BackEnd] = [BackEnd(name: "embedded") { EmbeddedFixture() }] + kafka

  private static var kafka: [BackEnd] {
    guard let brokers = ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_BROKERS"], !brokers.isEmpty else {
      print("ORDERSTREAM_TEST_BROKERS is not set: the contract suite runs on the embedded log only")
      return []
    }
    print("ORDERSTREAM_TEST_BROKERS: the contract suite runs on \(brokers) too")
    let differences: Set<Difference> = [.controlRecords, .fetches, .sessions, .eagerFirstMember, .noTimeZero]
    return [BackEnd(name: "kafka", differences: differences) { KafkaFixture(brokers: brokers) }]
  }
}

/// One log of a back end, for one test.
public protocol BrokerFixture: AnyObject, Sendable {
  /// A broker object of its own, as another process would have it.
  func open() throws(BrokerError) -> any Broker

  /// The process of a consumer dies.
  func kill(_ consumer: any Consumer)

  /// The process of a consumer is stopped for longer than its lease or session, and goes on afterwards.
  func freeze(_ consumer: any Consumer) throws(BrokerError)
}

/// An embedded log in a temporary directory.
public final class EmbeddedFixture: BrokerFixture {
  public let directory = TemporaryDirectory()

  public init() {}

  public var path: String { directory.path + "/log" }

  public func open() throws(BrokerError) -> any Broker {
    try EmbeddedBroker.open(directory: path, log: SilentLog(), time: SystemTime())
  }

  public func kill(_ consumer: any Consumer) { EmbeddedBroker.kill(consumer) }

  public func freeze(_ consumer: any Consumer) throws(BrokerError) { try EmbeddedBroker.freeze(consumer) }
}

/// A namespace of its own on the cluster that `ORDERSTREAM_TEST_BROKERS` names; its topics go with it.
public final class KafkaFixture: BrokerFixture {
  /// The least that a broker allows by default, and librdkafka's limit between polls along with it.
  private static let sessionTimeout = Duration.seconds(6)

  private let brokers: String
  /// What the names of its topics and groups begin with on the cluster.
  public let prefix = "test-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))-"

  public init(brokers: String) { self.brokers = brokers }

  deinit {
    guard let broker = try? connect(), let admin = try? broker.admin() else { return }
    defer { admin.close() }
    for topic in (try? admin.topics(named: nil)) ?? [] where topic.name.contains(prefix) {
      try? admin.apply(.deleteTopic(topic.name))
    }
  }

  public func open() throws(BrokerError) -> any Broker { NamespacedBroker(try connect(), prefix: prefix) }

  private func connect() throws(BrokerError) -> KafkaBroker {
    let milliseconds = "\(Self.sessionTimeout.milliseconds)"
    return try KafkaBroker.connect(
      brokers: brokers, properties: [("max.poll.interval.ms", milliseconds), ("session.timeout.ms", milliseconds)],
      log: SilentLog(), time: SystemTime())
  }

  public func kill(_ consumer: any Consumer) { KafkaBroker.kill(consumer) }

  /// librdkafka's threads go on in a test, so this polls nothing for longer than the limit between polls, after which no
  /// heartbeats are sent, and than the session after that.
  public func freeze(_ consumer: any Consumer) throws(BrokerError) {
    SystemTime().sleep(Self.sessionTimeout * 2 + .seconds(2))
  }
}

/// What a back end may do otherwise than the embedded log. A contract test that looks at one of these names it; every
/// other difference is a bug.
public enum Difference: Hashable, Sendable {
  /// Commits and aborts of transactions are records of their own, so offsets have gaps and ends lie behind the last
  /// record. Kafka's log format; `RecordBatch.ends` passes them.
  case controlRecords
  /// Records come as they were fetched: many of one partition before the next, and the end of a partition with a later
  /// poll than its last record. Sorting them again would cost a copy.
  case fetches
  /// A group gives up a silent member when its session ends (6 s, the least that brokers allow), and then also when
  /// nobody waits for its partitions. Only the coordinator can know, and it has no way to ask.
  case sessions
  /// A member that comes alone is given all partitions at once, and gives some back when the next one comes.
  case eagerFirstMember
  /// The timestamp 0 is written as 1, because librdkafka takes 0 for "now".
  case noTimeZero
}

/// An embedded log at a place that somebody else chose, such as the log of a child process.
public enum EmbeddedLog {
  public static func open(_ directory: String) throws(BrokerError) -> any Broker {
    try EmbeddedBroker.open(directory: directory, log: SilentLog(), time: SystemTime())
  }
}
