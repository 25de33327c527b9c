import OrderStreamCore

/// A run of `inventory` or `analytics`: reads a topic as a member of a group, up to what the options say.
struct GroupRun {
  let broker: any Broker
  let admin: any Admin
  let source: SourceTopic
  private let options: GroupRunOptions
  private let context: CommandContext
  private let bound: RunBound

  /// Opens the broker, finds the topic (or makes it, with `--follow`), and freezes the ends of a bounded run.
  init(_ options: GroupRunOptions, _ context: CommandContext) throws {
    self.options = options
    self.context = context
    let follows = options.bounds.follow
    broker = try context.openBroker(to: follows ? .create : .write, outages: follows ? .none : .run)
    admin = try broker.admin()
    do {
      source = try SourceTopic(
        options.topic, follow: follows, context: context, admin: admin,
        remedy: SourceTopic.followRemedy)
      bound =
        follows ? .follow(idle: options.bounds.idleTimeout) : .ends(try source.frozenEnds(admin))
    } catch {
      admin.close()
      throw error
    }
  }

  func close() { admin.close() }

  /// What the options say to the loop; a command adds its own.
  func settings(readsHeaders: Bool) -> PipelineLoop.Settings {
    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(
        topic: options.topic, membership: .member(group: options.group), readsHeaders: readsHeaders),
      partitionCount: source.partitionCount, bound: bound)
    settings.consumer.instance = options.instance
    settings.maximumRecords = options.bounds.maxEvents
    settings.acceptsLoss = options.acceptLoss
    settings.measuresLatency = options.bounds.follow
    return settings
  }

  /// Runs the loop to its end. The caller closes it, after the report.
  /// - Throws: errors that leave nothing to report.
  func perform(
    _ settings: PipelineLoop.Settings, _ processor: any Processor, _ observer: RunObserver
  ) throws -> (loop: PipelineLoop, outcome: RunOutcome) {
    let loop = try PipelineLoop(
      settings, broker: broker, processor: processor, time: context.time, stop: context.stop,
      observer: observer)
    do {
      return (loop, try RunOutcome(loop, observer, follows: options.bounds.follow))
    } catch {
      loop.close()
      throw error
    }
  }
}

/// How a run of the loop ended, and the exit code that it makes.
struct RunOutcome {
  /// `nil` when the run failed.
  let summary: RunSummary?
  /// An error that came after work was done and lets the command print its report first.
  let failure: CommandError?
  /// In records of this run.
  let completion: Completion
  private let follows: Bool

  /// Runs the loop to its end.
  /// - Throws: errors that leave nothing to report.
  init(_ loop: PipelineLoop, _ observer: RunObserver, follows: Bool) throws {
    self.follows = follows
    var summary: RunSummary?
    var failure: CommandError?
    do { summary = try loop.run() } catch { failure = CommandError(error) }
    observer.noteEnd(loop)
    observer.finish()
    failure = failure ?? observer.failure
    if let failure, !failure.code.reportsFirst(committed: loop.committedRecords) { throw failure }
    self.summary = summary
    self.failure = failure
    let isWhole = failure == nil && (follows && Signals.timeOut == nil || summary?.end != .stopped)
    completion = isWhole ? .whole : .cutShort(by: failure, after: loop.committedRecords, of: loop.recordsInAll)
  }

  /// The exit code, after the report: reports the failure if there is one.
  func finish(_ console: Console) -> ExitCode {
    if let failure {
      console.report(failure)
      return failure.code
    }
    if summary?.end == .stopped { return (follows ? Signals.timeOut : Signals.exitCode) ?? .success }
    return .success
  }
}

extension Completion {
  /// The run was ended by an error, or else by a signal.
  static func cutShort(by failure: CommandError?, after done: Int64, of total: Int64?) -> Completion {
    let cause =
      failure.map { "an error (\($0.code.rawValue))" } ?? Signals.name ?? "a request to stop"
    return .cutShort(CutShort(by: cause, after: done, of: total))
  }
}

/// Options of a run that reads as a member of a group: `inventory` and `analytics`.
struct GroupRunOptions: Hashable, Sendable {
  var common: CommonOptions
  var topic: String
  var group: String
  /// The member's stable name, `nil` for one of the machine's.
  var instance: String?
  var onError: OnError
  var bounds: RunBounds
  /// Goes on without records that were removed before the group read them.
  var acceptLoss: Bool

  init(_ reader: OptionReader) throws(CommandError) {
    common = try reader.common()
    topic = try reader.topic()
    group = try reader.value(.group, OptionValue.name)
    instance = try reader.optional(.instance, OptionValue.name)
    onError = try reader.choice(.onError)
    bounds = try reader.bounds()
    acceptLoss = reader.flag(.acceptLoss)
  }
}

/// `--on-error`: what becomes of a record that is not an order.
enum OnError: String, CaseIterable, Sendable {
  /// Copy it to `<topic>.dlq` and go on.
  case dlq
  /// Count it and go on.
  case skip
  /// Stop before it, with exit 65.
  case fail
}

extension OptionSpec {
  static func onError(_ choices: [OnError], help: String) -> OptionSpec {
    OptionSpec(
      name: .onError, placeholder: "<what>", defaultValue: choices.first?.rawValue, help: help,
      completion: .choice(choices.map(\.rawValue)))
  }
}
