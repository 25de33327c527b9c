import OrderStreamCore

/// `tail`: prints a topic's records, one JSON document a line, or their bare values.
struct TailCommand {
  /// How often a follower looks whether the topic has got more partitions.
  private static let growthInterval = Duration.seconds(5)

  let options: TailOptions
  let context: CommandContext

  func run() throws -> ExitCode {
    let wait = TopicWait(topic: options.topic, context: context)
    guard let found = try wait.find(follow: options.bounds.follow) else { return .success }
    let (broker, admin, watermarks) = (found.broker, found.admin, found.watermarks)
    defer { admin.close() }
    // All of a topic that was not there yet has come since the start.
    let starts = found.isNew && options.from == .latest ? watermarks.map(\.low) : try self.starts(watermarks, admin)
    var printer = RecordPrinter(
      console: context.console, topic: options.topic, isRaw: options.raw, limit: options.bounds.maxEvents)
    if options.bounds.follow {
      let consumer = try broker.consumer(ConsumerOptions(topic: options.topic, membership: .none))
      defer { consumer.close() }
      try follow(starts, consumer, admin, &printer)
      return .success
    }
    let ranges = zip(starts, watermarks).enumerated().map { partition, place in
      PartitionRange(partition: Int32(partition), offsets: place.0..<max(place.0, place.1.high))
    }
    try print(ranges, broker, &printer)
    return context.stop.isRequested ? Signals.exitCode ?? .success : .success
  }

  /// One partition after the other, up to its end as it was at the start.
  private func print(
    _ ranges: [PartitionRange], _ broker: any Broker, _ printer: inout RecordPrinter
  ) throws {
    // What a reader waits for, and what was printed before it, comes at once.
    var failure: (any Error)?
    func flush() { do { try printer.flush() } catch { failure = failure ?? error } }
    do {
      let reader = try TopicReader(
        topic: options.topic, broker: broker, stop: context.stop, waits: { context.console.note($0.description) })
      defer { reader.close() }
      _ = try reader.read(ranges, pause: flush) { record in
        guard failure == nil, !printer.isDone else { return false }
        do { try printer.print(record) } catch { failure = error }
        return failure == nil && !printer.isDone
      }
    } catch {
      flush()
      throw failure ?? error
    }
    flush()
    if let failure { throw failure }
  }

  private func follow(
    _ starts: [Offset], _ consumer: any Consumer, _ admin: any Admin, _ printer: inout RecordPrinter
  ) throws {
    var positions = starts
    try assign(positions, consumer)
    let batch = RecordBatch()
    var hidden = HiddenRecords(topic: options.topic, context: context)
    var nextLook = context.time.monotonicNanoseconds + Self.growthInterval.nanoseconds
    while !printer.isDone && !context.stop.isRequested {
      try poll(consumer, batch)
      for index in 0..<batch.count where !printer.isDone {
        let record = batch[index]
        try printer.print(record)
        positions[Int(record.partition)] = record.offset.next
      }
      for end in batch.ends { positions[Int(end.partition)] = end.offset }
      try printer.flush()
      if batch.isEmpty {
        hidden.look(positions.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) }, admin)
      }
      guard context.time.monotonicNanoseconds >= nextLook else { continue }
      nextLook = context.time.monotonicNanoseconds + Self.growthInterval.nanoseconds
      // A broker that does not answer is the consumer's to tell of.
      guard let marks = try? admin.watermarks(topic: options.topic), marks.count > positions.count else { continue }
      positions += marks[positions.count...].map(\.low)
      try assign(positions, consumer)
    }
  }

  private func assign(_ positions: [Offset], _ consumer: any Consumer) throws {
    try consumer.assign(
      positions.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) })
  }

  private func poll(_ consumer: any Consumer, _ batch: RecordBatch) throws {
    _ = try consumer.poll(into: batch, timeout: .milliseconds(100))
  }

  /// The first offset of each partition; an offset outside a partition becomes its nearest border.
  private func starts(_ watermarks: [Watermarks], _ admin: any Admin) throws -> [Offset] {
    if case .offset(let offset) = options.from.position { noteIfBeyond(offset, watermarks) }
    return try options.from.offsets(
      in: options.topic, watermarks, admin: admin, wallMilliseconds: context.time.wallMilliseconds
    ).compactMap { $0 }
  }

  /// An offset that no partition has reached is most often meant to be a time.
  private func noteIfBeyond(_ offset: Offset, _ watermarks: [Watermarks]) {
    guard let last = watermarks.map(\.high).max(), offset > last else { return }
    let time = TimeArgument.text(ofNumber: offset) ?? "2024-01-15T10:30:00Z"
    context.console.note(
      "the offset \(offset) lies beyond the end of every partition of \(options.topic) (the last one is \(last)); "
        + "a time is written like --from \(time)")
  }
}

/// Prints records on stdout, and counts them.
private struct RecordPrinter {
  private let output: BufferedOutput
  private let line: RecordLine
  private let isRaw: Bool
  private let escapes: Bool
  private let limit: Int64?
  private var printed: Int64 = 0

