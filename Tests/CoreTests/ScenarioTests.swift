import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

@Suite("Scenarios of lag")
struct ScenarioTests {
  private static let second: Int64 = 1_000_000_000

  /// A look of `status`, as its document has it.
  private static func look(
    _ seconds: Double, lag: Int64?, cause: String = "burst", clear: String = "in", in time: Double? = nil,
    members: Int? = nil
  ) throws -> LagLook {
    let text = """
      {"schema":"orderstream.status/1","broker":"b","complete":true,"elapsed_ms":5,"topics":[],"groups":[\
      {"group":"other","lag":7,"cause":{"cause":"none"}},\
      {"group":"g","state":"Stable","lag":\(lag.map(String.init) ?? "null"),"lag_state":"WARN",\
      "clear":"\(clear)","clear_in_seconds":\(time.map { "\($0)" } ?? "null"),"clear_in_seconds_error":0.5,\
      "clear_reason":null,"cause":{"cause":"\(cause)","sentence":"Words.","evidence":["one","two"],"remedy":"do",\
      "members_needed":\(members.map(String.init) ?? "null")}}]}
      """
    let document = try #require(Schemas.parse(text.utf8).flatMap { Document($0) })
    return try #require(LagLook(document, group: "g", at: Int64(seconds * 1e9)))
  }

  /// A lag that falls from 1000 at 10 s by 100/s, and what is said of it.
  private static func judgement(
    _ scenario: LagScenario, cause: String, meanwhile: String = "in", forecast: (clear: String, seconds: Double?),
    clearedAt: Int64? = 20
  ) throws -> ScenarioJudgement {
    var judgement = ScenarioJudgement(scenario, limitPercent: 10)
    judgement.add(try look(1, lag: 2000, cause: "none"))
    judgement.madeAt = 2 * second
    judgement.add(try look(9, lag: 900, cause: cause, clear: meanwhile, members: 2))
    if let named = judgement.look(from: 8 * second) { judgement.name(by: named) }
    judgement.add(try look(10, lag: 1000, cause: cause, clear: meanwhile))
    judgement.add(try look(10.2, lag: nil, cause: cause, clear: "unknown"))
    judgement.endedAt = 10 * second
    for step in 1...5 {
      let clear = step < 5 ? "unknown" : forecast.clear
      judgement.add(
        try look(10 + Double(step), lag: 1000 - 100 * Int64(step), clear: clear, in: step < 5 ? nil : forecast.seconds))
    }
    if let half = judgement.half, let clearedAt { judgement.judge(half, clearedAt: clearedAt * second) }
    return judgement
  }

