import OrderStreamCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What signals do to this process. The first SIGINT or SIGTERM requests a stop and is remembered; the second one exits
/// at once. SIGPIPE and SIGXFSZ are ignored, so that a closed pipe and a file size limit are errors of `write`.
enum Signals {
  // The handler touches nothing but these two words and `_exit`: all of it may run between any two instructions.
  private static let received = Atomic<Int32>(0)
  private static let flag = Atomic<UInt>(0)

  /// Installs the handlers; once a process, on the main thread. An inherited "ignore" (a background job of a script) is
  /// replaced, because such a job must be stoppable too.
  static func install(stop: StopFlag) {
    ignoreWriteSignals()
    // Kept for ever: a signal may come at any time.
    flag.store(UInt(bitPattern: Unmanaged.passRetained(stop).toOpaque()), ordering: .releasing)
    received.store(0, ordering: .releasing)
    signal(SIGINT, handler)
    signal(SIGTERM, handler)
    // A parent may have left them blocked.
    var mask = sigset_t()
    sigemptyset(&mask)
    sigaddset(&mask, SIGINT)
    sigaddset(&mask, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &mask, nil)
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
    _ = write(2, line.utf8Start, line.utf8CodeUnitCount)
    _exit(ExitCode.software.rawValue)
  }

  /// The code of the signal that requested a stop, `nil` when none came.
  static var exitCode: ExitCode? {
    switch received.load(ordering: .acquiring) {
    case 0: nil
    case SIGINT: .interrupted
    default: .terminated
    }
  }

  private static let handler: @convention(c) (Int32) -> Void = { number in
    let saved = errno
    if received.exchange(number, ordering: .acquiringAndReleasing) != 0 { _exit(128 + number) }
    if let pointer = UnsafeRawPointer(bitPattern: flag.load(ordering: .acquiring)) {
      Unmanaged<StopFlag>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.request() }
    }
    errno = saved
  }
}
