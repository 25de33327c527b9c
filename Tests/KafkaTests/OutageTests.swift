import CRdKafka
import OrderStreamCore
import OrderStreamTestSupport
import OrderStreamThreads
import Testing

@testable import OrderStreamKafka

/// How long brokers that do not answer are waited for, and what is said about it.
struct OutageTests {
  private func said(_ mock: MockBroker, _ words: String) -> Int {
    mock.log.all.count { $0.level == .warning && $0.text.contains(words) }
  }

  @Test("a service waits for an answer, says so once when it begins and once when it ends")
  func service() throws {
    let mock = try MockBroker(time: FastTime(), outages: .none)
    mock.cluster.setDown()
    let context = mock.broker.context
    let questions = try (0..<2).map { _ in
      try BackgroundThread { Result { () throws(BrokerError) in try context.ends(MockBroker.topic, [0, 1, 2]) } }
    }
    // More than a minute passes for them.
    for question in questions { #expect(question.join(.seconds(4)) == nil) }
    #expect(said(mock, "waiting until it passes") == 1)
    mock.cluster.setUp()
    for question in questions { #expect(try question.join(.seconds(20))?.get() == [0, 0, 0]) }
    try eventually("the end of the outage") {
      _ = try context.ends(MockBroker.topic, [0]); return said(mock, "answer again") > 0
    }
    _ = try context.ends(MockBroker.topic, [0])
    #expect(said(mock, "answer again") == 1 && said(mock, "waiting until it passes") == 1)
  }

  @Test(
    "a run with an end gives up after a minute, a command that looks after ten seconds",
    arguments: [OutageLimit.run, .look])
  func limits(_ limit: OutageLimit) throws {
    let time = FastTime()
    let mock = try MockBroker(time: time, outages: limit)
    mock.cluster.setDown()
    let start = time.monotonicNanoseconds
    let error = #expect(throws: BrokerError.self) { try mock.broker.context.ends(MockBroker.topic, [0]) }
    #expect(error?.code == .timedOut || error?.code == .unreachable)
    let waited = Duration.nanoseconds(time.monotonicNanoseconds - start)
    // A question that is under way when the time is over takes up to five seconds more, which here are fifty.
    #expect(waited >= limit.duration! && waited < limit.duration! + .seconds(80), "\(waited)")
  }

  @Test("a request to stop ends every wait")
  func stop() throws {
    let stop = StopFlag()
    let mock = try MockBroker(outages: .none, stop: stop)
    mock.cluster.setDown()
    let context = mock.broker.context
    let question = try BackgroundThread {
      Result { () throws(BrokerError) in try context.ends(MockBroker.topic, [0]) }
    }
    #expect(question.join(.seconds(1)) == nil)
    stop.request()
    let ended = question.join(.seconds(4))
    #expect(throws: BrokerError.self) { try ended?.get() }
    #expect(ended != nil)
  }

  @Test("a reader of a service outlives brokers that are away for minutes")
  func reader() throws {
    let time = FastTime()
    let mock = try MockBroker(partitions: 1, time: time, outages: .none)
    let reader = try TestConsumer(mock.broker, topic: MockBroker.topic)
    defer { reader.consumer.close() }
    try reader.consumer.assign([PartitionOffset(partition: 0, offset: 0)])
    mock.cluster.setDown()
    let start = time.monotonicNanoseconds
    while time.monotonicNanoseconds - start < Duration.seconds(120).nanoseconds {
      try reader.step(timeout: .milliseconds(100))
    }
    mock.cluster.setUp()
    try mock.broker.produce([TestRecord(key: "k", value: "v")], to: MockBroker.topic)
    try eventually("the record", within: .seconds(30)) {
      try reader.step(timeout: .milliseconds(100)); return reader.pending.count == 1
    }
  }
}
