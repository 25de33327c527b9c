import OrderStreamCore

/// `replay`: computes the metrics, resets the group, computes them again, and compares the reports to the byte.
struct ReplayCommand {
  static let initialFile = "metrics_initial.txt"
  static let replayFile = "metrics_after_replay.txt"

  let options: ReplayOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    if let check = options.check { return try CertificateCheck(options: options, check: check, context: context).run() }
    if let group = options.group, options.namesPlace {
      return try GroupMoving(options: options, group: group, context: context).run()
    }
    if let group = options.group, !options.execute {
      // Without `--execute` a named group is left alone.
      let broker = try context.openBroker(to: .read)
      try context.emit(
        ReplayPlan(topic: options.topic, group: group), broker: broker.name, activeMilliseconds: nil)
      return .success
    }
    let files = (
      initial: try BrokerFactory.outputFile(Self.initialFile, context.options.brokers),
      replay: try BrokerFactory.outputFile(Self.replayFile, context.options.brokers)
    )
    let certificateFile = try options.certificate.map { try BrokerFactory.outputFile($0, context.options.brokers) }
    let from = try options.offsetsFile.map { try OffsetsFile($0, topic: options.topic).places(context.console) }
    let broker = try context.openBroker(to: options.events == 0 ? .write : .create)
    let admin = try broker.admin()
    defer { admin.close() }
    if options.events > 0, let completion = try produce(options.events, broker: broker, admin: admin) {
      return try finishCutShort(nil, nil, completion, broker.name)
    }
    let source = try SourceTopic(options.topic, follow: false, context: context, admin: admin)
    try refuseActiveGroup(admin)

