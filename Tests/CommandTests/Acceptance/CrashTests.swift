import OrderStreamCore
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
struct CrashTests {
  private static let kills = 10

  /// Runs a command again and again, kills it after a random time, and returns how often it was still at work then.
  private func killRepeatedly(
    _ stage: Stage, _ line: [String], seed: UInt64, longest: Int, between: (Int) throws -> Void = { _ in }
  ) throws -> Int {
    var random = SeededRandom(seed: seed)
    var hits = 0
    for round in 0..<Self.kills {
      try between(round)
      let child = try stage.start(line)
      let deadline = ContinuousClock.now + .microseconds(Int.random(in: 0...longest, using: &random))
      while child.isRunning && ContinuousClock.now < deadline { usleep(200) }
      if child.isRunning { hits += 1 }
      try child.destroy()
    }
    return hits
  }

  @Test(arguments: TestBroker.all)
  func analyticsKilledTenTimesCountsEveryOrderOnce(broker: TestBroker) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "20000", "-q")
    let hits = try killRepeatedly(stage, ["analytics", "-q"], seed: seed, longest: 150_000) { _ in
      try stage.run("produce", "--events", "2000", "-q")
    }
    let document = try stage.json("analytics")
    #expect(document["total_orders"].int == 40_000, "seed \(seed)")
    let again = try stage.json("analytics", "-g", stage.group("control"), "--output", "control.txt")
    #expect(again["failed_orders"] == document["failed_orders"], "seed \(seed)")
    #expect(try stage.bytes("control.txt") == stage.bytes("metrics_output.txt"), "seed \(seed)")
    print("killed at work: \(hits) of \(Self.kills)")
    #expect(try stage.files == ["control.txt", "metrics_output.txt"] || hits > 0)
  }

  @Test(arguments: TestBroker.all)
  func inventoryKilledTenTimesStillAuditsClean(broker: TestBroker) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "5000", "-q")
    let hits = try killRepeatedly(stage, ["inventory", "-q"], seed: seed, longest: 250_000) { _ in
      try stage.run("produce", "--events", "1000", "-q")
    }
    try stage.run("inventory", "-q")
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == 15_000 && audit["items"] == audit["inventory_events"], "seed \(seed)")
    for key in ["lost", "duplicated", "phantom", "wrong_action", "reordered", "pending", "other", "unverifiable"] {
      #expect(audit[key].int == 0, "\(key), seed \(seed)")
    }
    print("killed at work: \(hits) of \(Self.kills)")
  }

  @Test func anEventThatWasAcknowledgedSurvivesTheKillOfItsProducer() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    let stage = try Stage()
    _ = try killRepeatedly(stage, ["produce", "--events", "20000", "-q"], seed: seed, longest: 200_000)
    // What is there is whole: every record reads, no number is there twice within a run, and the log goes on.
    let before = try stage.hasLog ? stage.start("tail", "--raw", "-q").end() : nil
    let count = before.map { $0.code == 0 ? $0.lines.count : 0 } ?? 0
    try stage.run("produce", "--events", "100", "-q")
    let values = try stage.run("tail", "--raw").lines
    #expect(values.count == count + 100, "seed \(seed)")
    #expect(Set(values.map { Orders.field("order_id", of: $0) }).count == values.count, "seed \(seed)")
    #expect(try stage.json("analytics")["total_orders"].int == count + 100)
  }

  @Test func aReaderSeesTheOldReportOrTheNewOneAlsoWhenTheWriterDies() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    let stage = try Stage()
    try stage.run("produce", "--events", "3000", "-q")
    try stage.run("analytics", "-q")
    let size = try stage.bytes("metrics_output.txt").count
    _ = try killRepeatedly(stage, ["analytics", "-q", "--reset-offsets"], seed: seed, longest: 80_000) { _ in
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
