/// Where a back end's log lines go. The executable decides; a back end only speaks.
public protocol LogSink: Sendable {
  /// One line, without a secret and without a line feed.
  func log(_ level: LogLevel, _ message: String)
}

public enum LogLevel: Int, Comparable, Sendable {
  case debug, info, notice, warning, error

  public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Drops every line.
public struct SilentLog: LogSink {
  public init() {}
  public func log(_ level: LogLevel, _ message: String) {}
}