    let privateGroup = "orderstream-replay-\(PrivateName.random())"
    defer {
      if options.group == nil { context.removeTraces(group: privateGroup, admin) }
    }
    let range = try range(from ?? options.from, source, admin)
    let replay = Replay(
      broker: broker,
      consumer: ConsumerOptions(
        topic: options.topic,
        membership: options.group.map { .member(group: $0) } ?? .sole(group: privateGroup), readsHeaders: false),
      partitionCount: source.partitionCount, starts: range?.map(\.lowerBound),
      ends: try range?.map(\.upperBound) ?? source.frozenEnds(admin), time: context.time, stop: context.stop)
    let lowBefore = try range?.map(\.lowerBound) ?? lowWatermarks(admin)
    var initial: Replay.Pass?
    var second: Replay.Pass?
    var failure: CommandError?
    var extent = RunObserver.Extent()
    do {
      initial = try pass(replay, resetsGroup: false, into: files.initial, &extent)
      if initial != nil { second = try pass(replay, resetsGroup: true, into: files.replay, &extent) }
    } catch {
      let error = CommandError(error)
      guard error.code.reportsFirst(committed: extent.committed) else { throw error }
      failure = error
    }
    guard let initial, let second else {
      return try finishCutShort(
        initial, failure, .cutShort(by: failure, after: extent.committed, of: extent.inAll), broker.name)
    }
    var report = ReplayReport(
      topic: options.topic, initial: initial.summary, replay: second.summary, initialFile: Self.initialFile,
      replayFile: Self.replayFile, goneRanges: goneRanges(before: lowBefore, after: try lowWatermarks(admin)))
    report.ranges = range
    if let certificateFile, report.isMatch {
      guard let made = try certify(ends: replay.ends, second.summary, broker, admin) else {
        return try finishCutShort(
          initial, nil, .cutShort(by: nil, after: extent.committed, of: extent.inAll), broker.name)
      }
      report.certificate = .init(file: certificateFile.path, made)
      if made.report == Certificate.digest(of: second.summary) { try write(made, to: certificateFile) }
    }
    try context.emit(
      report, broker: broker.name,
      activeMilliseconds: (initial.run.activeNanoseconds + second.run.activeNanoseconds) / 1_000_000)
    return report.isMatch ? .success : .refuted
  }

  /// What of each partition is replayed, by number; `nil` for all of all. A partition in which no place is named has
  /// nothing.
  private func range(
    _ from: [Place], _ source: SourceTopic, _ admin: any Admin
  ) throws -> [Range<Offset>]? {
    guard !from.isEmpty || !options.to.isEmpty else { return nil }
    let marks = try admin.watermarks(topic: options.topic, partitions: Int(source.partitionCount))
    let now = context.time.wallMilliseconds
    let starts = try (from.isEmpty ? [.earliest] : from).offsets(
      in: options.topic, marks, admin: admin, wallMilliseconds: now)
    let ends = try options.to.offsets(in: options.topic, marks, admin: admin, wallMilliseconds: now)
    return marks.indices.map { number in
      let start = starts[number] ?? marks[number].low
      return start..<(starts[number] == nil ? start : max(start, ends[number] ?? marks[number].high))
    }
  }

  private func finishCutShort(
    _ initial: Replay.Pass?, _ failure: CommandError?, _ completion: Completion, _ broker: String
  ) throws -> ExitCode {
    try context.emit(
      ReplayReport.CutShort(topic: options.topic, initial: initial?.summary, completion: completion), broker: broker,
      activeMilliseconds: (initial?.run.activeNanoseconds ?? 0) / 1_000_000)
    if let failure {
      context.console.report(failure)
      return failure.code
    }
    return Signals.exitCode ?? .success
  }

  /// One pass and its file; `nil` when a signal cut it short.
  private func pass(
    _ replay: Replay, resetsGroup: Bool, into file: AtomicFile, _ extent: inout RunObserver.Extent
  ) throws -> Replay.Pass? {
    let progress = Progress(
      resetsGroup ? "replay, second pass" : "replay, first pass", console: context.console, time: context.time)
    let observer = RunObserver(progress, context: context)
    defer {
      observer.finish()
      extent = observer.extent
    }
    let pass = try replay.compute(resetsGroup: resetsGroup, observer: observer)
    guard pass.run.end == .reachedEnds else { return nil }
    let text = ByteBuffer()
    MetricsReport(pass.summary, processed: pass.run.records).appendText(to: text)
    try file.write(text.bytes)
    return pass
  }

  /// - Returns: how far it came, if a signal cut it short.
  private func produce(_ events: Int64, broker: any Broker, admin: any Admin) throws -> Completion? {
    let publishing = OrderPublishing(
      context: context, topic: options.topic, broker: broker, admin: admin)
    let outcome = try publishing.run(count: events)
    if outcome.report.deliveries.acknowledged == events { return nil }
    guard let failure = outcome.failure else { return outcome.report.completion }
    throw CommandError(
      failure.code, "cannot produce \(events) orders to \(options.topic)",
      why: "only \(outcome.report.deliveries.acknowledged) were acknowledged: \(failure.why)",
      remedy: failure.remedy)
  }

  /// What the records up to the frozen ends are, read once more; `nil` when a signal came first.
  private func certify(
    ends: [Offset], _ summary: MetricsSummary, _ broker: any Broker, _ admin: any Admin
  ) throws -> Certificate? {
    let ranges = zip(try lowWatermarks(admin), ends).map { min($0, $1)..<$1 }
    let pass = CertificatePass(topic: options.topic)
    let total = summary.totalOrders + summary.rejected
    guard try context.run(pass, "certificate", ranges, broker, of: total) else { return nil }
    return Certificate(
      broker: broker.name, topic: options.topic, madeMilliseconds: context.time.wallMilliseconds,
      version: Version.number, partitions: pass.partitions(ranges), summary: pass.summary)
  }

  private func write(_ certificate: Certificate, to file: AtomicFile) throws {
    let text = ByteBuffer()
    certificate.append(to: text)
    try file.write(text.bytes)
  }

  private func refuseActiveGroup(_ admin: any Admin) throws {
    guard let group = options.group else { return }
    let found = try admin.group(group)
    // Members that nobody can see may be there.
    guard let found, !found.members.isEmpty || !found.membersKnown else { return }
    throw PipelineError.groupActive(group: group)
  }

  private func lowWatermarks(_ admin: any Admin) throws -> [Offset] {
    try admin.watermarks(topic: options.topic).map(\.low)
  }

  /// Records that the replay could not read any more. A named group may have counted them before this run.
  private func goneRanges(before: [Offset], after: [Offset]) -> [String] {
    zip(before, after).enumerated().compactMap { number, lows in
      let start = options.group == nil ? lows.0 : 0
      guard lows.1 > start else { return nil }
      let partition = TopicPartition(topic: options.topic, partition: Int32(number))
      return "\(partition)@\(start) to \(lows.1 - 1)"
    }
  }
}

