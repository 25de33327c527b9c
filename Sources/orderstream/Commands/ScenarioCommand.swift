import OrderStreamCore

/// `lag-demo --scenario`: makes a cause of lag, has it explained by a process that does not know it, and judges that.
struct ScenarioCommand {
  let scenario: ScenarioOptions
  let keep: Bool
  let context: CommandContext

  func run() throws -> ExitCode {
    let plan = scenario.plan
    let broker = try context.openBroker()
    let admin = try broker.admin()
    defer { admin.close() }
    let name = "lag-demo-\(PrivateName.random())"
    var wishes = context.topicWishes
    wishes.partitions = plan.partitions
    _ = try TopicSetup.ensure(name, wishes: wishes, admin: admin)
    let run = ScenarioRun(plan, limitPercent: scenario.limitPercent, name: name, broker: broker, context: context)
    defer {
      if !keep {
        context.removeTraces(group: name, topic: name, admin)
        if let writer = run.writerGroup { context.removeTraces(group: writer, admin) }
      }
    }
    let outcome = try run.run(admin)
    try context.emit(outcome.report, broker: broker.name, activeMilliseconds: outcome.activeMilliseconds)
    if keep { context.console.note("topic \(name) and group \(name) are kept") }
    if let failure = outcome.failure { context.console.report(failure) }
    return exitCode(outcome)
  }

  private func exitCode(_ outcome: ScenarioRun.Outcome) -> ExitCode {
    if let failure = outcome.failure { return failure.code }
    if outcome.report.completion.isCutShort { return Signals.exitCode ?? .temporary }
    return outcome.report.verdict == .right ? .success : .refuted
  }
}

/// `--scenario` and what goes with it, checked.
struct ScenarioOptions: Hashable, Sendable {
  var scenario: LagScenario
  var seed: UInt64
  /// About how long the lag takes to clear.
  var drain: Duration
  var isOnCluster: Bool

  /// Options that a scenario decides about itself.
  private static let excluded: [OptionName] = [
    .events, .rate, .consumerDelay, .consumers, .sampleInterval, .drainTimeout, .partitions,
  ]

  /// - Returns: `nil` without `--scenario`.
  init?(_ reader: OptionReader, _ common: CommonOptions) throws(CommandError) {
    let names = LagScenario.allCases.map(\.rawValue)
    let given = try reader.optional(.scenario) { text throws(ValueError) in
      guard let scenario = LagScenario(rawValue: text) else {
        throw ValueError(
          why: "'\(text)' is not one of \(names.joined(separator: ", "))",
          remedy: Suggestion.nearest(to: text, among: names).map { "did you mean '\($0)'?" } ?? "name one of them")
      }
      return scenario
    }
    let seed = try reader.optionalInteger(.seed, in: UInt64.min...UInt64.max)
    let drain = try reader.optional(.duration, OptionValue.duration(atLeast: ScenarioPlan.shortestDrain))
    guard let given else {
      for name in [OptionName.seed, .duration] where reader.isGiven(name) {
        throw reader.conflict(
          "option --\(name.rawValue)", "it is a scenario's", "name one with --scenario, or leave it out")
      }
      return nil
    }
    if let name = Self.excluded.first(where: reader.isGiven) {
      throw reader.conflict(
        "option --\(name.rawValue)", "a scenario decides that itself, from --seed and --duration", "leave it out")
    }
    isOnCluster = if case .kafka = common.brokers { true } else { false }
    if !isOnCluster, let why = given.whyOnlyOnCluster {
      throw reader.conflict(
        "option --scenario", "'\(given.rawValue)' needs Kafka: \(why)", "name a cluster with --brokers")
    }
    scenario = given
    self.seed = seed ?? OrderPublishing.randomSeed()
    self.drain = drain ?? ScenarioPlan.standardDrain
  }

  var plan: ScenarioPlan {
    ScenarioPlan(scenario, seed: seed, drain: drain, in: isOnCluster ? .cluster : .oneMachine)
  }

  var limitPercent: Double {
    isOnCluster ? ScenarioJudgement.Limit.cluster : ScenarioJudgement.Limit.oneMachine
  }

  /// Members that this process runs at once, those that come later included.
  var mostMembers: Int { Int(plan.partitions) + 1 }

  static let specs = [
    OptionSpec(
      name: .scenario, placeholder: "<cause>",
      help: """
        Make a cause of lag for real, and judge what 'status' says about it: the cause that it names, and its forecast \
        when half of the lag has drained (within 10 %, on Kafka 20 %). dead and transaction need Kafka.
        """, completion: .choice(LagScenario.allCases.map(\.rawValue))),
    OptionSpec(
      name: .seed, placeholder: "<n>", defaultNote: "random",
      help: "With --scenario: what its rates, partitions and times are drawn from."),
    OptionSpec(
      name: .duration, placeholder: "<duration>", defaultNote: "11s",
      help: "With --scenario: about how long the lag takes to drain. Shorter is less exact; at least 3s."),
  ]
}

/// A member of a group in a process of its own, which `lag-demo --scenario dead` kills. Started by no user:
/// `__lag-member <name> <records a second> <options of lag-demo>`. It ends when its stdin is closed.
struct LagMemberOptions: Hashable, Sendable {
  private static let word = "__lag-member"

  var common: CommonOptions
  /// Of the topic and of the group.
  var name: String
  var perSecond: Int

  static func words(_ name: String, perSecond: Double) -> [String] { [word, name, String(Int(perSecond))] }

  /// - Returns: `nil` for another command line.
  init?(_ arguments: [String], _ environment: @escaping Environment) throws(CommandError) {
    guard arguments.count >= 3, arguments[0] == Self.word, let rate = Int(arguments[2]), rate > 0 else { return nil }
    let line = ["lag-demo"] + arguments.dropFirst(3)
    guard case .lagDemo(let options) = try Invocation.parse(line, environment: environment) else { return nil }
    common = options.common
    name = arguments[1]
    perSecond = rate
  }
}
