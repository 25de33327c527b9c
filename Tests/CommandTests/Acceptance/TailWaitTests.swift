import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// What `tail` waits for, and what it says about it.
@Suite("tail, where there is nothing to print")
struct TailWaitTests {
  @Test func aFollowerWaitsForALogAndATopicAndMakesNeither() throws {
    let stage = try Stage()
    let child = try stage.start("tail", "--follow", "--raw", "-t", "typo", "--from", "latest", "--max-events", "3")
    try child.wait(for: "a word about the topic") { child.errors.contains("waiting for the topic typo") }
    #expect(!stage.hasLog)
    // A log without the topic changes nothing.
    try stage.run("produce", "--events", "1", "-q")
    usleep(300_000)
    #expect(child.isRunning && child.errors.components(separatedBy: "waiting").count == 2, "\(child.errors)")
    #expect(try stage.json("status")["topics"].elements.compactMap { $0["name"].string } == ["order-events"])
    // Everything of a topic that is new has come since the start.
    try stage.run("produce", "--events", "3", "-q", "-t", "typo")
    let outcome = try child.end()
    #expect(outcome.code == 0 && outcome.lines.count == 3, "\(outcome)")
  }

  @Test(arguments: TestBroker.all)
  func aFollowerOfAMissingTopicEndsByASignalAndHasMadeNoTopic(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "1", "-q")
    let typo = stage.topic + "-typo"
    let child = try stage.start("tail", "--follow", "-t", typo)
    try child.wait(for: "a word about the topic") { child.errors.contains("waiting for the topic \(typo)") }
    child.send(15)
    let outcome = try child.end(within: .seconds(10))
    #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome)")
    #expect(try stage.json("status", "--topic", typo)["topics"] == .array([]))
  }

  @Test func anOffsetBeyondEveryPartitionIsANoteThatShowsHowATimeIsWritten() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "20", "-q", "--partitions", "2")
    for (number, time) in [
      ("1705314600000", "2024-01-15T10:30:00Z"), ("1705314600", "2024-01-15T10:30:00Z"), ("21", "2024-01-15T10:30:00Z"),
      ("9223372036854775807", "2024-01-15T10:30:00Z"), ("1735689600123", "2025-01-01T00:00:00Z"),
    ] {
      let outcome = try stage.run("tail", "--from", number)
      #expect(outcome.output.isEmpty && outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
      #expect(outcome.errors.hasPrefix("note: the offset \(number) lies beyond"), "\(outcome)")
      #expect(outcome.errors.contains("--from \(time)"), "\(outcome)")
      #expect(try stage.run("tail", "--from", number, "-q").errors.isEmpty)
    }
    // One partition reaches it.
    #expect(try stage.run("tail", "--from", "5").errors.isEmpty)
  }

  @Test("What an open transaction hides is waited for, with its coordinates", arguments: BackEnd.all)
  func openTransaction(_ backEnd: BackEnd) throws {
    guard case .kafka(let servers) = TestBroker.all.last, backEnd.differs(by: .controlRecords) else { return }
    try backEnd.run { fixture, broker in
      let full = try #require(fixture as? KafkaFixture).prefix + "out"
      try Self.tailBehindTransaction(broker, full, try Stage(.kafka(servers)))
    }
  }

  private static func tailBehindTransaction(_ broker: any Broker, _ full: String, _ stage: Stage) throws {
    try broker.createTopic("in")
    try broker.createTopic("out")
    try broker.produce(1, to: "in")
    try broker.produce(3, to: "out")
    let member = try TestConsumer(broker, topic: "in", group: "g", outputs: ["out"])
    defer { member.close() }
    #expect(try TestConsumer.pump([member]) { member.pending.count == 1 })
    try member.send(TestRecord(value: "hidden"))
    try waitForEnd(4, of: "out", broker)
    let children = [
      try stage.start("tail", "--raw", "-t", full),
      try stage.start("tail", "--raw", "-t", full, "--follow", "--max-events", "4"),
    ]
    for child in children { try expectWait(child, "note: waiting for the open transaction at \(full)[0]@3 to end\n") }
    try member.commit()
    for child in children {
      let outcome = try child.end(within: .seconds(10))
      #expect(outcome.lines.count == 4 && outcome.errors.components(separatedBy: "waiting").count == 2, "\(outcome)")
    }
  }

  private static func waitForEnd(_ end: Offset, of topic: String, _ broker: any Broker) throws {
    let admin = try broker.admin()
    defer { admin.close() }
    try eventually("the open transaction") { try admin.watermarks(topic: topic)[0].high == end }
  }

  private static func expectWait(_ child: Child, _ note: String) throws {
    try child.wait(for: "a word about the transaction", within: .seconds(5)) { child.errors.contains(note) }
    #expect(child.lines.count == 3, "what lies before it is shown: \(child.output)")
  }
}
