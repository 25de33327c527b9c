import CBaseline
import Foundation
import OrderStreamCore
import OrderStreamKafka

/// Kafka, beside plain C over the same client library with the same settings, in turn.
struct KafkaSuite {
  let options: Options
  let brokers: String
  let ready: ReadyOrders
  /// The `orderstream` to kill and to start again.
  let binary: String
  let directory: TemporaryDirectory
  private let name = "bench-\(UUID().uuidString.prefix(8).lowercased())"
  private static let perCommit: Int64 = 10_000

  private struct Found {
    var produce: [Sample] = []
    var produceC: [Sample] = []
    var analytics: [Sample] = []
    var consumeC: [Sample] = []
    var inventory: [Sample] = []
    var inventoryC: [Sample] = []
  }

  private var orders: String { "\(name)-orders" }
  /// What analytics and its C loop read; more of them, as they take a fraction of the time.
  private var consumed: String { "\(name)-consumed" }
  private var outputs: String { "\(name)-outputs" }
  private var sink: String { "\(name)-sink" }
  private var topics: [String] { [orders, consumed, outputs, sink] }

  func run() throws -> [Row] {
    let broker = try KafkaBroker.connect(brokers: brokers, log: SilentLog(), time: SystemTime())
    let jobs = Jobs(broker: broker)
    for topic in topics { try jobs.createTopic(topic) }
    defer { removeTraces(broker) }
    _ = try jobs.produce(ReadyOrders.options(count: options.events), topic: orders)
    _ = try jobs.produce(ReadyOrders.options(count: options.eventsConsumed), topic: consumed)
    var found = Found()
    for round in 0..<options.rounds {
      // The order changes, so that neither always meets the log as the other left it.
      let steps: [() throws -> Void] = [
        { found.produce.append(try jobs.produce(ReadyOrders.options(count: options.events), topic: sink)) },
        { found.produceC.append(try produceC()) },
        { found.analytics.append(try jobs.analytics(group: "\(name)-a\(round)", topic: consumed)) },
        { found.consumeC.append(try consumeC()) },
        { found.inventory.append(try jobs.inventory(group: "\(name)-i\(round)", topic: orders, output: outputs)) },
        { found.inventoryC.append(try inventoryC(round)) },
      ]
      for step in stride(from: 0, to: steps.count, by: 2) {
        try steps[step + round % 2]()
        try steps[step + 1 - round % 2]()
      }
    }
    return rows(found) + [try restart(broker)]
  }

  /// From the start of an `inventory` whose predecessor was killed in mid work to the end of a run of one order: the
  /// start, the coordinator's end of the dead transaction, the partitions, the state, a commit and the departure.
  private func restart(_ broker: KafkaBroker) throws -> Row {
    let admin = try broker.admin()
    defer { admin.close() }
    var found: [Double] = []
    for round in 0..<options.rounds {
      let group = "\(name)-k\(round)"
      let job = [
        "inventory", "--topic", orders, "--output-topic", outputs, "--group", group, "-q", "--brokers", brokers,
      ]
      try ChildProcess.runUntilKilled(binary, job, in: directory.path) {
        try admin.group(group)?.committed.values.contains { $0 > 0 } ?? false
      }
      found.append(try ChildProcess.run(binary, job + ["--max-events", "1"], in: directory.path).milliseconds)
      try? admin.apply(.deleteGroup(group))
    }
    return Row("Kafka, killed to one order more", found.median, "ms", samples: found).atMost(1000)
  }

  private func rows(_ found: Found) -> [Row] {
    let produce = Row("Kafka produce", rate: found.produce)
    let processor = Row("Kafka produce, CPU", found.produce.medianProcessorNanoseconds, "ns CPU/event")
    return [
      Row("C: rd_kafka_produce", rate: found.produceC),
      produce.atLeast(0.9, of: found.produceC.medianPerSecond, "C"),
      processor.atMost(1.2, of: found.produceC.medianProcessorNanoseconds, "C"),
      Row("C: consume and throw away", rate: found.consumeC),
      Row("Kafka analytics", rate: found.analytics).atLeast(0.8, of: found.consumeC.medianPerSecond, "C"),
      Row("C: exactly-once inventory", rate: found.inventoryC),
      Row("Kafka inventory", rate: found.inventory).atLeast(0.8, of: found.inventoryC.medianPerSecond, "C"),
    ]
  }

  private func removeTraces(_ broker: KafkaBroker) {
    guard let admin = try? broker.admin() else { return }
    defer { admin.close() }
    for topic in topics { try? admin.apply(.deleteTopic(topic)) }
    for round in 0..<options.rounds {
      for kind in ["a", "i", "ci"] { try? admin.apply(.deleteGroup("\(name)-\(kind)\(round)")) }
    }
  }

  private func produceC() throws -> Sample {
    try measure(ClientSettings.producer, sink) { cluster, result in
      let bytes = ready.bytes.bytes.assumingMemoryBound(to: UInt8.self).baseAddress
      return baseline_produce(cluster, bytes, ready.records, ready.records.count, options.events, &result)
    }
  }

  private func consumeC() throws -> Sample {
    try measure(ClientSettings.consumer(group: "\(name)-c"), consumed) { cluster, result in
      baseline_consume(cluster, options.eventsConsumed, &result)
    }
  }

  private func inventoryC(_ round: Int) throws -> Sample {
    try measure(ClientSettings.consumer(group: "\(name)-ci\(round)"), orders) { source, result in
      withCluster(ClientSettings.transactional(id: "\(name)-c"), outputs) { output in
        baseline_inventory(source, output, options.events, Self.perCommit, &result)
      }
    }
  }

  private func measure(
    _ settings: [(key: String, value: String)], _ topic: String,
    _ body: (UnsafePointer<baseline_cluster>, inout baseline_result) throws -> Bool
  ) throws -> Sample {
    try Sample.measureActive {
      var result = baseline_result()
      guard try withCluster(settings, topic, { try body($0, &result) }) else {
        throw BenchError("the C loop failed: \(result.sentence)")
      }
      return (result.records, result.nanoseconds)
    }
  }

  private func withCluster<T>(
    _ settings: [(key: String, value: String)], _ topic: String, _ body: (UnsafePointer<baseline_cluster>) throws -> T
  ) rethrows -> T {
    let words = (settings + [("bootstrap.servers", brokers)]).flatMap { [strdup($0.key), strdup($0.value)] }
    defer { words.forEach { free($0) } }
    let pointers = words.map { UnsafePointer($0) } + [nil]
    return try topic.withCString { topic in
      try pointers.withUnsafeBufferPointer { settings in
        var cluster = baseline_cluster(settings: settings.baseAddress, topic: topic, partitions: ReadyOrders.partitions)
        return try body(&cluster)
      }
    }
  }
}
