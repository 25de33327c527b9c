import OrderStreamCore
import OrderStreamKafka

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
