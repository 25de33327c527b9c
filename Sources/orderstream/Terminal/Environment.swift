#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Looks up one environment variable; `nil` when it is unset. Handed in, so that tests bring their own.
typealias Environment = @Sendable (String) -> String?

enum ProcessEnvironment {
  /// The environment of this process.
  static let lookup: Environment = { name in getenv(name).map { String(cString: $0) } }
}

extension Dictionary<String, String> {
  /// This dictionary as an environment.
  var lookup: Environment { { name in self[name] } }
}
