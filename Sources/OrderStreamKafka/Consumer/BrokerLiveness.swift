import OrderStreamCore

/// Whether the brokers that a reader depends on are there: an outage is told, and ends the run once it has lasted longer
/// than this run waits. librdkafka tells of some brokers that are gone, and of none that is back. One thread.
final class BrokerLiveness {
  /// How long nothing may come, neither a record nor an end, before the brokers are asked whether they are there:
  /// librdkafka does not tell of every broker that is gone.
  private static let silenceLimit = Duration.seconds(5)
  /// A caller that comes back after more than this has done something else.
  private static let pause = Duration.seconds(1)
  /// How long nothing may come from a partition that has not ended, although brokers answer, before that is an outage:
  /// the partition has no leader, or its leader is not one of those that answer.
  private static let progressLimit = Duration.seconds(10)
  /// How long reading waits at the least in an outage.
  private static let leastOutage = Duration.seconds(30)

  private let client: NativeClient
  private let topic: String
  private let context: KafkaContext
  private var outage: OutageWait?
  private var lookAgain: Deadline?
  /// When something came last, or polling began after a pause.
  private var lastSign: Int64
  private var lastPoll: Int64

  init(_ client: NativeClient, topic: String, _ context: KafkaContext) {
    self.client = client
    self.topic = topic
    self.context = context
    lastSign = context.time.monotonicNanoseconds
    lastPoll = lastSign
  }

  /// Whether no broker can be reached now.
  var isCutOff: Bool { client.events.allBrokersDown }

  /// Other partitions are read from now on.
  func restart() { lastSign = context.time.monotonicNanoseconds }

  func pollBegins() {
    let start = context.time.monotonicNanoseconds
    // Nothing can come while nobody polls.
    if start - lastPoll >= Self.pause.nanoseconds { lastSign = start }
  }

  /// - Parameter hasSign: A record or an end came.
  func pollEnds(hasSign: Bool) {
    lastPoll = context.time.monotonicNanoseconds
    guard hasSign else { return }
    lastSign = lastPoll
    endOutage()
  }

  /// Fails when no broker has been reachable for longer than this run waits, or when nothing comes although one answers.
  /// - Parameter isBehind: Whether there is a partition that has not ended.
  func check(isBehind: Bool) throws(BrokerError) {
    let silence = Duration.nanoseconds(context.time.monotonicNanoseconds - lastSign)
    guard isCutOff || silence >= Self.silenceLimit else { return endOutage() }
    if let lookAgain, !lookAgain.hasPassed { return }
    lookAgain = Deadline(isCutOff || outage != nil ? .seconds(1) : Self.silenceLimit, context.time)
    guard let problem = problem(silence, isBehind: isBehind) else { return endOutage() }
    let outage = outage ?? OutageWait(context.outages, atLeast: Self.leastOutage, noteAfter: .zero)
    self.outage = outage
    guard outage.goesOn(because: problem, pause: .zero) else {
      // The caller ends by itself.
      if context.outages.hasStopped { return }
      throw problem
    }
  }

  private func endOutage() {
    context.outages.tellEnd()
    guard let outage else { return }
    self.outage = nil
    outage.answered()
  }

  /// Why nothing comes, if there is a reason.
  private func problem(_ silence: Duration, isBehind: Bool) -> BrokerError? {
    do {
      try client.ping(.milliseconds(500))
    } catch {
      return context.errors.map(client.events.lastFailure ?? error, "cannot read \(topic)", recovery: .fatal)
    }
    client.events.clearBrokersDown()
    guard isBehind && silence >= Self.progressLimit else { return nil }
    return BrokerError(
      .timedOut, "cannot read \(topic)", why: "nothing has come for \(silence.milliseconds / 1000) s",
      remedy: "look whether each partition has a leader", recovery: .fatal)
  }
}
