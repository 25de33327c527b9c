import OrderStreamCore
import Synchronization

/// `--progress`: how a run shows that it moves.
enum ProgressPolicy: String, CaseIterable, Sendable {
  /// A view or one redrawn line on a terminal, one line a second elsewhere.
  case auto
  /// One line a second.
  case plain
  case none
}

/// How far a run is, shown on stderr from its first second on. `update` costs next to nothing: call it after every batch.
/// May be used from any thread.
final class Progress: Sendable {
  /// Over how long the rate is taken.
  private static let window = Duration.seconds(5)
  private static let sampleInterval = Duration.milliseconds(250)
  /// With less to go by nothing is said of what is left.
  private static let leastHistory = Duration.seconds(2)

  private struct State {
    var done: Int64 = 0
    var total: Int64?
    var detail: String?
    /// When how much was done, oldest first; the first one is at least a window old once there is one.
    var samples: [(at: Int64, done: Int64)]
  }

  private let title: String
  private let time: any TimeSource
  private let display: Display
  private let state: Mutex<State>

  /// - Parameter title: `inventory`, `inventory: reading state`.
  init(_ title: String, console: Console, time: any TimeSource) {
    self.title = title
    self.time = time
    display = console.display
    state = Mutex(State(samples: [(time.monotonicNanoseconds, 0)]))
    display.show(line: { [weak self] in self?.line(on: $0) ?? "" })
  }

  /// - Parameters:
  ///   - total: What there is to do; `nil` where nobody knows.
  ///   - detail: What else is worth its place: `lag 12`.
  func update(_ done: Int64, of total: Int64? = nil, detail: String? = nil) {
    let now = time.monotonicNanoseconds
    state.withLock { state in
      (state.done, state.total, state.detail) = (done, total, detail)
      if now - state.samples[state.samples.count - 1].at >= Self.sampleInterval.nanoseconds {
        state.samples.append((now, done))
      }
      Self.forget(&state.samples, before: now - Self.window.nanoseconds)
    }
  }

  /// Takes the line away. Idempotent.
  func finish() { display.show(line: nil) }

  /// Keeps one sample that is older than the window.
  private static func forget(_ samples: inout [(at: Int64, done: Int64)], before border: Int64) {
    let old = samples.prefix { $0.at <= border }.count
    if old > 1 { samples.removeFirst(old - 1) }
  }

  /// Records a second over the last seconds.
  var rate: Int64 {
    let now = time.monotonicNanoseconds
    return state.withLock { state in
      Self.forget(&state.samples, before: now - Self.window.nanoseconds)
      return Self.rate(state, now)
    }
  }

  private static func rate(_ state: State, _ now: Int64) -> Int64 {
    let first = state.samples[0]
    let passed = max(now - first.at, 1)
    return Int64(Double(max(0, state.done - first.done)) * 1e9 / Double(passed))
  }

  /// The last line of a view: how far the run is, and how it ends.
  func state(on screen: Screen) -> String { "\(figures.joined(separator: "  "))  Ctrl-C ends the run." }

  private var figures: [String] {
    let now = time.monotonicNanoseconds
    let rate = rate
    let (state, begin) = state.withLock { ($0, $0.samples[0].at) }
    var figures: [String] = []
    if let total = state.total {
      figures.append("\(Self.percent(state.done, of: total))")
      figures.append("\(state.done.grouped) of \(total.grouped)")
    } else {
      figures.append("\(state.done.grouped) records")
    }
    figures.append("\(rate.grouped)/s")
    if let total = state.total, rate > 0, total > state.done, now - begin >= Self.leastHistory.nanoseconds {
      figures.append("\(Self.seconds((total - state.done + rate - 1) / rate)) left")
    }
    if let detail = state.detail { figures.append(detail) }
    return figures
  }

  /// - Parameter screen: `nil` for a line of a log.
  func line(on screen: Screen?) -> String {
    let figures = figures
    let (done, total) = state.withLock { ($0.done, $0.total) }
    guard let screen, let total else {
      return screen == nil
        ? "\(title): \(figures.joined(separator: ", "))" : "\(title)  \(figures.joined(separator: "  "))"
    }
    let text = "  " + figures.joined(separator: "  ")
    let room = min(30, screen.columns - 1 - title.count - 4 - text.count)
    return title + (room >= 8 ? "  " + Self.bar(done, of: total, columns: room, screen) : "") + text
  }

  static func percent(_ done: Int64, of total: Int64) -> String {
    // Never 100 before it is.
    total <= 0 || done >= total ? "100 %" : "\(Int(Double(max(done, 0)) / Double(total) * 100)) %"
  }

  static func bar(_ done: Int64, of total: Int64, columns: Int, _ screen: Screen) -> String {
    let share = total <= 0 ? 1 : min(1, max(0, Double(done) / Double(total)))
    let full = Int(share * Double(columns))
    let (on, off): (Character, Character) = screen.isUnicode ? ("█", "░") : ("#", ".")
    return (screen.isUnicode ? "" : "[") + String(repeating: on, count: full)
      + String(repeating: off, count: columns - full) + (screen.isUnicode ? "" : "]")
  }

  /// `45 s`, `3 min 20 s`, `2 h 5 min`.
  static func seconds(_ seconds: Int64) -> String {
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min" + (seconds < 600 ? " \(seconds % 60) s" : "") }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
  }
}
