import OrderStreamCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The two output streams. stdout has the result and nothing else; stderr has notes, progress, logs and errors.
///
/// May be used from any thread. What stands on the terminal to be drawn over is the `display`'s.
final class Console: Sendable {
  /// Whether stdout is a terminal in the sense of charts and views: a tty, no `TERM=dumb`, no `CI`.
  let outputIsScreen: Bool
  /// Likewise stderr.
  let errorIsScreen: Bool
  let outputIsTerminal: Bool
  let errorIsTerminal: Bool
  let outputStyle: Style
  let errorStyle: Style
  /// `-q`: no notes and no progress.
  let isQuiet: Bool
  let display: Display

  private let output: Int32
  private let errors: Int32
  private let environment: Environment
  private let firstReported = Mutex<CommandError?>(nil)

  init(
    output: Int32 = 1, errors: Int32 = 2, color: ColorPolicy = .auto, progress: ProgressPolicy = .auto,
    quiet: Bool = false, environment: @escaping Environment = ProcessEnvironment.lookup,
    time: any TimeSource = SystemTime()
  ) {
    self.output = output
    self.errors = errors
    self.environment = environment
    isQuiet = quiet
    let isScreen = environment("CI").map { $0.isEmpty } ?? true
    let kind = environment("TERM") ?? ""
    let canDraw = isScreen && !kind.isEmpty && kind != "dumb"
    outputIsTerminal = FileDescriptor.isTerminal(output)
    errorIsTerminal = FileDescriptor.isTerminal(errors)
    outputIsScreen = outputIsTerminal && canDraw
    errorIsScreen = errorIsTerminal && canDraw
    outputStyle = Style(isColored: color.isColored(terminal: outputIsTerminal, environment: environment))
    errorStyle = Style(isColored: color.isColored(terminal: errorIsTerminal, environment: environment))
    let manner: Display.Manner =
      quiet || progress == .none ? .silent : progress == .auto && errorIsScreen ? .redrawn : .logged
    display = Display(
      output: output, errors: errors, errorIsTerminal: errorIsTerminal, manner: manner, style: outputStyle,
      environment: environment, time: time)
  }

  convenience init(_ options: CommonOptions) {
    self.init(color: options.color, progress: options.progress, quiet: options.quiet)
  }

  /// The terminal behind stdout; `nil` where it is none that charts are for.
  var screen: Screen? { outputIsScreen ? Screen(of: output, environment: environment) : nil }

  /// What can be shown on stderr; `nil` where it is no terminal to draw on.
  var errorScreen: Screen? { errorIsScreen ? Screen(of: errors, environment: environment) : nil }

  /// Writes to stdout, unbuffered: hand over lines in bulk.
  /// - Throws: `pipe` when stdout was closed (say nothing, exit 141), `io` when it cannot be written.
  func write(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
    if outputIsTerminal { display.clear() }
    switch FileDescriptor.writeAll(output, bytes, mayGiveUp: { Signals.exitCode != nil }) {
    case 0: return
    case ECANCELED: throw CommandError.abandonedOutput
    case EPIPE, EBADF: throw CommandError.closedOutput
    case let code:
      throw CommandError(
        .io, "cannot write to stdout", why: FileDescriptor.message(code),
        remedy: "make room or send it somewhere else")
    }
  }

  func write(_ text: String) throws(CommandError) {
    let buffer = ByteBuffer(capacity: text.utf8.count)
    buffer.append(text)
    try write(buffer)
  }

  func write(_ buffer: ByteBuffer) throws(CommandError) { try write(buffer.bytes) }

  /// Writes a text for people to stdout. Reports quote records, and a terminal would obey their control characters.
  /// - Parameter wraps: Whether a screen has long lines broken between words.
  func write(_ report: ReportText, wraps: Bool) throws(CommandError) {
    let columns = wraps ? screen?.columns : nil
    try write(outputStyle.bytes(of: report, escapes: outputIsTerminal, columns: columns))
  }

  /// `note: <text>` on stderr; nothing under `-q`.
  func note(_ text: String) {
    if !isQuiet { writeMessage("note:", errorStyle.cyan, text) }
  }

  /// `warning: <text>` on stderr.
  func warning(_ text: String) {
    writeMessage("warning:", errorStyle.yellow, text)
  }

  /// The one line of an error, and its hint. Nothing when stdout was closed.
  /// - Parameter endsRun: `false` for an error that the run goes on after.
  func report(_ error: CommandError, endsRun: Bool = true) {
    if endsRun {
      firstReported.withLock { $0 = $0 ?? error }
      Signals.noteReport(error.code)
      display.end()
    }
    if error.isSilent { return }
    let line = error.description
    let colored = errorStyle.red("error:") + line.dropFirst("error:".count)
    writeError(error.hint.map { "\(colored)\n  \(TerminalText.escaped($0))\n" } ?? "\(colored)\n")
  }

  /// The first error that was reported as the end of a run.
  var endingError: CommandError? { firstReported.withLock { $0 } }

  /// Errors of one kind that are named one by one; more are counted.
  static let namedErrors: Int64 = 20

  /// The line that stands for the errors of a kind that were not named.
  func reportMore(_ count: Int64, _ what: String) {
    writeError("\(errorStyle.red("error:")) \(count) more \(what)\n")
  }

  /// A line that begins with its kind; on a screen it goes on below, between words.
  private func writeMessage(_ kind: String, _ paint: (String) -> String, _ text: String) {
    let line = "\(kind) \(TerminalText.escaped(text))"
    let columns = errorIsScreen ? Screen(of: errors, environment: environment).columns : .max
    let parts = TerminalText.wrapped(line, columns: columns, indent: 2).map {
      String(repeating: " ", count: $0.indent) + line[$0.range]
    }
    writeError(paint(kind) + parts.joined(separator: "\n").dropFirst(kind.count) + "\n")
  }

  /// A line of a log, already with its level.
  func logLine(_ text: String) { writeError("\(TerminalText.escaped(text))\n") }

  /// Text for stderr as it is. A closed stderr is nobody's error.
  func writeError(_ text: String) { display.writeError(text) }
}

/// stdout for many small lines: collects them and writes 64 KiB at a time. Used by one thread; flush before the end,
/// and whenever a reader waits for what is there.
final class BufferedOutput {
  static let flushBytes = 64 << 10

  /// Append lines here, then call `lineDone`.
  let buffer = ByteBuffer(capacity: flushBytes)
  private let console: Console

  init(_ console: Console) {
    self.console = console
  }

  /// Writes when enough has come together.
  func lineDone() throws(CommandError) {
    if buffer.count >= Self.flushBytes { try flush() }
  }

  func flush() throws(CommandError) {
    defer { buffer.removeAll() }
    if !buffer.isEmpty { try console.write(buffer) }
  }
}

/// Core's log port: writes the lines of the back ends to stderr from a level up, `warning: <message>`.
struct ConsoleLog: LogSink {
  let console: Console
  let level: LogLevel

  func log(_ level: LogLevel, _ message: String) {
    if level >= self.level { console.logLine("\(level): \(message)") }
  }
}
