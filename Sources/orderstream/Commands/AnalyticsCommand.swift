import OrderStreamCore

/// `analytics`: metrics of everything that the group has ever processed on a topic.
struct AnalyticsCommand {
  let options: AnalyticsOptions
  let context: CommandContext

  func run() throws(CommandError) -> ExitCode {
    let file = try context.outputFile(options.output)
    let broker = try context.openBroker(
      to: options.run.bounds.follow ? .make : .change, outages: options.run.bounds.follow ? .none : .run)
    let admin = try CommandError.wrap { () throws(BrokerError) in try broker.admin() }
    defer { admin.close() }
    let source = try SourceTopic(
      options.run.topic, follow: options.run.bounds.follow, context: context, admin: admin,
      remedy: SourceTopic.followRemedy)

    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: options.run.topic, membership: .member(group: options.run.group), readsHeaders: false),
      partitionCount: source.partitionCount,
      bound: try PipelineRun.bound(options.run.bounds, source: source, admin: admin))
    settings.consumer.instance = options.run.instance
    settings.maximumRecords = options.run.bounds.maxEvents
    settings.resetsGroup = options.resetOffsets
    settings.acceptsLoss = options.run.acceptLoss
    // A live report shows what is committed, so nothing may be ahead of it.
    settings.commitsWhileReading = !options.run.bounds.follow
    let metrics = OrderMetrics(topic: options.run.topic, onPoison: options.run.onError == .fail ? .fail : .skip)
    let output = MetricsOutput(context: context, broker: broker.name, file: file, follows: options.run.bounds.follow)
    let live = options.run.bounds.follow ? LiveMetrics(metrics) : nil
    let observer = RunObserver(
      "analytics", context: context,
      live: live.map { live in
        RunObserver.Live(
          begin: { loop throws(CommandError) in
            try CommandError.wrapPipeline { () throws(PipelineError) in _ = try loop.refresh(live) }
          },
          report: { loop throws(CommandError) in
            let changed = try CommandError.wrapPipeline { () throws(PipelineError) in try loop.refresh(live) }
            let read = context.time.monotonicNanoseconds
            try output.live(
              LiveMetricsReport(
                live.totals, changed: changed, processed: loop.committedRecords, lostRecords: loop.lostRecords),
              of: live, activeMilliseconds: loop.activeNanoseconds / 1_000_000)
            return read
          }, afterwards: { () throws(CommandError) in try output.writeFileIfDue(live) })
      })
    let loop = try CommandError.wrapPipeline { () throws(PipelineError) in
      try PipelineLoop(
        settings, broker: broker, processor: metrics, time: context.time, stop: context.stop, observer: observer)
    }
    defer { loop.close() }
    let run = try PipelineRun(loop, observer: observer, follows: options.run.bounds.follow)
    // A broker that did not answer in time is not asked again.
    if run.failure != nil && context.stop.isRequested { return run.finish(context.console) }
    let report: MetricsReport
    do throws(CommandError) {
      report = try CommandError.wrapPipeline { () throws(PipelineError) in
        let summary: MetricsSummary
        var changed: [MetricsTotals.Minute]?
        if run.failure != nil {
          summary = try loop.storedGroupSummary()
        } else if let live {
          changed = try loop.refresh(live)
          summary = live.summary
        } else {
          summary = try loop.groupSummary(of: metrics)
        }
        return MetricsReport(
          summary, processed: loop.committedRecords, lostRecords: loop.lostRecords, completion: run.completion,
          changed: changed ?? (live == nil ? nil : []))
      }
    } catch {
      // The disk or the broker that failed does not answer now either: what went wrong first is what is told.
      throw run.failure ?? error
    }
    try output.final(report, activeMilliseconds: loop.activeNanoseconds / 1_000_000)
    return run.finish(context.console)
  }
}
