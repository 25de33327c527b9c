import OrderStreamCore

extension Completion {
  /// The run was ended by an error, or else by a signal.
  static func cutShort(by failure: CommandError?, after done: Int64, of total: Int64?) -> Completion {
    let cause = failure.map { "an error (\($0.code.rawValue))" } ?? Signals.name ?? "a request to stop"
    return .cutShort(CutShort(by: cause, after: done, of: total))
  }
}

/// One run of the pipeline for a command, and how its end becomes an exit code.
struct PipelineRun {
  /// `nil` when the run failed.
  let summary: RunSummary?
  /// An error that came after work was done and lets the command print its report first.
  let failure: CommandError?
  /// In records of this run.
  let completion: Completion
  private let follows: Bool

  /// The bound that the options ask for, with the ends frozen now.
  static func bound(_ bounds: RunBounds, source: SourceTopic, admin: any Admin) throws(CommandError) -> RunBound {
    if bounds.follow { return .follow(idle: bounds.idleTimeout) }
    return .ends(try source.frozenEnds(admin))
  }

  /// Runs the loop to its end.
  /// - Throws: errors that leave nothing to report.
  init(_ loop: PipelineLoop, observer: RunObserver, follows: Bool) throws(CommandError) {
    self.follows = follows
    var summary: RunSummary?
    var failure: CommandError?
    do throws(PipelineError) {
      summary = try loop.run()
    } catch {
      failure = CommandError(error)
    }
    observer.finish()
    failure = failure ?? observer.failure
    if let failure, !failure.code.comesAfterWork(committed: loop.committedRecords) { throw failure }
    self.summary = summary
    self.failure = failure
    let isWhole = failure == nil && (follows || summary?.end != .stopped)
    completion = isWhole ? .whole : .cutShort(by: failure, after: loop.committedRecords, of: loop.recordsInAll)
  }

  /// The exit code, after the report: reports the failure if there is one.
  func finish(_ console: Console) -> ExitCode {
    if let failure {
      console.report(failure)
      return failure.code
    }
    if summary?.end == .stopped && !follows { return Signals.exitCode ?? .success }
    return .success
  }
}