  /// - Parameter limit: the most records to print; `nil` for all.
  init(console: Console, topic: String, isRaw: Bool, limit: Int64?) {
    output = BufferedOutput(console)
    line = RecordLine(topic: topic)
    self.isRaw = isRaw
    self.limit = limit
    escapes = console.outputIsTerminal
  }

  var isDone: Bool { limit.map { printed >= $0 } ?? false }

  mutating func print(_ record: RecordBatch.View) throws {
    let start = output.buffer.count
    if isRaw {
      if let value = record.value { output.buffer.append(value) }
    } else {
      line.append(record, to: output.buffer)
    }
    if escapes { escape(from: start) }
    output.buffer.append(UInt8(ascii: "\n"))
    printed += 1
    try output.lineDone()
  }

  /// A terminal would obey control characters: makes what was appended since `start` safe to show.
  private func escape(from start: Int) {
    let text = TerminalText.escaped(UnsafeRawBufferPointer(rebasing: output.buffer.bytes[start...]))
    output.buffer.truncate(to: start)
    output.buffer.append(text)
  }

  func flush() throws { try output.flush() }
}

/// Tells once of each partition in which an open transaction has hidden records for about a second.
private struct HiddenRecords {
  /// From a change of position to the first look, and from that to the one that confirms what it found.
  private static let interval = Duration.milliseconds(500)
  /// While nothing is hidden.
  private static let calmInterval = Duration.seconds(1)
  /// After a question that was not answered, which itself took long.
  private static let failureInterval = Duration.seconds(10)

  private let topic: String
  private let context: CommandContext
  /// By partition: the position behind which records were hidden at the last look.
  private var suspected: [Int32: Offset] = [:]
  private var reported: Set<Int32> = []
  private var positions: [PartitionOffset] = []
  private var nextLook: Int64

  init(topic: String, context: CommandContext) {
    self.topic = topic
    self.context = context
    nextLook = context.time.monotonicNanoseconds + Self.interval.nanoseconds
  }

  /// To be called whenever nothing came. Looks at the broker now and then; that it does not answer is the consumer's to
  /// tell of.
  mutating func look(_ positions: [PartitionOffset], _ admin: any Admin) {
    let now = context.time.monotonicNanoseconds
    if positions != self.positions {
      self.positions = positions
      suspected = [:]
      nextLook = now + Self.interval.nanoseconds
    }
    guard now >= nextLook else { return }
    guard let marks = try? admin.watermarks(topic: topic) else {
      nextLook = now + Self.failureInterval.nanoseconds
      return
    }
    var found: [Int32: Offset] = [:]
    for position in positions where marks.indices.contains(Int(position.partition)) {
      let mark = marks[Int(position.partition)]
      let isHidden = mark.stable < mark.high && position.offset >= mark.stable
      if isHidden && !reported.contains(position.partition) { found[position.partition] = mark.stable }
    }
    for (partition, offset) in found.sorted(by: { $0.key < $1.key }) where suspected[partition] == offset {
      reported.insert(partition)
      found[partition] = nil
      let wait = PipelineWait.openTransaction(TopicPartition(topic: topic, partition: partition), offset)
      context.console.note(wait.description)
    }
    suspected = found
    nextLook = now + (found.isEmpty ? Self.calmInterval : Self.interval).nanoseconds
  }
}

/// `orderstream tail`, checked.
struct TailOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  /// Where to begin, in each partition.
  var from: Place
  /// `idleTimeout` is always `nil`.
  var bounds: RunBounds
  var raw: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    from = try reader.value(.from, PlaceArgument.parse)
    if let partition = from.partition {
      throw reader.conflict(
        "option --from", "it names the partition \(partition) and tail begins in all of them",
        "give the place without a partition")
    }
    bounds = try reader.bounds()
    raw = reader.flag(.raw)
    if raw, common.json {
      throw reader.conflict("option --raw", "--json asks for documents", "leave one of the two out")
    }
  }
}

extension CommandSpec {
  static let tail = CommandSpec(
    name: .tail, summary: "print the records of a topic, one JSON document a line",
    details: "Uses no group. Ends at the end of the topic as it was at the start, partition by partition.",
    options: [
      OptionSpec(
        name: .from, placeholder: "<place>", defaultValue: "earliest",
        help: "Where to begin in each partition: a place, in one of the forms that 'orderstream help' lists.",
        completion: .choice(["earliest", "latest"])),
      .follow.saying("Do not end at the end of the topic: run until SIGINT or SIGTERM. Waits for a missing topic."),
      .maxEvents.saying("Print this many records, then end."),
      OptionSpec(name: .raw, help: "Print each value as it is, and a line feed."),
      .topic.saying("Topic to print."),
    ] + OptionSpec.creation + OptionSpec.connection
      + [.json.saying("One JSON document a line, which is the default.")] + OptionSpec.presentation.dropFirst(),
    examples: [
      .init(text: "the first order", command: "orderstream tail --max-events 1"),
      .init(text: "values of what comes from now on", command: "orderstream tail --from latest --follow --raw"),
    ])
}
