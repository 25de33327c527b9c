import OrderStreamTestSupport
import Testing

@Suite("lag-demo")
struct LagDemoTests {
  private func run(_ stage: Stage, _ arguments: String...) throws -> JSON {
    let line = ["lag-demo", "--json", "--sample-interval", "20ms"] + arguments
    let outcome = try stage.start(line).end()
    #expect(outcome.code == 0, "\(outcome)")
    let document = try outcome.document
    let events = try #require(document["produced"].int)
    #expect(document["consumed"].int == events && document["lost"].int == 0 && document["duplicated"].int == 0)
    let samples = document["samples"].elements
    #expect(samples.last?["lag"].int == 0 && samples.last?["consumed"].int == events, "\(samples)")
    #expect(document["peak_lag"].int == samples.compactMap { $0["lag"].int }.max())
    let times = samples.compactMap { $0["t_ms"].int }
    #expect(times == times.sorted() && times.count == samples.count)
    #expect(document["drain_ms"].int != nil)
    return document
  }

  private func isClean(_ stage: Stage) throws {
    let status = try stage.json("status", "-v")
    let names = status["topics"].elements.compactMap { $0["name"].string }
    #expect(!names.contains { $0.hasPrefix("lag-demo") }, "\(names)")
    let groups = status["groups"].elements.compactMap { $0["group"].string }
    #expect(!groups.contains { $0.hasPrefix("lag-demo") }, "\(groups)")
  }

  @Test(arguments: TestBroker.all)
  func lagRisesPeaksAndDrainsAndNothingIsLeftBehind(broker: TestBroker) throws {
    let stage = try Stage(broker)
    let document = try run(stage, "--events", "200", "--rate", "1000/s", "--consumer-delay", "4ms")
    let lags = document["samples"].elements.compactMap { $0["lag"].int }
    let peak = try #require(lags.max())
    #expect(peak >= 40, "a producer four times as fast builds up lag: \(lags)")
    let top = try #require(lags.firstIndex(of: peak))
    #expect(lags[..<top].contains { $0 < peak / 2 } && lags[top...].contains { $0 < peak / 2 }, "\(lags)")
    #expect(document["produced"].int == 200)
    try isClean(stage)
  }

  @Test func withoutADelayNothingIsLostEither() throws {
    let stage = try Stage()
    #expect(try run(stage, "--events", "500", "--rate", "max", "--consumer-delay", "0")["produced"].int == 500)
    try isClean(stage)
  }

  @Test func threeConsumersShareTheWork() throws {
    let stage = try Stage()
    _ = try run(stage, "--events", "300", "--rate", "1000/s", "--consumer-delay", "5ms", "--consumers", "3")
    try isClean(stage)
  }

  @Test func moreConsumersThanPartitionsDoNotDisturb() throws {
    _ = try run(
      Stage(), "--events", "60", "--rate", "max", "--consumer-delay", "1ms", "--consumers", "4", "--partitions", "2")
  }

  @Test func keepLeavesTheTopicAndTheGroup() throws {
    let stage = try Stage()
    let outcome = try stage.run("lag-demo", "--events", "40", "--rate", "max", "--consumer-delay", "1ms", "--keep")
    let status = try stage.json("status")
    let topic = try #require(status["topics"][0]["name"].string)
    #expect(topic.hasPrefix("lag-demo") && status["groups"].elements.count == 1)
    #expect(status["groups"][0]["lag"].int == 0)
    #expect(outcome.errors.contains(topic), "a note names what is kept")
    #expect(try stage.run("tail", "-t", topic).lines.count == 40)
  }

  @Test func lagThatDoesNotDrainInTimeIsAFalseClaim() throws {
    let stage = try Stage()
    let outcome = try stage.run(
      "lag-demo", "--events", "200", "--rate", "max", "--consumer-delay", "100ms", "--drain-timeout", "100ms", "--json",
      exits: 1)
    let document = try outcome.document
    #expect(document["drain_ms"] == .null)
    #expect(try #require(document["consumed"].int) < 200)
    try isClean(stage)
  }

  @Test(arguments: [14, 24, 31, 60])
  func withTooFewDescriptorsItEndsInWordsAndLeavesNothing(limit: Int) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "1", "-q")
    let outcome = try stage.run(
      "lag-demo", "--consumers", "20", "--events", "40", "--rate", "max", "--consumer-delay", "0", "-q", exits: 74,
      prelude: "ulimit -n \(limit)")
    #expect(outcome.errors.contains("Too many open files; raise the limit"), "\(outcome)")
    try isClean(stage)
  }

  @Test func withTooLittleMemoryItSaysSoBeforeItMakesAnything() throws {
    let stage = try Stage()
    let outcome = try stage.run(
      "lag-demo", "--consumers", "100", "--events", "40", exits: 75, prelude: "ulimit -v 1500000")
    #expect(outcome.errors.contains("limited to 1500000 kB") && outcome.errors.contains("--consumers"), "\(outcome)")
    #expect(!stage.hasLog)
  }

  @Test func aScenarioIsJudgedByWhatAnotherProcessSays() throws {
    let stage = try Stage()
    let outcome = try stage.start("lag-demo", "--scenario", "rewind", "--seed", "3", "--duration", "3s", "--json").end()
    let document = try outcome.document
    #expect(Schemas.shared.problems(of: outcome.lines[0].utf8) == [])
    #expect(document["cause_made"].string == "rewind" && document["cause_named"].string == "rewind", "\(outcome)")
    #expect(document["evidence"].elements.count > 0 && document["seed"].int == 3 && document["lost"] == .null)
    // How near a forecast is that has a second to look depends on what else the machine does.
    #expect(document["rest_seconds"] != .null && (document["verdict"].string == "right") == (outcome.code == 0))
    #expect(outcome.code == 0 || outcome.code == 1 && document["verdict"].string == "wrong_forecast", "\(outcome)")
    #expect(document["samples"].elements.last?["lag"].int == 0)
    try isClean(stage)
  }

  @Test func aScenarioThatIsCutShortJudgesNothingAndCleansUp() throws {
    let stage = try Stage()
    let child = try stage.start("lag-demo", "--scenario", "stall", "--json")
    try eventually("records") {
      try stage.json("status")["topics"][0]["partitions"].elements.contains { ($0["high"].int ?? 0) > 0 }
    }
    child.send(2)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == 130, "\(outcome)")
    let document = try outcome.document
    #expect(Schemas.shared.problems(of: outcome.lines[0].utf8) == [])
    #expect(document["verdict"] == .null && document["complete"].bool == false)
    try isClean(stage)
  }

  @Test(arguments: [(2, 130), (1, 129)] as [(Int32, Int32)])
  func aSignalEndsItAndItCleansUp(signal: Int32, code: Int32) throws {
    let stage = try Stage()
    let child = try stage.start("lag-demo", "--events", "100000", "--rate", "500/s", "--json")
    try eventually("records") {
      try stage.json("status")["topics"][0]["partitions"].elements.contains { ($0["high"].int ?? 0) > 0 }
    }
    child.send(signal)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == code, "\(outcome)")
    #expect(try #require(try outcome.document["produced"].int) < 100_000)
    try isClean(stage)
  }
}
