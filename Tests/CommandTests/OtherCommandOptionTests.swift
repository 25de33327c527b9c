import OrderStreamCore
import Testing

@testable import orderstream

@Suite("Options of replay, lag-demo, status, tail, audit and delete")
struct OtherCommandOptionTests {
  private func replay(_ arguments: String...) throws -> ReplayOptions {
    guard case .replay(let options) = try Invocation.parse(["replay"] + arguments, environment: { _ in nil }) else {
      throw Unexpected()
    }
    return options
  }

  private func lagDemo(_ arguments: String...) throws -> LagDemoOptions {
    guard case .lagDemo(let options) = try Invocation.parse(["lag-demo"] + arguments, environment: { _ in nil }) else {
      throw Unexpected()
    }
    return options
  }

  private func status(_ arguments: String...) throws -> StatusOptions {
    guard case .status(let options) = try Invocation.parse(["status"] + arguments, environment: { _ in nil }) else {
      throw Unexpected()
    }
    return options
  }

  private func tail(_ arguments: String...) throws -> TailOptions {
    guard case .tail(let options) = try Invocation.parse(["tail"] + arguments, environment: { _ in nil }) else {
      throw Unexpected()
    }
    return options
  }

  private func audit(_ arguments: String...) throws -> AuditOptions {
    guard case .audit(let options) = try Invocation.parse(["audit"] + arguments, environment: { _ in nil }) else {
      throw Unexpected()
    }
    return options
  }

  private func delete(_ arguments: String..., environment: [String: String] = [:]) throws -> DeleteOptions {
    guard case .delete(let options) = try Invocation.parse(["delete"] + arguments, environment: environment.lookup)
    else { throw Unexpected() }
    return options
  }

  @Test func replayHasAPrivateGroupUnlessOneIsNamed() throws {
    let options = try replay()
    #expect(options.group == nil && !options.execute && options.events == 0)
    #expect(try replay("-g", "mine", "--execute").group == "mine")
  }

