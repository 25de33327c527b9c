import Foundation
import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamTestSupport

/// What the commands say about one log: the work of `status`, `tail`, `analytics`, `inventory` and `audit`, without their
/// processes. Each question opens the log anew.
struct Answers {
  /// One question: what is asked, and whether asking changes the log.
  struct Question: Sendable {
    var name: String
    var ask: @Sendable (_ broker: any Broker) throws -> String
  }

  static let source = "order-events"
  static let output = "inventory-events"

  /// In an order in which none spoils the next one's answer.
  static let questions: [Question] = [
    Question(name: "status") { try status($0) },
    Question(name: "tail") { try tail($0, source) },
    Question(name: "tail of the output") { try tail($0, output) },
    Question(name: "analytics, known group") { try analytics($0, group: "analytics") },
    Question(name: "analytics, new group") { try analytics($0, group: "new-analytics") },
    Question(name: "inventory, known group") { try finishInventory($0) },
    Question(name: "inventory, new group") { broker in
      try broker.createTopic("new-events", partitions: 2)
      try inventory(broker, group: "new-inventory", into: "new-events")
      return try audit(broker, "new-events")
    },
  ]

  /// The answer to each question; a stop is an answer too.
  static func ask(_ directory: String) -> [Result<String, any Error>] {
    questions.map { question in
      Result {
        let broker = try EmbeddedBroker.open(directory: directory, log: SilentLog(), time: SystemTime())
        return try question.ask(broker)
      }
    }
  }

  /// The known groups process so many records and stop there; `analytics` writes nothing but its state and offsets.
  static func work(_ broker: any Broker, upTo records: Int64, onlyAnalytics: Bool = false) throws {
    _ = try analytics(broker, group: "analytics", maximum: records)
    if onlyAnalytics { return }
    try inventory(broker, group: "inventory", into: output, maximum: records)
  }

  /// What is left for `inventory` to do, and what an audit says then.
  static func finishInventory(_ broker: any Broker) throws -> String {
    try inventory(broker, group: "inventory", into: output)
    return try audit(broker, output)
  }

  /// Partition by partition, as `tail` prints.
  private static func tail(_ broker: any Broker, _ topic: String) throws -> String {
    let records = try broker.contents(of: topic).sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    return records.map { "\($0.partition)@\($0.offset) \($0.text ?? "")" }.joined(separator: "\n")
  }

  private static func status(_ broker: any Broker) throws -> String {
    let admin = try broker.admin()
    defer { admin.close() }
    let topics = try admin.topics(named: nil)
    let borders = try topics.map { try admin.watermarks(topic: $0.name) }
    let groups = try admin.groups(named: nil).map { group in
      "\(group.group) \(group.committed.map { "\($0.key)=\($0.value)" }.sorted())"
    }
    return "\(topics) \(borders) \(groups)"
  }

  private static func analytics(_ broker: any Broker, group: String, maximum: Int64? = nil) throws -> String {
    let metrics = OrderMetrics(topic: source, onPoison: .skip)
    let loop = try loop(broker, group: group, maximum, processor: metrics, outputs: [])
    defer { loop.close() }
    _ = try loop.run()
    let text = ByteBuffer()
    MetricsReport(try loop.groupSummary(of: metrics), processed: 0).appendText(to: text)
    return String(decoding: text.bytes, as: UTF8.self)
  }

  static func inventory(
    _ broker: any Broker, group: String, into output: String, maximum: Int64? = nil
  ) throws {
    let projection = InventoryProjection(
      InventoryProjection.Settings(topic: source, group: group, onPoison: .skip, outputPartitions: 2),
      time: SystemTime())
    let loop = try loop(broker, group: group, maximum, processor: projection, outputs: [output])
    defer { loop.close() }
    _ = try loop.run()
  }

  private static func audit(_ broker: any Broker, _ output: String) throws -> String {
    let found = try findings(broker, output)
    return "\(found.orders) \(found.items) \(found.inventoryEvents) \(found.isClean)"
  }

  /// - Parameter group: whose uncommitted items are pending.
  static func findings(_ broker: any Broker, _ output: String, group: String? = nil) throws -> AuditFindings {
    let admin = try broker.admin()
    defer { admin.close() }
    let audit = try Audit(
      Audit.Settings(topic: source, outputTopic: output, group: group), broker: broker, admin: admin, stop: StopFlag(),
      waits: { _ in }, progress: { _, _ in })
    guard try audit.run() else { throw HarnessError("the audit was stopped") }
    return audit.findings
  }

  private static func loop(
    _ broker: any Broker, group: String, _ maximum: Int64?, processor: any Processor, outputs: [String]
  ) throws -> PipelineLoop {
    let admin = try broker.admin()
    defer { admin.close() }
    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: source, membership: .member(group: group)), partitionCount: 2,
      bound: .ends(try admin.watermarks(topic: source).map(\.high)))
    settings.outputs = outputs
    settings.maximumRecords = maximum
    settings.commitRecords = 50
    return try PipelineLoop(
      settings, broker: broker, processor: processor, time: SystemTime(), stop: StopFlag(), observer: PipelineEvents())
  }
}
