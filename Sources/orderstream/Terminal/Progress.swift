import OrderStreamCore

/// `--progress`: how a run shows that it moves.
enum ProgressPolicy: String, CaseIterable, Sendable {
  /// One redrawn line on a terminal, one line a second elsewhere.
  case auto
  /// One line a second.
  case plain
  case none

  enum Manner: Hashable, Sendable { case line, plain, silent }

  /// What this means on a console.
  func manner(on console: Console) -> Manner {
    if console.isQuiet { return .silent }
    switch self {
    case .none: return .silent
    case .plain: return .plain
    case .auto:
      return console.canRedraw ? .line : .plain
    }
  }
}

/// Shows on stderr how far a run is. Call `update` after every batch and at least a few times a second: it decides by
/// the clock whether anything is shown, and builds the line only then. Used by one thread.
final class Progress {
  /// Short runs show nothing.
  static let firstAfter = Duration.seconds(1)
  static let redrawInterval = Duration.milliseconds(100)
  static let plainInterval = Duration.seconds(1)

  private let console: Console
  private let time: any TimeSource
  private let manner: ProgressPolicy.Manner
  private var next: Int64

  init(_ policy: ProgressPolicy, console: Console, time: any TimeSource) {
    self.console = console
    self.time = time
    manner = policy.manner(on: console)
    next = time.monotonicNanoseconds + Self.firstAfter.nanoseconds
  }

  func update(_ line: () -> String) {
    if manner == .silent { return }
    let now = time.monotonicNanoseconds
    if now < next { return }
    if manner == .line {
      console.drawProgress(line())
      next = now + Self.redrawInterval.nanoseconds
    } else {
      console.writeError(TerminalText.escaped(line()) + "\n")
      next = now + Self.plainInterval.nanoseconds
    }
  }

  /// Takes the line away. Idempotent.
  func finish() { console.eraseProgress() }
}
