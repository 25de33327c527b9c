import OrderStreamCore

/// `tail`: prints a topic's records, one JSON document a line, or their bare values.
struct TailCommand {
  /// How often a follower looks whether the topic has got more partitions.
  private static let growthInterval = Duration.seconds(5)

  let options: TailOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    guard let file = options.offsetsFile else { return try print() }
    var options = options
    options.from = try OffsetsFile(file, topic: options.topic).places(context.console)
    return try TailCommand(options: options, context: context).print()
  }

  private func print() throws -> ExitCode {
    let wait = TopicWait(topic: options.topic, context: context)
    guard let found = try wait.find(follow: options.bounds.follow) else { return Signals.timeOut ?? .success }
    let (broker, admin, watermarks) = (found.broker, found.admin, found.watermarks)
    defer { admin.close() }
    let ranges = try self.ranges(watermarks, admin, isNew: found.isNew)
    var printer = RecordPrinter(
      console: context.console, topic: options.topic, form: options.form, partitionCount: watermarks.count,
      limit: options.bounds.maxEvents)
    if let count = options.last {
      try printLast(count, of: ranges, broker, &printer)
      if printer.isDone || context.stop.isRequested { return Signals.exitCode ?? .success }
    }
    if options.bounds.follow {
      let consumer = try broker.consumer(ConsumerOptions(topic: options.topic, membership: .none))
      defer { consumer.close() }
      var positions: [Int32: Offset] = [:]
      for range in ranges {
        positions[range.partition] = options.last == nil ? range.offsets.lowerBound : range.offsets.upperBound
      }
      try follow(from: positions, known: watermarks.count, consumer, admin, &printer)
      return Signals.timeOut ?? .success
    }
    if options.last == nil { try print(ranges, broker, &printer) }
    return context.stop.isRequested ? Signals.exitCode ?? .success : .success
  }

  /// What of each partition is to be printed.
  private func ranges(_ watermarks: [Watermarks], _ admin: any Admin, isNew: Bool) throws -> [PartitionRange] {
    if let missing = options.partitions.first(where: { !watermarks.indices.contains(Int($0)) }) {
      throw CommandError(
        .input, "cannot read \(options.topic)[\(missing)]", why: "the topic has \(watermarks.count) partitions",
        remedy: "name one from 0 to \(watermarks.count - 1)")
    }
    for place in options.from { noteIfBeyond(place, watermarks) }
    // All of a topic that was not there yet has come since the start.
    let from = options.from.map {
      isNew && $0.position == .latest ? Place(.earliest, partition: $0.partition) : $0
    }
    let now = context.time.wallMilliseconds
    let starts = try from.offsets(in: options.topic, watermarks, admin: admin, wallMilliseconds: now)
    let ends = try options.to.offsets(in: options.topic, watermarks, admin: admin, wallMilliseconds: now)
    return watermarks.indices.compactMap { number in
      let partition = Int32(number)
      guard let start = starts[number], options.partitions.isEmpty || options.partitions.contains(partition) else {
        return nil
      }
      return PartitionRange(partition: partition, offsets: start..<max(start, ends[number] ?? watermarks[number].high))
    }
  }

  /// One partition after the other, up to its end as it was at the start.
  private func print(
    _ ranges: [PartitionRange], _ broker: any Broker, _ printer: inout RecordPrinter
  ) throws {
    // What a reader waits for, and what was printed before it, comes at once.
    try read(ranges, broker, pause: { try printer.flush() }) { record in
      if printer.isDone { return false }
      if matches(record) { try printer.print(record) }
      return !printer.isDone
    }
    try printer.flush()
  }

  /// Visits the records of these ranges. An error of the output comes before one of the broker that follows it.
  private func read(
    _ ranges: [PartitionRange], _ broker: any Broker, pause: () throws -> Void = {},
    _ visit: (RecordBatch.View) throws -> Bool
  ) throws {
    var failure: (any Error)?
    func flush() { do { try pause() } catch { failure = failure ?? error } }
    do {
      let reader = try TopicReader(
        topic: options.topic, broker: broker, stop: context.stop, waits: { context.console.note($0.description) })
      defer { reader.close() }
      _ = try reader.read(ranges, pause: flush) { record in
        guard failure == nil else { return false }
        do { return try visit(record) } catch { failure = error }
        return false
      }
    } catch {
      flush()
      throw failure ?? error
    }
    if let failure { throw failure }
  }

  private func matches(_ record: RecordBatch.View) -> Bool {
    guard let key = options.key else { return true }
    return record.key.map { $0.elementsEqual(key.utf8) } ?? false
  }

  /// The last records of all ranges together, by timestamp, then partition and offset. Each partition is read backwards
  /// in stretches that grow, until it has given as many.
  private func printLast(
    _ count: Int64, of ranges: [PartitionRange], _ broker: any Broker, _ printer: inout RecordPrinter
  ) throws {
    var last = LastRecords(Int(count))
    var (found, stretch) = ([Int32: Int64](), max(count, LastRecords.leastStretch))
    var rest = count > 0 ? ranges.filter { !$0.offsets.isEmpty } : []
    while !rest.isEmpty, !context.stop.isRequested {
      let stretches = rest.map { range in
        let end = range.offsets.upperBound
        return PartitionRange(
          partition: range.partition, offsets: max(range.offsets.lowerBound, end.saturatingAdd(-stretch))..<end)
      }
      try read(stretches, broker) { record in
        guard matches(record) else { return true }
        found[record.partition, default: 0] += 1
        last.add(record) { printer.line(record) }
        return true
      }
      rest = zip(rest, stretches).compactMap { range, done in
        let left = range.offsets.lowerBound..<done.offsets.lowerBound
        guard !left.isEmpty, found[range.partition, default: 0] < count else { return nil }
        return PartitionRange(partition: range.partition, offsets: left)
      }
      stretch = stretch.saturatingAdd(stretch)
    }
    for line in last.sorted where !printer.isDone { try printer.print(line) }
    try printer.flush()
  }

  /// - Parameters:
  ///   - starts: by partition; others are not printed.
  ///   - count: how many partitions the topic had then. Those that come later are printed too, unless some were named.
  private func follow(
    from starts: [Int32: Offset], known count: Int, _ consumer: any Consumer, _ admin: any Admin,
    _ printer: inout RecordPrinter
  ) throws {
    var (positions, count) = (starts, count)
    func assign() throws {
      try consumer.assign(places(positions))
    }
    try assign()
    let batch = RecordBatch()
    var hidden = HiddenRecords(topic: options.topic, context: context)
    var nextLook = context.time.monotonicNanoseconds + Self.growthInterval.nanoseconds
    while !printer.isDone && !context.stop.isRequested {
      try poll(consumer, batch)
      for index in 0..<batch.count where !printer.isDone {
        let record = batch[index]
        if matches(record) { try printer.print(record) }
        positions[record.partition] = record.offset.next
      }
      for end in batch.ends { positions[end.partition] = end.offset }
      try printer.flush()
      if batch.isEmpty { hidden.look(places(positions), admin) }
      guard context.time.monotonicNanoseconds >= nextLook else { continue }
      nextLook = context.time.monotonicNanoseconds + Self.growthInterval.nanoseconds
      // A broker that does not answer is the consumer's to tell of.
      guard options.takesNewPartitions, let marks = try? admin.watermarks(topic: options.topic), marks.count > count
      else { continue }
      for number in count..<marks.count { positions[Int32(number)] = marks[number].low }
      count = marks.count
      try assign()
    }
  }

  private func places(_ positions: [Int32: Offset]) -> [PartitionOffset] {
    positions.sorted { $0.key < $1.key }.map { PartitionOffset(partition: $0.key, offset: $0.value) }
  }

  private func poll(_ consumer: any Consumer, _ batch: RecordBatch) throws {
    _ = try consumer.poll(into: batch, timeout: .milliseconds(100))
  }

  /// An offset that no partition has reached is most often meant to be a time.
  private func noteIfBeyond(_ place: Place, _ watermarks: [Watermarks]) {
    guard case .offset(let offset) = place.position, let last = watermarks.map(\.high).max(), offset > last else {
      return
    }
    let time = TimeArgument.text(ofNumber: offset) ?? "2024-01-15T10:30:00Z"
    context.console.note(
      "the offset \(offset) lies beyond the end of every partition of \(options.topic) (the last one is \(last)); "
        + "a time is written like --from \(time)")
  }
}