  @Test func replayExecute() throws { #expect(try replay("--execute").execute) }

  @Test func replayEvents() throws { #expect(try replay("--events", "12").events == 12) }

  @Test func replayPlaces() throws {
    #expect(try replay().from.isEmpty && replay().to.isEmpty && !replay().namesPlace)
    #expect(try replay("--from", "-1h", "--to", "2=7").to == [Place(.offset(7), partition: 2)])
    #expect(try replay("--from", "1=2", "--from", "5").from == [Place(.offset(5)), Place(.offset(2), partition: 1)])
    #expect(try replay("--offsets-file", "-").offsetsFile == "-")
    let move = try replay("-g", "g", "--from", "5", "--undo-file", "u.csv", "--accept-loss")
    #expect(move.undoFile == "u.csv" && move.acceptLoss && move.namesPlace)
    #expect(try replay("-g", "g", "--offsets-file", "u.csv").namesPlace)
    #expect(try refused("replay", "--from", "5", "--offsets-file", "u.csv").why == "--from names places too")
    #expect(try refused("replay", "-g", "g", "--from", "5", "--to", "7").what == "option --to")
    #expect(try refused("replay", "-g", "g", "--to", "7").what == "option --to")
    #expect(try refused("replay", "-g", "g", "--from", "5", "-n", "7").what == "option --events")
    #expect(try refused("replay", "--from", "5", "--certificate", "c").what == "option --certificate")
    #expect(try refused("replay", "--to", "5", "--certificate", "c").what == "option --certificate")
    #expect(try refused("replay", "--verify", "c", "--from", "5").what == "option --verify")
    for option in [["--undo-file", "u"], ["--accept-loss"]] {
      #expect(throws: CommandError.self) { try parse(["replay"] + option) }
      #expect(throws: CommandError.self) { try parse(["replay", "-g", "g"] + option) }
      #expect(throws: CommandError.self) { try parse(["replay", "--from", "5"] + option) }
    }
  }

  private func parse(_ arguments: [String]) throws {
    _ = try Invocation.parse(arguments, environment: { _ in nil })
  }

  @Test func filesOfOffsetsStandInForPlaces() throws {
    #expect(try tail("--offsets-file", "o.csv").offsetsFile == "o.csv")
    #expect(try refused("tail", "--offsets-file", "o.csv", "--from", "5").what == "option --offsets-file")
    #expect(try audit("--offsets-file", "o.csv", "--to", "9").to == [Place(.offset(9))])
    #expect(try audit("--from", "-1h").from == [Place(.ago(.seconds(3600)))] && audit().from.isEmpty)
    #expect(try refused("audit", "--offsets-file", "o.csv", "--from", "5").what == "option --offsets-file")
    #expect(try refused("analytics", "--offsets-file", "o.csv", "--as-of", "5").what == "option --offsets-file")
    #expect(try refused("analytics", "--offsets-file", "o.csv", "-g", "g").what == "option --offsets-file")
  }

  @Test func lagDemoDefaultsAreThoseOfTheContract() throws {
    let options = try lagDemo()
    #expect(options.events == 1000 && options.rate == .limited(events: 500, seconds: 1))
    #expect(options.consumerDelay == .milliseconds(10) && options.consumers == 1)
    #expect(options.sampleInterval == .milliseconds(100) && options.drainTimeout == nil && !options.keep)
  }

  @Test func lagDemoEvents() throws { #expect(try refused("lag-demo", "--events", "0").code == .usage) }

  @Test func lagDemoRate() throws { #expect(try lagDemo("--rate", "max").rate == .max) }

  @Test func lagDemoConsumerDelay() throws { #expect(try lagDemo("--consumer-delay", "0").consumerDelay == .zero) }

  @Test func lagDemoConsumers() throws {
    #expect(try lagDemo("--consumers", "3").consumers == 3)
    #expect(try refused("lag-demo", "--consumers", "0").code == .usage)
    #expect(try refused("lag-demo", "--consumers", "101").code == .usage)
  }

  @Test func lagDemoSampleInterval() throws {
    #expect(try lagDemo("--sample-interval", "1ms").sampleInterval == .milliseconds(1))
    #expect(try refused("lag-demo", "--sample-interval", "0").why == "'0' is too short")
  }

  @Test func lagDemoDrainTimeout() throws { #expect(try lagDemo("--drain-timeout", "1m").drainTimeout == .seconds(60)) }

  @Test func lagDemoKeep() throws { #expect(try lagDemo("--keep").keep) }

  @Test func lagDemoScenario() throws {
    #expect(try lagDemo().scenario == nil)
    let scenario = try #require(try lagDemo("--scenario", "scale-out", "--seed", "7", "--duration", "4s").scenario)
    #expect(scenario.scenario == .scaleOut && scenario.seed == 7 && scenario.drain == .seconds(4))
    #expect(scenario.limitPercent == 10 && (4...6).contains(scenario.plan.partitions))
    #expect(try #require(try lagDemo("--scenario", "dead", "-b", "h:1").scenario).limitPercent == 20)
    #expect(try lagDemo("--scenario", "slow").scenario?.drain == ScenarioPlan.standardDrain)
  }

  @Test(arguments: LagScenario.allCases)
  func aScenarioThatTheEmbeddedLogCannotHaveIsRefusedThere(scenario: LagScenario) throws {
    guard let why = scenario.whyOnlyOnCluster else {
      #expect(try lagDemo("--scenario", scenario.rawValue).scenario?.scenario == scenario)
      return
    }
    let error = try refused("lag-demo", "--scenario", scenario.rawValue)
    #expect(error.code == .usage && error.why.contains(why) && error.remedy.contains("--brokers"))
  }

  @Test func whatAScenarioDecidesIsNotGivenBesideIt() throws {
    #expect(try refused("lag-demo", "--scenario", "stal").remedy == "did you mean 'stall'?")
    for option in [
      ["--events", "5"], ["--rate", "5"], ["--consumer-delay", "1ms"], ["--consumers", "2"], ["--partitions", "3"],
      ["--sample-interval", "1s"], ["--drain-timeout", "1s"],
    ] {
      let error = try refused("lag-demo", "--scenario", "slow", option[0], option[1])
      #expect(error.code == .usage && error.what == "option \(option[0])")
    }
    #expect(try refused("lag-demo", "--seed", "5").remedy.contains("--scenario"))
    #expect(try refused("lag-demo", "--duration", "5s").remedy.contains("--scenario"))
    #expect(try refused("lag-demo", "--scenario", "slow", "--duration", "2s").code == .usage)
  }

  @Test func lagDemoHasATopicAndAGroupOfItsOwn() throws {
    #expect(try refused("lag-demo", "--topic", "x").code == .usage)
    #expect(try refused("lag-demo", "--group", "x").code == .usage)
  }

  @Test func statusShowsEverythingUnlessNarrowed() throws {
    #expect(try status().topic == nil && status().group == nil)
    #expect(try status("-t", "a", "-g", "b").topic == "a")
    #expect(try status("--group", "b").group == "b")
    #expect(try refused("status", "--partitions", "3").code == .usage)
    #expect(try status().watch == nil && status("--watch").watch == .seconds(2))
    #expect(try status("--watch", "500ms").watch == .milliseconds(500) && status("--watch=1m").watch == .seconds(60))
    #expect(try status("--watch", "-g", "b").group == "b" && status("--watch", "--json").common.json)
    #expect(try refused("status", "--watch", "0").why == "'0' is too short")
    #expect(try status().window == nil && status("--window", "20s").window == .seconds(20))
    #expect(try refused("status", "--window", "500ms").why == "'500ms' is too short")
  }

  @Test func tailFrom() throws {
    #expect(try tail().from == [.earliest])
    #expect(try tail("--from", "latest").from == [.latest])
    #expect(try tail("--from", "1047").from == [Place(.offset(1047))])
    #expect(try tail("--from", "2024-01-15T10:30:00.0000001Z").from == [Place(.time(milliseconds: 1_705_314_600_001))])
    #expect(try tail("--from", "-10").from == [Place(.beforeEnd(10))])
    #expect(
      try tail("--from", "2=10", "--from", "+1").from == [Place(.afterStart(1)), Place(.offset(10), partition: 2)])
    #expect(try refused("tail", "--from", "latest", "--from", "earliest").code == .usage)
    #expect(try refused("tail", "--from", "9223372036854775808").code == .usage)
    #expect(try refused("tail", "--from=").code == .usage)
    #expect(try refused("tail", "--from", "newest").code == .usage)
  }

  @Test func tailTo() throws {
    #expect(try tail().to.isEmpty)
    #expect(try tail("--to", "-1h").to == [Place(.ago(.seconds(3600)))])
    #expect(try tail("--to", "2=7").to == [Place(.offset(7), partition: 2)])
    #expect(try refused("tail", "--to", "2=7", "--to", "2=8").code == .usage)
    #expect(try refused("tail", "--to", "latest", "--follow").code == .usage)
  }

  @Test func tailTakesItsTopicByPosition() throws {
    #expect(try tail("orders").topic == "orders")
    #expect(try tail("-t", "orders").topic == "orders")
    #expect(try refused("tail", "orders", "-t", "orders").code == .usage)
    #expect(try refused("tail", "a", "b").what == "argument 'b'")
    #expect(try refused("tail", "a/b").why == "'a/b' has the character '/'")
  }

  @Test func tailPartitionAndKey() throws {
    #expect(try tail().partitions.isEmpty && tail().key == nil)
    #expect(try tail("--partition", "2", "--partition", "0").partitions == [2, 0])
    #expect(try tail("--key", "-x").key == "-x" && tail("--key=").key?.isEmpty == true)
    #expect(try refused("tail", "--partition", "-1").code == .usage)
  }

  @Test func minusNIsWhatEachCommandCounts() throws {
    #expect(try tail("-n", "10").last == 10 && tail("-n10").bounds.maxEvents == nil)
    #expect(try parsed("-n", "10", "tail") == parsed("tail", "-n", "10"))
    #expect(try parsed("-n", "10", "produce") == parsed("produce", "--events", "10"))
    #expect(try parsed("-n10", "inventory") == parsed("inventory", "--max-events", "10"))
    #expect(try parsed("analytics", "-fn", "10") == parsed("analytics", "--follow", "--max-events", "10"))
    #expect(try parsed("lag-demo", "-n", "10") == parsed("lag-demo", "--events", "10"))
    #expect(try parsed("replay", "-n", "10") == parsed("replay", "--events", "10"))
    #expect(try refused("-n", "10", "status").what == "option -n")
    #expect(try refused("tail", "-n", "100001").code == .usage)
    #expect(try refused("produce", "-n", "1", "--events", "2").why == "it is given twice")
  }

  @Test func shortFormsOfFollowAndOutput() throws {
    #expect(try tail("-f").bounds.follow)
    #expect(try parsed("analytics", "-o", "-") == parsed("analytics", "--output", "-"))
  }

  @Test func tailFollow() throws { #expect(try tail("--follow").bounds.follow) }

  @Test func tailMaxEvents() throws { #expect(try tail("--max-events", "1").bounds.maxEvents == 1) }

  @Test func tailRaw() throws {
    #expect(try tail("--raw").form == .raw && tail("--exact").form == .exact && tail().form == .document)
    #expect(try refused("tail", "--raw", "--json").code == .usage)
  }

  @Test func tailHasNoGroup() throws { #expect(try refused("tail", "-g", "x").code == .usage) }

  @Test func auditOptions() throws {
    #expect(try audit().outputTopic == "inventory-events" && audit().group == .inventory && !audit().acceptLoss)
    #expect(try audit("--accept-loss").acceptLoss)
    #expect(try audit("--dlq").deadLetterTopic == "order-events.dlq" && audit().deadLetterTopic == nil)
    #expect(try audit("--receipt", "a", "--receipt=b").receipts == ["a", "b"] && audit().receipts.isEmpty)
    #expect(try refused("audit", "--receipt", "a", "--follow").code == .usage)
    #expect(try audit("--group", "inventory").group == .named("inventory"))
    #expect(try audit("--no-group").group == AuditOptions.Group.none)
    #expect(try refused("audit", "--group", "g", "--no-group").code == .usage)
    #expect(try audit("--receipt", "a", "--receipt", "b", "--from", "-1h").receipts == ["a", "b"])
    #expect(try refused("audit", "--follow", "--from", "1").code == .usage)
    #expect(try refused("audit", "--follow", "--receipt", "a").code == .usage)
    #expect(try refused("audit", "--output-topic", "x", "-t", "x").code == .usage)
  }

  @Test func deleteTakesNamesFromTheCommandLineAlone() throws {
    let variables = ["ORDERSTREAM_TOPIC": "a", "ORDERSTREAM_GROUP": "b"]
    let options = try delete("-t", "x", "--group=g", "--topic", "y", "-t", "x", environment: variables)
    #expect(options.request == Deletion.Request(topics: ["x", "y"], groups: ["g"]) && !options.execute)
    #expect(try refused("delete", environment: variables).code == .usage)
    #expect(try refused("delete", "--execute").why == "nothing is named")
    #expect(try refused("delete", "-t", "a b").code == .usage)
    #expect(try refused("status", "-t", "a", "-t", "b").why == "it is given twice", "only delete takes several")
  }

  @Test func deleteBefore() throws {
    #expect(try delete("-t", "x", "--before", "-7d", "--execute").request.before == Place(.ago(.seconds(604_800))))
    #expect(try delete("-t", "x", "--before", "-7d", "--execute").execute)
    #expect(try refused("delete", "-g", "x", "--before", "5").code == .usage)
    #expect(try refused("delete", "-t", "x", "--before", "yesterday").code == .usage)
  }

  @Test(
    arguments: [
      ("earliest", .init(.earliest)), ("latest", .init(.latest)), ("end", .init(.latest)), ("0", .init(.offset(0))),
      ("+5", .init(.afterStart(5))), ("-10", .init(.beforeEnd(10))), ("-1h30m", .init(.ago(.seconds(5400)))),
      ("@1705314600000", .init(.time(milliseconds: 1_705_314_600_000))),
      ("2024-01-15T10:30:00", .init(.time(milliseconds: 1_705_314_600_000))),
      ("2=1047", .init(.offset(1047), partition: 2)), ("0=-1", .init(.beforeEnd(1), partition: 0)),
    ] as [(String, Place)])
  func places(text: String, place: Place) throws { #expect(try PlaceArgument.parse(text) == place) }

  @Test(arguments: ["", "+", "-", "@", "=", "2=", "=5", "+1h", "@1s", "-9223372036854775808", "4294967296=1", "2=3=4"])
  func noPlaces(text: String) { #expect(throws: ValueError.self) { try PlaceArgument.parse(text) } }
}
