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
  /// When the time of `--timeout` is over, on the monotonic clock; 0 without one.
  private static let limit = Atomic<Int64>(0)
  /// Whether the timer that runs is that of `--timeout`, of a run that has been asked to stop before.
  private static let isLimitArmed = Atomic<Bool>(false)
  /// The code of the error that was reported, which is the last that a command does but close.
  private static let reported = Atomic<Int32>(0)

  /// Bounds the run: when the time is over, it is stopped in order, as by a signal. `install` comes first.
  static func limit(to rest: Duration) {
    limit.store(SystemTime().monotonicNanoseconds.saturatingAdd(rest.nanoseconds), ordering: .releasing)
    armLimit(rest.nanoseconds)
  }

  private static func armLimit(_ nanoseconds: Int64) {
    let microseconds = max(1, nanoseconds / 1000)
    arm(timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: suseconds(microseconds % 1_000_000)))
  }

  #if canImport(Darwin)
    private static func suseconds(_ microseconds: Int64) -> Int32 { Int32(microseconds) }
  #else
    private static func suseconds(_ microseconds: Int64) -> Int { Int(microseconds) }
  #endif

  private static func arm(_ value: timeval) {
    var once = itimerval(it_interval: timeval(), it_value: value)
    #if canImport(Glibc)
      setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &once, nil)
    #else
      setitimer(ITIMER_REAL, &once, nil)
    #endif
  }

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

  /// The run has stopped what it was asked to stop, and ends with work that may take its time, up to `--timeout`; requests
  /// that come from here on are for that.
  static func goOn(stop: StopFlag) {
    arm(timeval())
    flag.store(UInt(bitPattern: Unmanaged.passRetained(stop).toOpaque()), ordering: .releasing)
    let end = limit.load(ordering: .acquiring)
    guard end > 0 else { return }
    isLimitArmed.store(true, ordering: .releasing)
    armLimit(end - SystemTime().monotonicNanoseconds)
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
    case SIGALRM: .temporary
    default: .terminated
    }
  }

  /// That of a run whose `--timeout` is over; `nil` while it is not, and after a signal.
  static var timeOut: ExitCode? { received.load(ordering: .acquiring) == SIGALRM ? .temporary : nil }

  /// The name of the signal that requested a stop, `nil` when none came.
  static var name: String? {
    switch received.load(ordering: .acquiring) {
    case 0: nil
    case SIGINT: "SIGINT"
    case SIGHUP: "SIGHUP"
    case SIGALRM: "--timeout"
    default: "SIGTERM"
    }
  }

  private static let handler: @convention(c) (Int32) -> Void = { number in
    let saved = errno
    if received.exchange(number, ordering: .acquiringAndReleasing) != 0 {
      Display.restoreTerminal()
      _exit(128 + number)
    }
    requestStop()
    errno = saved
  }

  /// Asks the run to stop, and gives it 4.7 s.
  private static func requestStop() {
    if let pointer = UnsafeRawPointer(bitPattern: flag.load(ordering: .acquiring)) {
      Unmanaged<StopFlag>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.request() }
    }
    arm(timeval(tv_sec: 4, tv_usec: 700_000))
  }

  /// The command has said what went wrong; if closing takes too long after that, this is the exit code.
  static func noteReport(_ code: ExitCode) { reported.store(code.rawValue, ordering: .releasing) }

  private static let deadlineHandler: @convention(c) (Int32) -> Void = { _ in
    let saved = errno
    // The time of `--timeout` is over.
    let isFirst = received.compareExchange(expected: 0, desired: SIGALRM, ordering: .acquiringAndReleasing).exchanged
    if isLimitArmed.exchange(false, ordering: .acquiringAndReleasing) || isFirst {
      received.store(SIGALRM, ordering: .releasing)
      requestStop()
      errno = saved
      return
    }
    Display.restoreTerminal()
    let code = reported.load(ordering: .acquiring)
    if code != 0 { _exit(code) }
    let line: StaticString =
      "error: cannot end in order: no answer from the broker or the disk within 5 s of the request to stop; nothing acknowledged or committed is lost, run again\n"
    _ = write(2, line.utf8Start, line.utf8CodeUnitCount)
    let number = received.load(ordering: .acquiring)
    _exit(number == SIGALRM ? ExitCode.temporary.rawValue : 128 + number)
  }
}
