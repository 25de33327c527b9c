import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// What an audit says about orders and events that are not all there.
@Suite struct AuditRangeTests {
  @Test("Orders that the group has not committed are pending, and without the group lost", arguments: BackEnd.all)
  func pending(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker)
      try orders.produce(200)
      try Run.createOutputs(orders)
      let part = try Run(orders).with { $0.change = { $0.maximumRecords = 80 } }.inventory()
      let findings = try broker.audit(group: "g")
      #expect(findings.isClean && findings.inventoryEvents == part.counts.items)
      #expect(findings.pending == findings.items - part.counts.items && findings.pending > 0)
      let without = try broker.audit()
      #expect(without.count(.lost) == findings.pending && without.pending == 0)
      let stranger = try broker.audit(group: "stranger")
      #expect(stranger.isClean && stranger.pending == findings.pending)
    }
  }

  @Test("Events whose orders retention has removed are unverifiable", arguments: BackEnd.all)
  func sourceRetention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      try broker.change(.deleteRecords(TopicPartition(topic: Orders.topic, partition: 0), before: 20))
      let gone = planting.output.filter {
        let parts = $0.source.split(separator: "/")
        return parts[1] == "0" && Int(parts[2])! < 20
      }
      let findings = try broker.audit()
      #expect(findings.isClean && findings.unverifiable == Int64(gone.count) && gone.count >= 20)
      #expect(findings.orders == 100 && findings.inventoryEvents == findings.items + findings.unverifiable)
      // What is left is still verified.
      let lost = try planting.audit { records in
        records.remove(at: records.lastIndex { $0.order.hasPrefix("orders/0/") }!)
      }
      #expect(lost.count(.lost) == 1 && lost.violations.count == 1)
    }
  }

  @Test("Orders whose events retention has removed are unverifiable, and later ones are lost", arguments: BackEnd.all)
  func outputRetention(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      let last = planting.output.last { $0.partition == 0 }!
      // Copies, because the pipeline's own output may hold control records between the events.
      for isCopyComplete in [true, false] {
        let topic = "copy-\(planting.nextCopy)"
        _ = try planting.audit { if !isCopyComplete { $0.removeAll { $0.source == last.source } } }
        try broker.change(.deleteRecords(TopicPartition(topic: topic, partition: 0), before: 30))
        let findings = try broker.audit(topic)
        #expect(findings.unverifiable == 30)
        #expect(findings.violations.map(\.source) == (isCopyComplete ? [] : [last.source]))
        #expect(findings.count(.lost) == (isCopyComplete ? 0 : 1))
      }
    }
  }

  @Test("A whole output that retention has removed proves nothing", arguments: BackEnd.all)
  func everythingRemoved(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      _ = try planting.audit { _ in }
      for partition in 0..<2 as Range<Int32> {
        let count = Offset(planting.output.count { $0.partition == partition })
        try broker.change(.deleteRecords(TopicPartition(topic: "copy-1", partition: partition), before: count))
      }
      let findings = try broker.audit("copy-1")
      #expect(findings.isClean && findings.unverifiable == findings.items && findings.inventoryEvents == 0)
    }
  }

  @Test("Large orders, escapes and any text survive the pipeline and its audit", arguments: BackEnd.all)
  func unusualOrders(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let orders = try Orders(broker, partitions: 2)
      try Run.createOutputs(orders)
      for (number, count) in [1, 15, 16, 17, 200].enumerated() {
        let items = (0..<count).map { #"{"item_id":"é\u0000\"\#($0)","quantity":1e1,"price":0}"# }.joined(
          separator: ", ")
        let value =
          #"{"timestamp":"1969-12-31T23:59:59.5+01:00","order_id":"漢\t\#(number)","user_id":"","items":[\#(items)], "#
          + #""total_amount":0,"status":"failed","event_type":"OrderPlaced"}"#
        try broker.produce([TestRecord(partition: Int32(number % 2), value: value)], to: Orders.topic)
      }
      _ = try Run(orders).inventory()
      let findings = try broker.audit()
      #expect(findings.isClean && findings.orders == 5 && findings.items == 249 && findings.inventoryEvents == 249)
      let output = try broker.contents(of: Run.output)
      for line in [16, 63, 64, 199] {
        let index = output.indices.first { output[$0].order == "orders/0/2" && output[$0].line == line }!
        let topic = "without-\(line)"
        try broker.createTopic(topic, partitions: 2)
        var changed = output
        changed.remove(at: index)
        try broker.produce(changed, to: topic)
        let missing = try broker.audit(topic)
        #expect(missing.violations.map(\.source) == [output[index].source] && missing.count(.lost) == 1)
        try broker.produce([output[index], output[index]], to: topic)
        let twice = try broker.audit(topic)
        #expect(twice.count(.lost) == 0 && twice.count(.duplicated) == 1)
      }
    }
  }

  @Test("An audit that is asked to stop says nothing", arguments: BackEnd.all)
  func stop(_ backEnd: BackEnd) throws {
    try backEnd.run { _, broker in
      let planting = try Planting(broker)
      let admin = try broker.admin()
      defer { admin.close() }
      let flag = StopFlag()
      flag.request()
      let audit = try Audit(
        Audit.Settings(topic: Orders.topic, outputTopic: Run.output, group: nil), broker: planting.broker,
        admin: admin, stop: flag, waits: { _ in }, progress: { _, _ in })
      #expect(try !audit.run())
    }
  }
}
