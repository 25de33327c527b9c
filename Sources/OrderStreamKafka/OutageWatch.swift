import OrderStreamCore
import Synchronization

/// What the threads of this process know of an outage of the cluster: since when nobody answers, how long that may last,
/// and whether it was said. It is said once when it begins and once when it ends, whoever waits. Any thread.
final class OutageWatch: Sendable {
  /// A wait that lasts longer is told; questions that are asked once more are not.
  static let noteAfter = Duration.seconds(2)
  /// How long everything must have been answered before an outage is over: one question is often answered before the next.
  private static let calmFor = Duration.seconds(2)
  /// How long waits go on after a request to stop.
  private static let stopGrace = Duration.seconds(1)

  private struct State {
    /// Waits that have not been answered.
    var waits = 0
    /// When the first of them began; kept when a wait ends without an answer.
    var since: Int64?
    /// When the last of them ended.
    var calmSince: Int64 = 0
    /// Since when the outage lasts that was told.
    var toldSince: Int64?
    var stopSeen: Int64?
  }

  let limit: OutageLimit
  private let time: any TimeSource
  private let stop: StopFlag?
  private let note: @Sendable (String) -> Void
  private let state = Mutex(State())
  /// Whether there is an outage whose end must be told; read at every poll.
  private let isTold = Atomic<Bool>(false)

  /// - Parameter note: Tells the user of the beginning and of the end.
  init(_ limit: OutageLimit, _ time: any TimeSource, stop: StopFlag?, note: @escaping @Sendable (String) -> Void) {
    self.limit = limit
    self.time = time
    self.stop = stop
    self.note = note
  }

  /// Whether a request to stop has ended all waiting.
  var hasStopped: Bool {
    guard stop?.isRequested == true else { return false }
    let now = time.monotonicNanoseconds
    return state.withLock { state in
      let since = state.stopSeen ?? now
      state.stopSeen = since
      return now - since >= Self.stopGrace.nanoseconds
    }
  }

  /// How long one question may take, so that a request to stop is seen.
  var questionLimit: Duration {
    if stop?.isRequested == true { return .milliseconds(500) }
    return switch limit {
    case .look: .seconds(5)
    case .run, .none: .seconds(2)
    case .glance(let duration): duration
    }
  }

  fileprivate func enter(since began: Int64?) {
    let began = began ?? time.monotonicNanoseconds
    state.withLock { state in
      state.waits += 1
      state.since = min(state.since ?? began, began)
    }
  }

  fileprivate func leave(answered: Bool) {
    let now = time.monotonicNanoseconds
    state.withLock { state in
      state.waits -= 1
      guard state.waits == 0 else { return }
      state.calmSince = now
      if answered { state.since = nil }
    }
    if answered { tellEnd() }
  }

  /// How long nobody has answered.
  fileprivate var age: Duration {
    let now = time.monotonicNanoseconds
    return state.withLock { .nanoseconds(now - ($0.since ?? now)) }
  }

  fileprivate func pause(_ duration: Duration) { time.sleep(duration) }

  fileprivate func tell(_ error: BrokerError, limit: Duration?) {
    let isNews = state.withLock { state in
      guard state.toldSince == nil, let since = state.since else { return false }
      state.toldSince = since
      return true
    }
    guard isNews else { return }
    isTold.store(true, ordering: .releasing)
    note(
      "\(error.what): \(error.why); \(limit.map { "waiting for up to \($0.milliseconds / 1000) s" } ?? "waiting until it passes")"
    )
  }

  /// Tells that an outage is over, once all has been calm for a while; for those who work on to call.
  func tellEnd() {
    guard isTold.load(ordering: .acquiring) else { return }
    let now = time.monotonicNanoseconds
    let lasted: Int64? = state.withLock { state in
      guard let told = state.toldSince, state.waits == 0, now - state.calmSince >= Self.calmFor.nanoseconds
      else { return nil }
      state.toldSince = nil
      state.since = nil
      return state.calmSince - told
    }
    guard let lasted else { return }
    isTold.store(false, ordering: .releasing)
    note("the brokers answer again, after \(lasted / 1_000_000_000) s; going on")
  }
}

/// One wait for brokers that do not answer; it begins with the first failure. One thread.
final class OutageWait {
  private let watch: OutageWatch
  private let atLeast: Duration
  private let noteAfter: Duration
  private let began: Int64?
  private var isWaiting = false

  /// - Parameters:
  ///   - atLeast: The least that this wait may last, for what takes its time on a healthy cluster too.
  ///   - noteAfter: How long it may last unsaid.
  ///   - began: When the question was asked that gets no answer, on the monotonic clock; `nil`: at its first failure.
  init(
    _ watch: OutageWatch, atLeast: Duration = .zero, noteAfter: Duration = OutageWatch.noteAfter, began: Int64? = nil
  ) {
    self.began = began
    self.watch = watch
    self.atLeast = atLeast
    self.noteAfter = noteAfter
  }

  deinit { if isWaiting { watch.leave(answered: false) } }

  /// Pauses before the next attempt; false when there should be none.
  /// - Parameter error: What the user is told, if it lasts.
  func goesOn(because error: BrokerError, pause: Duration = .milliseconds(20)) -> Bool {
    if !isWaiting {
      isWaiting = true
      watch.enter(since: began)
    }
    let limit = watch.limit.duration.map { max($0, atLeast) }
    let age = watch.age
    if watch.hasStopped { return false }
    if let limit, age >= limit { return false }
    if age >= noteAfter { watch.tell(error, limit: limit) }
    if pause > .zero { watch.pause(pause) }
    return true
  }

  /// There is an answer. Idempotent.
  func answered() {
    guard isWaiting else { return watch.tellEnd() }
    isWaiting = false
    watch.leave(answered: true)
  }
}

/// A wait for somebody else to finish: bounded, and said aloud when it takes long enough to be noticed. For brokers that do
/// not answer there is `OutageWait`, for transactions that have to be seen to `OpenTransactionWait`.
struct BoundedWait {
  /// Waiting that is worth a note.
  private static let noteAfter = Duration.seconds(1)

  private let what: String
  private let context: KafkaContext
  private let limit: Deadline
  private let noteAfter: Deadline
  private var isNoted = false

  init(_ what: String, limit: Duration, _ context: KafkaContext) {
    self.what = what
    self.context = context
    self.limit = Deadline(limit, context.time)
    noteAfter = Deadline(Self.noteAfter, context.time)
  }

  /// Pauses before the next attempt; false when there should be none, also soon after a request to stop.
  mutating func goesOn(pause: Duration = .milliseconds(10)) -> Bool {
    if limit.hasPassed || context.outages.hasStopped { return false }
    if noteAfter.hasPassed && !isNoted {
      isNoted = true
      context.note(.notice, what)
    }
    if pause > .zero { context.time.sleep(pause) }
    return true
  }
}

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
      remedy: "check that every partition has a leader", recovery: .fatal)
  }
}
