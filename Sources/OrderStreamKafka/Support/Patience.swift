import OrderStreamCore

/// A wait for somebody else's transaction: bounded, and said aloud when it takes long enough to be noticed. For brokers
/// that do not answer there is `OutageWait`.
struct Patience {
  private static let pause = Duration.milliseconds(10)

  private let what: String
  private let context: KafkaContext
  private let limit: Deadline
  private let noteAfter: Deadline
  private var isNoted = false

  init(_ what: String, limit: Duration, _ context: KafkaContext) {
    self.what = what
    self.context = context
    self.limit = Deadline(limit, context.time)
    noteAfter = Deadline(KafkaConsumer.noteAfter, context.time)
  }

  /// Pauses before the next attempt; false when there should be none, also soon after a request to stop.
  /// - Parameter isSilent: Whether the wait has another reason, which was said already.
  mutating func goesOn(pause: Duration = Patience.pause, isSilent: Bool = false) -> Bool {
    if limit.hasPassed || context.outages.hasStopped { return false }
    if noteAfter.hasPassed && !isNoted && !isSilent {
      isNoted = true
      context.note(.notice, what)
    }
    if pause > .zero { context.time.sleep(pause) }
    return true
  }
}
