import OrderStreamCore
import OrderStreamTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// SIGKILL at random instants; what was promised holds after the restart.
@Suite("Kills")
struct KillTests {
  private static let kills = 10

  /// Runs a command to its end once, then again and again, killed at a random instant of that time.
  private func killRepeatedly(
    _ stage: Stage, _ line: [String], seed: UInt64, between: (Int) throws -> Void = { _ in }
  ) throws {
    var random = SeededRandom(seed: seed)
    let start = ContinuousClock.now
    #expect(try stage.start(line).end().code == 0)
    var longest = ContinuousClock.now - start
    var hits = 0
    for round in 0..<Self.kills {
      try between(round)
      let child = try stage.start(line)
      let start = ContinuousClock.now
      let deadline = start + .microseconds(Int(random.below(UInt64(longest / .microseconds(1)))))
      while child.isRunning && ContinuousClock.now < deadline { usleep(200) }
      // One that was faster shows how soon the next kill must come.
      if child.isRunning { hits += 1 } else { longest = min(longest, ContinuousClock.now - start) }
      try child.destroy()
    }
    print("seed \(seed): killed at work \(hits) times of \(Self.kills)")
    #expect(hits > 0, "seed \(seed): not one of the kills came in time")
  }

  @Test(arguments: TestBroker.all)
  func analyticsKilledTenTimesCountsEveryOrderOnce(broker: TestBroker) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "20000", "-q")
    try killRepeatedly(stage, ["analytics", "-q"], seed: seed) { _ in
      try stage.run("produce", "--events", "2000", "-q")
    }
    let document = try stage.json("analytics")
    #expect(document["total_orders"].int == 40_000, "seed \(seed)")
    let again = try stage.json("analytics", "-g", stage.group("control"), "--output", "control.txt")
    #expect(again["failed_orders"] == document["failed_orders"], "seed \(seed)")
    #expect(try stage.bytes("control.txt") == stage.bytes("metrics_output.txt"), "seed \(seed)")
  }

  @Test(arguments: TestBroker.all)
  func inventoryKilledTenTimesStillAuditsClean(broker: TestBroker) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "5000", "-q")
    try killRepeatedly(stage, ["inventory", "-q"], seed: seed) { _ in
      try stage.run("produce", "--events", "1000", "-q")
    }
    try stage.run("inventory", "-q")
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == 15_000 && audit["items"] == audit["inventory_events"], "seed \(seed)")
    for key in [
      "lost", "duplicated", "phantom", "wrong_action", "reordered", "wrong_partition", "pending", "other",
      "unverifiable",
    ] {
      #expect(audit[key].int == 0, "\(key), seed \(seed)")
    }
  }

  @Test(arguments: TestBroker.all)
  func oneOfTwoInventoryMembersIsKilledAndTheOtherTakesOver(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "1000", "-q")
    func shares() throws -> [Int] {
      let group = try stage.json("status", "-g", stage.group("inventory"))["groups"][0]
      return group["members"].elements.map { $0["partitions"].elements.count }
    }
    let members = try (0..<2).map { _ in try stage.start("inventory", "--follow", "--json") }
    try eventually("both of them have partitions") { try shares() == [3, 3] }
    let producer = try stage.start("produce", "--events", "3000", "--rate", "3000/s", "-q")
    try members[0].wait(for: "work of the first") { try members[0].lines.contains { try JSON($0)["orders"].int! > 0 } }
    try members[0].destroy()
    #expect(try producer.end().code == 0)
    try eventually("the takeover") { try shares() == [6] }
    try eventually("no lag") {
      try stage.json("status", "-g", stage.group("inventory"))["groups"][0]["lag"].int == 0
    }
    members[1].send(SIGTERM)
    #expect(try members[1].end().code == 0)
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == 4000 && audit["items"] == audit["inventory_events"])
  }

  @Test func anEventThatWasAcknowledgedSurvivesTheKillOfItsProducer() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    let stage = try Stage()
    try killRepeatedly(stage, ["produce", "--events", "20000", "-q"], seed: seed)
    // What is there is whole: every record reads, no number is there twice within a run, and the log goes on.
    let before = try stage.hasLog ? stage.start("tail", "--raw", "-q").end() : nil
    let count = before.map { $0.code == 0 ? $0.lines.count : 0 } ?? 0
    try stage.run("produce", "--events", "100", "-q")
    let values = try stage.run("tail", "--raw").lines
    #expect(count >= 20_000, "what the run before the kills had acknowledged is there, seed \(seed)")
    #expect(values.count == count + 100, "seed \(seed)")
    #expect(Set(values.map { Orders.field("order_id", of: $0) }).count == values.count, "seed \(seed)")
    #expect(try stage.json("analytics")["total_orders"].int == count + 100)
  }

  @Test func aReaderSeesTheOldReportOrTheNewOneAlsoWhenTheWriterDies() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    let stage = try Stage()
    try stage.run("produce", "--events", "3000", "-q")
    try stage.run("analytics", "-q")
    let size = try stage.bytes("metrics_output.txt").count
    try killRepeatedly(stage, ["analytics", "-q", "--reset-offsets"], seed: seed) { _ in
      let report = try stage.text("metrics_output.txt")
      #expect(report.hasPrefix("Order metrics\n") && report.hasSuffix(" failed\n"), "seed \(seed)")
      #expect(report.utf8.count >= size / 2, "seed \(seed)")
    }
    #expect(try stage.json("analytics")["total_orders"].int == 3000, "seed \(seed)")
  }

  @Test func lagDemoKilledInTheMiddleLeavesALogThatWorks() throws {
    let stage = try Stage()
    let child = try stage.start("lag-demo", "--events", "2000", "--rate", "1000/s")
    try eventually("its topic has records") {
      try stage.json("status")["topics"][0]["partitions"].elements.contains { ($0["high"].int ?? 0) > 0 }
    }
    try child.destroy()
    try stage.run("produce", "--events", "10", "-q")
    #expect(try stage.json("analytics")["total_orders"].int == 10)
  }
}
