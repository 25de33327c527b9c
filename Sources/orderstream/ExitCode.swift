import OrderStreamCore

/// How a run ends, as the shell sees it. The only place where exit codes are decided.
enum ExitCode: Int32, CaseIterable, Sendable {
  /// Done and true.
  case success = 0
  /// Ran, but the claim is false: a mismatch, a violation, not drained.
  case refuted = 1
  case usage = 64
  /// Bad input data.
  case data = 65
  /// Input is missing: a topic, a file, records.
  case input = 66
  /// The broker is unreachable, or events were not acknowledged.
  case unavailable = 69
  /// A bug of this program.
  case software = 70
  /// Output cannot be created.
  case creation = 73
  /// Disk, I/O, or a damaged log.
  case io = 74
  /// Try again: the group is active, a lock is held.
  case temporary = 75
  /// Authentication or authorisation.
  case permission = 77
  /// A refused or unknown setting; a foreign or newer log.
  case configuration = 78
  /// Cut short by SIGHUP: its terminal was closed.
  case hungUp = 129
  /// Cut short by SIGINT.
  case interrupted = 130
  /// stdout was closed; nothing is said about it.
  case pipe = 141
  /// Cut short by SIGTERM.
  case terminated = 143

  /// One line for the help page.
  var meaning: String {
    switch self {
    case .success: "done and true"
    case .refuted: "ran, but the claim is false (mismatch, violation, not drained)"
    case .usage: "usage"
    case .data: "bad input data"
    case .input: "input missing"
    case .unavailable: "broker unreachable, or events not acknowledged"
    case .software: "internal bug"
    case .creation: "cannot create output"
    case .io: "disk, I/O or damaged log"
    case .temporary: "try again (group active, lock, time-out)"
    case .permission: "authentication or authorisation"
    case .configuration: "configuration (refused or unknown -X, foreign or newer log)"
    case .hungUp: "cut short by SIGHUP"
    case .interrupted: "cut short by SIGINT"
    case .pipe: "stdout closed"
    case .terminated: "cut short by SIGTERM"
    }
  }

  /// The code of a run that found several: 77, or the highest of 74, 69, 65 and 1, then 0. A signal, or the time, that cut it short
  /// comes before 65 and 1, which speak of a whole run. Other codes end a run by themselves and are no findings.
  static func combined(_ findings: [ExitCode]) -> ExitCode {
    let ranked: [ExitCode] = [
      .permission, .io, .unavailable, .temporary, .terminated, .interrupted, .hungUp, .data, .refuted,
    ]
    precondition(
      findings.allSatisfy { $0 == .success || ranked.contains($0) }, "only findings of finished work are combined")
    return ranked.first(where: findings.contains) ?? .success
  }

  /// The code of a run with this one that has also failed by `--fail-if`.
  var withFailedCondition: ExitCode { self == .success || self == .input ? .refuted : self }

  /// Whether a run that did work still tells what it did, and this code beside it; others end a run by themselves.
  var isFinding: Bool { [.io, .unavailable, .data].contains(self) }

  /// Whether a run that ends with this prints its report first.
  /// - Parameter committed: records that it committed before. Reading a bad record, or waiting for a broker, is work in
  ///   itself; the others may come before any.
  func reportsFirst(committed: Int64) -> Bool {
    switch self {
    case .data, .unavailable: true
    case .input, .io, .temporary: committed > 0
    default: false
    }
  }

  /// The finding of a `produce` that ended with this: events are not acknowledged, whatever the reason, unless the disk, a
  /// line or a right is to blame.
  var ofUnpublishedEvents: ExitCode { isFinding || self == .permission ? self : .unavailable }

  /// The code of an error that a broker gave.
  init(_ code: BrokerError.Code) {
    self =
      switch code {
      case .unreachable, .timedOut, .deliveryFailed: .unavailable
      case .authentication, .unauthorized: .permission
      case .unknownTopic, .unknownGroup, .unknownPartition, .offsetOutOfRange: .input
      case .invalidTopic: .usage
      case .topicExists, .cannotCreate: .creation
      case .groupActive, .fenced, .busy: .temporary
      case .recordTooLarge, .recordRefused: .data
      case .configuration, .foreignLog, .newerLog, .unsupported: .configuration
      case .io, .diskFull, .damaged: .io
      case .internalError: .software
      }
  }

  /// The code of an error that ended a run of the pipeline.
  init(_ error: PipelineError) {
    self =
      switch error {
      case .broker(let error): ExitCode(error.code)
      case .poison, .tooManyMinutes: .data
      case .offsetsMoved, .foreignOffsets, .stateGone, .guaranteeMixed, .damagedState, .foreignState, .topicMadeAnew,
        .identityUnknown,
        .beyondEnd, .immovable:
        .configuration
      case .rangeGone, .beginningGone: .input
      case .groupActive, .foreignMember, .unsettled: .temporary
      }
  }
}

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
  var description: String { "error: \(sentence)" }

  /// The same without the first word.
  var sentence: String {
    TerminalText.escaped(remedy.isEmpty ? "\(what): \(why)" : "\(what): \(why); \(remedy)")
  }
}
