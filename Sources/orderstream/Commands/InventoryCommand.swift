import OrderStreamCore

/// `inventory`: one inventory event for each item of each order, exactly once.
struct InventoryCommand {
  let options: InventoryOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let broker = try context.openBroker(
      to: options.run.bounds.follow ? .make : .change, outages: options.run.bounds.follow ? .none : .run)
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    let source = try SourceTopic(
      options.run.topic, follow: options.run.bounds.follow, context: context, admin: admin,
      remedy: SourceTopic.followRemedy)
    let bound = try PipelineRun.bound(options.run.bounds, source: source, admin: admin)

    let outputs = [options.outputTopic] + (options.deadLetterTopic.map { [$0] } ?? [])
    let partitions = try createOutputs(outputs, source: source, admin: admin)

    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: options.run.topic, membership: .member(group: options.run.group)),
      partitionCount: source.partitionCount, bound: bound)
    settings.consumer.instance = options.run.instance
    settings.outputs = outputs
    settings.maximumRecords = options.run.bounds.maxEvents
    settings.acceptsLoss = options.run.acceptLoss
    #if DEBUG
      // A crash test has a small batch committed in parts.
      if let bytes = ProcessEnvironment.lookup("ORDERSTREAM_COMMIT_BYTES").flatMap({ Int($0) }) {
        settings.commitBytes = bytes
      }
    #endif
    let projection = InventoryProjection(
      InventoryProjection.Settings(
        topic: options.run.topic, group: options.run.group, onPoison: onPoison,
        outputPartitions: partitions[InventoryProjection.Output.inventory]),
      time: context.time)
    let observer = RunObserver(
      "inventory", context: context,
      live: options.run.bounds.follow && context.options.json
        ? RunObserver.Live { loop throws(CommandError) in
          try context.emit(
            report(projection, loop, .ongoing), broker: broker.name,
            activeMilliseconds: loop.activeNanoseconds / 1_000_000)
          return context.time.monotonicNanoseconds
        } : nil)
    let loop = try CommandError.wrapPipeline { () throws(PipelineError) in
      try PipelineLoop(
        settings, broker: broker, processor: projection, time: context.time, stop: context.stop, observer: observer)
    }
    defer { loop.close() }
    let run = try PipelineRun(loop, observer: observer, follows: options.run.bounds.follow)
    try context.emit(
      report(projection, loop, run.completion), broker: broker.name,
      activeMilliseconds: loop.activeNanoseconds / 1_000_000)
    return run.finish(context.console)
  }

  private var onPoison: InventoryProjection.OnPoison {
    switch options.run.onError {
    case .dlq: .deadLetter
    case .skip: .skip
    case .fail: .fail
    }
  }

  private func report(
    _ projection: InventoryProjection, _ loop: PipelineLoop, _ completion: Completion
  ) -> InventoryReport {
    InventoryReport(
      outputTopic: options.outputTopic, counts: projection.committedCounts, lostRecords: loop.lostRecords,
      completion: completion)
  }

  /// Makes the missing ones with the source's partition count, and returns the partition count of each.
  private func createOutputs(
    _ outputs: [String], source: SourceTopic, admin: any Admin
  ) throws(CommandError) -> [Int32] {
    var counts: [Int32] = []
    for output in outputs {
      counts.append(
        try CommandError.wrap { () throws(BrokerError) in
          try TopicSetup.ensureDerived(
            output, sourcePartitions: source.partitionCount, replicationFactor: context.options.replicationFactor,
            recordsOf: output == options.deadLetterTopic ? source.name : nil, admin: admin)
        })
    }
    if let topic = options.deadLetterTopic, let letters = counts.last, letters < source.partitionCount {
      throw CommandError(
        .configuration, "cannot use \(topic) for dead letters",
        why: "it has \(letters) partitions and \(source.name) has \(source.partitionCount)",
        remedy: "add partitions to it, or use --on-error skip")
    }
    return counts
  }
}
