import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite struct BoundedRunTests {
  @Test("A bounded run counts everything below its ends and nothing beyond", arguments: BackEnd.all)
  func bounded(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(1000)
      let expected = try orders.expectedSummary()
      let run = try Run(orders)
      try orders.produce(500, firstOrder: 1001)
      let result = try run.analytics()
      #expect(result.run.end == .reachedEnds && result.run.records == 1000)
      #expect(result.summary.agrees(with: expected))
      #expect(result.run.activeNanoseconds > 0)
    }
  }

  @Test("An empty topic, and an empty partition beside full ones, end a bounded run at once", arguments: BackEnd.all)
  func empty(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 16)
      let nothing = try Run(orders).analytics()
      #expect(nothing.run.end == .reachedEnds && nothing.run.records == 0 && nothing.run.activeNanoseconds == 0)
      #expect(nothing.summary.minutes.isEmpty)
      try orders.produce(5)
      let few = try Run(orders).analytics()
      #expect(few.run.records == 5 && few.summary.totalOrders == 5)
    }
  }

  @Test("A restart goes on where the group stopped, and reports everything", arguments: BackEnd.all)
  func restart(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(1000)
      try broker.produce([TestRecord(partition: 1, value: "poison"), TestRecord(value: nil)], to: Orders.topic)
      _ = try Run(orders).analytics()
      try orders.produce(500, firstOrder: 1001)
      let second = try Run(orders).analytics()
      #expect(second.run.records == 500)
      #expect(second.summary.agrees(with: try orders.expectedSummary()))
      #expect(second.summary.rejected == 2)
      let third = try Run(orders).analytics()
      #expect(third.run.records == 0 && third.summary == second.summary)
      let other = try Run(orders).with { $0.group = "other" }.analytics()
      #expect(other.run.records == 1502 && other.summary.report == second.summary.report)
    }
  }

  @Test("A run stops after exactly its maximum, and the next takes the rest", arguments: BackEnd.all)
  func maximum(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(1000)
      try Run.createOutputs(orders)
      for maximum in [Int64(1), 250, 99, 100, 0] {
        let result = try Run(orders).with { $0.change = { $0.maximumRecords = maximum } }.inventory()
        #expect(result.run.end == .reachedMaximum && result.run.records == maximum)
        #expect(result.counts.orders == maximum)
      }
      let rest = try Run(orders).with { $0.change = { $0.maximumRecords = 10_000 } }.inventory()
      #expect(rest.run.end == .reachedEnds && rest.run.records == 550)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 1000 && findings.items == findings.inventoryEvents)
    }
  }

  @Test("A followed run ends after idling, and not before its group has met", arguments: BackEnd.all)
  func idle(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(300)
      for (first, idle) in [(Int64(300), Duration.milliseconds(150)), (0, .zero)] {
        let run = try Run(orders).with { $0.bound = .follow(idle: idle) }
        let result = try run.analytics()
        #expect(result.run.end == .idle && result.run.records == first && !run.events.assigned.isEmpty)
        #expect(result.summary.totalOrders == 300)
      }
    }
  }

  @Test("A request to stop commits what is in hand, and the restart takes the rest", arguments: BackEnd.all)
  func stop(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(2000)
      try Run.createOutputs(orders)
      let flag = StopFlag()
      let run = try Run(orders).with {
        $0.stop = flag
        $0.change = { $0.commitInterval = .seconds(60) }
        $0.events = PipelineEvents { events, _ in
          if !events.assigned.isEmpty && events.remaining! < 1900 { flag.request() }
        }
      }
      let first = try run.inventory()
      #expect(first.run.end == .stopped)
      #expect((101...1999).contains(first.run.records) && first.counts.orders == first.run.records)
      let second = try Run(orders).inventory()
      #expect(second.run.records == 2000 - first.run.records)
      #expect(try broker.audit().isClean)
      let third = try Run(orders).with { $0.stop.request() }.inventory()
      #expect(third.run.end == .stopped && third.run.records == 0)
    }
  }

  @Test("Poison at the head, in the middle and at the end is set aside byte for byte", arguments: BackEnd.all)
  func poison(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 2)
      try Run.createOutputs(orders)
      let headers = [
        TestRecord.Header("source", Array("elsewhere".utf8)), TestRecord.Header("binary", [0, 255, 10]),
        TestRecord.Header("none", nil), TestRecord.Header("", []),
      ]
      let poison = [
        TestRecord(partition: 0, key: "k", value: "{", headers: headers), TestRecord(partition: 1, value: nil),
        TestRecord(partition: 1, key: "", value: ""),
      ]
      try broker.produce([poison[0]], to: Orders.topic)
      try orders.produce(50)
      try broker.produce([poison[1]], to: Orders.topic)
      try orders.produce(50, firstOrder: 51)
      try broker.produce([poison[2]], to: Orders.topic)
      let result = try Run(orders).inventory()
      #expect(result.counts.rejected == 3 && result.counts.orders == 100)
      let letters = try broker.contents(of: Run.deadLetters)
      #expect(letters.filter { $0.partition == 0 }.map(\.value) == [poison[0].value])
      #expect(letters.filter { $0.partition == 1 }.map(\.value) == [nil, []])
      #expect(Set(letters.map(\.key)) == [Array("k".utf8), nil, []])
      let first = try #require(letters.first { $0.partition == 0 })
      #expect(Array(first.headers.prefix(4)) == headers && first.headers.count == 8)
      let findings = try broker.audit()
      #expect(findings.isClean && findings.rejected == 3)
      #expect(try Run(orders).inventory().run.records == 0)
    }
  }
}
