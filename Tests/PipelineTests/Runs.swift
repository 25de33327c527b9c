import OrderStreamCore
import OrderStreamTestSupport

/// What a run of `analytics` came to.
struct AnalyticsResult: Sendable {
  var run: RunSummary
  var summary: MetricsSummary
  var lost: Int64
}

/// What a run of `inventory` came to.
struct InventoryResult: Sendable {
  var run: RunSummary
  var counts: InventoryProjection.Counts
}

/// One run of the pipeline, as the commands make them.
struct Run: Sendable {
  var broker: any Broker
  var group = "g"
  var partitions: Int32 = 3
  /// Of the output; `nil`: as many as of the topic.
  var outputPartitions: Int32?
  var bound: RunBound
  var isSole = false
  var onPoison = OrderMetrics.OnPoison.skip
  var stop = StopFlag()
  var events = PipelineEvents()
  var change: @Sendable (inout PipelineLoop.Settings) -> Void = { _ in }

  init(_ orders: Orders, on broker: (any Broker)? = nil) throws {
    self.broker = broker ?? orders.broker
    partitions = orders.partitions
    bound = .ends(try orders.ends())
  }

  func with(_ change: (inout Run) -> Void) -> Run {
    var copy = self
    change(&copy)
    return copy
  }

  private func settings(outputs: [String]) -> PipelineLoop.Settings {
    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(
        topic: Orders.topic, membership: isSole ? .sole(group: group) : .member(group: group)),
      partitionCount: partitions, bound: bound)
    settings.outputs = outputs
    // Small, so that a run has many transactions.
    settings.commitRecords = 100
    change(&settings)
    return settings
  }

  func analytics() throws -> AnalyticsResult {
    let metrics = OrderMetrics(topic: Orders.topic, onPoison: onPoison)
    let loop = try PipelineLoop(
      settings(outputs: []), broker: broker, processor: metrics, time: SystemTime(), stop: stop, observer: events)
    defer { loop.close() }
    let run = try loop.run()
    return AnalyticsResult(run: run, summary: try loop.groupSummary(of: metrics), lost: loop.lostRecords)
  }

  static let output = "inventory"
  static let deadLetters = "orders.dlq"

  /// Makes the outputs of `inventory`.
  static func createOutputs(_ orders: Orders) throws {
    for topic in [output, deadLetters] { try orders.broker.createTopic(topic, partitions: orders.partitions) }
  }

  func inventory() throws -> InventoryResult {
    let projection = InventoryProjection(
      InventoryProjection.Settings(
        topic: Orders.topic, group: group, onPoison: .deadLetter, outputPartitions: outputPartitions ?? partitions),
      time: SystemTime())
    let loop = try PipelineLoop(
      settings(outputs: [Self.output, Self.deadLetters]), broker: broker, processor: projection, time: SystemTime(),
      stop: stop, observer: events)
    defer { loop.close() }
    let run = try loop.run()
    return InventoryResult(run: run, counts: projection.committedCounts)
  }
}

extension Broker {
  /// The audit of the orders against an output.
  func audit(
    _ output: String = Run.output, group: String? = nil, deadLetters: String? = nil,
    places: AuditScope.Places? = nil
  ) throws -> AuditFindings {
    let admin = try admin()
    defer { admin.close() }
    let audit = try Audit(
      Audit.Settings(
        topic: Orders.topic, outputTopic: output, group: group, deadLetterTopic: deadLetters, places: places),
      broker: self, admin: admin,
      stop: StopFlag(), waits: { _ in }, progress: { _, _ in })
    guard try audit.run() else { preconditionFailure("nobody asked this audit to stop") }
    return audit.findings
  }
}

/// The error of a pipeline that must fail.
func pipelineError(_ body: () throws -> Void) -> PipelineError? {
  do {
    try body()
    return nil
  } catch {
    return error as? PipelineError
  }
}
