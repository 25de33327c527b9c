import OrderStreamCore

/// `status`: topics, watermarks, groups, committed offsets and lag. Changes nothing.
final class StatusCommand {
  private let options: StatusOptions
  private let context: CommandContext
  /// What the looks so far have seen.
  private var lagWatch: LagWatch
  /// By group, the topics in which it had committed something, what was found, and how long that counts.
  private var doubts: [String: (committed: Set<String>, found: [String: String], until: Int64)] = [:]
  /// For the group that is named: its unread records.
  private var details: (ages: LagAges, removals: LagRemovals)?

  init(options: StatusOptions, context: CommandContext) {
    self.options = options
    self.context = context
    lagWatch = LagWatch(window: options.window ?? StatusOptions.defaultWindow)
  }

  func run() throws -> ExitCode {
    let broker = try context.openBroker(to: .read, outages: .look)
    let admin = try broker.admin()
    if options.group != nil {
      details = (LagAges(broker: broker, time: context.time), LagRemovals(admin: admin, time: context.time))
    }
    defer {
      details?.ages.close()
      admin.close()
    }
    if let interval = options.watch {
      try watch(broker, admin, interval)
      return Signals.timeOut ?? .success
    }
    guard let window = options.window else {
      try emit(try look(broker, admin), broker.name)
      return .success
    }
    return try lookFor(window, broker, admin)
  }

  /// Looks again and again until a request to stop: a view on a terminal, else one report after the other.
  private func watch(_ broker: any Broker, _ admin: any Admin, _ interval: Duration) throws {
    var last: StatusReport?
    try repeatedly(every: interval) {
      let report = try look(broker, admin)
      last = report
      if context.showsView {
        show(report, interval)
        try context.emitLive(report, broker: broker.name, activeMilliseconds: nil)
      } else {
        try emit(report, broker.name, isLive: true)
      }
      return !context.result.hasFailed
    }
    // What is unknown or missing fails at the end, so there is one.
    if let last, context.showsView || context.result.hasConditions && !context.result.hasFailed {
      try emit(last, broker.name)
    }
  }

  /// Looks again and again for that long, and tells what all looks together have seen.
  private func lookFor(_ window: Duration, _ broker: any Broker, _ admin: any Admin) throws -> ExitCode {
    let interval = min(
      max(window / StatusOptions.looksInWindow, StatusOptions.shortestInterval), StatusOptions.interval)
    let progress = Progress("status", console: context.console, time: context.time)
    let start = context.time.monotonicNanoseconds
    var looks: Int64 = 0
    let planned = Int64(window.nanoseconds / interval.nanoseconds) + 1
    var last: StatusReport?
    do {
      defer { progress.finish() }
      try repeatedly(every: interval) {
        last = try look(broker, admin)
        looks += 1
        progress.update(looks, of: max(looks, planned))
        return context.time.monotonicNanoseconds - start < window.nanoseconds
      }
    }
    guard var report = last else { return Signals.exitCode ?? .success }
    let isWhole = context.time.monotonicNanoseconds - start >= window.nanoseconds
    if !isWhole { report.completion = .cutShort(by: nil, after: looks, of: planned) }
    try emit(report, broker.name)
    return isWhole ? .success : Signals.exitCode ?? .success
  }

  /// Calls `look` until it returns `false` or a stop is requested. Brokers that are away after a look come back, if there
  /// were any.
  private func repeatedly(every interval: Duration, _ look: () throws -> Bool) throws {
    var hasLooked = false
    var isSilent = false
    while !context.stop.isRequested {
      let start = context.time.monotonicNanoseconds
      do {
        let goesOn = try look()
        (hasLooked, isSilent) = (true, false)
        if !goesOn { return }
      } catch {
        let error = CommandError(error)
        guard hasLooked, error.code == .unavailable || error.code == .temporary else { throw error }
        if !isSilent { context.console.warning("cannot look now: \(error.what): \(error.why)") }
        isSilent = true
      }
      let passed = Duration.nanoseconds(context.time.monotonicNanoseconds - start)
      context.time.sleep(max(.milliseconds(10), interval - passed))
    }
  }

