import OrderStreamCore
import OrderStreamEmbedded

/// The tool's own jobs, through the library's own pipeline, on any broker.
struct Jobs {
  let broker: any Broker
  let time = SystemTime()
  static let topic = "order-events"

  func createTopic(_ name: String) throws {
    let admin = try broker.admin()
    defer { admin.close() }
    try admin.apply(.createTopic(name: name, partitions: ReadyOrders.partitions, replicationFactor: nil))
  }

  /// Generates and publishes orders; the last one is acknowledged when this ends.
  func produce(_ options: OrderGenerator.Options, topic: String = Jobs.topic) throws -> Sample {
    let producer = try broker.producer(topic: topic, pace: .bulk)
    defer { producer.close() }
    return try Sample.measure(events: options.count) {
      var publisher = OrderPublisher(
        GeneratedOrders(options), producer: producer, schedule: nil, time: time, stop: StopFlag())
      try publisher.run { _ in }
      guard producer.deliveries.acknowledged == options.count else { throw BenchError("records were not acknowledged") }
    }
  }

  /// Sends records that lie ready.
  func append(_ ready: ReadyOrders, count: Int64, topic: String) throws -> Sample {
    let producer = try broker.producer(topic: topic, pace: .bulk)
    defer { producer.close() }
    return try Sample.measure(events: count) {
      for index in 0..<count { try producer.send(ready.outgoing(Int(index % Int64(ReadyOrders.count)))) }
      try producer.flush(timeout: .seconds(60))
    }
  }

  /// Reads a topic from start to end and looks at nothing.
  func scan(topic: String, count: Int64) throws -> Sample {
    let consumer = try broker.consumer(ConsumerOptions(topic: topic, membership: .none))
    defer { consumer.close() }
    try consumer.assign((0..<ReadyOrders.partitions).map { PartitionOffset(partition: $0, offset: 0) })
    let batch = RecordBatch()
    return try Sample.measure(events: count) {
      var seen: Int64 = 0
      while seen < count {
        _ = try consumer.poll(into: batch, timeout: .milliseconds(100))
        seen += Int64(batch.count)
      }
    }
  }

  func analytics(group: String, topic: String = Jobs.topic) throws -> Sample {
    let metrics = OrderMetrics(topic: topic, onPoison: .fail)
    metrics.decodesOnTwoThreads = broker is EmbeddedBroker
    return try run(metrics, outputs: [], group: group, topic: topic, readsHeaders: false)
  }

  func inventory(group: String, topic: String = Jobs.topic, output: String) throws -> Sample {
    let projection = InventoryProjection(
      InventoryProjection.Settings(
        topic: topic, group: group, onPoison: .fail, outputPartitions: ReadyOrders.partitions),
      time: time)
    return try run(projection, outputs: [output], group: group, topic: topic)
  }

  private func run(
    _ processor: any Processor, outputs: [String], group: String, topic: String, readsHeaders: Bool = true
  ) throws -> Sample {
    let admin = try broker.admin()
    defer { admin.close() }
    var settings = PipelineLoop.Settings(
      consumer: ConsumerOptions(topic: topic, membership: .sole(group: group), readsHeaders: readsHeaders),
      partitionCount: ReadyOrders.partitions, bound: .ends(try admin.watermarks(topic: topic).map(\.high)))
    settings.outputs = outputs
    settings.commitsWhileReading = outputs.isEmpty
    return try Sample.measureActive {
      let loop = try PipelineLoop(
        settings, broker: broker, processor: processor, time: time, stop: StopFlag(), observer: SilentObserver())
      defer { loop.close() }
      let summary = try loop.run()
      return (summary.records, summary.activeNanoseconds)
    }
  }
}
