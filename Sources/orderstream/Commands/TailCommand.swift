import OrderStreamCore

/// `tail`: prints a topic's records, one JSON document a line, or their bare values.
struct TailCommand {
  /// How often a follower looks whether the topic has got more partitions.
  private static let growthInterval = Duration.seconds(5)

  let options: TailOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let wait = TopicWait(topic: options.topic, context: context)
    guard let found = try wait.find(follow: options.bounds.follow) else { return .success }
    let (broker, admin, watermarks) = (found.broker, found.admin, found.watermarks)
    defer { admin.close() }
    // All of a topic that was not there yet has come since the start.
    let starts = found.isNew && options.from == .latest ? watermarks.map(\.low) : try self.starts(watermarks, admin)
    var printer = RecordPrinter(
      console: context.console, topic: options.topic, isRaw: options.raw, limit: options.bounds.maxEvents)
    if options.bounds.follow {
      let consumer = try CommandError.wrap { () throws(BrokerError) in
        try broker.consumer(ConsumerOptions(topic: options.topic, membership: .none))
      }
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
  ) throws(CommandError) {
    // What a reader waits for, and what was printed before it, comes at once.
    var failure: CommandError?
    func flush() { do throws(CommandError) { try printer.flush() } catch { failure = failure ?? error } }
    do throws(BrokerError) {
      let reader = try TopicReader(
        topic: options.topic, broker: broker, stop: context.stop, waits: { context.console.note($0.description) })
      defer { reader.close() }
      _ = try reader.read(ranges, pause: flush) { record throws(BrokerError) in
        guard failure == nil, !printer.isDone else { return false }
        do throws(CommandError) { try printer.print(record) } catch { failure = error }
        return failure == nil && !printer.isDone
      }
    } catch {
      flush()
      throw failure ?? CommandError(error)
    }
    flush()
    if let failure { throw failure }
  }

  private func follow(
    _ starts: [Offset], _ consumer: any Consumer, _ admin: any Admin, _ printer: inout RecordPrinter
  ) throws(CommandError) {
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

  private func assign(_ positions: [Offset], _ consumer: any Consumer) throws(CommandError) {
    try CommandError.wrap { () throws(BrokerError) in
      try consumer.assign(positions.enumerated().map { PartitionOffset(partition: Int32($0), offset: $1) })
    }
  }

  private func poll(_ consumer: any Consumer, _ batch: RecordBatch) throws(CommandError) {
    _ = try CommandError.wrap { () throws(BrokerError) in
      try consumer.poll(into: batch, timeout: .milliseconds(100))
    }
  }

  /// The first offset of each partition; an offset outside a partition becomes its nearest border.
  private func starts(_ watermarks: [Watermarks], _ admin: any Admin) throws(CommandError) -> [Offset] {
    if case .offset(let offset) = options.from.position { noteIfBeyond(offset, watermarks) }
    return try CommandError.wrap { () throws(BrokerError) in
      try options.from.offsets(
        in: options.topic, watermarks, admin: admin, wallMilliseconds: context.time.wallMilliseconds)
    }.compactMap { $0 }
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
