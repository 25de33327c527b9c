import OrderStreamCore

/// Short cuts that use nothing but the ports.
extension Broker {
  public func createTopic(_ name: String, partitions: Int32 = 1) throws(BrokerError) {
    try change(.createTopic(name: name, partitions: partitions, replicationFactor: nil))
  }

  public func change(_ change: AdminChange) throws(BrokerError) {
    let admin = try admin()
    defer { admin.close() }
    try admin.apply(change)
  }

  /// Sends the records and returns when all are acknowledged.
  public func produce(_ records: [TestRecord], to topic: String) throws(BrokerError) {
    let producer = try producer(topic: topic, pace: .bulk)
    defer { producer.close() }
    for record in records { try record.lend { outgoing throws(BrokerError) in try producer.send(outgoing) } }
    try producer.flush(timeout: .seconds(30))
  }

  /// Sends `count` records with values `<prefix><number>`, number n to partition n modulo `partitions`.
  public func produce(_ count: Int, to topic: String, partitions: Int32 = 1, prefix: String = "v") throws(BrokerError) {
    try produce(
      (0..<count).map { TestRecord(partition: Int32($0) % partitions, key: "k\($0)", value: "\(prefix)\($0)") },
      to: topic)
  }

  /// Every record of a topic, read without a group.
  public func contents(of topic: String) throws(BrokerError) -> [TestRecord] {
    let admin = try admin()
    let borders = try admin.watermarks(topic: topic)
    admin.close()
    let consumer = try TestConsumer(self, topic: topic)
    defer { consumer.close() }
    try consumer.consumer.assign(
      borders.enumerated().map { PartitionOffset(partition: Int32($0.offset), offset: $0.element.low) })
    while consumer.ends.count < borders.count { try consumer.step(timeout: .seconds(5)) }
    return consumer.pending
  }
}
