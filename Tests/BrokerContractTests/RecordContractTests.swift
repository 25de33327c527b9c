import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct RecordContractTests {
  @Test("Records of a partition come back in order with their offsets", arguments: BackEnd.all)
  func order(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      try broker.produce(10_000, to: "t", partitions: 3)
      let records = try broker.contents(of: "t")
      #expect(records.count == 10_000)
      for partition in Int32(0)..<3 {
        let mine = records.filter { $0.partition == partition }
        #expect(mine.map(\.offset) == Array(0..<Int64(mine.count)))
        #expect(mine.map(\.text) == stride(from: Int(partition), to: 10_000, by: 3).map { "v\($0)" })
      }
    }
  }

  @Test("Key, value, timestamp and headers come back byte for byte", arguments: BackEnd.all)
  func bytes(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      let everyByte = (0...255).map { UInt8($0) }
      var binary = TestRecord(timestampMs: 1_705_314_600_123, key: "k", value: "v")
      binary.key = everyByte
      binary.value = everyByte.reversed()
      binary.headers = [
        .init("source", everyByte), .init("empty", []), .init("none", nil), .init("source", [1]), .init("", [0]),
      ]
      var written = [binary, TestRecord(timestampMs: 0, key: nil, value: "no key"), TestRecord(key: "", value: "é")]
      try broker.produce(written, to: "t")
      var read = try broker.contents(of: "t")
      for index in read.indices { read[index].offset = 0 }
      if backEnd.differs(by: .noTimeZero) { written[1].timestampMs = 1 }
      #expect(read == written)
    }
  }

  @Test("Each acknowledged record has a latency, at full speed and at a rate", arguments: BackEnd.all)
  func latency(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 3)
      let (rate, time): (OrderPublisher.Schedule, _) = ({ $0 * 100_000 }, SystemTime())
      for (schedule, pace) in [(nil, ProducerPace.bulk), (rate, .interactive)] {
        let latency = AcknowledgementLatency(from: schedule.map { .schedule($0) } ?? .fullSpeed, time: time)
        let producer = try broker.producer(topic: "t", pace: pace, reports: .refusals, latency: latency)
        defer { producer.close() }
        let start = time.monotonicNanoseconds
        var publisher = OrderPublisher(
          GeneratedOrders(.init(seed: 1, firstOrder: 1, count: 5000)), producer: producer, schedule: schedule,
          time: time,
          stop: StopFlag(), latency: latency)
        try publisher.run { _ in }
        let all = latency.figures.all
        #expect(all.count + (latency.figures.isParted ? latency.figures.firstSecond.count : 0) == 5000)
        #expect(producer.deliveries.acknowledged == 5000)
        #expect(all.p50 > 0 && all.max <= (time.monotonicNanoseconds - start) / 1000)
      }
    }
  }

  @Test("A tombstone is not an empty value", arguments: BackEnd.all)
  func tombstone(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      try broker.produce([TestRecord(key: "a", value: nil), TestRecord(key: "b", value: "")], to: "t")
      let values = try broker.contents(of: "t").map(\.value)
      #expect(values == [nil, []])
    }
  }

  @Test("A poll keeps to the limits of its batch and the next one goes on behind it", arguments: BackEnd.all)
  func limits(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      let value = String(repeating: "x", count: 100)
      try broker.produce((0..<2500).map { TestRecord(key: "\($0)", value: value) }, to: "t")
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      try consumer.assign([PartitionOffset(partition: 0, offset: 700)])
      let batch = RecordBatch(recordLimit: 333, byteLimit: 20_000)
      var next: Offset = 700
      while next < 2500 {
        #expect(try consumer.poll(into: batch, timeout: .seconds(5)) == .polled)
        #expect(!batch.isEmpty && batch.count <= 333 && batch.byteCount <= 20_000)
        for entry in batch.entries {
          #expect(entry.offset == next)
          next = entry.offset.next
        }
      }
      if backEnd.differs(by: .fetches) && batch.ends.isEmpty {
        #expect(try consumer.poll(into: batch, timeout: .seconds(5)) == .polled)
      }
      #expect(batch.ends == [PartitionOffset(partition: 0, offset: 2500)])
    }
  }

  @Test("A record larger than a batch comes alone", arguments: BackEnd.all)
  func largeRecord(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      let large = String(repeating: "y", count: 50_000)
      try broker.produce(
        [TestRecord(value: "a"), TestRecord(value: large), TestRecord(value: "b")], to: "t")
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      try consumer.assign([PartitionOffset(partition: 0, offset: 0)])
      let batch = RecordBatch(recordLimit: 10, byteLimit: 1000)
      var counts: [Int] = []
      while counts.reduce(0, +) < 3 {
        _ = try consumer.poll(into: batch, timeout: .seconds(5))
        counts.append(batch.count)
      }
      #expect(counts == [1, 1, 1])
    }
  }

  @Test("One record a poll is fair over the partitions", arguments: BackEnd.all)
  func fairness(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 4)
      try broker.produce(4000, to: "t", partitions: 4)
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      try consumer.assign((0..<4).map { PartitionOffset(partition: $0, offset: 0) })
      let batch = RecordBatch(recordLimit: 50)
      var seen: [Int32: Int] = [:]
      for _ in 0..<16 {
        _ = try consumer.poll(into: batch, timeout: .seconds(5))
        for entry in batch.entries { seen[entry.partition, default: 0] += 1 }
      }
      #expect(seen.values.reduce(0, +) == 800)
      if !backEnd.differs(by: .fetches) { #expect(seen.count == 4 && seen.values.allSatisfy { $0 >= 100 }) }
    }
  }

  @Test("Acknowledged records are there for a broker that is opened later", arguments: BackEnd.all)
  func reopen(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce(3000, to: "t", partitions: 2)
      #expect(try fixture.open().contents(of: "t").count == 3000)
    }
  }

  @Test("The end of each partition is reported once each time it is reached", arguments: BackEnd.all)
  func ends(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t", partitions: 2)
      try broker.produce([TestRecord(partition: 0, value: "a")], to: "t")
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      try consumer.assign((0..<2).map { PartitionOffset(partition: $0, offset: 0) })
      let batch = RecordBatch()
      func reported() throws -> [PartitionOffset] {
        var ends: [PartitionOffset] = []
        for _ in 0..<6 {
          _ = try consumer.poll(into: batch, timeout: .milliseconds(15))
          ends += batch.ends
        }
        return ends.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
      }
      #expect(
        try reported() == [PartitionOffset(partition: 0, offset: 1), PartitionOffset(partition: 1, offset: 0)])
      try broker.produce([TestRecord(partition: 1, value: "b")], to: "t")
      #expect(try reported() == [PartitionOffset(partition: 1, offset: 1)])
    }
  }

  @Test("A start outside the partition is refused in words", arguments: BackEnd.all)
  func outOfRange(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      try broker.createTopic("t")
      try broker.produce(5000, to: "t")
      try broker.change(.deleteRecords(TopicPartition(topic: "t", partition: 0), before: 2500))
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      let batch = RecordBatch()
      for (offset, words) in [(Offset(2499), "2499"), (5001, "5000")] {
        try consumer.assign([PartitionOffset(partition: 0, offset: offset)])
        let error = #expect(throws: BrokerError.self) {
          for _ in 0..<100 { _ = try consumer.poll(into: batch, timeout: .milliseconds(50)) }
        }
        #expect(error?.code == .offsetOutOfRange)
        #expect(error?.description.contains(words) ?? false, "\(String(describing: error))")
      }
      try consumer.assign([PartitionOffset(partition: 0, offset: 2500)])
      _ = try consumer.poll(into: batch, timeout: .seconds(5))
      #expect(batch.entries.first?.offset == 2500)
    }
  }

  @Test("A producer that is asked to tell of every record does so once for each", arguments: BackEnd.all)
  func reports(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t")
      let producer = try fixture.open().producer(topic: "t", pace: .bulk, reports: .all)
      var told: [Int64] = []
      for number in 0..<2500 {
        try TestRecord(value: "v\(number)").lend { record throws(BrokerError) in try producer.send(record) }
        if number % 300 == 0 { told += producer.takeReports().acknowledged }
      }
      try producer.flush(timeout: .seconds(20))
      producer.close()
      let last = producer.takeReports()
      #expect((told + last.acknowledged).sorted() == Array(0..<2500) && last.failed.isEmpty && last.refused.isEmpty)
    }
  }

  @Test("A reader that waits comes back with the record, not at the end of its wait", arguments: BackEnd.all)
  func tailing(_ backEnd: BackEnd) throws {
    try backEnd.run { fixture, broker in
      try broker.createTopic("t")
      let producer = try fixture.open().producer(topic: "t", pace: .interactive)
      defer { producer.close() }
      let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .none))
      defer { consumer.close() }
      try consumer.assign([PartitionOffset(partition: 0, offset: 0)])
      let batch = RecordBatch()
      _ = try consumer.poll(into: batch, timeout: .zero)
      let start = ContinuousClock.now
      for _ in 0..<10 {
        try TestRecord(value: "x").lend { record throws(BrokerError) in try producer.send(record) }
        try producer.flush(timeout: .seconds(5))
        repeat { _ = try consumer.poll(into: batch, timeout: .seconds(60)) } while batch.isEmpty
      }
      // How soon a record is seen is the benchmark's question.
      #expect(ContinuousClock.now - start < .seconds(30))
    }
  }
}
