import OrderStreamCore
import Synchronization

/// Keeps every line, to be looked at.
public final class KeptLog: LogSink {
  private let lines = Mutex<[String]>([])

  public init() {}

  public var all: [String] { lines.withLock { $0 } }

  public func log(_ level: LogLevel, _ message: String) { lines.withLock { $0.append(message) } }
}
