import OrderStreamCore

/// `audit`: proves that every item of every valid order has exactly one inventory event, or names what has not.
struct AuditCommand {
  let options: AuditOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    if options.bounds.follow { return try AuditWitness(options: options, context: context).run() }
    let receipts = try ReceiptFiles(topic: options.topic, context: context).read(options.receipts)
    let places = try self.places()
    let broker = try context.openBroker(to: .read, outages: .look)
    let admin = try broker.admin()
    defer { admin.close() }
    _ = try SourceTopic(options.topic, follow: false, context: context, admin: admin)
    let coversEvents = try receipts.isEmpty || admin.topic(options.outputTopic) != nil
    if coversEvents {
      _ = try SourceTopic(
        options.outputTopic, follow: false, context: context, admin: admin, remedy: "run orderstream inventory first")
    } else {
      context.console.note(
        "there is no topic \(options.outputTopic) on \(broker.name), so only the receipts are checked")
    }
    let group = coversEvents ? try self.group(broker, admin) : nil
    let start = context.time.monotonicNanoseconds
    var pass = AuditPass()
    if !receipts.isEmpty { try check(receipts, broker, admin, &pass) }
    if coversEvents && pass.isWhole { try join(group, places, broker, admin, &pass) }
    pass.findings.coversEvents = coversEvents
    let findings = pass.findings
    let completion: Completion =
      pass.isWhole ? .whole : .cutShort(by: pass.failure, after: pass.recordsRead, of: pass.recordsInAll)
    let active = (context.time.monotonicNanoseconds - start) / 1_000_000
    var report = AuditReport(
      topic: options.topic, outputTopic: options.outputTopic, findings: findings, completion: completion, group: group)
    report.ranges = pass.ranges
    if options.group == .inventory, group != nil { report.finishingCommand = finishingCommand(broker) }
    try context.emit(report, broker: broker.name, activeMilliseconds: active)
    if let failure = pass.failure {
      context.console.report(failure)
      return failure.code
    }
    if !pass.isWhole {
      return ExitCode.combined([Signals.exitCode ?? .success, findings.isClean ? .success : .refuted])
    }
    return try exitCode(report)
  }

  /// How far an audit came.
  private struct AuditPass {
    var findings = AuditFindings()
    /// The orders that were asked for; `nil` for all.
    var ranges: [Range<Offset>]?
    var isWhole = true
    var failure: CommandError?
    var recordsRead: Int64 = 0
    var recordsInAll: Int64 = 0
  }

  /// Compares the topic with receipts.
  private func check(
    _ receipts: [ReceiptOfFile], _ broker: any Broker, _ admin: any Admin, _ pass: inout AuditPass
  ) throws {
    let progress = Progress("receipts", console: context.console, time: context.time)
    defer { progress.finish() }
    let check = try ReceiptCheck(
      topic: options.topic, receipts, broker: broker, admin: admin, stop: context.stop,
      waits: { context.console.note($0.description) }, progress: { progress.update($0, of: $1) })
    try finish(&pass, check.run, { (check.recordsRead, check.recordsInAll) })
    check.add(to: &pass.findings)
  }

  /// Joins the orders with their events, behind what is known of receipts.
  private func join(
    _ group: String?, _ places: AuditScope.Places?, _ broker: any Broker, _ admin: any Admin, _ pass: inout AuditPass
  ) throws {
    let progress = Progress("audit", console: context.console, time: context.time)
    defer { progress.finish() }
    let audit = try Audit(
      Audit.Settings(
        topic: options.topic, outputTopic: options.outputTopic, group: group,
        deadLetterTopic: options.deadLetterTopic, places: places), broker: broker, admin: admin,
      stop: context.stop, waits: { context.console.note($0.description) }, progress: { progress.update($0, of: $1) })
    try finish(&pass, audit.run, { (audit.recordsRead, audit.recordsInAll) })
    var findings = audit.findings
    findings.receipts = pass.findings.receipts
    pass.ranges = audit.askedRanges
    findings.add(violationsOf: pass.findings)
    pass.findings = findings
  }

  private func finish(
    _ pass: inout AuditPass, _ run: () throws -> Bool, _ records: () -> (read: Int64, inAll: Int64)
  ) throws {
    do { pass.isWhole = try run() } catch {
      pass.isWhole = false
      pass.failure = CommandError(error)
    }
    pass.recordsRead += records().read
    pass.recordsInAll += records().inAll
    if let failure = pass.failure, !failure.code.reportsFirst(committed: pass.recordsRead) { throw failure }
  }

  /// The range that is audited; `nil` for all.
  private func places() throws -> AuditScope.Places? {
    var group: String?
    if case .named(let name) = options.group { group = name }
    let from = try options.offsetsFile.map {
      try OffsetsFile($0, topic: options.topic, group: group).places(context.console)
    }
    guard from != nil || !options.from.isEmpty || !options.to.isEmpty else { return nil }
    return AuditScope.Places(from: from ?? options.from, to: options.to, now: context.time.wallMilliseconds)
  }

  /// Whose uncommitted items are pending; `nil` for nobody's.
  /// - Throws: `configuration` when the group that was named has read an earlier topic of this name.
  private func group(_ broker: any Broker, _ admin: any Admin) throws -> String? {
    let name: String
    switch options.group {
    case .none: return nil
    case .named(let group): name = group
    case .inventory: name = Self.inventoryGroup
    }
    let (committed, state, topic) = (
      try admin.group(name)?.committed ?? [:], try StoredGroup(group: name, admin: admin),
      try admin.topic(options.topic)
    )
    let hasCommitted = committed.keys.contains { $0.topic == options.topic }
    if options.group == .inventory {
      return hasCommitted && Self.writes(state.outputs(for: options.topic), to: options.outputTopic) ? name : nil
    }
    if let topic,
      try state.isOfEarlierTopic(
        topic, committed: committed, broker: broker, admin: admin, stop: context.stop)
    {
      throw PipelineError.topicMadeAnew(topic: topic.name, group: name, isOutput: false)
    }
    if !hasCommitted {
      context.console.note(
        "the group \(name) has committed nothing of \(options.topic), so every missing item is pending")
    }
    return name
  }

  /// The same for a witness, which ends while others work: before the group `inventory` commits for the first time
  /// everything is pending, unless somebody else has written events.
  func groupOfWitness(_ broker: any Broker, _ admin: any Admin) throws -> String? {
    if let name = try group(broker, admin) { return name }
    guard options.group == .inventory else { return nil }
    let committed = try admin.group(Self.inventoryGroup)?.committed ?? [:]
    let isEmpty = try admin.watermarks(topic: options.outputTopic).allSatisfy { $0.low == $0.high }
    return isEmpty && !committed.keys.contains { $0.topic == options.topic } ? Self.inventoryGroup : nil
  }

  private static let inventoryGroup = "inventory"

  /// Whether the group writes to this topic. State of 0.1.0 names no output, which then was most likely the default one.
  private static func writes(_ outputs: Set<String>, to topic: String) -> Bool {
    outputs.isEmpty ? topic == OptionSpec.outputTopic.defaultValue : outputs.contains(topic)
  }

  /// The command that finishes what is pending.
  private func finishingCommand(_ broker: any Broker) -> String {
    var words = ["orderstream", "inventory"]
    if context.options.brokers != .embedded(directory: nil) { words += ["-b", broker.name] }
    if options.topic != OptionSpec.topic.defaultValue { words += ["-t", options.topic] }
    if options.outputTopic != OptionSpec.outputTopic.defaultValue { words += ["--output-topic", options.outputTopic] }
    return words.joined(separator: " ")
  }

  private func exitCode(_ report: AuditReport) throws -> ExitCode {
    let findings = report.findings
    if !findings.isClean || report.isUnfinished { return .refuted }
    try acceptLoss(findings)
    return .success
  }

  /// - Throws: `input` when something cannot be verified, and that was not accepted.
  func acceptLoss(_ findings: AuditFindings) throws {
    if findings.unverifiableInAll > 0 && !options.acceptLoss {
      throw CommandError(
        .input,
        "cannot verify \(findings.unverifiableInAll) \(findings.receipts == nil ? "items" : "items or records") of \(options.topic)",
        why: "retention has removed them, or what they are compared with",
        remedy: "accept that with --accept-loss, or run the audit before retention removes records")
    }
  }
}