  private func emit(_ report: StatusReport, _ broker: String, isLive: Bool = false) throws {
    try context.emit(report, broker: broker, activeMilliseconds: nil, isLive: isLive)
  }

  private func show(_ report: StatusReport, _ interval: Duration) {
    let seconds = Double(interval.milliseconds) / 1000
    context.console.display.show(view: { screen in
      let text = ReportText()
      report.appendView(state: "every \(seconds) s  Ctrl-C ends the run.", to: text, on: screen)
      return text
    })
  }

  /// How long groups and then partitions may take to answer in all; what has not answered by then is unknown. With the
  /// way to the cluster it makes less than 3 s.
  private static let limit = Duration.milliseconds(1700)
  /// How much of that groups may take.
  private static let groupLimit = Duration.milliseconds(1000)
  /// From when on no more state of groups is read, since the start.
  private static let stateLimit = Duration.milliseconds(1200)
  /// How often the state of a group is read while looks follow each other. A topic that is made anew takes the group's
  /// offsets with it, and then it is read at once.
  private static let doubtInterval = Duration.seconds(30)

  private func look(_ broker: any Broker, _ admin: any Admin) throws -> StatusReport {
    let topics = try admin.topics(named: options.topic).filter {
      context.options.verbose || !$0.isInternal
    }
    let start = context.time.monotonicNanoseconds
    // Before the partitions, so that no commit in between looks like one beyond the end.
    var listing = try admin.groupListing(named: options.group, within: Self.groupLimit)
    if options.group != nil { try refuse(listing) }
    addDoubts(to: &listing.groups, broker, admin, until: start + Self.stateLimit.nanoseconds)
    let read = listing.groups.map(topicsRead)
    let passed = Duration.nanoseconds(context.time.monotonicNanoseconds - start)
    let names = Set(topics.map(\.name)).union(read.joined())
    // However long the groups took, partitions get some time too.
    let looks = try admin.looks(at: names.sorted(), within: max(.milliseconds(500), Self.limit - passed))
    let groups = zip(listing.groups, read).map { group, topics in
      (description: group, lag: GroupLag(of: group, in: topics, looks: looks))
    }
    var explanations = lagWatch.observe(groups, at: context.time.monotonicNanoseconds)
    for (index, group) in groups.enumerated() { addDetails(to: &explanations[index], group.lag) }
    var report = StatusReport(
      broker: broker.name,
      // A topic may be deleted while we look.
      topics: topics.compactMap { topic in looks[topic.name].map { StatusReport.Topic(name: topic.name, look: $0) } },
      groups: zip(groups, explanations).map { group, explanation in
        StatusReport.Group(group.description, lag: group.lag, explanation: explanation)
      },
      groupsFailure: listing.failure)
    if let topic = options.topic, report.topics.isEmpty { report.unknownTopics = [topic] }
    if let group = options.group, report.groups.isEmpty, listing.failure == nil { report.unknownGroups = [group] }
    report.isAbsent = BrokerFactory.isAbsent(broker)
    let isVerbose = context.options.verbose
    if isVerbose { report.cluster = try? admin.cluster(within: .milliseconds(500)) }
    if isVerbose || options.topic != nil { report.detail.insert(.topics) }
    if isVerbose || options.group != nil { report.detail.insert(.groups) }
    return report
  }

