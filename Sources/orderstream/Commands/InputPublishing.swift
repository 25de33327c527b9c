import OrderStreamCore

/// `produce --input`: publishes JSON lines as they are, keyed by their `order_id`; names each line that is no order.
struct InputPublishing {
  let options: ProduceOptions
  let context: CommandContext
  let path: String

  func run(_ lines: LineReader) throws(CommandError) -> ExitCode {
    if options.dryRun {
      let output = BufferedOutput(context.console)
      let counts = try forEachOrder(of: lines) { _, value throws(CommandError) in
        output.buffer.append(value)
        output.buffer.append(UInt8(ascii: "\n"))
        try output.lineDone()
      }
      try output.flush()
      return ExitCode.combined(counts.findings)
    }
    return try publish(lines)
  }

  private func publish(_ lines: LineReader) throws(CommandError) -> ExitCode {
    let broker = try context.openBroker()
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    try OrderPublishing(context: context, topic: options.topic, broker: broker, admin: admin).prepare()
    let schedule = options.rate.schedule
    let producer = try CommandError.wrap { () throws(BrokerError) in
      try broker.producer(topic: options.topic, pace: schedule == nil ? .bulk : .interactive)
    }
    defer { producer.close() }
    let progress = Progress(context.options.progress, console: context.console, time: context.time)
    let start = context.time.monotonicNanoseconds
    var sent: Int64 = 0
    var failure: CommandError?
    var counts = Counts()
    do throws(CommandError) {
      try forEachOrder(of: lines, &counts) { order, value throws(CommandError) in
        if let schedule {
          let due = start + schedule(sent) - context.time.monotonicNanoseconds
          if due > 0 { context.time.sleep(.nanoseconds(due)) }
        }
        let record = OutgoingRecord(
          partition: Partitioner.partition(key: order.orderID, count: producer.partitionCount),
          timestampMs: context.time.wallMilliseconds, key: order.orderID, value: value)
        try CommandError.wrap { () throws(BrokerError) in try producer.send(record) }
        sent += 1
        progress.update { "produce: \(sent) sent, \(producer.deliveries.acknowledged) acknowledged" }
      }
      try CommandError.wrap { () throws(BrokerError) in try producer.flush(timeout: OrderPublisher.flushTimeout) }
    } catch {
      failure = error
    }
    let end = context.time.monotonicNanoseconds
    producer.close()
    progress.finish()

    var report = ProduceReport(topic: options.topic, deliveries: producer.deliveries)
    report.requested = counts.valid + counts.rejected
    report.deliveries.failed = counts.valid - report.deliveries.acknowledged
    report.failedOrders = counts.failed
    report.rejected = counts.rejected
    report.activeMilliseconds = sent > 0 ? (end - start) / 1_000_000 : 0
    try context.emit(report, broker: broker.name, activeMilliseconds: report.activeMilliseconds)
    if let failure {
      context.console.report(failure)
      counts.findings.append(failure.code.ofMissingEvents)
    }
    if report.deliveries.failed > 0 { counts.findings.append(.unavailable) }
    return ExitCode.combined(counts.findings)
  }

  // MARK: - Lines

  struct Counts {
    var valid: Int64 = 0
    /// Valid orders whose status is `failed`.
    var failed: Int64 = 0
    var rejected: Int64 = 0
    var findings: [ExitCode] = []
  }

  private func forEachOrder(
    of lines: LineReader, _ body: (DecodedOrder, UnsafeRawBufferPointer) throws(CommandError) -> Void
  ) throws(CommandError) -> Counts {
    var counts = Counts()
    try forEachOrder(of: lines, &counts, body)
    return counts
  }

  /// Calls `body` for each valid line, names each bad one; `counts` holds also when it throws.
  private func forEachOrder(
    of lines: LineReader, _ counts: inout Counts,
    _ body: (DecodedOrder, UnsafeRawBufferPointer) throws(CommandError) -> Void
  ) throws(CommandError) {
    let decoder = OrderDecoder()
    var number: Int64 = 0
    while !context.stop.isRequested, let line = try lines.next() {
      number += 1
      var poison: Poison?
      switch line {
      case .tooLong: poison = .tooLong
      case .text(let bytes):
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
        poison = decoder.decode(bytes)
        if poison == nil {
          counts.valid += 1
          if decoder.order.isFailed { counts.failed += 1 }
          try body(decoder.order, bytes)
        }
      }
      if let poison { reject(line: number, poison, &counts) }
    }
    if counts.rejected > 0 { counts.findings.append(.data) }
    if context.stop.isRequested, let signal = Signals.exitCode { counts.findings.append(signal) }
  }

  private func reject(line: Int64, _ poison: Poison, _ counts: inout Counts) {
    counts.rejected += 1
    let file = path == "-" ? "stdin" : path
    context.console.report(
      CommandError(
        .data, "cannot publish line \(line) of \(file)", why: "\(poison.message) (\(poison.code))",
        remedy: "the other lines go through; correct it and publish it alone"),
      endsRun: false)
  }
}
