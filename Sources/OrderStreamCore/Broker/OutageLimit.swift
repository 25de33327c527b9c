/// How long a program waits for brokers that give no answer: elections, a coordinator that moves, a broker that restarts.
public enum OutageLimit: Hashable, Sendable {
  /// Commands that only look: somebody waits for what they print.
  case look
  /// Runs with an end.
  case run
  /// Services (`--follow`): what passes by itself is waited out.
  case none

  /// `nil`: without end.
  public var duration: Duration? {
    switch self {
    case .look: .seconds(10)
    case .run: .seconds(60)
    case .none: nil
    }
  }
}
