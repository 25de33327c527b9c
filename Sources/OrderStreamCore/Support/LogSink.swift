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

/// Which properties of a client library hold secrets. The only list: the command line hides the values that it names, and
/// back ends take them out of every text.
public enum SecretProperty {
  /// A property whose name contains one of these holds a secret.
  private static let words = ["password", "secret", "key", "pem", "token", "jaas", "oauth", "credential"]

  /// Whether the name of the property speaks of secrets: what the command line hides, names of key files included.
  public static func speaksOfSecrets(_ property: String) -> Bool {
    let name = property.lowercased()
    return words.contains { name.contains($0) }
  }

  /// Whether the value is a secret itself and must be taken out of every text. Names of files and of methods are none,
  /// and errors have to name them.
  public static func isSecret(_ property: String) -> Bool {
    let name = property.lowercased()
    if name.hasSuffix(".location") || name.hasSuffix(".method") || name.hasSuffix(".url") { return false }
    return speaksOfSecrets(name)
  }
}
