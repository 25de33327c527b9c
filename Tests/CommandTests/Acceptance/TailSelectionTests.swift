import OrderStreamTestSupport
import Testing

/// Which records `tail` prints.
@Suite("What tail picks")
struct TailSelectionTests {
  /// A topic with 60 records in two partitions, in three runs.
  private func stage(_ broker: TestBroker) throws -> Stage {
    let stage = try Stage(broker)
    for _ in 0..<3 { try stage.run("produce", "-q", "-n", "20", "--partitions", "2") }
    return stage
  }

  private struct Line: Hashable, Comparable {
    let timestamp: Int
    let partition: Int
    let offset: Int
    let key: String

    init(_ text: String) throws {
      let json = try JSON(text)
      (timestamp, partition, offset) = (
        json["timestamp_ms"].int ?? 0, json["partition"].int ?? 0, json["offset"].int ?? 0
      )
      key = json["key"].string ?? ""
    }

    static func < (left: Self, right: Self) -> Bool {
      (left.timestamp, left.partition, left.offset) < (right.timestamp, right.partition, right.offset)
    }
  }

  private func lines(_ stage: Stage, _ arguments: String...) throws -> [Line] {
    let outcome = try stage.start(["tail"] + arguments).end()
    #expect(outcome.code == 0, "\(outcome)")
    return try outcome.lines.map { try Line($0) }
  }

  @Test(arguments: TestBroker.all)
  func theLastRecordsOfAllPartitionsTogether(broker: TestBroker) throws {
    let stage = try stage(broker)
    let all = try lines(stage)
    #expect(all.count == 60)
    for count in [0, 1, 10, 60, 99] {
      #expect(try lines(stage, "-n", "\(count)") == Array(all.sorted().suffix(count)), "-n \(count)")
    }
    // Those before a place, and those with a key, wherever they are.
    let before = all.filter { $0.partition == 0 && $0.offset < 9 }
    #expect(try lines(stage, "-n", "3", "--to", "0=9", "--partition", "0") == Array(before.sorted().suffix(3)))
    let old = try #require(all.min())
    #expect(try lines(stage, "-n", "5", "--key", old.key) == [old])
  }

  @Test(arguments: TestBroker.all)
  func placesPartitionsAndKeys(broker: TestBroker) throws {
    let stage = try stage(broker)
    let all = try lines(stage)
    #expect(try lines(stage, "--from", "1=5", "--to", "1=8") == all.filter { $0.partition == 1 && 5..<8 ~= $0.offset })
    #expect(
      try lines(stage, "--from", "latest", "--from", "0=3", "--to", "0=4")
        == all.filter { $0.partition == 0 && $0.offset == 3 })
    #expect(try lines(stage, "--partition", "1") == all.filter { $0.partition == 1 })
    #expect(try lines(stage, "--to", "+2") == all.filter { $0.offset < 2 })
    #expect(try lines(stage, "--from", "-2").count == 4)
    #expect(try lines(stage, "--key", all[7].key) == all.filter { $0.key == all[7].key })
    #expect(try lines(stage, "--key", "nobody").isEmpty)
    let outcome = try stage.run("tail", "--partition", "2", exits: 66)
    #expect(outcome.errors.contains("[2]: the topic has 2 partitions; name one from 0 to 1"), "\(outcome)")
  }

  @Test func aFollowerGoesOnBehindTheLastRecords() throws {
    let stage = try stage(.embedded)
    let child = try stage.start("tail", "order-events", "-n", "2", "-f", "--max-events", "5")
    try child.wait(for: "the last two") { child.lines.count == 2 }
    try stage.run("produce", "-q", "-n", "10")
    let outcome = try child.end()
    #expect(outcome.code == 0 && outcome.lines.count == 5)
    #expect(Set(try outcome.lines.map { try Line($0) }).count == 5)
  }

  @Test func aFollowerOfOnePartitionOrKeyPrintsNothingElse() throws {
    let stage = try stage(.embedded)
    let child = try stage.start("tail", "-f", "--partition", "1", "--from", "latest", "--max-events", "3")
    let other = try stage.start("tail", "-f", "--key", "order_000061", "--max-events", "1")
    // What is produced before it looks for the topic would not be "latest", so go on until it has enough.
    try eventually("its end") {
      if child.isRunning { try stage.run("produce", "-q", "-n", "30") }
      return !child.isRunning
    }
    #expect(try other.end().lines.map { try Line($0).key } == ["order_000061"])
    let rest = try child.end()
    #expect(try rest.lines.count == 3 && rest.lines.allSatisfy { try Line($0).partition == 1 }, "\(rest)")
  }
}

