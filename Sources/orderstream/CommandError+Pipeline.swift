import OrderStreamCore

extension CommandError {
  init(_ error: PipelineError) {
    let parts = error.parts
    let code: ExitCode =
      switch error {
      case .broker(let error): ExitCode(error.code)
      case .poison, .tooManyMinutes: .data
      case .offsetsMoved, .foreignOffsets, .stateGone, .damagedState, .foreignState, .topicMadeAnew, .identityUnknown,
        .beyondEnd:
        .configuration
      case .rangeGone: .input
      case .groupActive, .foreignMember, .unsettled: .temporary
      }
    self.init(code, parts.what, why: parts.why, remedy: parts.remedy)
  }

  /// Runs a call of the broker and gives its error the command's type.
  static func wrap<Result>(_ body: () throws(BrokerError) -> Result) throws(CommandError) -> Result {
    do throws(BrokerError) {
      return try body()
    } catch {
      throw CommandError(error)
    }
  }

  /// Runs a step of the pipeline and gives its error the command's type.
  static func wrapPipeline<Result>(_ body: () throws(PipelineError) -> Result) throws(CommandError) -> Result {
    do throws(PipelineError) {
      return try body()
    } catch {
      throw CommandError(error)
    }
  }
}
