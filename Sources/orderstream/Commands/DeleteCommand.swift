import OrderStreamCore

/// `delete`: removes topics and groups, or the start of topics; without `--execute` it says what would go.
struct DeleteCommand {
  let options: DeleteOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    let broker = try context.openBroker(
      to: options.execute ? .write : .read, outages: options.execute ? .run : .look)
    let admin = try broker.admin()
    defer { admin.close() }
    let deletion = Deletion(options.request, admin: admin, now: context.time.wallMilliseconds)
    let (plan, refusals) = try deletion.plan()
    if let last = refusals.last {
      for refusal in refusals.dropLast() { context.console.report(advised(refusal, broker), endsRun: false) }
      throw advised(last, broker)
    }
    noteConsequences(plan)
    guard options.execute else {
      try context.emit(
        DeletionReport(broker: broker.name, plan: plan, executed: false), broker: broker.name, activeMilliseconds: nil)
      return .success
    }
    let outcome = deletion.execute(plan, stop: context.stop)
    let done = outcome.gone.groups.count + outcome.gone.topics.count + outcome.gone.starts.count
    let failures = outcome.failures.map { CommandError($0) }
    let completion: Completion =
      outcome.left.isEmpty
      ? .whole : .cutShort(by: failures.first, after: Int64(done), of: Int64(done + outcome.left.count))
    try context.emit(
      DeletionReport(
        broker: broker.name, plan: outcome.gone, executed: true, left: outcome.left, completion: completion),
      broker: broker.name, activeMilliseconds: nil)
    for failure in failures.prefix(Int(Console.namedErrors)) { context.console.report(failure) }
    let more = Int64(failures.count) - Console.namedErrors
    if more > 0 { context.console.reportMore(more, "topics, groups or records could not be removed") }
    return exitCode(failures, isCutShort: outcome.isCutShort)
  }

  /// That of the failure which matters most, or of the signal that came before everything was tried.
  private func exitCode(_ failures: [CommandError], isCutShort: Bool) -> ExitCode {
    let codes = failures.map(\.code)
    let findings = codes.filter { $0.isFinding || $0 == .permission }
    if !findings.isEmpty { return ExitCode.combined(findings) }
    return codes.first ?? (isCutShort ? Signals.exitCode : nil) ?? .success
  }

  /// With `--execute` a refusal of one name keeps all of them.
  private func advised(_ refusal: BrokerError, _ broker: any Broker) -> CommandError {
    var error = CommandError(refusal)
    error.why += " (\(broker.name))"
    if options.execute { error.addAdvice("nothing was removed") }
    return error
  }

  /// What groups that stay will find.
  private func noteConsequences(_ plan: Deletion.Plan) {
    for topic in plan.topics where !topic.readers.isEmpty {
      let groups = topic.readers.joined(separator: ", ")
      context.console.note(
        "\(topic.name) was read by \(groups): on a new topic of that name such a group of orderstream stops with 78, "
          + "because it was made anew; remove it too with --group, or use analytics --reset-offsets then")
    }
    let behind = Set(plan.starts.flatMap(\.unreadBy)).sorted()
    if !behind.isEmpty {
      context.console.note(
        "\(behind.joined(separator: ", ")) \(behind.count == 1 ? "has" : "have") not read all of these records: such a "
          + "group of orderstream stops with 66 then, and goes on with --accept-loss")
    }
  }
}

/// `orderstream delete`, checked.
struct DeleteOptions: Hashable, Sendable {
  var common: CommonOptions
  var request: Deletion.Request
  var execute: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    let topics = try reader.names(.topic)
    let groups = try reader.names(.group)
    let before = try reader.optional(.before, PlaceArgument.parse)
    if before != nil, topics.isEmpty {
      throw reader.conflict(
        "option --before", "no topic is named whose records are to be removed", "name it with --topic")
    }
    if topics.isEmpty, groups.isEmpty {
      throw reader.conflict(
        "delete", "nothing is named", "name what to remove with --topic and --group, on the command line itself")
    }
    request = Deletion.Request(topics: topics, groups: groups, before: before)
    execute = reader.flag(.execute)
  }
}

extension CommandSpec {
  static let delete = CommandSpec(
    name: .delete, summary: "remove topics and groups, or the start of a topic",
    details: """
      Shows what would be removed, with counts, and removes nothing without --execute. A group is removed with its offsets \
      and its state. Names are taken from the command line only. Nothing is removed when a name is unknown (exit 66) or a \
      group is active (75). Says which other groups will notice.
      """,
    options: [
      OptionSpec.topic.defaulting(to: nil).saying("Remove this topic, or with --before its records below a place.")
        .onlyAsFlag.repeatable,
      OptionSpec.group.defaulting(to: nil).saying("Remove this group with its offsets and its state.")
        .onlyAsFlag.repeatable,
      OptionSpec(
        name: .before, placeholder: "<place>",
        help:
          "Keep the topics; remove the records of each partition below this place; 'orderstream help' lists its forms."),
      .execute.saying("Really remove; without it, only show what would be removed."),
    ] + OptionSpec.results() + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "what a removal would take along", command: "orderstream delete --topic order-events"),
      .init(
        text: "start from nothing", command: "orderstream delete -t order-events -g analytics -g inventory --execute"),
      .init(
        text: "forget what is older than a week", command: "orderstream delete -t order-events --before -7d --execute"),
    ])
}
