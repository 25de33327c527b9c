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

  private func console(_ policy: ProgressPolicy, _ errors: OutputPipe, _ time: ManualTime, quiet: Bool = false)
    -> Console
  {
    Console(
      output: errors.writer, errors: errors.writer, progress: policy, quiet: quiet, environment: { _ in nil },
      time: time)
  }

  @Test func plainProgressIsALineASecondAfterTheFirstSecond() throws {
    let errors = try OutputPipe()
    let time = ManualTime()
    let console = console(.plain, errors, time)
    let progress = Progress("work", console: console, time: time)
    for step in 1...9 as ClosedRange<Int64> {
      time.sleep(.milliseconds(250))
      progress.update(step * 25, of: 1000)
      console.display.tick()
    }
    progress.finish()
    console.display.end()
    #expect(
      errors.text.split(separator: "\n").map { $0.prefix(24) } == [
        "work: 10 %, 100 of 1,000", "work: 20 %, 200 of 1,000",
      ])
  }

  @Test func progressIsSilentWhenQuietOrNone() throws {
    let errors = try OutputPipe()
    let time = ManualTime()
    for console in [console(.none, errors, time), console(.plain, errors, time, quiet: true)] {
      let progress = Progress("work", console: console, time: time)
      time.sleep(.seconds(3))
      progress.update(1)
      console.display.tick()
      progress.finish()
    }
    #expect(errors.text.isEmpty)
  }

  @Test func theRateIsThatOfTheLastSecondsAndTheTimeLeftFollowsFromIt() throws {
    let time = ManualTime()
    let console = console(.none, try OutputPipe(), time)
    let progress = Progress("work", console: console, time: time)
    for step in 1...40 as ClosedRange<Int64> {
      time.sleep(.milliseconds(250))
      progress.update(step * 1000, of: 200_000)
    }
    #expect(progress.rate == 4000)
    #expect(progress.line(on: nil) == "work: 20 %, 40,000 of 200,000, 4,000/s, 40 s left")
    let screen = Screen(columns: 80, rows: 24, isUnicode: true)
    #expect(
      progress.line(on: screen) == "work  █████░░░░░░░░░░░░░░░░░░░░░  20 %  40,000 of 200,000  4,000/s  40 s left")
    let ascii = Screen(columns: 60, rows: 24, isUnicode: false)
    #expect(progress.line(on: ascii).hasPrefix("work  20 %") || progress.line(on: ascii).hasPrefix("work  ["))
    // Nothing comes for a while: the rate goes down to 0, and nobody knows how long the rest takes.
    time.sleep(.seconds(2))
    #expect(progress.rate < 3000)
    time.sleep(.seconds(4))
    #expect(progress.rate == 0 && progress.line(on: nil) == "work: 20 %, 40,000 of 200,000, 0/s")
    progress.update(40_000, detail: "lag 7")
    #expect(progress.line(on: screen) == "work  40,000 records  0/s  lag 7")
  }

  @Test func percentIsNeverAHundredBeforeTheEnd() {
    #expect(Progress.percent(999_999, of: 1_000_000) == "99 %" && Progress.percent(7, of: 7) == "100 %")
    #expect(Progress.percent(0, of: 7) == "0 %" && Progress.percent(0, of: 0) == "100 %")
    #expect(
      [59, 60, 200, 3600, 7500].map(Progress.seconds) == ["59 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min"])
  }

  @Test func onATerminalOneLineIsRedrawnAndGoesForOtherText() throws {
    var (main, terminal): (Int32, Int32) = (-1, -1)
    try #require(openpty(&main, &terminal, nil, nil, nil) == 0)
    defer { close(terminal) }
    let time = ManualTime()
    let console = Console(
      output: terminal, errors: terminal, environment: ["TERM": "xterm", "COLUMNS": "12"].lookup, time: time)
    #expect(console.errorIsScreen && console.outputIsScreen && console.errorStyle.isColored)
    let progress = Progress("work", console: console, time: time)
    console.display.tick()
    time.sleep(.seconds(1))
    progress.update(100)
    console.display.tick()
    console.writeError("x")
    progress.finish()
    // Cut to eleven columns; then the line goes away for other text.
    let expected = "\rwork  100 r\u{1b}[K\r\u{1b}[Kx"
    #expect(received(from: main, count: expected.utf8.count) == expected)
    console.display.end()
    close(main)
  }

  @Test(arguments: [["TERM": "dumb"], ["TERM": "xterm", "CI": "true"], [:]])
  func whereCIOrADumbTerminalIsSetThereIsNoScreen(environment: [String: String]) throws {
    var (main, terminal): (Int32, Int32) = (-1, -1)
    try #require(openpty(&main, &terminal, nil, nil, nil) == 0)
    defer {
      close(terminal)
      close(main)
    }
    let console = Console(output: terminal, errors: terminal, environment: environment.lookup)
    #expect(console.outputIsTerminal && !console.outputIsScreen && console.screen == nil && !console.errorIsScreen)
  }

  @Test func charactersAreUnicodeWhereTheLocaleIs() {
    func isUnicode(_ environment: [String: String]) -> Bool {
      Screen(of: -1, environment: environment.lookup).isUnicode
    }
    #expect(isUnicode(["LANG": "de_DE.UTF-8"]) && isUnicode(["LANG": "C", "LC_ALL": "C.utf8"]))
    #expect(!isUnicode(["LANG": "C"]) && !isUnicode([:]) && !isUnicode(["LC_ALL": "C", "LANG": "en_US.UTF-8"]))
    let screen = Screen(of: -1, environment: ["COLUMNS": "132", "LINES": "43"].lookup)
    #expect(screen.columns == 132 && screen.rows == 43 && Screen(of: -1, environment: { _ in nil }).columns == 80)
  }

  @Test func aLineThatIsTooLongGoesOnBetweenWordsUnderItsValue() {
    func wrapped(_ text: String, _ columns: Int, indent: Int = 2) -> [String] {
      TerminalText.wrapped(text, columns: columns, indent: indent).map {
        String(repeating: " ", count: $0.indent) + text[$0.range]
      }
    }
    #expect(wrapped("one two three", 80) == ["one two three"] && wrapped("", 80) == [""])
    #expect(wrapped("one two three", 8) == ["one two", "  three"])
    #expect(wrapped("  Label    one two three", 16, indent: 11) == ["  Label    one", "    two three"])
    #expect(wrapped("  Label    one two three", 24, indent: 11) == ["  Label    one two three"])
    #expect(wrapped("/some/long/path", 10) == ["/some/", "  long/", "  path"])
    #expect(wrapped("abcdefghij", 4) == ["abcd", "  ef", "  gh", "  ij"])
    let text = ReportText()
    text.append("  Result                     ")
    text.append("lag was still there when it ended", .bad)
    text.append("\n")
    let bytes = Style(isColored: true).bytes(of: text, escapes: true, columns: 60)
    #expect(
      String(decoding: bytes.bytes, as: UTF8.self)
        == "  Result                     \u{1b}[1;31mlag was still there when it\u{1b}[0m\n"
        + "                             \u{1b}[1;31mended\u{1b}[0m\n")
  }

  @Test func linesForAScreenAreCutByColumnsAndKeepTheirColours() {
    let text = ReportText()
    text.append("漢字漢字 red", .bad)
    text.append("\n\u{1b}[2J\nlast")
    let lines = Style(isColored: true).lines(of: text, columns: 9)
    #expect(lines == ["\u{1b}[1;31m漢字漢字 \u{1b}[0m", "\\x1b[2J", "last"])
    #expect(Style.plain.lines(of: text, columns: 5) == ["漢字", "\\x1b[", "last"])
  }
}
