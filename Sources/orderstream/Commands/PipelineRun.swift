import OrderStreamCore

/// One run of the pipeline for a command, and how its end becomes an exit code.
struct PipelineRun {
  /// `nil` when the run failed.
  let summary: RunSummary?
  /// An error that came after work was done and lets the command print its report first (exit 65, 69).
  let failure: CommandError?
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
    if let failure, !failure.code.comesAfterWork { throw failure }
    self.summary = summary
    self.failure = failure
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
