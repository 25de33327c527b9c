import OrderStreamCore

/// A record as plain values, to write and to compare.
public struct TestRecord: Hashable, Sendable {
  public struct Header: Hashable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]?

    public init(_ name: String, _ value: [UInt8]?) {
      self.name = Array(name.utf8)
      self.value = value
    }
  }

  public var partition: Int32
  public var offset: Offset
  public var timestampMs: Int64
  public var key: [UInt8]?
  public var value: [UInt8]?
  public var headers: [Header]

  /// A minute before the tests began: a cluster's retention removes records that are older than a week.
  public static let recently = SystemTime().wallMilliseconds - 60_000

  public init(
    partition: Int32 = 0, offset: Offset = 0, timestampMs: Int64 = TestRecord.recently, key: String? = nil,
    value: String?, headers: [Header] = []
  ) {
    self.partition = partition
    self.offset = offset
    self.timestampMs = timestampMs
    self.key = key.map { Array($0.utf8) }
    self.value = value.map { Array($0.utf8) }
    self.headers = headers
  }

  public init(_ view: RecordBatch.View) {
    partition = view.partition
    offset = view.offset
    timestampMs = view.timestampMs
    key = view.key.map(Array.init)
    value = view.value.map(Array.init)
    headers = view.headers.map { header in
      var copy = Header("", header.value.map(Array.init))
      copy.name = Array(header.name)
      return copy
    }
  }

  public var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }

  /// Lends the record as a back end takes it.
  public func lend<T>(_ body: (OutgoingRecord) throws(BrokerError) -> T) throws(BrokerError) -> T {
    let block = ByteBuffer(capacity: 64)
    for header in headers {
      let name = copy(header.name)
      let value = header.value.map { copy($0) }
      Headers.append(name: name.bytes, value: value?.bytes, to: block)
    }
    let (keyCopy, valueCopy) = (key.map { copy($0) }, value.map { copy($0) })
    defer { withExtendedLifetime((block, keyCopy, valueCopy)) {} }
    return try body(
      OutgoingRecord(
        partition: partition, timestampMs: timestampMs, key: keyCopy?.bytes, value: valueCopy?.bytes,
        headers: Headers(block: block.bytes)))
  }

  private func copy(_ bytes: [UInt8]) -> ByteBuffer {
    let buffer = ByteBuffer(capacity: bytes.count)
    bytes.withUnsafeBytes { buffer.append($0) }
    return buffer
  }
}

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
