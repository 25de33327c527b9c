import Testing

@testable import orderstream

@Suite("Options of produce")
struct ProduceOptionTests {
  private func options(_ arguments: String...) throws -> ProduceOptions {
    guard case .produce(let options) = try Invocation.parse(["produce"] + arguments, environment: { _ in nil }) else {
      throw Unexpected()
    }
    return options
  }

  private func generator(_ arguments: String...) throws -> ProduceOptions.Generator {
    guard case .produce(let options) = try Invocation.parse(["produce"] + arguments, environment: { _ in nil }),
      case .generator(let generator) = options.source
    else { throw Unexpected() }
    return generator
  }

  @Test func defaultsAreThoseOfTheContract() throws {
    let all = try options()
    #expect(all.topic == "order-events")
    #expect(all.rate == .max)
    #expect(!all.dryRun)
    #expect(
      all.source
        == .generator(
          .init(
            events: 10_000, isCounted: true, seed: nil, failureRate: 0.05, users: 1000, eventTime: .wallClock,
            firstOrder: nil)))
  }

  @Test func acksMaySayWhatThePropertiesSay() throws {
    #expect(try options().acks == .all && options("--acks", "1").acks == .leader && options("--acks=0").acks == .none)
    #expect(try refused("produce", "--acks", "2").code == .usage)
    let agreeing = try options("--acks", "1", "-X", "acks=1", "-X", "enable.idempotence=false", "-X", "linger.ms=7")
    #expect(agreeing.common.properties.map(\.key) == ["linger.ms"])
    for other in ["acks=all", "acks=0", "request.required.acks=-1", "enable.idempotence=true"] {
      let error = try refused("produce", "--acks", "1", "-X", other)
      #expect(error.code == .usage && error.why == "\(other) says something else")
    }
    #expect(try refused("produce", "--acks", "0", "--input", "x", "--unacknowledged", "y").code == .usage)
    #expect(try options("-X", "acks=all").common.properties.count == 1)
  }

  @Test func events() throws {
    #expect(try generator("--events", "25").events == 25)
    #expect(try generator("--events=0").events == 0)
    for wrong in ["", "-1", "+1", "1e3", "1_000", "1.5", "ten", "99999999999999999999", "1000000000001", "٣"] {
      #expect(try refused("produce", "--events=\(wrong)").code == .usage)
    }
  }

  @Test func durationIsALimitOfItsOwnOrBesideANumber() throws {
    #expect(try generator().duration == nil && generator().isCounted)
    let alone = try generator("--duration", "5s")
    #expect(alone.duration == .seconds(5) && !alone.isCounted)
    let both = try generator("--duration", "5s", "-n", "7")
    #expect(both.isCounted && both.events == 7)
    #expect(try refused("produce", "--duration", "0").why == "0 is no time at all")
    #expect(try refused("produce", "--duration", "5s", "--dry-run").code == .usage)
    #expect(try refused("produce", "--duration", "5s", "--span", "1h").code == .usage)
    #expect(try refused("produce", "--duration", "5s", "--input", "x").code == .usage)
    #expect(throws: Never.self) { try parsed("produce", "--duration", "5s", "--span", "1h", "-n", "9") }
  }

  @Test func aRateSaysHowManyEventsAreDueWithinATime() {
    #expect(Rate.max.events(within: .seconds(1)) == nil)
    for (rate, milliseconds, count) in [("500", 10_000, 5000), ("0.5", 5000, 3), ("3", 1000, 3), ("1", 1, 1)] {
      #expect((try? Rate.parse(rate))?.events(within: .milliseconds(milliseconds)) == Int64(count), "\(rate)")
    }
  }

  @Test func rate() throws {
    #expect(try options("--rate", "500").rate == .limited(events: 500, seconds: 1))
    #expect(try options("--rate", "max").rate == .max)
  }

  @Test func seed() throws {
    #expect(try generator("--seed", "18446744073709551615").seed == .max)
    #expect(try refused("produce", "--seed", "18446744073709551616").why == "18446744073709551616 is out of range")
  }

  @Test func failureRate() throws {
    #expect(try generator("--failure-rate", "0").failureRate == 0)
    #expect(try generator("--failure-rate", "1").failureRate == 1)
    #expect(try generator("--failure-rate", "0.125").failureRate == 0.125)
    for wrong in ["1.1", "-0.1", "nan", "5%", ".5", ""] {
      #expect(try refused("produce", "--failure-rate=\(wrong)").code == .usage)
    }
  }

  @Test func users() throws {
    #expect(try generator("--users", "1").users == 1)
    #expect(try refused("produce", "--users", "0").code == .usage)
  }

  @Test func startTimeAloneAdvancesByTheRate() throws {
    let start = try TimeArgument("2024-01-15T10:30:00")
    #expect(
      try generator("--start-time", "2024-01-15T10:30:00Z").eventTime
        == .advancing(start: start, pace: .limited(events: 1000, seconds: 1)))
    #expect(
      try generator("--start-time", "2024-01-15T10:30:00Z", "--rate", "5").eventTime
        == .advancing(start: start, pace: .limited(events: 5, seconds: 1)))
  }

  @Test func spanSpreadsFromTheStartOrEndsNow() throws {
    let start = try TimeArgument("2024-01-15T10:30:00")
    #expect(
      try generator("--start-time", "2024-01-15T10:30:00", "--span", "1h").eventTime
        == .spread(start: start, over: .seconds(3600)))
    #expect(try generator("--span", "0").eventTime == .spread(start: nil, over: .zero))
  }

  @Test func eventTimesStayInFourDigitYears() throws {
    #expect(try refused("produce", "--start-time", "9999-12-31T23:00:00Z", "--span", "2h").code == .usage)
    #expect(
      try refused("produce", "--start-time", "9999-12-31T23:59:00Z", "--rate", "1", "--events", "61").code == .usage)
    #expect(try refused("produce", "--start-time", "0001-01-01T00:00:00+01:00").code == .usage)
    for line in [["--span", "0"], ["--span", "1h", "--events", "1"], ["--rate", "1", "--events", "1"]] {
      let arguments = ["produce", "--start-time", "9999-12-31T23:59:59.5Z"] + line
      #expect(throws: Never.self) { try Invocation.parse(arguments, environment: { _ in nil }) }
    }
    #expect(try refused("produce", "--start-time", "9999-12-31T23:59:59.5Z", "--span", "1s").code == .usage)
    #expect(throws: Never.self) { try generator("--start-time", "0001-01-01T00:00:00Z", "--span", "0") }
  }

  @Test func firstOrder() throws {
    #expect(try generator("--first-order", "1").firstOrder == 1)
    #expect(try refused("produce", "--first-order", "0").code == .usage)
    #expect(try refused("produce", "--first-order", "9223372036854775807").code == .usage)
    #expect(throws: Never.self) { try generator("--first-order", "9223372036854775807", "--events", "1") }
  }

  @Test func input() throws {
    #expect(try options("--input", "-").source == .lines(path: "-"))
    #expect(try options("--input", "orders.jsonl", "--rate", "5", "--dry-run").source == .lines(path: "orders.jsonl"))
    #expect(try refused("produce", "--input=").why == "the path is empty")
  }

  @Test(arguments: [
    "--events=1", "--seed=1", "--failure-rate=0", "--users=1", "--start-time=2024-01-15T10:30:00Z", "--span=1s",
    "--first-order=1",
  ])
  func inputAndAGeneratorOptionAreAUsageError(option: String) throws {
    let error = try refused("produce", "--input", "x", option)
    #expect(error.code == .usage)
    #expect(error.what == "option --input")
  }

  @Test func dryRun() throws { #expect(try options("--dry-run").dryRun) }

  @Test func topic() throws {
    #expect(try options("-t", "mine").topic == "mine")
    #expect(try refused("produce", "-t", "a b").why == "'a b' has the character ' '")
  }
}
