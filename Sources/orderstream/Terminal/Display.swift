import Dispatch
import OrderStreamCore
import OrderStreamThreads
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What stands on the terminal while a command works, and is drawn over: one line of progress, or a view that fills the
/// screen. A thread of its own draws it, so it also moves while the command waits for a broker.
///
/// A view lies on the terminal's alternate screen, so nothing of it stays in the scroll-back; it is fitted to the screen
/// whenever that has another size. What is written to stderr meanwhile is shown at its foot, and stands on the terminal
/// when the view has gone. Every way out puts the terminal in order: `end`, signals and crashes (`restoreTerminal`), and
/// Ctrl-Z.
final class Display: Sendable {
  /// One line for a screen, or for a log where there is none.
  typealias Line = @Sendable (Screen?) -> String
  /// Everything that is to be seen, built for one screen.
  typealias View = @Sendable (Screen) -> ReportText

  /// How lines of progress are shown.
  enum Manner: Hashable, Sendable { case redrawn, logged, silent }

  /// Short runs show nothing.
  static let firstLine = Duration.seconds(1)
  private static let redrawInterval = Duration.milliseconds(100)
  /// The shortest time between two frames of a view.
  private static let frameInterval = Duration.milliseconds(50)
  /// A view is drawn anew after this long although nobody has brought another one.
  private static let viewInterval = Duration.seconds(1)
  private static let logInterval = Duration.seconds(1)
  /// Texts to stderr that are kept under a view, the latest ones; earlier ones are counted.
  private static let keptTexts = 100
  /// Of those, the ones that are shown at its foot.
  private static let shownTexts = 3

