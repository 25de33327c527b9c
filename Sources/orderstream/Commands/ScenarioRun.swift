import OrderStreamCore
import OrderStreamThreads
import Synchronization

/// One run of a scenario: makes the cause, watches it being explained, ends it, and times how the lag clears. The calling
/// thread samples the lag and does one step after the other; members, orders and the judge go on beside it.
final class ScenarioRun {
  struct Outcome {
    var report: ScenarioReport
    var activeMilliseconds: Int64
    /// Why somebody could not go on.
    var failure: CommandError?
  }

  /// Ends the steps: a request to stop, or something that must happen and does not.
  private enum Halt: Error { case stopped, late(String) }

  private static let sampleInterval = Duration.milliseconds(100)
  private static let viewInterval = Duration.milliseconds(100)
  /// How long a step may take that needs nothing but members which join.
  private static let joinLimit = Duration.seconds(60)
  private static let endLimit = Duration.seconds(15)

  private let plan: ScenarioPlan
  private let name: String
  private let broker: any Broker
  private let context: CommandContext
  /// What arrives in so many seconds is under way to the next commit of a member that has caught up: half of the time
  /// between two commits, and some more where they travel.
  private let transit: Double
  private let arrivals: ScenarioArrivals
  private let members: ScenarioMembers
  private var judge: ScenarioJudge?
  private var judgement: ScenarioJudgement
  private var report: LagReport
  /// Of the run, and of what is shown of it: when the group was there.
  private var start: Int64 = 0
  private var firstSample: Int64 = 0
  private var nextSample: Int64 = 0
  private var nextView: Int64 = 0
  private var lastLook: GroupLagLook.Finding?
  private var drain: ScenarioJudgement.Drain?
  private var phase = "members join"
  private var progress: Progress?
  /// The group of the other producer of `transaction`, once there is one.
  private(set) var writerGroup: String?

  init(_ plan: ScenarioPlan, limitPercent: Double, name: String, broker: any Broker, context: CommandContext) {
    self.plan = plan
    self.name = name
    self.broker = broker
    self.context = context
    transit = limitPercent > ScenarioJudgement.Limit.oneMachine ? 0.08 : 0.05
    arrivals = ScenarioArrivals(plan.usual)
    members = ScenarioMembers(ScenarioMember.Orders(), name: name, broker: broker, context)
    judgement = ScenarioJudgement(plan.scenario, limitPercent: limitPercent)
    report = LagReport(topic: name, group: name)
  }

  func run(_ admin: any Admin) throws -> Outcome {
    start = context.time.monotonicNanoseconds
    (nextSample, firstSample) = (start, start)
    progress = context.showsView ? nil : Progress("lag-demo", console: context.console, time: context.time)
    defer { progress?.finish() }
    let look = GroupLagLook(name: name, admin: admin)
    let isThere = StopFlag()
    let producer = try startProducer(isThere)
    var late: String?
    let steps = Result {
      do { try perform(look, isThere) } catch Halt.stopped {} catch Halt.late(let what) { late = what }
    }
    judge?.close()
    arrivals.stop.request()
    let producerFailure = producer.join()
    if case .success = steps, !context.stop.isRequested { try? drainRest(look) }
    let failures = members.end()
    report.produced = arrivals.acknowledged
    report.failedDeliveries = arrivals.failed
    report.consumed = report.samples.last?.consumed ?? 0
    var failure = failures.first ?? producerFailure
    if case .failure(let error) = steps {
      let error = CommandError(error)
      guard error.code.isFinding else { throw error }
      failure = failure ?? error
    }
    if failure != nil || context.stop.isRequested && judgement.forecast == nil {
      report.completion = .cutShort(by: failure, after: report.consumed, of: nil)
    }
    if let late { context.console.warning("the scenario was given up: \(late)") }
    return Outcome(
      report: ScenarioReport(plan, judgement: judgement, lag: report, startNanoseconds: firstSample),
      activeMilliseconds: (context.time.monotonicNanoseconds - start) / 1_000_000, failure: failure)
  }

  // MARK: - Steps

