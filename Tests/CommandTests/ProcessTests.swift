import OrderStreamCore
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@testable import orderstream

@Suite("Signals, clocks and logs")
struct ProcessTests {
  @Test func theFirstSignalRequestsAStopAndIsRemembered() async {
    await #expect(processExitsWith: .exitCode(130)) {
      let stop = StopFlag()
      Signals.install(stop: stop)
      precondition(!stop.isRequested && Signals.exitCode == nil, "nothing has happened yet")
      raise(SIGINT)
      precondition(stop.isRequested, "the first signal requests a stop")
      exit(Signals.exitCode?.rawValue ?? 0)
    }
    await #expect(processExitsWith: .exitCode(143)) {
      let stop = StopFlag()
      Signals.install(stop: stop)
      raise(SIGTERM)
      exit(stop.isRequested ? Signals.exitCode?.rawValue ?? 0 : 0)
    }
  }

  @Test func theSecondSignalExitsAtOnce() async {
    await #expect(processExitsWith: .exitCode(143)) {
      Signals.install(stop: StopFlag())
      raise(SIGINT)
      raise(SIGTERM)
      exit(0)
    }
  }

  @Test func aClosedPipeIsNoDeath() async {
    await #expect(processExitsWith: .exitCode(0)) {
      Signals.install(stop: StopFlag())
      raise(SIGPIPE)
      raise(SIGXFSZ)
      exit(0)
    }
  }

  @Test func closedStandardStreamsAreFilledSoThatNoFileTakesTheirPlace() async {
    await #expect(processExitsWith: .exitCode(141)) {
      close(0)
      close(1)
      FileDescriptor.secureStandardStreams()
      precondition(open("/dev/null", O_RDONLY) > 2, "numbers 0 to 2 are taken")
      do throws(CommandError) { try Console().write("x") } catch { exit(error.code.rawValue) }
      exit(0)
    }
  }

  @Test func theClocksOfTheMachineAdvance() {
    let time = SystemTime()
    let (start, wall) = (time.monotonicNanoseconds, time.wallMilliseconds)
    time.sleep(.milliseconds(5))
    #expect(time.monotonicNanoseconds - start >= 5_000_000)
    #expect(wall > 1_700_000_000_000)
  }

  @Test func aRequestToStopEndsASleep() {
    let stop = StopFlag()
    stop.request()
    let time = SystemTime(stop: stop)
    let start = time.monotonicNanoseconds
    time.sleep(.seconds(3600))
    #expect(time.monotonicNanoseconds - start < 60_000_000_000)
  }

  @Test func logLinesGoToStderrFromTheirLevelUp() async {
    await #expect(processExitsWith: .success) {
      var ends: [Int32] = [0, 0]
      precondition(pipe(&ends) == 0, "a pipe can be made")
      let console = Console(output: ends[1], errors: ends[1], environment: { _ in nil })
      let log: any LogSink = ConsoleLog(console: console, level: .notice)
      log.log(.info, "too low")
      log.log(.notice, "a\nb")
      log.log(.error, "c")
      var bytes = [UInt8](repeating: 0, count: 1000)
      let count = bytes.withUnsafeMutableBytes { FileDescriptor.read(ends[0], $0) }
      let text = String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
      precondition(text == "notice: a\\nb\nerror: c\n", "levels are kept and lines are escaped: \(text)")
    }
  }
}
