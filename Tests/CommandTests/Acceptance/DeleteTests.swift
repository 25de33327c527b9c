import Foundation
import OrderStreamTestSupport
import Testing

@Suite("delete")
struct DeleteTests {
  private func topics(_ stage: Stage) throws -> [String] {
    // State topics have the group's name within theirs.
    let state = "orderstream-" + stage.group("")
    return try stage.json("status", "-v")["topics"].elements.compactMap { $0["name"].string }.filter { name in
      name == stage.topic || name == stage.inventoryTopic || name.hasPrefix(state)
    }
  }

  private func groups(_ stage: Stage, _ names: [String]) throws -> [String] {
    try stage.json("status")["groups"].elements.compactMap { $0["group"].string }.filter(names.contains)
  }

  @Test(arguments: TestBroker.all)
  func aPlanCountsAndRemovesNothing(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "100", "-q")
    try stage.run("analytics", "-q", "--output", "-")
    let (topic, group) = (stage.topic, stage.group("analytics"))
    let before = try stage.json("status", "-g", group)
    let document = try stage.json("delete", "-t", topic, "-g", group)
    #expect(document["schema"].string == "orderstream.delete/1" && document["executed"].bool == false)
    #expect(document["complete"].bool == true && document["records"].int == 100)
    #expect(document["topics"][0]["name"].string == topic && document["topics"][0]["records"].int == 100)
    #expect(document["topics"][0]["partitions"].int == 6 && document["topics"][0]["readers"].elements.isEmpty)
    #expect(document["groups"][0]["group"].string == group && document["groups"][0]["offsets"].int == 6)
    #expect(try #require(document["groups"][0]["state_records"].int) > 6)
    let text = try stage.run("delete", "-t", topic, "-g", group)
    #expect(text.text.contains("add --execute") && text.errorLines.isEmpty, "\(text)")
    #expect(try stage.json("status", "-g", group)["groups"] == before["groups"])
  }

  @Test(arguments: TestBroker.all)
  func topicsAndGroupsGoWithAllThatIsTheirs(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "200", "-q")
    try stage.run("analytics", "-q", "--output", "-")
    try stage.run("inventory", "-q")
    let names = [stage.group("analytics"), stage.group("inventory")]
    let document = try stage.json(
      "delete", "--topic", stage.topic, "--topic", stage.inventoryTopic, "--group", names[0], "--group", names[1],
      "--execute")
    #expect(document["executed"].bool == true && document["left"].elements.isEmpty)
    #expect(document["topics"].elements.count == 2 && document["groups"].elements.count == 2)
    #expect(try topics(stage).isEmpty && groups(stage, names).isEmpty)
    // Nothing of the old ones is in the way of new ones.
    try stage.run("produce", "--events", "50", "--seed", "1", "-q")
    #expect(try stage.json("analytics", "--output", "-")["total_orders"].int == 50)
  }

  @Test(arguments: TestBroker.all)
  func aGroupThatStaysIsNamedAndStopsOnATopicThatWasMadeAnew(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "50", "-q")
    try stage.run("analytics", "-q", "--output", "-")
    let outcome = try stage.run("delete", "-t", stage.topic, "--execute")
    #expect(outcome.errors.contains("read by \(stage.group("analytics")): on a new topic"), "\(outcome)")
    try stage.run("produce", "--events", "50", "-q")
    #expect(try stage.run("analytics", "-q", "--output", "-", exits: 78).errors.contains("made anew"))
    try stage.run("delete", "-g", stage.group("analytics"), "--execute")
    #expect(try stage.json("analytics", "--output", "-")["total_orders"].int == 50)
  }

  @Test(arguments: TestBroker.all)
  func theStartOfATopicGoesAndTheRestStays(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "120", "--partitions", "2", "-q")
    let ends = try stage.json("status", "-t", stage.topic)["topics"][0]["partitions"].elements.compactMap {
      $0["high"].int
    }
    let plan = try stage.json("delete", "-t", stage.topic, "--before", "-10")
    #expect(plan["records"].int == 100 && plan["topics"].elements.isEmpty && plan["starts"].elements.count == 2)
    let one = try stage.json("delete", "-t", stage.topic, "--before", "1=+7", "--execute")
    #expect(one["records"].int == 7 && one["starts"][0]["partition"].int == 1 && one["starts"][0]["before"].int == 7)
    #expect(try stage.json("delete", "-t", stage.topic, "--before", "-10", "--execute")["records"].int == 93)
    let partitions = try stage.json("status", "-t", stage.topic)["topics"][0]["partitions"].elements
    #expect(partitions.compactMap { $0["low"].int } == ends.map { $0 - 10 })
    #expect(try stage.run("tail", "-q").lines.count == 20)
    // What is gone is gone, and a second time there is nothing to do.
    #expect(try stage.json("delete", "-t", stage.topic, "--before", "-10", "--execute")["records"].int == 0)
    // All of it, by time: nothing is older than an hour.
    #expect(try stage.json("delete", "-t", stage.topic, "--before", "-1h", "--execute")["records"].int == 0)
    #expect(try stage.json("delete", "-t", stage.topic, "--before", "latest", "--execute")["records"].int == 20)
    #expect(try stage.run("tail", "-q").lines.isEmpty)
  }

  @Test(arguments: TestBroker.all)
  func anUnknownNameKeepsEverything(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "5", "-q")
    let unknown = stage.group("nobody")
    for execute in [[], ["--execute"]] {
      let outcome = try stage.start(["delete", "-t", stage.topic, "-g", unknown, "-t", unknown + "-t"] + execute).end()
      #expect(outcome.code == 66 && outcome.output.isEmpty && outcome.errorLines.count == 2, "\(outcome)")
      #expect(outcome.errors.contains("group \(unknown)") && outcome.errors.contains("topic \(unknown)-t"))
    }
    #expect(try stage.run("tail", "-q").lines.count == 5)
    try stage.run("delete", "-t", stage.topic, "--before", "6=0", exits: 66)
    try stage.run("delete", "-t", stage.topic, "--before", "1705314600", "--execute", exits: 66)
    #expect(try stage.run("tail", "-q").lines.count == 5, "a number beyond all ends is most often a time")
  }

  @Test(arguments: TestBroker.all)
  func anActiveGroupIsKept(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "5", "-q")
    let child = try stage.start("analytics", "--follow", "--output", "-")
    let group = stage.group("analytics")
    try eventually("a member that has committed") {
      try stage.json("status", "-g", group)["groups"][0]["lag"].int == 0
    }
    let outcome = try stage.run("delete", "-g", group, "-t", stage.topic, "--execute", exits: 75)
    #expect(outcome.errors.contains("is active") && outcome.errors.contains("nothing was removed"), "\(outcome)")
    child.send(2)
    #expect(try child.end().code == 0)
    #expect(try topics(stage).contains(stage.topic))
    try stage.run("delete", "-g", group, "--execute")
    #expect(try groups(stage, [group]).isEmpty)
  }

  @Test func aTopicOfTheBrokerItselfIsRefused() throws {
    let stage = try Stage()
    try stage.run("produce", "-t", "__mine", "--events", "1", "-q")
    #expect(try stage.run("delete", "-t", "__mine", "--execute", exits: 64).errors.contains("kept by the broker"))
  }

  @Test func nothingIsMadeWhereThereIsNoLog() throws {
    let stage = try Stage()
    try stage.run("delete", "-t", "a", "--execute", exits: 66)
    #expect(!stage.hasLog)
  }

  @Test func theRoomOnAnEmbeddedLogIsUsedAgain() throws {
    let stage = try Stage()
    func size() throws -> Int {
      let file = stage.log + "/orderstream.db"
      return try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? NSNumber).intValue
    }
    func fill() throws { try stage.run("produce", "--events", "20000", "--seed", "7", "-q") }
    try fill()
    let full = try size()
    for _ in 0..<3 {
      try stage.run("delete", "-t", stage.topic, "--before", "latest", "--execute", "-q")
      try fill()
    }
    try stage.run("delete", "-t", stage.topic, "--execute", "-q")
    try fill()
    #expect(try size() < full + full / 4, "four times as many records came and went")
  }
}