  // The alternate screen, without a cursor and without wrapping; and the way back. "Synchronised output" has a terminal
  // that knows it show a frame as a whole.
  private static let enter = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l\u{1b}[2J"
  private static let leave: StaticString = "\u{1b}[?2026l\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"
  private static let beginFrame = "\u{1b}[?2026h\u{1b}[H"
  private static let endFrame = "\u{1b}[J\u{1b}[?2026l"

  private struct State {
    var line: Line?
    var lineSince: Int64 = 0
    /// Whether a line of progress stands on the terminal.
    var showsLine = false
    var lastLog: Int64 = .min
    var view: View?
    /// Whether the view, or what stands at its foot, is not what was drawn last.
    var isViewOld = false
    var drawnFor: Screen?
    var lastFrame: Int64 = .min
    /// Whether the alternate screen is shown.
    var showsView = false
    /// Texts for stderr that wait for the end of the view.
    var texts: [String] = []
    var textsLeftOut = 0
    var ticker: BackgroundThread<Void>?
    var hasEnded = false
  }

  private let output: Int32
  private let errors: Int32
  private let errorIsTerminal: Bool
  private let manner: Manner
  private let outputStyle: Style
  private let environment: Environment
  private let time: any TimeSource
  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - output: The terminal that shows views.
  ///   - errors: The stream of lines of progress.
  ///   - manner: Of lines of progress.
  init(
    output: Int32, errors: Int32, errorIsTerminal: Bool, manner: Manner, style: Style,
    environment: @escaping Environment, time: any TimeSource
  ) {
    self.output = output
    self.errors = errors
    self.errorIsTerminal = errorIsTerminal
    self.manner = manner
    outputStyle = style
    self.environment = environment
    self.time = time
  }

  // MARK: - What is shown

  /// Shows a line of progress from its first second on, in place of the one before; `nil` takes it away.
  func show(line: Line?) {
    if manner == .silent { return }
    state.withLock { state in
      if state.line == nil { state.lineSince = time.monotonicNanoseconds }
      state.line = line
      if line == nil { eraseLine(&state) } else { startTicking(&state) }
    }
  }

  /// Shows a view, in place of the one before.
  func show(view: @escaping View) {
    state.withLock { state in
      guard !state.hasEnded else { return }
      if state.view == nil { StopKey.install() }
      state.view = view
      state.isViewOld = true
      eraseLine(&state)
      draw(&state)
      startTicking(&state)
    }
  }

  /// Takes away what is shown, because the result comes; and writes to stderr what has waited for that.
  func clear() {
    state.withLock { state in
      eraseLine(&state)
      leaveView(&state)
    }
  }

  /// Takes away what is shown, and writes to stderr what has waited for that. Nothing is shown afterwards.
  func end() {
    let ticker = state.withLock { state in
      state.hasEnded = true
      eraseLine(&state)
      state.line = nil
      leaveView(&state)
      return state.ticker.take()
    }
    wake.signal()
    _ = ticker?.join()
  }

  /// Writes to stderr. Under a view that shares the terminal it is shown at the foot, and written when the view is over.
  func writeError(_ text: String) {
    state.withLock { state in
      if state.showsView && errorIsTerminal {
        state.texts.append(text)
        if state.texts.count > Self.keptTexts {
          state.texts.removeFirst()
          state.textsLeftOut += 1
        }
        state.isViewOld = true
        return
      }
      eraseLine(&state)
      send(text, to: errors)
    }
  }

  // MARK: - Drawing

  private func startTicking(_ state: inout State) {
    guard state.ticker == nil, !state.hasEnded else { return }
    // Without room for a thread nothing moves, which nobody needs.
    state.ticker = try? BackgroundThread { [weak self] in
      while let self, !self.hasEnded {
        _ = self.wake.wait(timeout: .now() + .nanoseconds(Int(Self.redrawInterval.nanoseconds)))
        self.tick()
      }
    }
  }

  private var hasEnded: Bool { state.withLock { $0.hasEnded } }

  /// Draws what is due. The ticker calls it, and tests that move the clock.
  func tick() {
    state.withLock { state in
      guard !state.hasEnded else { return }
      if state.view != nil {
        if StopKey.wasPressed { stopHere(&state) }
        draw(&state)
      } else if let line = state.line {
        draw(line, &state)
      }
    }
  }

  private func draw(_ line: Line, _ state: inout State) {
    let now = time.monotonicNanoseconds
    guard now - state.lineSince >= Self.firstLine.nanoseconds else { return }
    switch manner {
    case .silent: return
    case .logged:
      guard state.lastLog == .min || now - state.lastLog >= Self.logInterval.nanoseconds else { return }
      state.lastLog = now
      send(TerminalText.escaped(line(nil)) + "\n", to: errors)
    case .redrawn:
      let screen = Screen(of: errors, environment: environment)
      let text = TerminalText.prefix(TerminalText.escaped(line(screen)), columns: max(screen.columns - 1, 1))
      send("\r\(text)\u{1b}[K", to: errors)
      state.showsLine = true
    }
  }

  /// Draws the view when it is due: it or the screen is another one, or a second has passed, for what moves by itself.
  private func draw(_ state: inout State) {
    guard let view = state.view, isInForeground else { return }
    let screen = Screen(of: output, environment: environment)
    let now = time.monotonicNanoseconds
    let age = state.showsView ? now - state.lastFrame : .max
    let isDue =
      state.isViewOld || state.drawnFor != screen
      ? age >= Self.frameInterval.nanoseconds
      : age >= Self.viewInterval.nanoseconds
    guard isDue else { return }
    (state.isViewOld, state.drawnFor, state.lastFrame) = (false, screen, now)
    var frame = ""
    if !state.showsView {
      frame = Self.enter
      state.showsView = true
      Self.shown.store(output, ordering: .releasing)
    }
    let foot = state.texts.suffix(Self.shownTexts).flatMap { $0.split(separator: "\n") }.suffix(Self.shownTexts)
    var inner = screen
    inner.rows = max(1, screen.rows - foot.count)
    var lines = Array(outputStyle.lines(of: view(inner), columns: screen.columns).prefix(inner.rows))
    if !foot.isEmpty {
      lines += Array(repeating: "", count: inner.rows - lines.count)
      lines += foot.map { String(TerminalText.prefix(TerminalText.withoutStyle(String($0)), columns: screen.columns)) }
    }
    frame += Self.beginFrame
    frame += lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n")
    frame += lines.count < screen.rows ? "\r\n" + Self.endFrame : "\u{1b}[?2026l"
    send(frame, to: output)
  }

  /// Whether the terminal is this program's to draw on; a job in the background keeps out of its shell's way.
  private var isInForeground: Bool {
    let group = tcgetpgrp(output)
    return group < 0 || group == getpgrp()
  }

  private func eraseLine(_ state: inout State) {
    if state.showsLine { send("\r\u{1b}[K", to: errors) }
    state.showsLine = false
  }

  private func leaveView(_ state: inout State) {
    if state.view != nil { StopKey.uninstall() }
    giveScreenBack(&state)
    state.view = nil
    if state.textsLeftOut > 0 { send("\(state.textsLeftOut) earlier notes are not shown\n", to: errors) }
    for text in state.texts { send(text, to: errors) }
    state.texts = []
    state.textsLeftOut = 0
  }

  private func giveScreenBack(_ state: inout State) {
    if state.showsView { Self.restoreTerminal() }
    state.showsView = false
  }

  private func send(_ text: String, to descriptor: Int32) {
    var text = text
    _ = text.withUTF8 {
      FileDescriptor.writeAll(descriptor, UnsafeRawBufferPointer($0), mayGiveUp: { Signals.exitCode != nil })
    }
  }

  // MARK: - Ways out

  /// The descriptor of the terminal that shows a view; −1 for none.
  private static let shown = Atomic<Int32>(-1)

  /// Puts the terminal in order before a sudden end. Touches nothing that a signal handler may not.
  static func restoreTerminal() {
    let descriptor = shown.exchange(-1, ordering: .acquiringAndReleasing)
    if descriptor >= 0 { _ = write(descriptor, leave.utf8Start, leave.utf8CodeUnitCount) }
  }

  /// Ctrl-Z: gives the terminal back, stops the process, and is here again when it goes on.
  private func stopHere(_ state: inout State) {
    giveScreenBack(&state)
    // This thread itself, so that it draws nothing before it stands still.
    raise(SIGSTOP)
  }

  /// The terminal's request to stop for a while. The handler takes a note; the drawing thread does what it asks for.
  private enum StopKey {
    private static let pressed = Atomic<Bool>(false)

    static func install() {
      signal(SIGTSTP) { _ in StopKey.pressed.store(true, ordering: .releasing) }
      signal(SIGQUIT) { number in
        Display.restoreTerminal()
        signal(number, SIG_DFL)
        raise(number)
      }
    }

    static func uninstall() {
      signal(SIGTSTP, SIG_DFL)
      signal(SIGQUIT, SIG_DFL)
    }

    static var wasPressed: Bool { pressed.exchange(false, ordering: .acquiringAndReleasing) }
  }
}
