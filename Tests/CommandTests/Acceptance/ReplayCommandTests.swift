import OrderStreamCore
import OrderStreamTestSupport
import Testing

@Suite("replay")
struct ReplayCommandTests {
  @Test func aNamedGroupWithoutExecuteChangesNothing() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "-q")
    try stage.run("analytics", "--max-events", "60", "-q")
    let before = try stage.json("status")["groups"]
    for json in [[], ["--json"]] {
      let outcome = try stage.start(["replay", "--group", "analytics", "--events", "5"] + json).end()
      #expect(outcome.code == 0 && outcome.text.contains("analytics") && outcome.text.contains("--execute"))
      if !json.isEmpty {
        let document = try outcome.document
        for key in ["schema", "broker", "elapsed_ms", "match", "initial", "replay", "first_difference"] {
          #expect(document.members[key] != nil, "\(key)")
        }
      }
    }
    let after = try stage.json("status")
    #expect(after["groups"] == before)
    #expect(try stage.files == ["metrics_output.txt"])
    #expect(try stage.run("tail").lines.count == 100)
  }

  @Test func aNamedGroupIsReplayedWithExecuteAndGoesOnAfterwards() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "300", "-q")
    try stage.run("analytics", "-q")
    let report = try stage.bytes("metrics_output.txt")
    let outcome = try stage.run("replay", "--group", "analytics", "--execute")
    #expect(outcome.text.contains("match"))
    #expect(try stage.bytes("metrics_initial.txt") == report)
    #expect(try stage.bytes("metrics_after_replay.txt") == report)
    #expect(try stage.json("analytics")["processed"].int == 0)
    #expect(try stage.json("status")["groups"].elements.count == 1)
  }

  @Test func aChangedCountIsFoundAndTheLineIsNamed() throws {
    // Two logs with the same keys at the same places; in the other one every order has failed.
    let (stage, other) = (try Stage(), try Stage())
    for (place, rate) in [(stage, "0"), (other, "1")] {
      try place.run(
        "produce", "--events", "200", "--seed", "5", "--start-time", "2024-01-15T10:30:00Z", "--failure-rate", rate,
        "-q")
      try place.run("analytics", "-q")
    }
    try copyState(from: other, to: stage)

    let outcome = try stage.run("replay", "--group", "analytics", "--execute", "--json", exits: 1)
    let document = try outcome.document
    #expect(document["match"].bool == false)
    #expect(document["initial"]["failed_orders"].int == 200 && document["replay"]["failed_orders"].int == 0)
    #expect(document["first_difference"]["line"].int == 3)
    #expect(document["first_difference"]["initial"].string == "  Failed orders              200")
    #expect(document["first_difference"]["replay"].string == "  Failed orders              0")
    let lines = (try stage.text("metrics_initial.txt"), try stage.text("metrics_after_replay.txt"))
    #expect(
      lines.0.contains("  Failed orders              200\n") && lines.1.contains("  Failed orders              0\n"))

    try copyState(from: other, to: stage)
    let text = try stage.run("replay", "--group", "analytics", "--execute", exits: 1).text
    #expect(text.contains("line 3") && text.contains("MISMATCH"), "\(text)")
    // The second pass has put it right.
    try stage.run("replay", "--group", "analytics", "--execute")
  }

  @Test func anUnknownNamedGroupStartsFromTheBeginning() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    #expect(try stage.json("replay", "--group", "fresh", "--execute")["initial"]["total_orders"].int == 50)
  }

  /// Puts the state of the group `analytics` on one log in place of its state on the other.
  private func copyState(from source: Stage, to target: Stage) throws {
    struct Entry {
      let partition: Int32
      let key: [UInt8]
      let value: [UInt8]
    }
    let partitions: [Int32] = [0, 1, 2, 3, 4, 5]
    func member(_ stage: Stage) throws -> TestConsumer {
      let consumer = try TestConsumer(try EmbeddedLog.open(stage.log), topic: "order-events", group: "analytics")
      while consumer.assigned?.count != 6 { try consumer.step(timeout: .milliseconds(20)) }
      return consumer
    }
    let reader = try member(source)
    var entries: [Entry] = []
    try reader.consumer.readState(partitions) { stored in
      entries.append(Entry(partition: stored.partition, key: Array(stored.key), value: Array(stored.value)))
    }
    reader.close()
    let writer = try member(target)
    defer { writer.close() }
    let transaction = try #require(writer.transaction)
    for entry in entries {
      try entry.key.withUnsafeBytes { key in
        try entry.value.withUnsafeBytes { value in
          try transaction.putState(partition: entry.partition, key: key, value: value)
        }
      }
    }
    let offsets = try writer.consumer.committedOffsets(partitions)
    try transaction.commit(zip(partitions, offsets).map { PartitionOffset(partition: $0, offset: $1 ?? 0) })
    #expect(entries.count >= 12, "a position and an hour of each partition")
  }
}