/// `orderstream audit`, checked.
struct AuditOptions: Hashable, Sendable {
  /// Whose uncommitted items are pending instead of lost.
  enum Group: Hashable, Sendable {
    /// That of `inventory`, where it has committed on the topic: what it has not done yet makes the run "not finished".
    case inventory
    /// This one; that it has not committed everything is normal.
    case named(String)
    /// Nobody's: every item must be there.
    case none
  }

  var common: CommonOptions
  var topic: String
  var outputTopic: String
  var group: Group
  var acceptLoss: Bool
  /// Checked too; `nil` unless asked for.
  var deadLetterTopic: String?
  /// Whether it watches first; `maxEvents` is always `nil`.
  var bounds: RunBounds
  /// How long it watches; `nil`: until something else ends it.
  var duration: Duration?
  /// Files of receipts; empty for none.
  var receipts: [String]
  /// The orders that are audited, as `OptionReader.places` has them; empty where nothing is said.
  var from: [Place]
  var to: [Place]
  /// The file with the places of `from`, in their stead.
  var offsetsFile: String?

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    outputTopic = try reader.outputTopic(source: topic)
    let name = try reader.optional(.group, OptionValue.name)
    if name != nil, reader.flag(.noGroup) {
      throw reader.conflict("option --no-group", "--group names one", "leave one of the two out")
    }
    group = name.map(Group.named) ?? (reader.flag(.noGroup) ? .none : .inventory)
    acceptLoss = reader.flag(.acceptLoss)
    deadLetterTopic = reader.flag(.dlq) ? "\(topic).dlq" : nil
    bounds = try reader.bounds()
    duration = try reader.optional(.duration, OptionValue.someDuration)
    if duration != nil { bounds.follow = true }
    receipts = try reader.values(.receipt, OptionValue.path)
    if bounds.follow, !receipts.isEmpty {
      throw reader.conflict("option --receipt", "--follow watches", "check the receipts with another audit afterwards")
    }
    from = try reader.places(.from)
    to = try reader.places(.to)
    offsetsFile = try reader.offsetsFile(besides: .from)
    if bounds.follow, let place = [OptionName.from, .to, .offsetsFile].first(where: reader.isGiven) {
      throw reader.conflict("option --\(place.rawValue)", "--follow watches all", "leave one of the two out")
    }
  }
}