  private func perform(_ look: GroupLagLook, _ isThere: StopFlag) throws {
    try gather(look, isThere)
    judge = try ScenarioJudge(of: name, plan, context)
    try wait(look, "nobody looked at the group", within: Self.joinLimit) { !judgement.looks.isEmpty }
    try pass(look, "all is well", for: plan.usualTime)
    judgement.madeAt = context.time.monotonicNanoseconds
    arrivals.rates = plan.during
    try make(look)
    judgement.endedAt = context.time.monotonicNanoseconds
    arrivals.rates = plan.calm
    phase = "the lag drains"
    try wait(look, "half of the lag did not drain", within: plan.patience) { judgement.half != nil }
    guard let half = judgement.half else { return }
    if plan.judgedAfter == nil { judgement.name(by: half) }
    drain = ScenarioJudgement.Drain(rates: plan.calm, seconds: transit)
    try wait(look, "the lag did not drain", within: plan.patience) { drain?.clearedAt != nil }
    if let cleared = drain?.clearedAt { judgement.judge(half, clearedAt: cleared) }
  }

  /// The group is there, has all partitions, and has handled what was there before.
  private func gather(_ look: GroupLagLook, _ isThere: StopFlag) throws {
    var victim: ChildProcess?
    if plan.scenario == .dead {
      victim = try ChildProcess(
        LagMemberOptions.words(name, perSecond: plan.capacity) + context.connectionWords
          + ["-X", "session.timeout.ms=\(plan.session.milliseconds)", "--quiet"])
    }
    for _ in 0..<plan.members - (victim == nil ? 0 : 1) { try members.add() }
    let own = victim == nil ? Int(plan.partitions) : Int(plan.partitions) / plan.members * members.count
    try wait(look, "the members did not join", within: Self.joinLimit) {
      isThere.isRequested && members.partitions == own
    }
    phase = "what was there before is handled"
    try wait(look, "what was there before was not handled", within: Self.joinLimit) {
      report.samples.last.map { $0.consumed >= plan.history * Int64(plan.partitions) } ?? false
    }
    members.orders.wishes.withLock { wishes in
      wishes.perSecond = plan.capacity
      wishes.preparation = plan.preparation
    }
    self.victim = victim.take()
    // What was there before is no lag of the scenario's making.
    report.samples = []
    firstSample = context.time.monotonicNanoseconds
  }

  private var victim: ChildProcess?

  /// Makes the cause, has it judged, and ends it.
  private func make(_ look: GroupLagLook) throws {
    phase = "\(plan.scenario.cause) is made"
    switch plan.scenario {
    case .slow, .burst, .skew: try last(look)
    case .stall:
      members.orders.wishes.withLock { $0.isPaused = true }
      try last(look)
      members.orders.wishes.withLock { $0.isPaused = false }
    case .rewind:
      members.orders.wishes.withLock { wishes in
        wishes.rewinds += 1
        wishes.rewindBy = plan.rewind
      }
      try last(look)
    case .rebalance:
      let visitor = try ScenarioVisitor(plan, name: name, broker: broker, context)
      let lasting = Result { try last(look) }
      let failure = visitor.end()
      try lasting.get()
      if let failure { throw failure }
      try wait(look, "the members did not join again", within: Self.joinLimit) {
        members.partitions == Int(plan.partitions)
      }
    case .scaleOut:
      try last(look)
      // The judge's own advice; without one there is room for as many as there are partitions.
      let room = Int64(plan.partitions) - Int64(members.count)
      let more = judgement.named?.membersNeeded.map { min(max($0, 0), room) } ?? room
      for _ in 0..<more { try members.add() }
      try wait(look, "the new members did not join", within: Self.joinLimit) {
        members.partitions == Int(plan.partitions)
      }
    case .dead:
      if var child = victim.take() { child.die() }
      try last(look)
      try wait(look, "nobody took over what the dead member had", within: plan.session + Self.joinLimit) {
        members.partitions == Int(plan.partitions)
      }
    case .transaction:
      writerGroup = ScenarioTransaction.group(of: name)
      let transaction = try ScenarioTransaction(plan, name: name, broker: broker, context)
      defer { transaction.close() }
      try last(look)
      try transaction.end()
    }
  }