/// `orderstream replay`, checked.
struct ReplayOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  /// A named group, changed only with `execute`; `nil` for a private one.
  var group: String?
  var execute: Bool
  /// The range to replay, or with a group the place to move it to, which `to` has no part in: as `OptionReader.places`
  /// has them; empty where nothing is said.
  var from: [Place]
  var to: [Place]
  /// The file with the places of `from`, in their stead.
  var offsetsFile: String?
  /// Where the offsets of a group that is moved go first; `nil`: a name of its own in the working directory.
  var undoFile: String?
  /// Whether a group is moved though records that it may have counted are gone.
  var acceptLoss: Bool
  /// How many orders to produce first.
  var events: Int64
  /// Whether somebody has named the topic.
  var topicIsGiven: Bool
  /// The file for a certificate of the records and their report; `nil` for none.
  var certificate: String?
  /// What is verified instead of a replay.
  var check: Check?

  /// Whether a place is named: of a group, where it is moved to.
  var namesPlace: Bool { !from.isEmpty || offsetsFile != nil }

  /// `--verify`.
  struct Check: Hashable, Sendable {
    /// The certificate.
    var file: String
    /// The log that it was made of, or a copy of it, to find the first record that differs.
    var against: BrokerSpec?
  }

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    group = try reader.optional(.group, OptionValue.name)
    execute = reader.flag(.execute)
    from = try reader.places(.from)
    to = try reader.places(.to)
    offsetsFile = try reader.offsetsFile(besides: .from)
    undoFile = try reader.optional(.undoFile, OptionValue.file)
    acceptLoss = reader.flag(.acceptLoss)
    events = try reader.optionalInteger(.events, in: 0...ProduceOptions.maxEvents) ?? 0
    topicIsGiven = reader.text(.topic) != nil
    certificate = try reader.optional(.certificate, OptionValue.file)
    check = try Check(reader)
    let ofReplay: [OptionName] = [.events, .execute, .group, .certificate, .from, .to, .offsetsFile]
    if check != nil, let other = ofReplay.first(where: reader.isGiven) {
      throw reader.conflict(
        "option --verify", "it only looks, and --\(other.rawValue) is for a replay", "leave one of the two out")
    }
    if certificate != nil, group != nil {
      throw reader.conflict(
        "option --certificate", "it is of all records, and a named group may have counted others",
        "leave --group out")
    }
    try checkPlaces(reader)
  }

  private func checkPlaces(_ reader: OptionReader) throws(CommandError) {
    let place = reader.isGiven(.from) ? "--from" : "--offsets-file"
    if group != nil {
      if !to.isEmpty {
        throw reader.conflict("option --to", "a group has one place, which --from names", "leave --to out")
      }
      if namesPlace, events > 0 {
        throw reader.conflict(
          "option --events", "with --group and \(place) a group is moved, and nothing is produced", "leave it out")
      }
    } else if certificate != nil, namesPlace || !to.isEmpty {
      throw reader.conflict(
        "option --certificate", "it is of all records, and \(namesPlace ? place : "--to") names a range",
        "leave one of the two out")
    }
    if group == nil || !namesPlace, let other = [OptionName.undoFile, .acceptLoss].first(where: reader.isGiven) {
      throw reader.conflict(
        "option --\(other.rawValue)", "it is for moving a group to a place", "add --group <name> and --from <place>")
    }
  }
}

extension ReplayOptions.Check {
  /// `nil` without `--verify`.
  init?(_ reader: OptionReader) throws(CommandError) {
    against = try reader.optional(.against, BrokerSpec.parse)
    guard let file = try reader.optional(.verify, OptionValue.file) else {
      if against == nil { return nil }
      throw reader.conflict(
        "option --against", "there is nothing to verify", "add --verify <certificate>")
    }
    self.file = file
  }
}

extension CommandSpec {
  static let replay = CommandSpec(
    name: .replay, summary: "compute metrics twice and compare them to the byte",
    details: """
      Computes the metrics into metrics_initial.txt, resets the group's offsets and state, computes them again into \
      metrics_after_replay.txt, and compares. The group is private and deleted afterwards, unless --group names one. With \
      --group and --from the group is moved to that place instead, state and offsets together; its state is recomputed. A \
      certificate says what the records and their report were, to be verified on another machine or the other broker.
      """,
    options: [
      OptionSpec(
        name: .events, short: "n", placeholder: "<n>", defaultNote: "none", help: "Produce this many orders first."),
      OptionSpec(
        name: .certificate, placeholder: "<file>",
        help: "Write the digests of all records and of their report to this file.", completion: .file),
      OptionSpec(
        name: .verify, placeholder: "<file>",
        help: """
          Replay nothing; say whether the topic holds what this certificate says, or where it differs. Records after \
          those of the certificate are no difference.
          """, completion: .file),
      OptionSpec(
        name: .against, placeholder: "<spec>",
        help: "With --verify: the log that the certificate was made of, to name the first record that differs.",
        completion: .brokers),
      .from.defaulting(to: nil, note: "earliest").saying(
        "Replay from this place on; with --group: move the group there, as if it had read so far."),
      .to.saying("Replay up to this place."), .offsetsFile,
      OptionSpec(
        name: .undoFile, placeholder: "<file>", defaultNote: "replay-undo-<group>.csv",
        help: "With --group and --from: where the offsets of before go first, for --offsets-file to move it back.",
        completion: .file),
      .acceptLoss.saying("Move a group although records were removed that it may have counted; they count no more."),
      .execute.saying(
        "Really reset, or move, the group that --group names; without it, only say what would be done."),
      .topic,
      .group.defaulting(to: nil, note: "a private one").saying(
        "Reset and replay this group, with --execute."
      ).onlyAsFlag,
    ] + OptionSpec.creation + OptionSpec.results(.page, .metrics, .junit) + OptionSpec.connection
      + OptionSpec.presentation,
    examples: [
      .init(text: "produce 10 000 orders and prove it", command: "orderstream replay --events 10000"),
      .init(text: "a certificate to hand on", command: "orderstream replay --certificate orders.cert"),
      .init(text: "check it elsewhere", command: "orderstream replay --verify orders.cert -b localhost:9092"),
      .init(text: "the orders of the last hour", command: "orderstream replay --from -1h"),
      .init(text: "move a group back", command: "orderstream replay --group analytics --from -1d --execute"),
      .init(text: "rewind a group of your own", command: "orderstream replay --group analytics --execute"),
    ])
}
