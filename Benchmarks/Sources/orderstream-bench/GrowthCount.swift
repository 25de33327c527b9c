import CCounters
import OrderStreamCore
import OrderStreamEmbedded

/// The regression gate's side of large logs: what a job costs on a log of few partitions and on one of ten times as many,
/// in steps of SQLite and in allocations, which do not depend on the clock.
struct GrowthCount {
  static let jobs = ["opening", "status", "reading", "committing"]
  private static let partitions: [Int32] = [100, 1000]
  private static let group = "analytics"

  /// The job, and for each log its partitions, steps and allocations; `unknown` where the system counts none.
  let line: String

  /// - Throws: when there is no such job.
  init(_ job: String) throws {
    guard Self.jobs.contains(job) else {
      throw BenchError("there is no job \(job); there are \(Self.jobs.joined(separator: ", "))")
    }
    let countsSteps = database_counter_start()
    let directory = try TemporaryDirectory()
    var words = [job]
    for count in Self.partitions {
      let log = "\(directory.path)/\(count)"
      try Self.fill(log, count)
      // Once before anything is counted, so that what is made only once costs neither log.
      _ = try Self.cost(job, log, count)
      let (steps, allocations) = try Self.cost(job, log, count)
      words.append("\(count)")
      words.append(countsSteps ? "\(steps)" : "unknown")
      words.append(allocation_counter_is_active() ? "\(allocations)" : "unknown")
    }
    line = words.joined(separator: " ")
  }

  private static func cost(_ job: String, _ log: String, _ count: Int32) throws -> (Int64, UInt64) {
    let opened = job == "opening" ? nil : try open(log)
    let (steps, allocations) = (database_counter_thread(), allocation_counter_thread())
    switch job {
    case "opening": _ = try open(log)
    case "status": try status(opened!)
    case "reading": try read(opened!, count)
    default: try commit(opened!, count)
    }
    return (database_counter_thread() - steps, allocation_counter_thread() - allocations)
  }

  private static func open(_ log: String) throws -> EmbeddedBroker {
    try EmbeddedBroker.open(directory: log, log: SilentLog(), time: SystemTime())
  }

  /// A topic with an order in every partition, and a group that has read them.
  private static func fill(_ log: String, _ count: Int32) throws {
    let broker = try open(log)
    let admin = try broker.admin()
    defer { admin.close() }
    try admin.apply(.createTopic(name: Jobs.topic, partitions: count, replicationFactor: nil))
    let ready = ReadyOrders()
    let producer = try broker.producer(topic: Jobs.topic, pace: .bulk)
    defer { producer.close() }
    for partition in 0..<count {
      var record = ready.outgoing(Int(partition))
      record.partition = partition
      try producer.send(record)
    }
    try producer.flush(timeout: .seconds(60))
    try commit(broker, count)
  }

  /// What `status` asks.
  private static func status(_ broker: EmbeddedBroker) throws {
    let admin = try broker.admin()
    defer { admin.close() }
    let topics = try admin.topics(named: nil).map(\.name)
    let groups = try admin.groups(named: nil)
    for group in groups { _ = try StoredGroup(group: group.group, admin: admin) }
    let looks = try admin.looks(at: topics, within: .seconds(1))
    let seen = groups.map { (description: $0, lag: GroupLag(of: $0, in: topics, looks: looks)) }
    var watch = LagWatch(window: .seconds(60))
    let explanations = watch.observe(seen, at: 0)
    let report = StatusReport(
      broker: broker.name, topics: topics.map { StatusReport.Topic(name: $0, look: looks[$0]!) },
      groups: zip(seen, explanations).map { StatusReport.Group($0.description, lag: $0.lag, explanation: $1) })
    report.appendText(to: ByteBuffer())
  }

  /// What `tail` and `audit` do.
  private static func read(_ broker: EmbeddedBroker, _ count: Int32) throws {
    let reader = try TopicReader(topic: Jobs.topic, broker: broker, stop: StopFlag(), waits: { _ in })
    defer { reader.close() }
    var seen: Int32 = 0
    _ = try reader.read((0..<count).map { PartitionRange(partition: $0, offsets: 0..<1) }) { _ in
      seen += 1
      return true
    }
    guard seen == count else { throw BenchError("\(seen) of \(count) records were read") }
  }

  /// A run of a group over everything, from joining to leaving.
  private static func commit(_ broker: EmbeddedBroker, _ count: Int32) throws {
    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: Jobs.topic, membership: .sole(group: group), readsHeaders: false),
      partitionCount: count, bound: .ends(Array(repeating: 1, count: Int(count))))
    settings.resetsGroup = true
    let loop = try PipelineLoop(
      settings, broker: broker, processor: OrderMetrics(topic: Jobs.topic, onPoison: .fail), time: SystemTime(),
      stop: StopFlag(), observer: SilentObserver())
    defer { loop.close() }
    guard try loop.run().records == Int64(count) else { throw BenchError("not every record was committed") }
  }
}
