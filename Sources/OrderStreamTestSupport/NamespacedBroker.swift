import OrderStreamCore

/// A broker that many tests share, seen as if it were one test's own: topics and groups get a prefix on the way in, and
/// only those that have it come out.
final class NamespacedBroker: Broker {
  private let inner: any Broker
  private let prefix: String

  init(_ inner: any Broker, prefix: String) {
    self.inner = inner
    self.prefix = prefix
  }

  var name: String { inner.name }

  func admin() throws(BrokerError) -> any Admin { NamespacedAdmin(try inner.admin(), prefix: prefix) }

  func producer(
    topic: String, pace: ProducerPace, reports: RecordReports.Detail
  ) throws(BrokerError) -> any Producer {
    try inner.producer(topic: prefix + topic, pace: pace, reports: reports)
  }

  func consumer(_ options: ConsumerOptions) throws(BrokerError) -> any Consumer {
    let membership: ConsumerOptions.Membership =
      switch options.membership {
      case .none: .none
      case .sole(let group): .sole(group: prefix + group)
      case .member(let group): .member(group: prefix + group)
      }
    var own = options
    own.topic = prefix + options.topic
    own.membership = membership
    return try inner.consumer(own)
  }

  func transaction(for consumer: any Consumer, outputs: [String]) throws(BrokerError) -> any Transaction {
    try inner.transaction(for: consumer, outputs: outputs.map { prefix + $0 })
  }
}