extension CommandSpec {
  static let audit = CommandSpec(
    name: .audit, summary: "join orders with inventory events and prove exactly-once",
    details: """
      Every item of every valid order must have exactly one inventory event. Counts what is lost, duplicated, phantom, \
      wrong, reordered or in the wrong partition, with up to 20 coordinates each. Changes nothing. What the group \
      inventory has not committed yet is pending, and the run is not finished (exit 1). With --follow it watches both \
      topics until it is asked to end, and says what the logs have taken back since.
      """,
    options: [
      .outputTopic,
      .follow.saying(
        """
        Read both topics all the time beside those who work, until SIGINT or SIGTERM; then compare what was seen with \
        what is there, and audit. Waits for missing topics.
        """),
      .idleTimeout,
      OptionSpec(
        name: .duration, placeholder: "<duration>", help: "Follow for this long, then compare and audit."),
      OptionSpec(
        name: .receipt, placeholder: "<file>",
        help: "Prove too that what this receipt of 'produce --receipt' says is on the log, as it was, and once.",
        completion: .file
      ).repeatable,
      .acceptLoss.saying("Succeed even if retention has removed orders, which cannot be verified then."),
      .topic,
      .group.defaulting(to: nil, note: "inventory, where it has committed").saying(
        "Count what this group has not committed yet as pending; that alone does not make the exit code 1."
      ).onlyAsFlag,
      OptionSpec(name: .noGroup, help: "Count nothing as pending: every missing item is lost."),
      OptionSpec(
        name: .dlq,
        help: "Prove too that each rejected record has exactly one dead letter in <topic>.dlq, byte for byte."),
      .from.defaulting(to: nil, note: "earliest").saying(
        "Audit the orders from this place on; with a place in one partition only those of that one."),
      .to.saying("Audit the orders before this place."), .offsetsFile,
    ] + OptionSpec.results(.page, .metrics, .junit) + OptionSpec.connection + OptionSpec.presentation,
    examples: [
      .init(text: "after an inventory run", command: "orderstream audit"),
      .init(text: "the orders of the last hour", command: "orderstream audit --from -1h"),
      .init(text: "beside a running one", command: "orderstream audit --group inventory"),
      .init(text: "a witness of a failover drill", command: "orderstream audit --follow --duration 10m --json"),
      .init(text: "from the acknowledgement on", command: "orderstream audit --receipt orders.receipt"),
    ])
}
