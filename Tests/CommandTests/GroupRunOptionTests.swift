import OrderStreamTestSupport
import Testing

@testable import orderstream

@Suite("Options of inventory and analytics")
struct GroupRunOptionTests {
  private func inventory(_ arguments: String...) throws -> InventoryOptions {
    guard case .inventory(let options) = try Invocation.parse(["inventory"] + arguments, environment: { _ in nil })
    else { throw Unexpected() }
    return options
  }

  private func analytics(_ arguments: String...) throws -> AnalyticsOptions {
    guard case .analytics(let options) = try Invocation.parse(["analytics"] + arguments, environment: { _ in nil })
    else { throw Unexpected() }
    return options
  }

  @Test func defaultsAreThoseOfTheContract() throws {
    let one = try inventory()
    #expect(one.run.topic == "order-events" && one.run.group == "inventory" && one.outputTopic == "inventory-events")
    #expect(one.run.onError == .dlq && one.deadLetterTopic == "order-events.dlq")
    #expect(one.run.bounds == RunBounds(follow: false, idleTimeout: nil, maxEvents: nil))
    let other = try analytics()
    #expect(other.run.topic == "order-events" && other.run.group == "analytics" && other.output == "metrics_output.txt")
    #expect(other.run.onError == .skip && !other.resetOffsets)
  }

  @Test func guarantee() throws {
    #expect(try inventory().guarantee == .exactlyOnce)
    #expect(try inventory("--guarantee", "at-least-once").guarantee == .atLeastOnce)
    #expect(try inventory("--guarantee=at-most-once").guarantee == .atMostOnce)
    #expect(try refused("inventory", "--guarantee", "at-lest-once").remedy.contains("'at-least-once'"))
    #expect(try refused("analytics", "--guarantee", "at-least-once").code == .usage)
  }

  @Test func instance() throws {
    #expect(try inventory().run.instance == nil && analytics().run.instance == nil)
    #expect(
      try inventory("--instance", "pod-1").run.instance == "pod-1" && analytics("--instance=a.b").run.instance == "a.b")
    #expect(try refused("analytics", "--instance", "a/b").code == .usage)
    #expect(try refused("produce", "--instance", "a").code == .usage)
    try TemporaryDirectory.with { directory in
      let path = try directory.file("p", "instance=from-file\n")
      #expect(
        try analytics("-F", path).run.instance == "from-file" && analytics("-F", path).run.common.properties.isEmpty)
      #expect(try analytics("-F", path, "--instance", "flag").run.instance == "flag")
    }
  }

  @Test func outputTopic() throws {
    #expect(try inventory("--output-topic", "o").outputTopic == "o")
    #expect(try refused("inventory", "--output-topic", "order-events").what == "option --output-topic")
    #expect(try refused("inventory", "-t", "inventory-events").what == "option --topic")
    #expect(try refused("inventory", "-t", "a", "--output-topic", "a.dlq").why == "'a.dlq' is the dead-letter topic")
    #expect(throws: Never.self) { try inventory("-t", "a", "--output-topic", "a.dlq", "--on-error", "skip") }
  }

  @Test func theDeadLetterTopicMustHaveALegalName() throws {
    let name = String(repeating: "a", count: 197)
    #expect(try refused("inventory", "-t", name).what == "option --topic")
    #expect(try inventory("-t", name, "--on-error", "fail").deadLetterTopic == nil)
    #expect(try inventory("-t", String(name.dropLast())).deadLetterTopic?.count == 200)
  }

  @Test func onError() throws {
    #expect(try inventory("--on-error", "skip").run.onError == .skip)
    #expect(try analytics("--on-error", "fail").run.onError == .fail)
    #expect(try refused("analytics", "--on-error", "dlq").why == "'dlq' is not one of skip, fail")
    #expect(try refused("inventory", "--on-error", "DLQ").code == .usage)
  }

  @Test func follow() throws { #expect(try inventory("--follow").run.bounds.follow) }

  @Test func idleTimeoutIsAKindOfFollow() throws {
    let bounds = try analytics("--idle-timeout", "5s").run.bounds
    #expect(bounds == RunBounds(follow: true, idleTimeout: .seconds(5), maxEvents: nil))
    #expect(try refused("analytics", "--idle-timeout", "5").why == "'5' has no unit")
  }

  @Test func maxEvents() throws {
    #expect(try inventory("--max-events", "0").run.bounds.maxEvents == 0)
    #expect(
      try inventory("--max-events", "7", "--follow").run.bounds
        == RunBounds(follow: true, idleTimeout: nil, maxEvents: 7))
    #expect(try refused("inventory", "--max-events", "-1").code == .usage)
  }

  @Test func resetOffsets() throws { #expect(try analytics("--reset-offsets").resetOffsets) }

  @Test func output() throws {
    #expect(try analytics("--output", "-").output == "-")
    #expect(try analytics("--output=x/y.txt").output == "x/y.txt")
    #expect(try refused("analytics", "--output", "").code == .usage)
  }

  @Test func group() throws {
    #expect(try analytics("-g", "a.b-c_D9").run.group == "a.b-c_D9")
    #expect(try refused("analytics", "--group=..").code == .usage)
  }
}
