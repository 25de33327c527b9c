import OrderStreamCore

/// What a run shows while it goes on.
protocol LiveReport {
  /// Takes note of what was there before the first record of the run.
  func begin(_ loop: PipelineLoop) throws
  /// Called after commits, at most once a second.
  /// - Returns: when it had read what it reports, on the monotonic clock.
  func report(_ loop: PipelineLoop) throws -> Int64
  /// Called on every turn: for what a report has left for later.
  func turned() throws
}

extension LiveReport {
  func begin(_ loop: PipelineLoop) throws {}
  func turned() throws {}
}

/// Shows the progress of a pipeline on stderr, and gives a live report its turn at most once a second.
final class RunObserver: PipelineObserver {
  /// Live reports are written at most this often, however often the group commits.
  private static let liveInterval = Duration.seconds(1)
  /// How many times as long as reading what is reported the pipeline has to itself before the next report.
  private static let liveRest: Int64 = 9

  /// How far the run is, as `PipelineLoop` tells it.
  struct Extent {
    var committed: Int64 = 0
    var inAll: Int64?
  }

  private(set) var extent = Extent()
  /// The run over time, from its first assignment on.
  private(set) var samples: RunSamples
  /// The first error of the live report; the run was asked to stop because of it.
  private(set) var failure: CommandError?
  private let context: CommandContext
  private let progress: Progress
  private let live: (any LiveReport)?
  private var hasBegun = false
  private var hasNews = false
  /// Whether the last report failed, and that was said.
  private var isUnreported = false
  private var nextLive: Int64
  private var lastWait: PipelineWait?

  init(_ progress: Progress, context: CommandContext, live: (any LiveReport)? = nil) {
    self.progress = progress
    self.context = context
    self.live = live
    nextLive = context.time.monotonicNanoseconds
    samples = RunSamples(.processed, since: nextLive)
  }

  func pipelineCommitted(records: Int64, loop: PipelineLoop) {
    hasNews = true
    extent.committed = records
    // Commits are when the numbers move.
    let now = context.time.monotonicNanoseconds
    if samples.isDue(at: now) { samples.take(at: now, records, loop.lagByPartition) }
  }

  func pipelineTurned(loop: PipelineLoop) {
    extent.inAll = loop.recordsInAll ?? extent.inAll
    progress.update(loop.committedRecords, of: extent.inAll)
    let now = context.time.monotonicNanoseconds
    if samples.isEmpty ? loop.hasPartitions : samples.isOverdue(at: now) {
      samples.take(at: now, loop.committedRecords, loop.lagByPartition)
    }
    // Only what is committed is shown, so the totals and the number of records are of one moment.
    guard let live, failure == nil else { return }
    do {
      try live.turned()
      if loop.hasUncommittedRecords { return }
      if !hasBegun && loop.committedRecords == 0 {
        guard loop.hasPartitions else { return }
        hasBegun = true
        try live.begin(loop)
      } else if hasNews && now >= nextLive {
        hasNews = false
        let read = try live.report(loop)
        nextLive = max(now + Self.liveInterval.nanoseconds, read + Self.liveRest * (read - now))
        isUnreported = false
      }
    } catch {
      let error = CommandError(error)
      // What a service cannot report now it reports when brokers answer again.
      if error.code == .unavailable || error.code == .temporary {
        if !isUnreported { context.console.warning("cannot report now: \(error.what): \(error.why)") }
        isUnreported = true
        hasNews = true
        nextLive = now + Self.liveInterval.nanoseconds
        return
      }
      failure = error
      context.stop.request()
    }
  }

  func pipelineWaits(_ wait: PipelineWait) {
    guard wait != lastWait else { return }
    lastWait = wait
    if case .broker = wait {
      context.console.warning(wait.description)
    } else {
      context.console.note(wait.description)
    }
  }

  func pipelineAborted(_ error: BrokerError) {
    context.log.log(.warning, "a transaction was aborted and its records are read again: \(error)")
  }

  func pipelineLost(_ partition: TopicPartition, from: Offset, to: Offset) {
    context.console.warning(
      "the records \(from) to \(to - 1) of \(partition) were removed before this group read them; going on without")
  }

  /// Takes note of where the run has ended.
  func noteEnd(_ loop: PipelineLoop) {
    guard loop.hasPartitions || !samples.isEmpty else { return }
    samples.take(at: context.time.monotonicNanoseconds, loop.committedRecords, loop.lagByPartition)
  }

  func finish() { progress.finish() }
}
