import OrderStreamCore

/// `analytics`: metrics of everything that the group has ever processed on a topic.
struct AnalyticsCommand {
  let options: AnalyticsOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let file = try context.outputFile(options.output)
    let broker = try context.openBroker(
      onlyLooks: !options.bounds.follow, outages: options.bounds.follow ? .none : .run)
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    let source = try SourceTopic(
      options.topic, follow: options.bounds.follow, context: context, admin: admin,
      remedy: SourceTopic.followRemedy)

    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: options.topic, membership: .member(group: options.group), readsHeaders: false),
      partitionCount: source.partitionCount,
      bound: try PipelineRun.bound(options.bounds, source: source, admin: admin))
    settings.consumer.instance = options.instance
    settings.maximumRecords = options.bounds.maxEvents
    settings.resetsGroup = options.resetOffsets
    settings.acceptsLoss = options.acceptLoss
    // A live report shows what is committed, so nothing may be ahead of it.
    settings.commitsWhileReading = !options.bounds.follow
    let metrics = OrderMetrics(topic: options.topic, onPoison: options.onError == .fail ? .fail : .skip)
    let output = MetricsOutput(context: context, broker: broker.name, file: file, follows: options.bounds.follow)
    let observer = RunObserver(
      "analytics", context: context,
      live: options.bounds.follow
        ? { loop throws(CommandError) in
          let summary = try CommandError.wrapPipeline { () throws(PipelineError) in
            try loop.groupSummary(of: metrics)
          }
          try output.live(
            MetricsReport(
              summary, processed: loop.committedRecords, lostRecords: loop.lostRecords, completion: .ongoing),
            activeMilliseconds: loop.activeNanoseconds / 1_000_000)
        } : nil)
    let loop = try CommandError.wrapPipeline { () throws(PipelineError) in
      try PipelineLoop(
        settings, broker: broker, processor: metrics, time: context.time, stop: context.stop, observer: observer)
    }
    defer { loop.close() }
    let run = try PipelineRun(loop, observer: observer, follows: options.bounds.follow)
    // A broker that did not answer in time is not asked again.
    if run.failure != nil && context.stop.isRequested { return run.finish(context.console) }
    let summary: MetricsSummary
    do throws(CommandError) {
      summary = try CommandError.wrapPipeline { () throws(PipelineError) in
        try run.failure == nil ? loop.groupSummary(of: metrics) : loop.storedGroupSummary()
      }
    } catch {
      // The disk or the broker that failed does not answer now either: what went wrong first is what is told.
      throw run.failure ?? error
    }
    try output.final(
      MetricsReport(
        summary, processed: loop.committedRecords, lostRecords: loop.lostRecords, completion: run.completion),
      activeMilliseconds: loop.activeNanoseconds / 1_000_000)
    return run.finish(context.console)
  }
}
