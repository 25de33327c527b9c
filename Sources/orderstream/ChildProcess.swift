import OrderStreamCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Another process of this program. It is killed when its owner lets go of it.
struct ChildProcess: ~Copyable {
  /// How long a child that was asked to end may take.
  private static let endLimit = Duration.seconds(5)
  private static let step = Duration.milliseconds(10)

  private let pid: pid_t
  /// The end of the child's stdin: a child that reads it learns when this process is gone.
  private let input: Int32
  private var hasEnded = false

  /// Starts it. Its stderr is that of this process.
  /// - Parameter output: the descriptor that becomes its stdout; `nil`: nobody reads it.
  /// - Throws: `temporary` when the system starts no more processes.
  init(_ arguments: [String], output: Int32? = nil) throws(CommandError) {
    let stdin = try ChildPipe()
    defer { close(stdin.read) }
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #else
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, stdin.read, 0)
    if let output {
      posix_spawn_file_actions_adddup2(&actions, output, 1)
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    }
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let words = (["orderstream"] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var started: pid_t = 0
    let code = posix_spawn(&started, Self.path, &actions, &attributes, words + [nil], environ)
    guard code == 0 else {
      close(stdin.write)
      throw Self.failure(code)
    }
    pid = started
    input = stdin.write
  }

  deinit {
    close(input)
    guard !hasEnded else { return }
    kill(pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
  }

  /// The file of this program, also when another one has taken its name.
  private static var path: String {
    #if canImport(Darwin)
      var size: UInt32 = 0
      _NSGetExecutablePath(nil, &size)
      var bytes = [CChar](repeating: 0, count: Int(size))
      _NSGetExecutablePath(&bytes, &size)
      return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    #else
      return "/proc/self/exe"
    #endif
  }

  private static func failure(_ code: Int32) -> CommandError {
    CommandError(
      .temporary, "cannot start another process of orderstream", why: FileDescriptor.message(code),
      remedy: "end other processes, or raise the limits of this one (ulimit -u, ulimit -n)")
  }

  /// Whether it goes on.
  mutating func isRunning() -> Bool {
    if hasEnded { return false }
    var status: Int32 = 0
    if waitpid(pid, &status, WNOHANG) == pid { hasEnded = true }
    return !hasEnded
  }

  /// Kills it, as the death of a process is: nothing is given back.
  mutating func die() {
    kill(pid, SIGKILL)
    var status: Int32 = 0
    while !hasEnded, waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    hasEnded = true
  }

  /// Asks it to end, and kills it when that takes too long.
  mutating func end(_ time: any TimeSource) {
    guard isRunning() else { return }
    kill(pid, SIGTERM)
    let limit = time.monotonicNanoseconds + Self.endLimit.nanoseconds
    while isRunning() {
      if time.monotonicNanoseconds >= limit { return die() }
      // A clock of its own: a request to stop does not shorten this.
      SystemTime().sleep(Self.step)
    }
  }
}

/// A pipe whose ends no child inherits by itself. Whoever makes it closes them.
struct ChildPipe {
  let read: Int32
  let write: Int32

  /// - Throws: `io` when no more files may be open.
  init() throws(CommandError) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else {
      throw CommandError(
        .io, "cannot make a pipe", why: FileDescriptor.message(errno), remedy: "raise the limit (ulimit -n)")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (read, write) = (ends[0], ends[1])
  }
}
