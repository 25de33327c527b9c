#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What this process may use of the machine.
enum ResourceLimits {
  /// Enough for a hundred consumers of `lag-demo` with some twenty descriptors each; the largest number that every
  /// system takes (macOS: OPEN_MAX).
  private static let files: rlim_t = 10_240

  /// A memory dump would hold every secret that was given. With `SWIFT_BACKTRACE` set, a developer may have one.
  static func forbidDumps() {
    if getenv("SWIFT_BACKTRACE") == nil { set(RLIMIT_CORE, rlimit(rlim_cur: 0, rlim_max: 0)) }
  }

  /// Shells start programs with a soft limit of 1024 or 256 open files, and leave it to them to raise it.
  static func allowManyFiles() {
    var limit = rlimit()
    guard get(RLIMIT_NOFILE, &limit), limit.rlim_cur < files else { return }
    limit.rlim_cur = min(limit.rlim_max, files)
    set(RLIMIT_NOFILE, limit)
  }

  #if canImport(Glibc)
    private static func get(_ resource: __rlimit_resource, _ limit: inout rlimit) -> Bool {
      getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0
    }

    private static func set(_ resource: __rlimit_resource, _ limit: rlimit) {
      withUnsafePointer(to: limit) { _ = setrlimit(__rlimit_resource_t(resource.rawValue), $0) }
    }
  #else
    private static func get(_ resource: Int32, _ limit: inout rlimit) -> Bool { getrlimit(resource, &limit) == 0 }

    private static func set(_ resource: Int32, _ limit: rlimit) {
      withUnsafePointer(to: limit) { _ = setrlimit(resource, $0) }
    }
  #endif
}
