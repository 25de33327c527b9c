import OrderStreamCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What signals do to this process. The first SIGINT, SIGTERM or SIGHUP requests a stop and is remembered; the second one
/// exits at once, and so do 4.7 s without an end: a broker that does not answer keeps nobody. SIGPIPE and SIGXFSZ are
/// ignored, so that a closed pipe and a file size limit are errors of `write`.
enum Signals {
  // The handlers touch nothing but these words, a timer, `write` and `_exit`: all of it may run between any two
  // instructions.
  private static let received = Atomic<Int32>(0)
  private static let flag = Atomic<UInt>(0)
  /// The code of the error that was reported, which is the last that a command does but close.
  private static let reported = Atomic<Int32>(0)

  /// Installs the handlers; once a process, on the main thread. An inherited "ignore" (a background job of a script) is
  /// replaced, because such a job must be stoppable too; but that of SIGHUP is what `nohup` is for.
  static func install(stop: StopFlag) {
    ignoreWriteSignals()
    // Kept for ever: a signal may come at any time.
    flag.store(UInt(bitPattern: Unmanaged.passRetained(stop).toOpaque()), ordering: .releasing)
    received.store(0, ordering: .releasing)
    signal(SIGINT, handler)
    signal(SIGTERM, handler)
    var inherited = sigaction()
    if sigaction(SIGHUP, nil, &inherited) != 0 || !isIgnored(inherited) { signal(SIGHUP, handler) }
    signal(SIGALRM, deadlineHandler)
    // A parent may have left them blocked.
    var mask = sigset_t()
    sigemptyset(&mask)
    sigaddset(&mask, SIGINT)
    sigaddset(&mask, SIGTERM)
    sigaddset(&mask, SIGHUP)
    sigaddset(&mask, SIGALRM)
    pthread_sigmask(SIG_UNBLOCK, &mask, nil)
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    #if canImport(Darwin)
      let handler = action.__sigaction_u.__sa_handler
    #else
      let handler = action.__sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Writing to a closed pipe or beyond a limit is an error, never a death.
  static func ignoreWriteSignals() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  /// A trap or a bad access is a bug of this program: one line and exit 70 instead of a stack trace. With
  /// `SWIFT_BACKTRACE` set, a developer gets the trace.
  static func reportCrashes() {
    if getenv("SWIFT_BACKTRACE") != nil { return }
    for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT] { signal(number, crashHandler) }
  }

  private static let crashHandler: @convention(c) (Int32) -> Void = { _ in
    let line: StaticString =
      "error: internal bug: the program stopped itself to protect its data; set SWIFT_BACKTRACE=enable=yes, run again and report the trace\n"
    Display.restoreTerminal()
    _ = write(2, line.utf8Start, line.utf8CodeUnitCount)
    _exit(ExitCode.software.rawValue)
  }

  /// The code of the signal that requested a stop, `nil` when none came.
  static var exitCode: ExitCode? {
    switch received.load(ordering: .acquiring) {
    case 0: nil
    case SIGINT: .interrupted
    case SIGHUP: .hungUp
    default: .terminated
    }
  }

  /// The name of the signal that requested a stop, `nil` when none came.
  static var name: String? {
    switch received.load(ordering: .acquiring) {
    case 0: nil
    case SIGINT: "SIGINT"
    case SIGHUP: "SIGHUP"
    default: "SIGTERM"
    }
  }

  private static let handler: @convention(c) (Int32) -> Void = { number in
    let saved = errno
    if received.exchange(number, ordering: .acquiringAndReleasing) != 0 {
      Display.restoreTerminal()
      _exit(128 + number)
    }
    if let pointer = UnsafeRawPointer(bitPattern: flag.load(ordering: .acquiring)) {
      Unmanaged<StopFlag>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.request() }
    }
    var once = itimerval(it_interval: timeval(), it_value: timeval(tv_sec: 4, tv_usec: 700_000))
    #if canImport(Glibc)
      setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &once, nil)
    #else
      setitimer(ITIMER_REAL, &once, nil)
    #endif
    errno = saved
  }

  /// The command has said what went wrong; if closing takes too long after that, this is the exit code.
  static func noteReport(_ code: ExitCode) { reported.store(code.rawValue, ordering: .releasing) }

  private static let deadlineHandler: @convention(c) (Int32) -> Void = { _ in
    Display.restoreTerminal()
    let code = reported.load(ordering: .acquiring)
    if code != 0 { _exit(code) }
    let line: StaticString =
      "error: cannot end in order: no answer from the broker or the disk within 5 s of the signal; nothing acknowledged or committed is lost, run again\n"
    _ = write(2, line.utf8Start, line.utf8CodeUnitCount)
    _exit(128 + received.load(ordering: .acquiring))
  }
}
