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
