import OrderStreamCore

/// Why a command cannot go on: an exit code and the one line that says what failed, why, and what to do.
struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
  var code: ExitCode
  /// What failed, with coordinates where there are any: `option --rate`, `order-events[2]@1047`.
  var what: String
  var why: String
  /// What the user can do; empty when there is nothing.
  var remedy: String
  /// One more line for usage errors: where to read on.
  var hint: String?

  init(_ code: ExitCode, _ what: String, why: String, remedy: String = "", hint: String? = nil) {
    self.code = code
    self.what = what
    self.why = why
    self.remedy = remedy
    self.hint = hint
  }

  /// The one translation of what the layers below throw. Commands throw those errors on as they are; this is called where
  /// a run ends, and where a command goes on after an error.
  init(_ error: any Error) {
    switch error {
    case let error as CommandError: self = error
    case let error as BrokerError:
      self.init(ExitCode(error.code), error.what, why: error.why, remedy: error.remedy)
    case let error as PipelineError:
      let parts = error.parts
      self.init(ExitCode(error), parts.what, why: parts.why, remedy: parts.remedy)
    default: self.init(.software, "internal bug", why: "\(error)")
    }
  }

  /// Says more about what to do, behind what the error says of it.
  mutating func addAdvice(_ advice: String) { remedy = remedy.isEmpty ? advice : "\(remedy); \(advice)" }

  /// A usage error, with the hint that names the help page of `command`.
  static func usage(_ what: String, why: String, remedy: String = "", command: CommandName? = nil) -> CommandError {
    let page = command.map { "orderstream help \($0.rawValue)" } ?? "orderstream --help"
    return CommandError(.usage, what, why: why, remedy: remedy, hint: "run '\(page)' to see what it takes")
  }

  /// stdout was closed by its reader.
  static var closedOutput: CommandError {
    CommandError(.pipe, "cannot write to stdout", why: "it was closed")
  }

  /// A signal came while nobody read stdout: what is left of the result cannot be delivered in time.
  static var abandonedOutput: CommandError {
    CommandError(Signals.exitCode ?? .terminated, "cannot write to stdout", why: "nobody reads it")
  }

  /// Nothing is printed about a closed stdout: the reader has gone on purpose.
  var isSilent: Bool { code == .pipe }

  /// `error: <what failed>: <why>; <what to do>`, one line in which control characters are visible escapes.
  var description: String {
    let line = remedy.isEmpty ? "error: \(what): \(why)" : "error: \(what): \(why); \(remedy)"
    return TerminalText.escaped(line)
  }
}
