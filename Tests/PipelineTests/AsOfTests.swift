import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// The report as it was at a place.
@Suite("Reports as of a place")
struct AsOfTests {
  @Test("They are those of a group that has read so far, at random places", arguments: BackEnd.all)
  func places(_ backEnd: BackEnd) throws {
    var random = SeededRandom(seed: 15)
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 1)
      for batch in Int64(0)..<4 {
        try orders.produce(200, firstOrder: 1 + 200 * batch)
        try broker.produce([TestRecord(value: "no order"), TestRecord(value: nil)], to: Orders.topic)
      }
      let end = try orders.ends()[0]
      #expect(end == 808)
      // A group of a cluster takes seconds to join.
      let count = backEnd.differs(by: .sessions) ? 20 : 200
      for number in 0..<count {
        let place = Offset.random(in: 0...end, using: &random)
        let run = try Run(orders).with { run in
          run.group = "g\(number)"
          run.change = { $0.maximumRecords = place }
        }
        let group = try run.analytics().summary
        var counted = MetricsCount(topic: Orders.topic)
        let reader = try TopicReader(topic: Orders.topic, broker: broker, stop: StopFlag(), waits: { _ in })
        defer { reader.close() }
        #expect(
          try reader.read([PartitionRange(partition: 0, offsets: 0..<place)]) { counted.add($0) == nil })
        #expect(counted.summary == group && counted.records == place, "place \(place)")
      }
    }
  }

  @Test("A record that is no order ends it where it is not to be skipped")
  func poison() throws {
    let fixture = EmbeddedFixture()
    let broker = try fixture.open()
    try broker.createTopic("orders")
    try broker.produce([TestRecord(value: "no order")], to: "orders")
    var counted = MetricsCount(topic: "orders", onPoison: .fail)
    var failure: PipelineError?
    let reader = try TopicReader(topic: "orders", broker: broker, stop: StopFlag(), waits: { _ in })
    defer { reader.close() }
    _ = try reader.read([PartitionRange(partition: 0, offsets: 0..<1)]) {
      failure = counted.add($0)
      return false
    }
    guard case .poison(let place, _)? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(place.description == "orders[0]@0" && counted.records == 0)
  }
}
