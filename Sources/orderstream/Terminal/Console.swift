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
/// May be used from any thread. A progress line on the terminal is taken away before anything else is written.
final class Console: Sendable {
  let outputIsTerminal: Bool
  let errorIsTerminal: Bool
  let errorStyle: Style
  /// `-q`: no notes and no progress.
  let isQuiet: Bool

  private let output: Int32
  private let errors: Int32
  private let environment: Environment
  /// Whether a progress line stands on the terminal.
  private let showsProgress = Mutex(false)

  init(
    output: Int32 = 1, errors: Int32 = 2, color: ColorPolicy = .auto, quiet: Bool = false,
    environment: @escaping Environment = ProcessEnvironment.lookup
  ) {
    self.output = output
    self.errors = errors
    self.environment = environment
    isQuiet = quiet
    outputIsTerminal = FileDescriptor.isTerminal(output)
    errorIsTerminal = FileDescriptor.isTerminal(errors)
    errorStyle = Style(
      isColored: color.isColored(terminal: errorIsTerminal, environment: environment))
  }

  convenience init(_ options: CommonOptions) {
    self.init(color: options.color, quiet: options.quiet)
  }

  /// Whether the terminal behind stderr can redraw a line.
  var canRedraw: Bool { errorIsTerminal && environment("TERM").map { $0 != "dumb" } ?? false }

  /// Columns of the terminal behind stderr.
  var errorColumns: Int { TerminalWidth.columns(of: errors, environment: environment) }

  /// Writes to stdout, unbuffered: hand over lines in bulk.
  /// - Throws: `pipe` when stdout was closed (say nothing, exit 141), `io` when it cannot be written.
  func write(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
    if outputIsTerminal { eraseProgress() }
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

  /// `note: <text>` on stderr; nothing under `-q`.
  func note(_ text: String) {
    if !isQuiet { writeError("\(errorStyle.cyan("note:")) \(TerminalText.escaped(text))\n") }
  }

  /// `warning: <text>` on stderr.
  func warning(_ text: String) {
    writeError("\(errorStyle.yellow("warning:")) \(TerminalText.escaped(text))\n")
  }

  /// The one line of an error, and its hint. Nothing when stdout was closed.
  /// - Parameter endsRun: `false` for an error that the run goes on after.
  func report(_ error: CommandError, endsRun: Bool = true) {
    if endsRun { Signals.noteReport(error.code) }
    if error.isSilent { return }
    let line = error.description
    let colored = errorStyle.red("error:") + line.dropFirst("error:".count)
    writeError(error.hint.map { "\(colored)\n  \(TerminalText.escaped($0))\n" } ?? "\(colored)\n")
  }

  /// Errors of one kind that are named one by one; more are counted.
  static let namedErrors: Int64 = 20

  /// The line that stands for the errors of a kind that were not named.
  func reportMore(_ count: Int64, _ what: String) {
    writeError("\(errorStyle.red("error:")) \(count) more \(what)\n")
  }

  /// A line of a log, already with its level.
  func logLine(_ text: String) { writeError("\(TerminalText.escaped(text))\n") }

  /// Text for stderr as it is, such as a chart. A closed stderr is nobody's error.
  func writeError(_ text: String) {
    showsProgress.withLock { shown in
      send(shown ? "\r\u{1b}[K\(text)" : text)
      shown = false
    }
  }

  /// Draws the progress line over the one before. Only where `canRedraw`.
  func drawProgress(_ line: String) {
    let fitting = String(TerminalText.escaped(line).prefix(max(errorColumns - 1, 1)))
    showsProgress.withLock { shown in
      send("\r\u{1b}[K\(fitting)")
      shown = true
    }
  }

  func eraseProgress() {
    showsProgress.withLock { shown in
      if shown { send("\r\u{1b}[K") }
      shown = false
    }
  }

  private func send(_ text: String) {
    var text = text
    _ = text.withUTF8 { FileDescriptor.writeAll(errors, UnsafeRawBufferPointer($0)) }
  }
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
