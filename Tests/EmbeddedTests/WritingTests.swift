import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

@Suite struct WritingTests {
  @Test("The write-ahead log stays bounded beside a tailing reader")
  func boundedLog() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 2)
    let producer = try broker.producer(topic: "t", pace: .bulk)
    let reader = try TestConsumer(broker, topic: "t")
    try reader.consumer.assign((0..<2).map { PartitionOffset(partition: $0, offset: 0) })
    let record = TestRecord(value: String(repeating: "x", count: 4000))
    var largest = 0
    for round in 0..<20 {
      try record.lend { lent throws(BrokerError) in
        for number in 0..<1000 {
          var copy = lent
          copy.partition = Int32(number % 2)
          try producer.send(copy)
        }
      }
      if round % 2 == 0 { _ = try reader.consumer.poll(into: reader.batch, timeout: .zero) }
      try producer.flush(timeout: .seconds(30))
      largest = max(largest, fixture.size(fixture.directory.database + "-wal"))
    }
    #expect(producer.deliveries.acknowledged == 20_000)
    #expect(largest > 0 && largest < 32 << 20, "\(largest) bytes")
    producer.close()
  }

  @Test("After close every record sent is acknowledged or failed, and the acknowledged ones are there")
  func closeCounts() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t")
    let producer = try broker.producer(topic: "t", pace: .bulk)
    for number in 0..<5000 {
      try TestRecord(value: "\(number)").lend { record throws(BrokerError) in try producer.send(record) }
    }
    producer.close()
    let counts = producer.deliveries
    #expect(counts.acknowledged + counts.failed == 5000)
    #expect(counts.acknowledgedByPartition == [counts.acknowledged])
    #expect(try broker.contents(of: "t").count == Int(counts.acknowledged))
    producer.close()
  }

  @Test("A producer whose topic is removed fails its records and says why")
  func topicGone() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t")
    let producer = try broker.producer(topic: "t", pace: .bulk)
    try broker.change(.deleteTopic("t"))
    try TestRecord(value: "x").lend { record throws(BrokerError) in try producer.send(record) }
    let error = #expect(throws: BrokerError.self) { try producer.flush(timeout: .seconds(5)) }
    #expect(error?.code == .unknownTopic)
    #expect(producer.deliveries.failed == 1 && producer.deliveries.acknowledged == 0)
    #expect(throws: BrokerError.self) {
      try TestRecord(value: "x").lend { record throws(BrokerError) in try producer.send(record) }
    }
    producer.close()
  }

  @Test("A record that is too large is refused, and the producer goes on")
  func tooLarge() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t")
    let producer = try broker.producer(topic: "t", pace: .bulk)
    let huge = TestRecord(value: String(repeating: "x", count: RecordChunk.largestRecordBytes))
    let error = #expect(throws: BrokerError.self) {
      try huge.lend { record throws(BrokerError) in try producer.send(record) }
    }
    #expect(error?.code == .recordTooLarge && error?.isFatal == false)
    try TestRecord(value: "x").lend { record throws(BrokerError) in try producer.send(record) }
    try producer.flush(timeout: .seconds(5))
    #expect(producer.deliveries.acknowledged == 1)
    producer.close()
  }

  @Test("A stopped holder of the write lock is reported, not waited for without end")
  func stoppedHolder() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    let connection = try LogConnection(fixture.directory, log: SilentLog(), time: MovedTime(step: .seconds(1)))
    let holder = try WriteLock(fixture.directory, SystemTime())
    try holder.acquire(within: .seconds(1))
    let error = #expect(throws: BrokerError.self) { try connection.write("cannot write") { _ in } }
    #expect(error?.code == .busy && error?.isRetriable == true)
    #expect(error?.why.contains("for \(LogConnection.lockLimit.milliseconds) ms") == true)
    holder.release()
    try connection.write("cannot write") { _ in }
    withExtendedLifetime(broker) {}
  }

  @Test("Three committers beside a busy producer never wait longer than a second")
  func committers() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 6)
    try broker.produce(60, to: "t", partitions: 6)
    let failures = Failures()
    let stop = StopFlag()
    let directory = fixture.directory.path
    let clock = ContinuousClock()
    let producing = Thread {
      failures.catching {
        let broker = try EmbeddedBroker.open(directory: directory, log: SilentLog(), time: SystemTime())
        let producer = try broker.producer(topic: "t", pace: .bulk)
        defer { producer.close() }
        try TestRecord(value: String(repeating: "x", count: 200)).lend { record throws(BrokerError) in
          var number: Int32 = 0
          while !stop.isRequested {
            var copy = record
            copy.partition = number % 6
            number += 1
            try producer.send(copy)
          }
        }
      }
      failures.finish()
    }
    producing.start()
    let limit = clock.now + .seconds(2)
    for committer in 0..<3 {
      let thread = Thread {
        failures.catching {
          let broker = try EmbeddedBroker.open(directory: directory, log: SilentLog(), time: SystemTime())
          let member = try TestConsumer(broker, topic: "t", group: "g\(committer)")
          defer { member.close() }
          member.batch.recordLimit = 10
          var commits = 0
          while clock.now < limit {
            try member.step(timeout: .milliseconds(10))
            let start = clock.now
            try member.commit()
            commits += 1
            let waited = clock.now - start
            if waited > .seconds(1) { throw BrokerError(.timedOut, "commit", why: "waited \(waited)") }
          }
          if commits < 5 { throw BrokerError(.timedOut, "commit", why: "only \(commits) commits in 2 s") }
        }
        failures.finish()
      }
      thread.start()
    }
    failures.wait(for: 3)
    stop.request()
    failures.wait(for: 4)
    #expect(failures.all.isEmpty, "\(failures.all)")
  }

  @Test("A commit that waits for the write lock keeps nobody from reading")
  func commitBesideReading() throws {
    let fixture = LogFixture()
    let broker = try fixture.open()
    try broker.createTopic("in")
    try broker.produce(100, to: "in")
    let member = try TestConsumer(broker, topic: "in", group: "g")
    #expect(try TestConsumer.pump([member]) { member.pending.count == 100 })
    try broker.produce(50, to: "in")
    let lock = try WriteLock(fixture.directory, SystemTime())
    try lock.acquire(within: .seconds(1))
    let transaction = try #require(member.transaction)
    try member.put("k", "1", partition: 0)
    // The other thread has it until it is joined.
    nonisolated(unsafe) let shared = transaction
    let commit = BackgroundRun { try shared.commit([PartitionOffset(partition: 0, offset: 100)]) }
    #expect(try TestConsumer.pump([member]) { member.pending.count == 150 })
    lock.release()
    try commit.join()
    #expect(try member.consumer.committedOffsets([0]) == [100])
    member.close()
  }
}
