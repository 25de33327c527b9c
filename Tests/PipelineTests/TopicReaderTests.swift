import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Reading ranges partition by partition, whatever the partitions hold.
@Suite struct TopicReaderTests {
  private static let partitions: Int32 = 12

  /// Reads every partition, and returns the places in the order of the visits.
  private static func places(_ broker: any Broker, until limit: Int = .max) throws -> [PartitionOffset] {
    let admin = try broker.admin()
    defer { admin.close() }
    let reader = try TopicReader(topic: "t", broker: broker, stop: StopFlag(), waits: { _ in })
    defer { reader.close() }
    var places: [PartitionOffset] = []
    let ranges = try admin.watermarks(topic: "t").enumerated().map {
      PartitionRange(partition: Int32($0), offsets: $1.low..<$1.high)
    }
    let isWhole = try reader.read(ranges) { record in
      places.append(PartitionOffset(partition: record.partition, offset: record.offset))
      return places.count < limit
    }
    #expect(isWhole == (places.count < limit))
    return places
  }

  private static func expected(_ counts: [Int]) -> [PartitionOffset] {
    counts.enumerated().flatMap { partition, count in
      (0..<count).map { PartitionOffset(partition: Int32(partition), offset: Offset($0)) }
    }
  }

  @Test("Many small partitions come one after the other, empty ones too", arguments: BackEnd.all)
  func small(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: Self.partitions)
      let counts = (0..<Int(Self.partitions)).map { $0 % 4 * 7 }
      try broker.produce(
        counts.enumerated().flatMap { partition, count in
          Array(repeating: TestRecord(partition: Int32(partition), value: "v"), count: count)
        }, to: "t")
      #expect(try Self.places(broker) == Self.expected(counts))
      #expect(try Self.places(broker, until: 10) == Array(Self.expected(counts).prefix(10)))
    }
  }

  @Test("Records that are too large to be kept come in the same order, and each once", arguments: BackEnd.all)
  func large(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: Self.partitions)
      // Together a multiple of what is kept.
      let counts = Array(repeating: 3, count: Int(Self.partitions))
      let value = String(repeating: "x", count: 700_000)
      for _ in 0..<3 {
        try broker.produce((0..<Self.partitions).map { TestRecord(partition: $0, value: value) }, to: "t")
      }
      #expect(try Self.places(broker) == Self.expected(counts))
    }
  }
}
