import OrderStreamCore
import OrderStreamEmbedded

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
