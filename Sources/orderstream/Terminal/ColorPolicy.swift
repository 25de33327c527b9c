/// `--color`: when text is coloured.
enum ColorPolicy: String, CaseIterable, Sendable {
  case auto, always, never

  /// Whether to colour what goes to one stream. `auto` follows `NO_COLOR`, then `CLICOLOR_FORCE`, then whether the
  /// stream is a terminal that can do it.
  func isColored(terminal: Bool, environment: Environment) -> Bool {
    switch self {
    case .always: return true
    case .never: return false
    case .auto:
      if let off = environment("NO_COLOR"), !off.isEmpty { return false }
      if let force = environment("CLICOLOR_FORCE"), !force.isEmpty, force != "0" { return true }
      guard terminal, let kind = environment("TERM") else { return false }
      return !kind.isEmpty && kind != "dumb"
    }
  }
}
