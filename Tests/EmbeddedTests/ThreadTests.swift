import OrderStreamCore
import OrderStreamTestSupport
import OrderStreamThreads
import Testing

@testable import OrderStreamEmbedded

/// A system that starts no more threads.
struct ThreadTests {
  @Test("a thread that cannot be started is an error, and what ends by itself is run at once")
  func threads() throws {
    ThreadFault.$hasNoRoom.withValue(true) {
      #expect(throws: NoRoomForThread.self) { try BackgroundThread { 1 } }
      #expect(BackgroundThread.endingByItself { 2 }.join() == 2)
    }
    #expect(try BackgroundThread { 3 }.join() == 3)
  }

  @Test("a producer and a member without a thread are refused in words, and nobody waits for them")
  func embedded() throws {
    let fixture = EmbeddedFixture()
    let broker = try fixture.open()
    try broker.createTopic("t", partitions: 1)
    ThreadFault.$hasNoRoom.withValue(true) {
      let producer = #expect(throws: BrokerError.self) { _ = try broker.producer(topic: "t", pace: .bulk) }
      #expect(producer?.code == .io && producer?.why.contains("starts no more threads") == true)
      let member = #expect(throws: BrokerError.self) {
        let consumer = try broker.consumer(ConsumerOptions(topic: "t", membership: .member(group: "g")))
        defer { consumer.close() }
        _ = try consumer.poll(into: RecordBatch(), timeout: .zero)
      }
      #expect(member?.code == .io)
    }
    try broker.produce([TestRecord(key: "k", value: "v")], to: "t")
    #expect(try broker.contents(of: "t").count == 1)
  }
}