  /// Waits while the cause lasts, and until it was judged.
  private func last(_ look: GroupLagLook) throws {
    let made = judgement.madeAt ?? start
    try pass(look, nil, for: plan.causeTime)
    guard let after = plan.judgedAfter else { return }
    let moment = made + after.nanoseconds
    try wait(look, "nobody looked at the group", within: Self.joinLimit) { judgement.look(from: moment) != nil }
    if let named = judgement.look(from: moment) { judgement.name(by: named) }
  }

  /// With no more orders the lag goes to 0; the last sample is taken after that.
  private func drainRest(_ look: GroupLagLook) throws {
    let end = context.time.monotonicNanoseconds
    phase = "the rest drains"
    drain = nil
    report.drainLimitMilliseconds = Self.endLimit.milliseconds
    let ended = judge
    judge = nil
    defer { judge = ended }
    try wait(look, "", within: Self.endLimit) { report.samples.last?.lag == 0 && nextSample > end }
    report.drainMilliseconds = max(0, context.time.monotonicNanoseconds - end) / 1_000_000
  }

  // MARK: - Time

  private func pass(_ look: GroupLagLook, _ phase: String?, for duration: Duration) throws {
    if let phase { self.phase = phase }
    let end = context.time.monotonicNanoseconds + duration.nanoseconds
    while context.time.monotonicNanoseconds < end { try sample(look) }
  }

  private func wait(_ look: GroupLagLook, _ what: String, within limit: Duration, until holds: () -> Bool) throws {
    let end = context.time.monotonicNanoseconds.saturatingAdd(limit.nanoseconds)
    repeat {
      try sample(look)
      if holds() { return }
    } while context.time.monotonicNanoseconds < end
    throw Halt.late(what)
  }

  /// Sleeps until the next sample is due, and takes it.
  private func sample(_ look: GroupLagLook) throws {
    let rest = nextSample - context.time.monotonicNanoseconds
    if rest > 0 { context.time.sleep(.nanoseconds(rest)) }
    if context.stop.isRequested { throw Halt.stopped }
    // Read in this order: what was acknowledged before the lag is read is in the lag or consumed.
    let produced = arrivals.acknowledged
    let found = try look.look()
    let now = context.time.monotonicNanoseconds
    nextSample = max(now, nextSample + Self.sampleInterval.nanoseconds)
    report.samples.append(
      LagReport.Sample(
        milliseconds: (now - firstSample) / 1_000_000, produced: produced, consumed: found.committed,
        lag: found.total.records, lagByPartition: found.parts))
    if let parts = found.parts { drain?.note(parts, at: now) }
    for look in try judge?.takeLooks() ?? [] { judgement.add(look) }
    show(now)
  }

  private func show(_ now: Int64) {
    guard let last = report.samples.last else { return }
    progress?.update(
      last.consumed,
      detail: "\(plan.scenario.rawValue), seed \(plan.seed): \(phase), lag \(last.lag.map(\.grouped) ?? "unknown")")
    guard context.showsView && now >= nextView else { return }
    nextView = now + Self.viewInterval.nanoseconds
    let (report, broker) = (report, broker.name)
    let heading = "Scenario \(plan.scenario.rawValue), seed \(plan.seed): \(phase)"
    context.console.display.show(view: { screen in
      let text = ReportText()
      report.appendView(heading: screen.heading(heading, on: broker), to: text, on: screen)
      return text
    })
  }

  private func startProducer(_ isThere: StopFlag) throws(CommandError) -> BackgroundThread<CommandError?> {
    do throws(NoRoomForThread) {
      return try BackgroundThread { [arrivals, plan, name, broker, context] () -> CommandError? in
        do {
          try arrivals.run(
            topic: name, seed: plan.seed, history: plan.history, broker: broker,
            time: SystemTime(stop: arrivals.stop), isThere: { isThere.request() })
          return nil
        } catch {
          context.stop.request()
          return CommandError(error)
        }
      }
    } catch {
      throw ScenarioMembers.noRoom(error)
    }
  }
}
