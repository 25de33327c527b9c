import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Every command is killed at every place of its run; then it must finish, with exact results.
@Suite("Sweeps of failpoints")
struct SweepTests {
  private static let violations = [
    "lost", "duplicated", "phantom", "wrong_action", "reordered", "wrong_partition", "pending", "other", "unverifiable",
  ]
  static let poison = #"{"event_type":"Order"#

  /// A log with a topic of 2 partitions and `count` orders, numbered from 1.
  static func stage(orders count: Int) throws -> Stage {
    let stage = try Stage()
    try stage.run("produce", "--events", "\(count)", "--partitions", "2", "-q")
    return stage
  }

  static func addPoison(_ stage: Stage) throws {
    try EmbeddedLog.open(stage.log).produce([TestRecord(partition: 1, value: poison)], to: "order-events")
  }

  static func values(_ stage: Stage, _ topic: String = "order-events") throws -> [String] {
    try EmbeddedLog.open(stage.log).contents(of: topic).map { $0.text ?? "" }
  }

  @Test("Killed anywhere, produce leaves what it acknowledged, and the next run makes new orders")
  func produce() throws {
    try Sweep.run(
      ["produce", "--events", "400", "--partitions", "2", "-q"], passing: FailpointTests.produce,
      environment: ["ORDERSTREAM_SEGMENT_BYTES": "10000"],
      stage: { _ in try Stage() }
    ) { stage, place in
      let listed = try stage.json("status")["topics"].elements
      let before = listed.isEmpty ? 0 : try Self.values(stage).count
      // After the flush all are acknowledged.
      let isAcknowledged = place == nil || place == "publisher/after-flush"
      #expect(isAcknowledged ? before == 400 : before <= 400, "\(before) of 400, killed at \(place ?? "none")")
      try stage.run("produce", "--events", "20", "--partitions", "2", "-q")
      let values = try Self.values(stage)
      #expect(values.count == before + 20, "killed at \(place ?? "none")")
      #expect(Set(values.map { Orders.field("order_id", of: $0) }).count == values.count, "\(place ?? "none")")
    }
  }

  @Test("Killed anywhere, also between the parts of a batch, inventory goes on exactly once, dead letters too")
  func inventory() throws {
    let stage = try Self.stage(orders: 40)
    var poison = 0
    try Sweep.run(
      ["inventory", "-q"], passing: FailpointTests.inventory,
      // The events of ten orders are three times as much.
      environment: ["ORDERSTREAM_COMMIT_BYTES": "2500"],
      stage: { run in
        if run > 1 { try stage.run("produce", "--events", "10", "-q") }
        try Self.addPoison(stage)
        poison += 1
        return stage
      }
    ) { stage, place in
      try stage.run("inventory", "-q")
      let audit = try stage.json("audit")
      let orders = try Self.values(stage).count - poison
      #expect(audit["orders"].int == orders && audit["items"] == audit["inventory_events"], "\(place ?? "none")")
      for key in Self.violations { #expect(audit[key].int == 0, "\(key), killed at \(place ?? "none")") }
      let letters = try Self.values(stage, "order-events.dlq")
      #expect(letters == Array(repeating: Self.poison, count: poison), "killed at \(place ?? "none")")
    }
  }

  @Test("Killed anywhere, analytics counts every order once, and its file is the old one or the new one")
  func analytics() throws {
    let stage = try Self.stage(orders: 40)
    var total = 40
    var old = try stage.run("analytics").output
    try Sweep.run(
      ["analytics", "-q"], passing: FailpointTests.analytics,
      stage: { _ in
        try stage.run("produce", "--events", "10", "-q")
        total += 10
        return stage
      }
    ) { stage, place in
      let found = try stage.bytes("metrics_output.txt")
      let new = try stage.run("analytics", "--json")
      #expect(try new.document["total_orders"].int == total, "killed at \(place ?? "none")")
      let text = try stage.bytes("metrics_output.txt")
      #expect(found == old || found == text, "a mixture, killed at \(place ?? "none")")
      if place == nil || place == "file/synced" { #expect(found == text, "killed at \(place ?? "none")") }
      let control = try stage.run("analytics", "-g", "control-\(total)", "--output", "-")
      #expect(control.output == text, "killed at \(place ?? "none")")
      old = text
    }
    // What a killed replacement leaves is a hidden temporary file, which nothing reads.
    #expect(try stage.files.allSatisfy { $0 == "metrics_output.txt" || $0.hasPrefix(".orderstream-") })
  }

  @Test("Killed anywhere, a reset is done or not done, and recomputing gives the same bytes")
  func reset() throws {
    let stage = try Self.stage(orders: 60)
    let report = try stage.run("analytics").output
    try Sweep.run(["analytics", "--reset-offsets", "-q"], passing: FailpointTests.reset, stage: { _ in stage }) {
      stage, place in
      let file = try stage.bytes("metrics_output.txt")
      let again = try stage.run("analytics").output
      #expect(file == report && again == report, "killed at \(place ?? "none")")
    }
  }

  @Test("Killed anywhere, replay of a named group can be run again, and the group's totals stay exact")
  func replay() throws {
    let stage = try Self.stage(orders: 60)
    let report = try stage.run("analytics", "-g", "g").output
    try Sweep.run(["replay", "--group", "g", "--execute", "-q"], passing: FailpointTests.replay, stage: { _ in stage })
    {
      stage, place in
      let again = try stage.run("analytics", "-g", "g").output
      #expect(again == report, "killed at \(place ?? "none")")
      for file in ["metrics_initial.txt", "metrics_after_replay.txt"] where try stage.files.contains(file) {
        let bytes = try stage.bytes(file)
        #expect(bytes == report, "\(file), killed at \(place ?? "none")")
      }
    }
    #expect(try stage.json("replay", "--group", "g", "--execute")["match"].bool == true)
  }

  @Test("Killed anywhere, a move is made or not made, and the same command finishes it; the undo file leads back")
  func move() throws {
    let stage = try Self.stage(orders: 60)
    let report = try stage.run("analytics", "-g", "g").output
    let line = ["replay", "--group", "g", "--from", "+10", "--execute", "-q"]
    try Sweep.run(
      line, passing: FailpointTests.move,
      stage: { _ in
        try stage.run("analytics", "-g", "g", "-q")
        return stage
      }
    ) { stage, place in
      // Refuses a group whose state and offsets disagree.
      let found = try stage.json("analytics", "-g", "g", "--max-events", "0", "--output", "-")["total_orders"].int
      let isMade = ["reset/after-commit", "move/before-close", nil].contains(place)
      let allowed = isMade ? [20] : [20, 60]
      #expect(allowed.contains(found ?? -1), "killed at \(place ?? "none")")
      if !isMade {
        #expect(
          try stage.start(line + ["--json"]).end().document["replay"]["total_orders"].int == 20, "\(place ?? "none")")
      }
    }
    let back = try stage.json("replay", "-g", "g", "--execute", "--offsets-file", "replay-undo-g.csv")
    #expect(back["replay"]["total_orders"].int == 60)
    #expect(try stage.run("analytics", "-g", "g").output == report)
  }
}
