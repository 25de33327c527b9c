/// Whether a run met its own stop condition (its ends, its number of records, its idle time).
public enum Completion: Sendable, Equatable {
  case whole
  /// The state of a run that goes on, as `--follow` shows it.
  case ongoing
  case cutShort(CutShort)

  /// What ended a run before its stop condition, and how far it was.
  public struct CutShort: Sendable, Equatable {
    /// `SIGINT`, `an error (69)`.
    public var cause: String
    /// In the unit that the report counts in.
    public var done: Int64
    /// What there was to do; `nil` when that is not known.
    public var total: Int64?

    public init(by cause: String, after done: Int64, of total: Int64?) {
      self.cause = cause
      self.done = done
      self.total = total
    }

    /// `cut short by SIGINT after 2226 of 3000`.
    var text: String { "cut short by \(cause) after \(done)" + (total.map { " of \($0)" } ?? "") }
  }

  public var isWhole: Bool { self == .whole }

  public var isCutShort: Bool { cutShort != nil }

  var cutShort: CutShort? { if case .cutShort(let cut) = self { cut } else { nil } }
}