@Suite("Configuration of topics that are made")
struct TopicConfigTests {
  @Test(arguments: TestBroker.all)
  func aNewTopicGetsItAndTheEmbeddedLogSaysThatItHasNone(broker: TestBroker) throws {
    let stage = try Stage(broker)
    let made = try stage.run("produce", "-n", "1", "--topic-config", "retention.ms=86400000")
    guard case .kafka = broker else {
      #expect(made.errors.contains("--topic-config has no effect on the embedded log"), "\(made)")
      return
    }
    let typo = stage.topic + "-typo"
    let outcome = try stage.run("produce", "-n", "1", "-t", typo, "--topic-config", "retention.mss=1", exits: 78)
    #expect(outcome.errors.contains("check --topic-config retention.mss"), "\(outcome)")
    // One that is there is used as it is.
    try stage.run("produce", "-n", "1", "--topic-config", "retention.mss=1")
  }
}

@Suite("How long a run may take")
struct RunLengthTests {
  @Test func aPacedRunSendsWhatIsDueWithinItsDuration() throws {
    let stage = try Stage()
    let document = try stage.json("produce", "--duration", "300ms", "--rate", "100/s")
    #expect(document["acknowledged"].int == 30 && document["requested"].int == 30 && document["complete"].bool == true)
    // The next run knows its number without reading all keys.
    #expect(try stage.json("produce", "-n", "1")["first_order"].int == 31)
  }

  @Test func durationOrNumberWhicheverComesFirst() throws {
    let stage = try Stage()
    let number = try stage.json("produce", "--duration", "1h", "-n", "7")
    #expect(number["acknowledged"].int == 7 && number["complete"].bool == true)
    let time = try stage.json("produce", "--duration", "100ms", "-n", "9000000000")
    let sent = try #require(time["acknowledged"].int)
    #expect(sent > 0 && sent < 9_000_000_000 && time["complete"].bool == true && time["requested"].int == 9_000_000_000)
    #expect(try stage.json("produce", "-n", "1")["first_order"].int == 8 + sent)
    let open = try stage.json("produce", "--duration", "100ms")
    #expect(open["requested"].int == open["acknowledged"].int && open["complete"].bool == true)
  }

  @Test func aTimeoutStopsInOrderWith75() throws {
    let stage = try Stage()
    let produced = try stage.run(
      "produce", "-n", "1000000", "--rate", "50/s", "--timeout", "400ms", "--json", exits: 75)
    let document = try produced.document
    #expect(document["complete"].bool == false && (document["acknowledged"].int ?? 0) > 0, "\(produced)")
    #expect(produced.errorLines.count == 1 && produced.errors.contains("--timeout"), "\(produced)")
    let text = try stage.run("produce", "-n", "1000000", "--rate", "50/s", "--timeout", "300ms", exits: 75)
    #expect(text.text.contains("cut short by --timeout after"), "\(text)")
    // A service too: that it goes on is no reason to say that it was done.
    let service = try stage.run("analytics", "-f", "--json", "-o", "-", "--timeout", "300ms", exits: 75)
    #expect(try service.lines.last.map { try JSON($0)["complete"].bool } == false, "\(service)")
    try stage.run("tail", "-f", "--from", "latest", "--timeout", "200ms", exits: 75)
    try stage.run("tail", "-f", "-t", "nosuch", "--timeout", "200ms", exits: 75)
    try stage.run("status", "--timeout", "1h")
    // What ends in time is not touched.
    #expect(try stage.json("inventory", "--timeout", "30s")["complete"].bool == true)
  }

  @Test func aTimeoutEndsTheWaitForABroker() throws {
    let outcome = try Stage().run("status", "-b", "127.0.0.1:1", "--timeout", "300ms", exits: 75)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("--timeout ended the wait"), "\(outcome)")
  }

  @Test func aLineWithoutAWordIsAnsweredWithAShortHelp() throws {
    let outcome = try Stage().start([]).end()
    #expect(outcome.code == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.hasPrefix("Usage: orderstream <command>") && outcome.errorLines.isEmpty)
    #expect(outcome.errors.split(separator: "\n").count <= 23)
  }
}