/// `orderstream tail`, checked.
struct TailOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  /// Where to begin: first the place for all partitions, if there is one, then those for single ones. Never empty. Without
  /// the former other partitions are not printed.
  var from: [Place]
  /// Where to end, in the same order; empty: at the ends.
  var to: [Place]
  /// The file with the places to begin at, in place of `from`.
  var offsetsFile: String?
  /// The last n of all partitions together; `nil`: everything between the places.
  var last: Int64?
  /// Only these partitions; empty for all.
  var partitions: [Int32]
  /// Only records with this key.
  var key: String?
  /// `idleTimeout` is always `nil`.
  var bounds: RunBounds
  var form: Form

  /// How a record is printed: as a document to read, as one that `produce --exact` takes, or its bare value.
  enum Form: Hashable, Sendable { case document, exact, raw }

  /// What is kept in memory.
  static let maxLast: Int64 = 100_000

  /// Whether partitions are printed that the topic gets while it is followed.
  var takesNewPartitions: Bool { partitions.isEmpty && from.contains { $0.partition == nil } }

  /// - Parameter topic: as it stands behind the command.
  init(_ reader: OptionReader, topic word: String?) throws(CommandError) {
    common = try reader.common()
    if let word {
      if reader.isGiven(.topic) {
        throw reader.conflict("argument '\(word)'", "--topic names a topic too", "name the topic once")
      }
      do { topic = try OptionValue.name(word) } catch {
        throw reader.conflict("topic '\(word)'", error.why, error.remedy)
      }
    } else {
      topic = try reader.topic()
    }
    from = try reader.places(.from)
    to = try reader.places(.to)
    offsetsFile = try reader.offsetsFile(besides: .from)
    last = try reader.optionalInteger(.last, in: 0...Self.maxLast)
    partitions = try reader.values(.partition) { (text) throws(ValueError) in
      try OptionValue.integer(text, in: 0...CommonOptions.maxPartitions - 1)
    }
    key = reader.text(.key)?.text
    bounds = try reader.bounds()
    form = reader.flag(.raw) ? .raw : reader.flag(.exact) ? .exact : .document
    if from.isEmpty { from = [.earliest] }
    if form == .raw, common.json || reader.flag(.exact) {
      let other = common.json ? "--json" : "--exact"
      throw reader.conflict("option --raw", "\(other) asks for documents", "leave one of the two out")
    }
    if bounds.follow, !to.isEmpty {
      throw reader.conflict("option --to", "--follow goes on behind every end", "leave one of the two out")
    }
  }
}

