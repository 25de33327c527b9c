import OrderStreamCore
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@testable import orderstream

@Suite("The terminal and the streams")
struct TerminalTests {
  /// A clock that stands until it is moved.
  final class ManualTime: TimeSource {
    private let now = Atomic<Int64>(5_000_000_000)
    var monotonicNanoseconds: Int64 { now.load(ordering: .relaxed) }
    var wallMilliseconds: Int64 { 0 }
    func sleep(_ duration: Duration) { now.add(duration.nanoseconds, ordering: .relaxed) }
  }

  /// A pipe whose reader takes what is there.
  struct OutputPipe {
    let reader: Int32
    let writer: Int32

    init() throws {
      var ends: [Int32] = [0, 0]
      try #require(pipe(&ends) == 0)
      (reader, writer) = (ends[0], ends[1])
      _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    }

    var text: String {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      let count = bytes.withUnsafeMutableBytes { FileDescriptor.read(reader, $0) }
      return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }
  }

  /// A terminal hands bytes over piece by piece: reads until there are as many, or for 10 s.
  private func received(from descriptor: Int32, count: Int) -> String {
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1024)
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while text.count < count, poll(&request, 1, 10_000) == 1 {
      let got = chunk.withUnsafeMutableBytes { FileDescriptor.read(descriptor, $0) }
      if got <= 0 { break }
      text += chunk[..<got]
    }
    return String(decoding: text, as: UTF8.self)
  }

  @Test func theResultGoesToStdoutAndTheRestToStderr() throws {
    let (output, errors) = (try OutputPipe(), try OutputPipe())
    let console = Console(output: output.writer, errors: errors.writer, environment: { _ in nil })
    try console.write("result\n")
    console.note("a\u{1b}b")
    console.warning("w")
    console.report(.usage("x", why: "y", remedy: "z"))
    #expect(output.text == "result\n")
    #expect(
      errors.text
        == "note: a\\x1bb\nwarning: w\nerror: x: y; z\n  run 'orderstream --help' to see what it takes\n")
  }

  @Test func quietDropsNotesAndNothingElse() throws {
    let errors = try OutputPipe()
    let console = Console(output: errors.writer, errors: errors.writer, quiet: true, environment: { _ in nil })
    console.note("n")
    console.warning("w")
    #expect(errors.text == "warning: w\n")
  }

  @Test func aClosedStdoutIsSilentAndAClosedStderrIsIgnored() throws {
    Signals.ignoreWriteSignals()
    let (output, errors) = (try OutputPipe(), try OutputPipe())
    close(output.reader)
    let console = Console(output: output.writer, errors: errors.writer, environment: { _ in nil })
    let error = #expect(throws: CommandError.self) { try console.write("x") }
    #expect(error?.code == .pipe)
    if let error { console.report(error) }
    #expect(errors.text.isEmpty)
    close(errors.reader)
    console.note("nobody reads this")
    #expect(throws: CommandError.closedOutput) { try Console(output: -1).write("x") }
  }

  #if os(Linux)
    @Test func aFullDiskBehindStdoutIsAnInputOutputError() throws {
      let descriptor = open("/dev/full", O_WRONLY)
      defer { close(descriptor) }
      let error = #expect(throws: CommandError.self) { try Console(output: descriptor).write("x") }
      #expect(error?.code == .io)
    }
  #endif

  @Test func bufferedOutputWritesInBulk() throws {
    let output = try OutputPipe()
    let buffered = BufferedOutput(Console(output: output.writer, environment: { _ in nil }))
    buffered.buffer.append("line\n")
    try buffered.lineDone()
    #expect(output.text.isEmpty)
    try buffered.flush()
    #expect(output.text == "line\n" && buffered.buffer.isEmpty)
  }

  @Test func colorFollowsTheFlagThenTheEnvironmentThenTheTerminal() {
    func isColored(_ policy: ColorPolicy, _ terminal: Bool, _ environment: [String: String]) -> Bool {
      policy.isColored(terminal: terminal, environment: environment.lookup)
    }
    #expect(isColored(.always, false, ["NO_COLOR": "1"]))
    #expect(!isColored(.never, true, ["CLICOLOR_FORCE": "1", "TERM": "xterm"]))
    #expect(isColored(.auto, true, ["TERM": "xterm"]))
    #expect(!isColored(.auto, true, ["TERM": "xterm", "NO_COLOR": "1"]))
    #expect(isColored(.auto, true, ["TERM": "xterm", "NO_COLOR": ""]))
    #expect(!isColored(.auto, true, ["TERM": "dumb"]))
    #expect(!isColored(.auto, true, [:]))
    #expect(!isColored(.auto, false, ["TERM": "xterm"]))
    #expect(isColored(.auto, false, ["CLICOLOR_FORCE": "1"]))
    #expect(!isColored(.auto, false, ["CLICOLOR_FORCE": "0"]))
    #expect(Style(isColored: true).red("x") == "\u{1b}[31mx\u{1b}[0m" && Style.plain.red("x") == "x")
  }

  @Test func whatCouldFoolATerminalIsEscaped() {
    #expect(TerminalText.escaped("plain äöü 漢字 👩‍👩‍👧") == "plain äöü 漢字 👩‍👩‍👧")
    #expect(TerminalText.escaped("a\tb\r\n") == #"a\tb\r\n"#)
    #expect(TerminalText.escaped("a\tb\n\u{7}", multiline: true) == "a\tb\n\\x07")
    #expect(TerminalText.escaped("\u{1b}[2J\u{7f}") == #"\x1b[2J\x7f"#)
    #expect(TerminalText.escaped("\u{9b}31m") == #"\u{009b}31m"#)
    #expect(
      TerminalText.escaped("\u{202e}\u{2066}\u{200f}\u{2028}\u{e0041}") == #"\u{202e}\u{2066}\u{200f}\u{2028}\u{e0041}"#
    )
  }

  @Test func bytesThatAreNoUTF8AreEscapedOneByOne() {
    func escaped(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { TerminalText.escaped($0) } }
    #expect(escaped(Array("aé漢👍\n".utf8)) == "aé漢👍\\n")
    #expect(escaped([0x61, 0xFF, 0x62]) == #"a\xffb"#)
    #expect(escaped([0xE2, 0x82]) == #"\xe2\x82"#)
    #expect(escaped([0xC0, 0x80]) == #"\xc0\x80"#)
    #expect(escaped([0xED, 0xA0, 0x80]) == #"\xed\xa0\x80"#)
    #expect(escaped([0xF4, 0x90, 0x80, 0x80]) == #"\xf4\x90\x80\x80"#)
    #expect(escaped([]) == "")
  }

  @Test func plainProgressIsALineASecondAfterTheFirstSecond() throws {
    let errors = try OutputPipe()
    let time = ManualTime()
    let console = Console(output: errors.writer, errors: errors.writer, environment: { _ in nil })
    let progress = Progress(.plain, console: console, time: time)
    for step in 0..<45 {
      progress.update { "step \(step)" }
      time.sleep(.milliseconds(50))
    }
    progress.finish()
    #expect(errors.text == "step 20\nstep 40\n")
  }

  @Test func progressIsSilentWhenQuietOrNoneOrNotOnATerminal() throws {
    let errors = try OutputPipe()
    let loud = Console(output: errors.writer, errors: errors.writer, environment: { _ in nil })
    let quiet = Console(output: errors.writer, errors: errors.writer, quiet: true, environment: { _ in nil })
    #expect(ProgressPolicy.auto.manner(on: loud) == .plain)
    #expect(ProgressPolicy.none.manner(on: loud) == .silent)
    #expect(ProgressPolicy.plain.manner(on: quiet) == .silent)
    #expect(ProgressPolicy.plain.manner(on: loud) == .plain)
  }

  @Test func onATerminalOneLineIsRedrawnAtMostTenTimesASecond() throws {
    var (main, terminal): (Int32, Int32) = (-1, -1)
    try #require(openpty(&main, &terminal, nil, nil, nil) == 0)
    defer { close(terminal) }
    let time = ManualTime()
    let console = Console(output: terminal, errors: terminal, environment: ["TERM": "xterm", "COLUMNS": "6"].lookup)
    #expect(console.errorIsTerminal && console.outputIsTerminal && console.canRedraw && console.errorStyle.isColored)
    let progress = Progress(.auto, console: console, time: time)
    for step in 100..<124 {
      progress.update { "step \(step)" }
      time.sleep(.milliseconds(50))
    }
    console.writeError("x")
    progress.finish()
    // Steps 120 and 122, cut to five columns; then the line goes away for other text.
    let expected = "\r\u{1b}[Kstep \r\u{1b}[Kstep \r\u{1b}[Kx"
    #expect(received(from: main, count: expected.utf8.count) == expected)
    close(main)
  }
}
