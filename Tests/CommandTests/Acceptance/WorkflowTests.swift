import Foundation
import OrderStreamTestSupport
import Testing

/// The acceptance lines of the embedded pipeline, as a user runs them.
@Suite("The workflow")
struct WorkflowTests {
  @Test(arguments: TestBroker.all)
  func tenThousandOrdersAreCountedOnceAlsoAfterMoreOfThemAndAfterAReset(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "10000")
    let report = try stage.run("analytics")
    #expect(try stage.bytes("metrics_output.txt") == report.output)
    #expect(report.lines.contains("  Total orders               10000"))

    try stage.run("produce", "--events", "500")
    let document = try stage.json("analytics")
    #expect(document["total_orders"].int == 10_500)
    #expect(document["processed"].int == 500)
    #expect((3...7).contains(try #require(document["failure_rate_percent"].double)))
    #expect(document["orders_by_minute"].sum == 10_500)
    #expect(document["failed_by_minute"].sum == document["failed_orders"].int)

    let before = try stage.bytes("metrics_output.txt")
    let again = try stage.json("analytics", "--reset-offsets")
    #expect(again["processed"].int == 10_500)
    #expect(try stage.bytes("metrics_output.txt") == before)

    let values = try stage.run("tail", "--raw").lines
    #expect(values.count == 10_500)
    #expect(Set(values.map { Orders.field("order_id", of: $0) }).count == 10_500)
  }

  @Test(arguments: TestBroker.all)
  func everyItemBecomesOneInventoryEventAndASecondRunAddsNone(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "2000", "--seed", "3", "--failure-rate", "0.2")
    let document = try stage.json("inventory")
    let events = try stage.run("tail", "-t", stage.inventoryTopic, "--raw").lines
    #expect(document["orders"].int == 2000)
    #expect(document["items"].int == events.count)
    #expect(document["reserved"].int == events.filter { Orders.field("action", of: $0) == "reserve" }.count)
    #expect(document["released"].int == events.filter { Orders.field("action", of: $0) == "release" }.count)
    #expect(try #require(document["released"].int) > 0)

    let actions = Dictionary(
      uniqueKeysWithValues: try stage.run("tail", "--raw").lines.map { line in
        (Orders.field("order_id", of: line), Orders.field("status", of: line) == "placed" ? "reserve" : "release")
      })
    #expect(events.allSatisfy { Orders.field("action", of: $0) == actions[Orders.field("order_id", of: $0)] ?? "" })

    let second = try stage.json("inventory")
    for key in ["orders", "items", "reserved", "released", "rejected"] { #expect(second[key].int == 0, "\(key)") }
    #expect(try stage.run("tail", "-t", stage.inventoryTopic, "--raw").lines == events)
    #expect(try stage.json("audit")["inventory_events"].int == events.count)
  }

  @Test(arguments: TestBroker.all)
  func aSeededSpanGivesTenMinutesOfSixHundredAndTheSameBytesOnASecondLog(broker: TestBroker) throws {
    let options = ["--seed", "7", "--start-time", "2024-01-15T10:30:00Z", "--span", "10m", "--events", "6000"]
    var topics: [[String]] = []
    for _ in 0..<2 {
      let stage = try Stage(broker)
      #expect(try stage.start(["produce", "-q"] + options).end().code == 0)
      let minutes = try stage.json("analytics")["orders_by_minute"].members
      #expect(minutes.keys.sorted() == (30...39).map { "2024-01-15T10:\($0)" })
      #expect(minutes.values.allSatisfy { $0.int == 600 })
      topics.append(try stage.run("tail", "--raw").lines)
    }
    #expect(topics[0] == topics[1])
    let dry = try Stage().start(["produce", "--dry-run"] + options).end()
    #expect(dry.lines.sorted() == topics[0].sorted())
  }

  @Test(arguments: TestBroker.all)
  func ordersOfOtherProgramsCountLikeCanonicalOnes(broker: TestBroker) throws {
    let strange = Orders.strange
    let canonical = strange.indices.map { Orders.order(number: $0, failed: $0 == 2) }
    var reports: [(metrics: [UInt8], events: [String])] = []
    for lines in [strange, canonical] {
      let stage = try Stage(broker)
      try stage.write("orders.jsonl", lines.joined(separator: "\n") + "\n")
      try stage.run("produce", "--input", "orders.jsonl", "--partitions", "1")
      #expect(try stage.run("tail", "--raw").lines == lines)
      let metrics = try stage.run("analytics")
      try stage.run("inventory")
      // The time of an event is its order's own text, so it may be written in another way.
      let events = try stage.run("tail", "-t", stage.inventoryTopic, "--raw").lines.map { line in
        ["order_id", "item_id", "action"].map { Orders.field($0, of: line) }.joined(separator: " ")
      }
      reports.append((metrics.output, events))
    }
    #expect(reports[0].metrics == reports[1].metrics)
    #expect(reports[0].events == reports[1].events)
    #expect(reports[0].events.count == strange.count)
  }

  @Test(arguments: TestBroker.all)
  func threeProcessesOfOneGroupShareThePartitions(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "3000")
    // All of them are members before the first record that counts comes.
    let members = try (0..<3).map { number in
      try stage.start(["analytics", "--json", "--follow", "--output", "\(number).txt"])
    }
    try eventually("three members") {
      try stage.json("status", "--group", stage.group("analytics"))["groups"][0]["members"].elements.count == 3
    }
    try eventually("each of them has partitions") {
      let found = try stage.json("status", "--group", stage.group("analytics"))["groups"][0]["members"].elements
      return found.allSatisfy { $0["partitions"].elements.count == 2 }
    }
    try stage.run("produce", "--events", "6000")
    try eventually("the group has read everything") {
      try stage.json("status", "--group", stage.group("analytics"))["groups"][0]["lag"].int == 0
    }
    for member in members { member.send(SIGTERM) }
    let last = try members.map { member in
      let outcome = try member.end()
      #expect(outcome.code == 0, "\(outcome)")
      return try JSON(try #require(outcome.lines.last))
    }
    let processed = last.compactMap { $0["processed"].int }
    #expect(processed.reduce(0, +) == 9000, "\(processed)")
    #expect(processed.allSatisfy { $0 > 1000 }, "each of them has worked: \(processed)")
    #expect(last.allSatisfy { $0["total_orders"].int == 9000 })
    #expect(Set(try (0..<3).map { try stage.text("\($0).txt") }).count == 1)
  }

  @Test(arguments: TestBroker.all)
  func twoGroupsEachSeeEverything(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "1000")
    let first = try stage.json("analytics", "-g", stage.group("one"))
    let second = try stage.json("analytics", "-g", stage.group("two"))
    for document in [first, second] {
      #expect(document["processed"].int == 1000)
      #expect(document["total_orders"].int == 1000)
    }
    #expect(first["orders_by_minute"] == second["orders_by_minute"])
  }

  @Test(arguments: TestBroker.all)
  func replayWritesTwoIdenticalFilesAndItsPrivateGroupIsGone(broker: TestBroker) throws {
    let stage = try Stage(broker)
    let document = try stage.json("replay", "--events", "1500")
    #expect(document["match"].bool == true && document["first_difference"] == .null)
    #expect(document["initial"]["total_orders"].int == 1500 && document["initial"] == document["replay"])
    #expect(try stage.bytes("metrics_initial.txt") == stage.bytes("metrics_after_replay.txt"))
    #expect(try stage.text("metrics_initial.txt").hasPrefix("Order metrics\n  Total orders               1500\n"))
    #expect(try stage.files == ["metrics_after_replay.txt", "metrics_initial.txt"])
    // On a cluster other tests may be replaying their topics at this moment.
    let groups = try stage.json("status", "-v")["groups"].elements.filter { group in
      group["partitions"].elements.contains { $0["topic"].string == stage.topic }
    }
    #expect(groups.isEmpty, "\(groups)")
  }
}