extension CommandSpec {
  static let tail = CommandSpec(
    name: .tail, summary: "print the records of a topic, one JSON document a line",
    details: """
      Uses no group. Ends at the end of the topic as it was at the start, partition by partition; -n prints the last \
      records of all partitions together, by timestamp.
      """,
    positional: .init(placeholder: "[topic]", completion: .topic),
    options: [
      .from.saying(
        """
        Where to begin in each partition: a place, in one of the forms that 'orderstream help' lists. With a place in \
        one partition, like 2=1047, only that one is printed.
        """), .to, .offsetsFile,
      OptionSpec(
        name: .last, short: "n", placeholder: "<n>",
        help:
          "Print the last n records in all, by timestamp, then partition and offset; with --follow go on from there."),
      OptionSpec(name: .partition, placeholder: "<n>", help: "Print this partition only.", isRepeatable: true),
      OptionSpec(name: .key, placeholder: "<key>", help: "Print records with this key only."),
      .follow.saying("Do not end at the end of the topic: run until SIGINT or SIGTERM. Waits for a missing topic."),
      .maxEvents.letter(nil).saying("Print this many records, then end."),
      OptionSpec(
        name: .exact, help: "Print everything of each record to the byte, for 'produce --input - --exact' elsewhere."),
      OptionSpec(name: .raw, help: "Print each value as it is, and a line feed."),
      .topic.saying("Topic to print; it may also stand behind the command."),
    ] + OptionSpec.creation + OptionSpec.connection
      + [.json.saying("One JSON document a line, which is the default.")] + OptionSpec.presentation.dropFirst(),
    examples: [
      .init(text: "the last ten records, and then what comes", command: "orderstream tail order-events -n 10 -f"),
      .init(text: "everything about one order", command: "orderstream tail inventory-events --key order_000007"),
      .init(text: "one hour of one partition", command: "orderstream tail --from 2=-2h --to 2=-1h"),
      .init(text: "values of what comes from now on", command: "orderstream tail --from latest --follow --raw"),
    ])
}
