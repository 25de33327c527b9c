import Logging
import OrderStreamCore

/// Core's log port over swift-log: the back ends speak, this decides where the lines go.
struct LogAdapter: LogSink {
  private let logger: Logger

  /// Sends swift-log to stderr from `level` up. Once a process.
  init(console: Console, level: LogLevel) {
    LoggingSystem.bootstrap { _ in ConsoleLogHandler(console: console, level: level) }
    logger = Logger(label: "orderstream")
  }

  func log(_ level: LogLevel, _ message: String) {
    logger.log(level: Logger.Level(level), "\(message)")
  }
}

/// Writes log lines to stderr: `warning: <message>`, one line each, control characters escaped.
struct ConsoleLogHandler: LogHandler {
  private let console: Console
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  init(console: Console, level: LogLevel) {
    self.console = console
    logLevel = Logger.Level(level)
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    console.logLine("\(event.level): \(event.message)")
  }
}

extension Logger.Level {
  init(_ level: LogLevel) {
    self =
      switch level {
      case .debug: .debug
      case .info: .info
      case .notice: .notice
      case .warning: .warning
      case .error: .error
      }
  }
}