  /// Notes which topics were made anew since a group of this program read them: those without committed offsets, which
  /// brokers drop with their topic. A group whose state does not come in time has no doubts; its own next run will.
  private func addDoubts(to groups: inout [GroupDescription], _ broker: any Broker, _ admin: any Admin, until: Int64) {
    for index in groups.indices where groups[index].beginsAtEarliest && groups[index].committedFailure == nil {
      let rest = until - context.time.monotonicNanoseconds
      guard rest > 0 else { return }
      let group = groups[index]
      let committed = Set(group.committed.keys.map(\.topic))
      let now = context.time.monotonicNanoseconds
      if let known = doubts[group.group], known.committed == committed, now < known.until {
        groups[index].doubts = known.found
        continue
      }
      guard let state = try? StoredGroup(group: group.group, admin: admin, within: .nanoseconds(rest)) else { continue }
      for name in state.topics.subtracting(committed).sorted() {
        guard let topic = try? admin.topic(name) else { continue }
        let isEarlier = try? state.isOfEarlierTopic(
          topic, committed: group.committed, broker: broker, admin: admin, stop: context.stop)
        if isEarlier == true { groups[index].doubts[name] = "\(name) was made anew since group \(group.group) read it" }
      }
      doubts[group.group] = (committed, groups[index].doubts, now + Self.doubtInterval.nanoseconds)
    }
  }

  private func addDetails(to explanation: inout LagExplanation, _ lag: GroupLag) {
    guard let (ages, removals) = details else { return }
    let found = ages.ages(of: lag, usesAppendTime: removals.usesAppendTime)
    let removed = removals.removals(of: lag, explanation, ages: found)
    for index in lag.partitions.indices { explanation.set(found[index], removed[index], of: index) }
  }

  private func topicsRead(by group: GroupDescription) -> Set<String> {
    let topics = Set(group.usedPartitions.map(\.topic)).union(group.doubts.keys)
    return options.topic.map { topics.intersection([$0]) } ?? topics
  }

  /// Who asks for one group and may not see it is told so; an empty list would be a false answer.
  private func refuse(_ listing: GroupListing) throws {
    for group in listing.groups {
      for failure in [group.committedFailure, group.membersFailure].compactMap({ $0 })
      where [.unauthorized, .authentication].contains(failure.code) { throw failure }
    }
  }
}

/// `orderstream status`, checked.
struct StatusOptions: Hashable, Sendable {
  var common: CommonOptions
  /// Only this topic; `nil` for all.
  var topic: String?
  /// Only this group; `nil` for all.
  var group: String?
  /// How often to look again; `nil` for once.
  var watch: Duration?
  /// Over how long looks count; without `watch` how long is looked before the report. `nil` unless it is given.
  var window: Duration?

  static let shortestInterval = Duration.milliseconds(100)
  /// How often is looked in a window that is reported once: so many times, and not less often than every two seconds.
  static let looksInWindow = 20
  static let interval = Duration.seconds(2)
  static let defaultWindow = Duration.seconds(60)
  private static let shortestWindow = Duration.seconds(1)

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.optional(.topic, OptionValue.name)
    group = try reader.optional(.group, OptionValue.name)
    watch = try reader.optional(.watch, OptionValue.duration(atLeast: Self.shortestInterval))
    window = try reader.optional(.window, OptionValue.duration(atLeast: Self.shortestWindow))
  }
}

extension CommandSpec {
  static let status = CommandSpec(
    name: .status, summary: "show topics, watermarks, groups, committed offsets and lag",
    details: """
      Changes nothing. A line a topic and a line a group; the partitions of the topic or the group that is named, and of \
      all with -v, which also shows internal topics, where partitions lie, and the cluster. An unknown name is said, and \
      is an empty list with --json.
      """,
    options: [
      .topic.defaulting(to: nil, note: "all").saying("Show this topic only.").onlyAsFlag,
      .group.defaulting(to: nil, note: "all").saying("Show this group only."),
      OptionSpec(
        name: .watch, placeholder: "[interval]", help: "Look again and again until SIGINT or SIGTERM.",
        impliedValue: "2s"),
      OptionSpec(
        name: .window, placeholder: "<duration>",
        help: """
          Over how long rates, states and causes of a lag are taken (--watch: 60s); without --watch: look that long, then \
          report once.
          """),
    ] + OptionSpec.results(.csv, .metrics) + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "everything", command: "orderstream status"),
      .init(text: "watch the lag of all groups", command: "orderstream status --watch"),
      .init(text: "why a group is behind", command: "orderstream status --group analytics --window 20s"),
      .init(text: "the lag of one group", command: "orderstream status --group analytics --json | jq '.groups[].lag'"),
    ])
}
