import OrderStreamCore
import Synchronization

/// Keeps every log line.
final class LogCollector: LogSink {
  private let lines = Mutex<[(LogLevel, String)]>([])

  func log(_ level: LogLevel, _ message: String) { lines.withLock { $0.append((level, message)) } }

  var all: [(level: LogLevel, text: String)] { lines.withLock { $0.map { (level: $0.0, text: $0.1) } } }
}