  @Test("A look has what status says of one group, and a document without the group is none")
  func looks() throws {
    let look = try Self.look(1.5, lag: 12, cause: "rewind", clear: "never", members: 3)
    #expect(look.at == 1_500_000_000 && look.lag == 12 && look.state == "WARN" && look.cause == "rewind")
    #expect(look.sentence == "Words." && look.evidence == ["one", "two"] && look.remedy == "do")
    #expect(look.membersNeeded == 3 && look.clear == "never" && look.clearInSeconds == nil)
    let other = try #require(
      Schemas.parse(#"{"schema":"orderstream.status/1","groups":[]}"#.utf8).flatMap { Document($0) })
    #expect(LagLook(other, group: "g", at: 0) == nil)
  }

  @Test("Half of the lag is half of its peak since the cause was made, after the cause has ended")
  func half() throws {
    let judgement = try Self.judgement(.burst, cause: "burst", forecast: ("in", 5))
    #expect(judgement.peak?.lag == 1000 && judgement.half?.lag == 500 && judgement.half?.at == 15 * Self.second)
    #expect(judgement.forecast?.restSeconds == 5 && judgement.forecast?.errorPercent == 0)
  }

  @Test("A verdict is right only for the cause that was made and a time that was near")
  func verdicts() throws {
    func verdict(
      _ scenario: LagScenario, _ cause: String, _ meanwhile: String, _ forecast: (String, Double?),
      clearedAt: Int64? = 20
    ) throws -> ScenarioJudgement.Verdict {
      try Self.judgement(scenario, cause: cause, meanwhile: meanwhile, forecast: forecast, clearedAt: clearedAt).verdict
    }
    #expect(try verdict(.burst, "burst", "in", ("in", 5.5)) == .right)
    #expect(try verdict(.burst, "burst", "in", ("in", 4.5)) == .right)
    #expect(try verdict(.burst, "burst", "in", ("in", 5.6)) == .wrongForecast)
    #expect(try verdict(.burst, "burst", "in", ("never", nil)) == .wrongForecast)
    #expect(try verdict(.burst, "burst", "in", ("unknown", 5)) == .wrongForecast)
    #expect(try verdict(.burst, "rewind", "in", ("in", 5)) == .wrongCause)
    #expect(try verdict(.burst, "unknown", "in", ("in", 5)) == .wrongCause)
    #expect(try verdict(.burst, "burst", "in", ("in", 5), clearedAt: nil) == .notDrained)
    #expect(try verdict(.slow, "slow_handler", "never", ("in", 5)) == .right)
    #expect(try verdict(.slow, "slow_handler", "in", ("in", 5)) == .wrongForecast)
    #expect(try verdict(.slow, "slow_handler", "unknown", ("in", 5)) == .wrongForecast)
    #expect(try verdict(.rewind, "rewind", "in", ("in", 5)) == .right)
  }

  @Test("Each scenario makes a cause of its own, and only causes that end by themselves have a time meanwhile")
  func causes() {
    let all = LagScenario.allCases
    #expect(Set(all.map(\.cause)).count == all.count)
    #expect(all.filter { !$0.isEndless } == [.burst, .rewind])
    #expect(all.filter { $0.whyOnlyOnCluster != nil } == [.dead, .transaction])
  }

  @Test(
    "Twenty seeds are twenty plans, and in each the lag grows with the cause and drains without it",
    arguments: LagScenario.allCases)
  func plans(scenario: LagScenario) {
    let plans = (0..<20).map { ScenarioPlan(scenario, seed: $0, in: .oneMachine) }
    #expect(Set(plans.map { "\($0.capacity) \($0.during) \($0.causeTime)" }).count == 20)
    #expect(plans[3] == ScenarioPlan(scenario, seed: 3, in: .oneMachine))
    for plan in plans {
      let count = Double(plan.partitions)
      let capacity = plan.capacity * Double(plan.members)
      #expect(plan.usual.count == Int(count) && plan.during.count == Int(count) && plan.calm.count == Int(count))
      #expect(plan.usual.reduce(0, +) < 0.75 * capacity, "all is well first: \(plan)")
      let after = scenario == .scaleOut ? plan.capacity * count : scenario == .dead ? plan.capacity : capacity
      #expect(plan.calm.reduce(0, +) < 0.7 * after, "it drains: \(plan)")
      switch scenario {
      case .slow, .burst: #expect(plan.during.allSatisfy { $0 > 1.5 * capacity / count })
      case .skew:
        #expect(plan.during.count { $0 > plan.capacity } == 1 && plan.during.max()! > 0.6 * plan.during.reduce(0, +))
      case .scaleOut:
        #expect(plan.during.reduce(0, +) > 1.5 * capacity && 2 * plan.during[0] > plan.capacity, "\(plan)")
      case .rewind: #expect(plan.rewind > 0 && plan.history >= plan.rewind && plan.during == plan.calm)
      case .dead: #expect(plan.session >= .seconds(6) && plan.judgedAfter! < plan.session)
      case .rebalance: #expect(plan.preparation > .zero && plan.churn > .zero)
      case .stall, .transaction: #expect(plan.during.reduce(0, +) < capacity)
      }
      // What is judged is seen before the cause ends, and a whole window lies behind the half.
      if let judged = plan.judgedAfter, scenario != .rewind { #expect(judged < plan.causeTime) }
      #expect(plan.causeTime + plan.usualTime < .seconds(30))
    }
  }

  @Test("Every look is the same, so that it tells nothing of the scenario")
  func window() {
    let plans = LagScenario.allCases.map { ScenarioPlan($0, seed: 1, in: .oneMachine) }
    #expect(Set(plans.map(\.window)).count == 1 && Set(plans.map(\.interval)).count == 1)
  }

  @Test("A drain is over when the last partition has caught up with what goes on coming")
  func drain() {
    var drain = ScenarioJudgement.Drain(rates: [100, 10], seconds: 0.1)
    drain.note([500, 2], at: 1)
    #expect(drain.clearedAt == nil)
    drain.note([nil, 40], at: 2)
    drain.note([12, 40], at: 3)
    #expect(drain.clearedAt == nil)
    drain.note([11, 40], at: 4)
    drain.note([50, 40], at: 5)
    #expect(drain.clearedAt == 4)
  }

  // MARK: - Report

  private static func report(_ judgement: ScenarioJudgement) -> ScenarioReport {
    var lag = LagReport(topic: "t", group: "g")
    lag.samples = [LagReport.Sample(milliseconds: 0, produced: 5, consumed: 1, lag: 4, lagByPartition: [4])]
    lag.produced = 5
    lag.drainMilliseconds = 7
    return ScenarioReport(
      ScenarioPlan(judgement.scenario, seed: 9, in: .oneMachine), judgement: judgement, lag: lag, startNanoseconds: 0)
  }

  private static func text(_ report: ScenarioReport) -> String {
    let buffer = ByteBuffer()
    report.appendText(to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  private static func document(_ report: ScenarioReport) throws -> DocumentValue {
    let buffer = ByteBuffer()
    ReportFrame(broker: "b", elapsedMilliseconds: 5, activeMilliseconds: 4).append(report, to: buffer)
    return try #require(DocumentValue(parsing: buffer.bytes))
  }

  @Test("Its document says what was made, what was named, and how far the forecast was off")
  func document() throws {
    let judgement = try Self.judgement(
      .scaleOut, cause: "too_few_members", meanwhile: "never", forecast: ("in", 5.25))
    let document = try Self.document(Self.report(judgement))
    #expect(Schemas.shared.problems(of: document) == [])
    #expect(document["scenario"]?.text == "scale-out" && document["seed"]?.integer == 9)
    #expect(document["cause_made"]?.text == "too_few_members" && document["cause_named"]?.text == "too_few_members")
    #expect(document["members_needed"]?.integer == 2 && document["evidence"]?.elements.count == 2)
    #expect(document["forecast_meanwhile"]?.text == "never" && document["forecast"]?.text == "in")
    #expect(document["forecast_seconds"]?.number == 5.25 && document["rest_seconds"]?.number == 5)
    #expect(document["error_percent"]?.number == 5 && document["limit_percent"]?.number == 10)
    #expect(document["verdict"]?.text == "right" && document["lost"] == .null && document["produced"]?.integer == 5)
    #expect(document["judge"]?.elements.compactMap { $0["t_ms"]?.integer } == [1000, 9000, 10_200, 11_000, 15_000])
    let claims = document["claims"]?.elements ?? []
    #expect(claims.count == 3 && claims.allSatisfy { $0["holds"]?.bool == true })
    #expect(Self.text(Self.report(judgement)).hasSuffix("the cause was named, and the forecast was right\n"))
  }

  @Test("A false verdict says what was wrong, and a run that was cut short has none")
  func failures() throws {
    func last(_ judgement: ScenarioJudgement) -> String {
      Self.text(Self.report(judgement)).split(separator: "\n").last.map(String.init) ?? ""
    }
    #expect(
      last(try Self.judgement(.burst, cause: "none", forecast: ("in", 5)))
        .hasSuffix("FAILED: none was named, and burst was made"))
    #expect(
      last(try Self.judgement(.burst, cause: "burst", forecast: ("in", 9)))
        .hasSuffix("FAILED: the forecast was off by 80.0 %, more than 10.0 %"))
    #expect(
      last(try Self.judgement(.stall, cause: "stalled_commits", meanwhile: "in", forecast: ("in", 5)))
        .hasSuffix("FAILED: in was said while the lag could not clear"))
    var cut = Self.report(try Self.judgement(.burst, cause: "burst", forecast: ("in", 5), clearedAt: nil))
    #expect(Self.text(cut).hasSuffix("FAILED: the lag was not seen to drain\n"))
    cut.lag.completion = .cutShort(Completion.CutShort(by: "SIGINT", after: 1, of: nil))
    let document = try Self.document(cut)
    #expect(Schemas.shared.problems(of: document) == [])
    #expect(document["verdict"] == .null && document["error_percent"] == .null)
    #expect(document["claims"]?.elements.last?["holds"] == .null)
  }
}
