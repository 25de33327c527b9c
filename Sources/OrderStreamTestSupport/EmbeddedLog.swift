import OrderStreamCore
import OrderStreamEmbedded

/// An embedded log at a place that somebody else chose, such as the log of a child process.
public enum EmbeddedLog {
  public static func open(_ directory: String) throws(BrokerError) -> any Broker {
    try EmbeddedBroker.open(directory: directory, log: SilentLog(), time: SystemTime())
  }
}
