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

  /// What a command takes beside its code, at its limits: batches, buffers, SQLite's and librdkafka's own.
  private static let memoryOfCommand = 96 << 20
  /// What one more member of a group takes beside the stacks of its threads.
  private static let memoryOfMember = 8 << 20

  /// What one member of a group takes in threads and open files. A member on a cluster has three clients of librdkafka,
  /// with threads of their own for each broker, and waits for connections that it has no room for instead of telling.
  private struct Needs {
    var threads: Int
    /// 0 where the back end itself tells that there is no room.
    var files: Int

    init(_ brokers: BrokerSpec) {
      switch brokers {
      case .embedded: (threads, files) = (2, 0)
      case .kafka: (threads, files) = (24, 42)
      }
    }
  }

  /// What is said before anything is made, because it can only be found out the hard way later.
  /// - Parameter members: of a group that this process runs.
  /// - Throws: `io` for open files, `temporary` for memory.
  static func check(for brokers: BrokerSpec, members: Int = 1) throws(CommandError) {
    let needs = Needs(brokers)
    let advice = members > 1 ? ", or take fewer --consumers" : ""
    var files = rlimit()
    // What a process has open at its start, and its own look at the cluster.
    let neededFiles = needs.files == 0 ? 0 : needs.files * members + 20
    if get(RLIMIT_NOFILE, &files), files.rlim_cur < rlim_t(neededFiles) {
      throw CommandError(
        .io, "cannot start", why: "\(files.rlim_cur) open files are allowed and \(neededFiles) may be needed",
        remedy: "raise the limit (ulimit -n)\(advice)")
    }
    try checkMemory(threads: needs.threads * members, members: members, advice)
  }

  /// An allocation that fails ends a program of Swift at once.
  private static func checkMemory(threads: Int, members: Int, _ advice: String) throws(CommandError) {
    var limit = rlimit()
    guard get(RLIMIT_AS, &limit), limit.rlim_cur != unlimited else { return }
    shareHeap()
    var stack = rlimit()
    let stackBytes = get(RLIMIT_STACK, &stack) && stack.rlim_cur < 1 << 30 ? Int(stack.rlim_cur) : 8 << 20
    // The first two stacks are in what every command takes.
    let needed = memoryOfCommand + (members - 1) * memoryOfMember + (threads - 2) * stackBytes
    let trial = mmap(nil, needed, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0)
    guard trial != MAP_FAILED else {
      throw CommandError(
        .temporary, "cannot start",
        why: "the address space of this process is limited to \(limit.rlim_cur >> 10) kB, and \(needed >> 20) MB more "
          + "than it has now may be needed",
        remedy: "raise the limit (ulimit -v)\(advice)")
    }
    munmap(trial, needed)
  }

  /// Each thread has a heap of its own in glibc, which takes 64 MB of address space whatever is in it.
  private static func shareHeap() {
    #if canImport(Glibc)
      typealias SetOption = @convention(c) (Int32, Int32) -> Int32
      // Of malloc.h, which Swift does not import.
      let mostArenas: Int32 = -8
      if let symbol = dlsym(nil, "mallopt") { _ = unsafeBitCast(symbol, to: SetOption.self)(mostArenas, 1) }
    #endif
  }

  /// Gives back to the system what the heap has and nobody uses, before a part of a run that needs as much for itself.
  static func releaseFreeMemory() {
    #if canImport(Glibc)
      typealias Trim = @convention(c) (Int) -> Int32
      // Of malloc.h, which Swift does not import.
      if let symbol = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(symbol, to: Trim.self)(0) }
    #endif
  }

  #if canImport(Glibc)
    /// `RLIM_INFINITY`, which Swift does not import.
    private static let unlimited = rlim_t.max
  #else
    private static let unlimited = rlim_t(bitPattern: Int64.max)
  #endif

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
