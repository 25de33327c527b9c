/// What a run does when its broker is away for longer than a back end waits by itself.
extension PipelineLoop {
  /// Between two attempts to go on.
  private static let outagePause: Duration = .milliseconds(200)
  /// After aborts in a row that an outage explains: doubled each time, up to the second one.
  private static let abortPause = (first: Duration.milliseconds(20), most: Duration.seconds(1))

  /// A run without an end waits out what passes by itself.
  var isService: Bool { if case .follow = settings.bound { true } else { false } }

  /// Whether an error that ended a turn is answered with another turn.
  func waitsOut(_ error: BrokerError) -> Bool { isService && !stop.isRequested && error.passesByItself }

  /// Whether a turn was only cut short by the request to stop, which ends every wait.
  func isCutShort(by error: BrokerError) -> Bool {
    stop.isRequested && (error.isRetriable || error.code == .unreachable)
  }

  /// The turn that failed may have left anything half done, so the next one begins with `resume`.
  func interrupt(because error: BrokerError) {
    isInterrupted = true
    observer.pipelineWaits(.broker(error.description))
    time.sleep(Self.outagePause)
  }

  /// Whether a run that has made so many aborts in a row goes on.
  func survives(_ error: BrokerError) -> Bool {
    guard abortsInARow > Self.abortLimit else { return true }
    return isService && error.isOutage
  }

  /// A cluster that is in trouble is not asked as fast as it can refuse.
  func pauseBeforeAbort(because error: BrokerError) {
    guard abortsInARow > 1, error.isOutage else { return }
    time.sleep(min(Self.abortPause.most, Self.abortPause.first * (1 << min(abortsInARow, 10))))
  }
}

extension BrokerError {
  /// Whether it is of a kind that passes without anybody's doing: an election, a broker that restarts, somebody who holds a
  /// lock for a moment.
  public var passesByItself: Bool { isRetriable || code == .unreachable || code == .timedOut }

  /// Whether a transaction that failed so may succeed when brokers have recovered.
  public var isOutage: Bool { passesByItself || code == .deliveryFailed || code == .busy }
}
