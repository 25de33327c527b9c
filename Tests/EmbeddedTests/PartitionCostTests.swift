import CCounters
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// What a log of many partitions costs: in proportion to them where all are looked at, and nothing where one is used.
/// Counted in steps of SQLite, because the clock tells of others too.
@Suite struct PartitionCostTests {
  private static let few: Int32 = 30
  private static let times: Int32 = 10

  /// A log with a topic of so many partitions, a record in each, which a group has read; closed.
  private static func log(_ partitions: Int32) throws -> LogFixture {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: partitions)
    try broker.produce(Int(partitions), to: "t", partitions: partitions)
    try read(broker, partitions)
    return fixture
  }

  /// A group reads everything and commits state and offsets of each partition.
  private static func read(_ broker: EmbeddedBroker, _ partitions: Int32) throws {
    let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .sole(group: "g")))
    defer { consumer.close() }
    let transaction = try broker.transaction(for: consumer, outputs: [])
    defer { transaction.close() }
    let batch = RecordBatch()
    let all = Array(0..<partitions)
    #expect(try consumer.poll(into: batch, timeout: .seconds(5)) == .assigned(all))
    _ = try consumer.committed(all)
    try consumer.readState(all) { _ in }
    try consumer.assign(all.map { PartitionOffset(partition: $0, offset: 0) })
    var ends = 0
    while ends < all.count {
      _ = try consumer.poll(into: batch, timeout: .seconds(5))
      ends += batch.ends.count
    }
    let bytes = ByteBuffer(capacity: 64)
    bytes.append(UInt8(1))
    for partition in all { try transaction.putState(partition: partition, key: bytes.bytes, value: bytes.bytes) }
    try transaction.commit(all.map { PartitionOffset(partition: $0, offset: 1) })
  }

  /// Steps that `body` takes on this thread.
  private static func steps(_ body: () throws -> Void) rethrows -> Int64 {
    let before = database_counter_thread()
    try body()
    return database_counter_thread() - before
  }

  private static let isCounting = database_counter_start()

  /// Runs `body` on a log of few partitions and on one of many; `body` returns the steps of what is judged.
  private static func growth(_ body: (EmbeddedBroker, Int32) throws -> Int64) throws -> Double {
    let counts = try [few, few * times].map { partitions in
      let fixture = try log(partitions)
      return try withExtendedLifetime(fixture) { try body(fixture.open(), partitions) }
    }
    return Double(counts[1]) / Double(counts[0])
  }

  @Test("Opening compares every mark, and reads each partition once", .enabled(if: isCounting))
  func opening() throws {
    let growth = try Self.growth { broker, _ in try Self.steps { try broker.reopen() } }
    #expect(growth < 1.1 * Double(Self.times), "\(growth) times")
  }

  @Test("Looking at groups and their state reads what they have", .enabled(if: isCounting))
  func status() throws {
    let growth = try Self.growth { broker, _ in
      let admin = try broker.admin()
      defer { admin.close() }
      return try Self.steps {
        #expect(try admin.groups(named: nil).count == 1)
        try admin.readState(group: "g", within: nil) { _, _ in }
      }
    }
    #expect(growth < 1.1 * Double(Self.times), "\(growth) times")
  }

  @Test("A group that reads many partitions joins, restores, reads and leaves in proportion", .enabled(if: isCounting))
  func reading() throws {
    let growth = try Self.growth { broker, partitions in try Self.steps { try Self.read(broker, partitions) } }
    #expect(growth < 1.1 * Double(Self.times), "\(growth) times")
  }

  @Test("Reading one partition after the other costs a partition each", .enabled(if: isCounting))
  func onePartitionAtATime() throws {
    let growth = try Self.growth { broker, partitions in
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      let batch = RecordBatch()
      return try Self.steps {
        for partition in 0..<partitions {
          try consumer.assign([PartitionOffset(partition: partition, offset: 0)])
          _ = try consumer.poll(into: batch, timeout: .seconds(5))
          #expect(batch.count == 1)
        }
      }
    }
    #expect(growth < 1.1 * Double(Self.times), "\(growth) times")
  }

  @Test("An append to one partition costs the same whatever the others are", .enabled(if: isCounting))
  func oneAppend() throws {
    let growth = try Self.growth { broker, _ in
      let connection = try LogConnection(LogDirectory(path: broker.directoryPath), log: SilentLog(), time: SystemTime())
      defer { connection.close() }
      let chunk = RecordChunk(partition: 3)
      try TestRecord(value: "v").lend { chunk.append($0, byteCount: RecordChunk.byteCount(of: $0)) }
      return try Self.steps {
        try connection.write("cannot append") { scope in
          try BatchAppender.append([chunk], topic: "t", id: TopicRow.get(scope.database, name: "t").id, scope)
        }
      }
    }
    #expect(growth < 1.5, "\(growth) times")
  }

  @Test("A producer takes room for the partitions that it has records of")
  func producer() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    func allocations(partitions: Int32) throws -> Int {
      let topic = "t\(partitions)"
      try broker.createTopic(topic, partitions: partitions)
      let before = allocation_counter_thread()
      let producer = try broker.producer(topic: topic, pace: .bulk)
      defer { producer.close() }
      #expect(producer.partitionCount == partitions)
      return Int(allocation_counter_thread() - before)
    }
    _ = try allocations(partitions: 2)
    let (few, many) = (try allocations(partitions: 1), try allocations(partitions: 1000))
    #expect(many < few + 100, "\(few) and \(many)")
  }
}

extension EmbeddedBroker {
  fileprivate var directoryPath: String { String(name.dropFirst("embedded:".count)) }

  /// Opens the same log once more.
  fileprivate func reopen() throws {
    _ = try EmbeddedBroker.open(directory: directoryPath, log: SilentLog(), time: SystemTime())
  }
}
