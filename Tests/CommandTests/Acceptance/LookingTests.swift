import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// `status`, `tail` and `audit`: what they show of a log.
@Suite("status, tail and audit")
struct LookingTests {
  @Test(arguments: TestBroker.all)
  func lagCountsThePartitionsInWhichAGroupHasCommittedNothing(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "60", "--seed", "9", "-q")
    for (number, read) in [1, 11, 60].enumerated() {
      let group = stage.group("g\(number)")
      try stage.run("analytics", "-g", group, "--max-events", "\(read)", "-q")
      let found = try stage.json("status", "-g", group)["groups"][0]
      #expect(found["lag"].int == 60 - read && found["lag_at_least"].int == 60 - read, "\(found)")
      #expect(found["members_known"].bool == true && found["reason"] == .null)
      #expect(found["partitions"].elements.count == 6)
      #expect(found["partitions"].elements.allSatisfy { $0["lag"].int != nil && $0["reason"] == .null })
    }
  }

  @Test func statusSumsTheLagOfEveryGroup() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "600", "-q")
    try stage.run("analytics", "-q")
    try stage.run("produce", "--events", "60", "-q")
    try stage.run("inventory", "--max-events", "1", "-q")
    let groups = try stage.json("status")["groups"].elements
    #expect(groups.compactMap { $0["group"].string } == ["analytics", "inventory"])
    #expect(groups[0]["lag"].int == 60)
    for partition in groups[0]["partitions"].elements {
      #expect(partition["lag"].int == partition["stable"].int! - partition["committed"].int!)
    }
    let inventory = groups[1]["partitions"].elements.filter { $0["topic"].string == "order-events" }
    #expect(inventory.count == 6 && inventory.contains { $0["committed"] == .null && $0["reason"] == .null })
    #expect(groups[1]["lag"].int == 659)
    let text = try stage.run("status").text
    #expect(text.contains("order-events") && text.contains("analytics") && text.contains("lag 60"))
  }

  @Test func aWindowTellsWhyAGroupIsBehind() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "600", "-q")
    try stage.run("analytics", "--max-events", "100", "-q")
    let once = try stage.json("status", "-g", "analytics")["groups"][0]
    #expect(once["observations"].int == 1 && once["lag_state"] == .null && once["arrival_per_second"] == .null)
    #expect(once["clear"].string == "unknown" && once["cause"]["cause"].string == "unknown")
    #expect(once["lag_state_reason"].string?.contains("3 looks") == true)
    let group = try stage.json("status", "-g", "analytics", "--window", "1s")["groups"][0]
    #expect(group["lag_state"].string == "ERR" && group["window_ms"].int == 1000, "\(group)")
    #expect(group["clear"].string == "never" && group["trend_per_second"].double == 0)
    #expect(group["cause"]["cause"].string == "too_few_members" && group["cause"]["members_needed"].int == 1)
    #expect(group["removed_first"].int == 0 && (group["lag_seconds"].double ?? 0) > 0)
    for partition in group["partitions"].elements {
      let isBehind = partition["lag"].int != 0
      #expect(partition["lag_state"].string == (isBehind ? "STOP" : "OK"))
      #expect((partition["lag_seconds"].double ?? 0 > 0) == isBehind)
    }
    let text = try stage.run("status", "-g", "analytics", "--window", "1s").text
    #expect(text.contains("cause: Nobody reads: the group has no member.") && text.contains("remedy: start a member"))
    try stage.run("analytics", "-q")
    let done = try stage.json("status", "--window", "1s")["groups"][0]
    #expect(done["lag_state"].string == "OK" && done["clear"].string == "clear" && done["lag_seconds"].double == 0)
    #expect(done["cause"]["cause"].string == "none")
  }

  @Test func anUnknownGroupOrTopicIsAnEmptyList() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "1", "-q")
    #expect(try stage.json("status", "--group", "nobody")["groups"] == .array([]))
    #expect(try stage.json("status", "--topic", "nothing")["topics"] == .array([]))
    #expect(try stage.run("status", "--group", "nobody").text.contains("nobody: there is no such group"))
    #expect(try stage.run("status", "-t", "nothing").text.contains("nothing: there is no such topic"))
    let absent = try stage.run("status", "-b", "embedded:absent")
    #expect(absent.text.contains("none: there is no log yet"))
    #expect(try !stage.files.contains("absent"))
  }

  @Test func statusShowsMembersWithTheirHostAndPartitions() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "10", "-q")
    let member = try stage.start("analytics", "--follow", "--output", "-")
    try member.wait(for: "its first line") { !member.lines.isEmpty }
    let group = try stage.json("status")["groups"][0]
    let found = group["members"].elements
    #expect(found.count == 1 && found[0]["id"].string?.isEmpty == false && found[0]["host"].string?.isEmpty == false)
    #expect(found[0]["partitions"].elements.count == 6)
    #expect(group["state"].string == "Stable")
    member.send(15)
    try member.end()
    #expect(try stage.json("status")["groups"][0]["members"] == .array([]))
  }

  @Test func statusChangesNothing() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "10", "-q")
    try stage.run("analytics", "-q")
    let first = try stage.json("status", "-v")
    let second = try stage.json("status", "-v")
    #expect(first["topics"] == second["topics"] && first["groups"] == second["groups"])
  }

  @Test func tailBeginsWhereItIsTold() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "--partitions", "2", "-q")
    let all = try stage.run("tail").lines.map { try JSON($0) }
    #expect(all.count == 100)
    // Partition by partition, in offset order.
    #expect(all.compactMap { $0["partition"].int } == all.compactMap { $0["partition"].int }.sorted())
    func tail(_ from: String) throws -> [JSON] { try stage.run("tail", "--from", from).lines.map { try JSON($0) } }
    #expect(try tail("earliest") == all)
    #expect(try tail("latest").isEmpty)
    #expect(try tail("0") == all)
    #expect(try tail("10") == all.filter { $0["offset"].int! >= 10 })
    #expect(try tail("1000000").isEmpty)
    #expect(try tail("2020-01-01T00:00:00Z") == all)
    #expect(try tail("2020-01-01T00:00:00") == all)
    #expect(try tail("2200-01-01T00:00:00+01:00").isEmpty)
    #expect(try stage.run("tail", "--max-events", "7").lines.map { try JSON($0) } == Array(all.prefix(7)))
    #expect(try stage.run("tail", "--max-events", "0").output.isEmpty)
    try stage.run("tail", "--from", "soon", exits: 64)
  }

  @Test func tailFromATimeShowsWhatCameSince() throws {
    let stage = try Stage()
    let log = try logWithTopic(stage)
    let times: [Int64] = [1_705_314_600_000, 1_705_314_600_500, 1_705_314_601_000]
    try log.produce(times.map { TestRecord(timestampMs: $0, key: "k", value: "\($0)") }, to: "order-events")
    func tail(_ from: String) throws -> [String] { try stage.run("tail", "--raw", "--from", from).lines }
    #expect(try tail("2024-01-15T10:30:00Z").count == 3)
    #expect(try tail("2024-01-15T10:30:00.001Z").count == 2)
    #expect(try tail("2024-01-15T12:30:00.5+02:00").count == 2)
    #expect(try tail("2024-01-15T10:30:01").count == 1)
    #expect(try stage.run("tail").lines.map { try JSON($0)["timestamp_ms"].int } == times.map { Int($0) })
  }

  @Test func tailKeepsTheTextOfAValueAndItsHeaders() throws {
    let stage = try Stage()
    let log = try logWithTopic(stage)
    let values = [#"{"a": 1.0, "b":"\u00e9", "c":[ ]}"#, "plain \u{7} text", "\"s\"", "12e3"]
    try log.produce(
      values.map { TestRecord(key: "k", value: $0, headers: [.init("h", Array("v".utf8)), .init("n", nil)]) },
      to: "order-events")
    let lines = try stage.run("tail").lines
    #expect(lines[0].contains(values[0]), "the value's own text")
    let records = try lines.map { try JSON($0) }
    #expect(records.map { $0["encoding"].string } == ["json", "text", "json", "json"])
    #expect(records[1]["value"].string == values[1])
    #expect(
      records.allSatisfy {
        $0["headers"] == .array([.array([.string("h"), .string("v")]), .array([.string("n"), .null])])
      })
    #expect(try stage.run("tail", "--raw").lines == values)
  }

  @Test func tailFollowsUntilItHasEnough() throws {
    let stage = try Stage()
    let child = try stage.start("tail", "--follow", "--raw", "--max-events", "5", "--from", "latest")
    // What is produced before it looks for the topic would not be "latest", so go on until it has enough.
    try eventually("its end") {
      if child.isRunning { try stage.run("produce", "--events", "3", "-q") }
      return !child.isRunning
    }
    let outcome = try child.end()
    #expect(outcome.code == 0 && outcome.lines.count == 5, "\(outcome)")
  }

  @Test func auditFindsThatInventoryHasNotRun() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "-q")
    try stage.run("inventory", "--max-events", "40", "-q")
    let outcome = try stage.run("audit", "--no-group", "--json", exits: 1)
    let document = try outcome.document
    let lost = try #require(document["lost"].int)
    #expect(document["orders"].int == 100 && document["items"].int == document["inventory_events"].int! + lost)
    #expect(lost >= 60 && document["violations"].elements.count == 20 && document["pending"].int == 0)
    for violation in document["violations"].elements {
      #expect(violation["verdict"].string == "lost")
      #expect(violation["source"].string?.hasPrefix("order-events") == true)
      for key in ["output", "expected", "found"] { #expect(violation.members[key] != nil) }
    }
    #expect(try stage.run("audit", "--no-group", exits: 1).text.hasSuffix("\n  lost: 20 of \(lost) shown\n"))

    // What the group has not committed yet is no loss, but the run is not finished.
    let backlog = try stage.json("audit", exits: 1)
    #expect(backlog["lost"].int == 0 && backlog["pending"].int == lost && backlog["pending_orders"].int == 60)
    #expect(backlog["violations"] == .array([]) && backlog["group"].string == "inventory")
    let text = try stage.run("audit", exits: 1).lines
    let rest = "\(lost) items of 60 orders wait behind the group inventory; run orderstream inventory"
    #expect(text.count == 15 && text.last?.hasSuffix("  not finished: \(rest)") == true, "\(text)")

    // With the group named that is as it should be.
    let beside = try stage.json("audit", "--group", "inventory")
    #expect(beside["lost"].int == 0 && beside["pending"].int == lost)
    #expect(try stage.json("status")["groups"].elements.count == 1, "an audit uses no group")
    try stage.run("inventory", "-q")
    let done = try stage.json("audit", "--group", "inventory")
    #expect(done["lost"].int == 0 && done["pending"].int == 0 && done["violations"] == .array([]))
    #expect(try stage.json("audit")["pending"].int == 0)
  }

  @Test func auditNamesACommandThatFinishesWhatIsPending() throws {
    let stage = try Stage()
    let log = "embedded:\(stage.work)/log"
    try stage.run("produce", "--events", "30", "-q", "-b", log, "-t", "in")
    try stage.run("inventory", "--max-events", "10", "-q", "-b", log, "-t", "in")
    let result = try #require(try stage.run("audit", "-b", log, "-t", "in", exits: 1).lines.last)
    let command = try #require(result.components(separatedBy: "; run orderstream ").last).split(separator: " ")
    try stage.start(command.map(String.init)).end()
    try stage.run("audit", "-b", log, "-t", "in")
  }

  @Test func auditCallsItemsLostWhereTheGroupOfInventoryDoesNotWriteThem() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "20", "-q")
    try stage.run("inventory", "-q")
    // Another group writes the other topic; that "inventory" has committed everything is no excuse, nor that it has not.
    try stage.run("inventory", "-g", "other", "--output-topic", "other", "--max-events", "5", "-q")
    try stage.run("produce", "--events", "5", "-q")
    let document = try stage.json("audit", "--output-topic", "other", exits: 1)
    #expect(document["pending"].int == 0 && document["lost"].int! >= 20 && document["group"] == .null)
    try stage.run("audit", "--output-topic", "other", "--group", "other")
  }

  @Test func auditSaysOneOfSeveralFindings() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "40", "--partitions", "1", "-q")
    try stage.run("inventory", "-q")
    let log = try EmbeddedLog.open(stage.log)
    try log.change(.deleteRecords(TopicPartition(topic: "order-events", partition: 0), before: 10))
    try stage.run("audit", exits: 66)
    try stage.run("audit", "--accept-loss")
    try stage.run("produce", "--events", "5", "-q")
    let document = try stage.json("audit", exits: 1)
    #expect(document["unverifiable"].int! > 0 && document["pending_orders"].int == 5)
    try stage.run("audit", "--accept-loss", exits: 1)
    try stage.run("audit", "--group", "inventory", exits: 66)
  }

  @Test func auditNamesPlantedEventsByTheirCoordinates() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "20", "--partitions", "1", "-q")
    try stage.run("inventory", "-q")
    let log = try EmbeddedLog.open(stage.log)
    let events = try log.contents(of: "inventory-events")
    var stranger = events[0]
    stranger.headers = []
    var other = events[0]
    other.headers = [.init("source", Array("elsewhere/0/0/0".utf8))]
    try log.produce([events[0], stranger, other], to: "inventory-events")
    let document = try stage.json("audit", exits: 1)
    #expect(document["duplicated"].int == 1 && document["phantom"].int == 1 && document["other"].int == 1)
    #expect(document["lost"].int == 0 && document["wrong_action"].int == 0)
    let outputs = document["violations"].elements.compactMap { $0["output"].string }
    #expect(outputs.contains { $0.contains("inventory-events[0]@\(events.count)") }, "\(outputs)")
    #expect(outputs.contains { $0.contains("inventory-events[0]@\(events.count + 1)") }, "\(outputs)")
  }

  /// The log of the stage with an `order-events` of one partition, opened from here.
  private func logWithTopic(_ stage: Stage) throws -> any Broker {
    try stage.run("produce", "--events", "0", "--partitions", "1", "-q")
    return try EmbeddedLog.open(stage.log)
  }
}
