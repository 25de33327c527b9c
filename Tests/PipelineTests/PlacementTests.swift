import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// In which partition an inventory event may lie, also in a topic that has grown.
@Suite struct PlacementTests {
  @Test("An event in another partition than its key's is named, wherever it lies", arguments: BackEnd.all)
  func misplaced(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      for partition in 0..<2 as Range<Int32> {
        let own = planting.output.indices.filter { planting.output[$0].partition == partition }
        for index in [own[1], own[own.count / 2], own[own.count - 1]] {
          for isAtEnd in [false, true] {
            var changed = planting.output
            var event = changed.remove(at: index)
            event.partition = 1 - partition
            changed.insert(event, at: isAtEnd ? changed.count : 0)
            let place = Planting.place(isAtEnd ? changed.count - 1 : 0, in: changed, copy: planting.nextCopy)
            let findings = try planting.audit { $0 = changed }
            #expect(findings.counts == [.wrongPartition: 1], "\(findings.violations)")
            let violation = try #require(findings.violations.first)
            #expect(violation.source == event.source && violation.output == place)
            let key = String(decoding: event.key ?? [], as: UTF8.self)
            #expect(violation.expected == "partition \(partition), of the hash of its key \(key)")
            #expect(violation.found == "partition \(1 - partition)")
          }
        }
      }
    }
  }

  /// A log whose output, and with it or not whose source, was given more partitions on the way.
  private static func grown(_ broker: any Broker, withSource: Bool) throws -> [TestRecord] {
    let orders = try Orders(broker, partitions: 2)
    try orders.produce(80)
    try Run.createOutputs(orders)
    _ = try Run(orders).inventory()
    try broker.change(.addPartitions(topic: Run.output, total: 5))
    if withSource { try broker.change(.addPartitions(topic: Orders.topic, total: 5)) }
    try orders.produce(80, firstOrder: 81)
    let run = try Run(orders).with {
      $0.partitions = withSource ? 5 : 2
      $0.outputPartitions = 5
    }
    _ = try run.inventory()
    return try broker.contents(of: Run.output)
  }

  @Test("A topic that has grown is clean, and so is its copy", arguments: BackEnd.all, [false, true])
  func growth(_ backEnd: BackEnd, withSource: Bool) throws {
    try backEnd.run { _, broker in
      let events = try Self.grown(broker, withSource: withSource)
      #expect(Set(events.map(\.partition)) == [0, 1, 2, 3, 4])
      let findings = try broker.audit()
      #expect(findings.isClean && findings.unverifiable == 0 && findings.orders == 160, "\(findings.violations)")
      try broker.createTopic("copy", partitions: 5)
      try broker.produce(events, to: "copy")
      #expect(try broker.audit("copy").isClean)
    }
  }

  @Test("In a grown topic an event is wrong where no number of partitions would put it", arguments: BackEnd.all)
  func misplacedInGrown(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let events = try Self.grown(broker, withSource: false)
      func hash(_ index: Int) -> Int32 {
        events[index].key!.withUnsafeBytes { Partitioner.murmur2($0) & 0x7fff_ffff }
      }
      func last(_ index: Int) -> Bool {
        events.allSatisfy {
          $0.source.prefix(9) != events[index].source.prefix(9) || $0.offsetOfSource <= events[index].offsetOfSource
        }
      }
      // The last order came after the growth: it has no second place. The first one came before: no number of partitions
      // from 2 to 5 may put it there.
      let late = events.indices.first { last($0) && events[$0].line == 0 }!
      let early = events.indices.first {
        events[$0].partition == 0 && hash($0) % 3 != 1 && hash($0) % 5 != 1 && hash($0) % 5 != 4
      }!
      let elsewhere = (0..<5 as Range<Int32>).first { $0 != events[late].partition }!
      for (number, change) in [(late, elsewhere), (early, Int32(4)), (early, 1)].enumerated() {
        var changed = events
        var event = changed.remove(at: change.0)
        event.partition = change.1
        changed.insert(event, at: change.0 == late ? changed.count : 0)
        try broker.createTopic("copy-\(number)", partitions: 5)
        try broker.produce(changed, to: "copy-\(number)")
        let findings = try broker.audit("copy-\(number)")
        #expect(findings.counts == [.wrongPartition: 1], "\(findings.violations)")
        #expect(findings.violations.first?.source == events[change.0].source)
      }
    }
  }

  @Test(
    "Where retention has removed what would tell when a topic grew, events are unverifiable", arguments: BackEnd.all)
  func retention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let events = try Self.grown(broker, withSource: false)
      try broker.createTopic("copy", partitions: 5)
      try broker.produce(events, to: "copy")
      try broker.change(.deleteRecords(TopicPartition(topic: "copy", partition: 4), before: 1))
      let findings = try broker.audit("copy")
      #expect(findings.isClean && findings.unverifiable > 1, "\(findings.violations)")
    }
  }
}

extension TestRecord {
  /// Of the order that an event names.
  fileprivate var offsetOfSource: Int { Int(source.split(separator: "/").dropFirst(2).first ?? "") ?? -1 }
}
