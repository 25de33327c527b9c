import OrderStreamCore

/// One log of a back end, for one test.
public protocol BrokerFixture: AnyObject, Sendable {
  /// A broker object of its own, as another process would have it.
  func open() throws(BrokerError) -> any Broker

  /// The process of a consumer dies.
  func kill(_ consumer: any Consumer)

  /// The process of a consumer is stopped for longer than its lease or session, and goes on afterwards.
  func freeze(_ consumer: any Consumer) throws(BrokerError)
}
