import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// `replay --group --from`, and files of offsets.
@Suite("Moves of groups, and files of offsets")
struct MoveCommandTests {
  private static let undo = "replay-undo-analytics.csv"

  /// 300 orders in 2 partitions, which the group `analytics` has read.
  private func stage() throws -> Stage {
    let stage = try Stage()
    try stage.run("produce", "--events", "300", "--partitions", "2", "-q")
    try stage.run("analytics", "-q")
    return stage
  }

  private func ends(_ stage: Stage) throws -> [Int] {
    try stage.json("status", "-t", "order-events")["topics"][0]["partitions"].elements.compactMap { $0["high"].int }
  }

  @Test func aMoveIsPlannedMadeAndUndone() throws {
    let stage = try stage()
    let report = try stage.bytes("metrics_output.txt")
    let before = try stage.json("status")["groups"]
    let plan = try stage.json("replay", "-g", "analytics", "--from", "+10")
    #expect(plan["executed"].bool == false && plan["initial"]["total_orders"].int == 300 && plan["replay"] == .null)
    #expect(plan["records_to_read"].int == 20 && plan["moves"].elements.map { $0["to"].int } == [10, 10])
    #expect(try stage.json("status")["groups"] == before && stage.files == ["metrics_output.txt"])

    let moved = try stage.run("replay", "-g", "analytics", "--from", "+10", "--execute")
    #expect(
      moved.text.contains("Orders, at the place       20\n") && moved.text.contains("Orders, before             300\n"))
    let command = "orderstream replay --group analytics --execute --offsets-file \(Self.undo)"
    #expect(moved.text.contains("Undo with                  \(command)\n") && moved.errors.contains(command))
    let lines = moved.lines.filter { $0.contains("order-events[") }
    #expect(lines.count == 2)
    for line in lines { #expect(line.contains(" to 10: ") && line.hasSuffix(" offsets back")) }
    let offsets = before[0]["partitions"].elements.compactMap { $0["committed"].int }
    #expect(try stage.text(Self.undo) == "order-events,0,\(offsets[0])\norder-events,1,\(offsets[1])\n")
    #expect(try stage.json("analytics", "--max-events", "0", "--output", "-")["total_orders"].int == 20)

    let again = try stage.json("replay", "-g", "analytics", "--from", "+10", "--execute")
    #expect(again["executed"].bool == true && again["undo_file"] == .null && again["replay"]["total_orders"].int == 20)

    // The undo of the undo has a name of its own.
    let undone = try stage.json(
      "replay", "-g", "analytics", "--execute", "--offsets-file", Self.undo, "--report", "m.html", "--junit", "m.xml",
      "--metrics-file", "m.prom")
    #expect(try stage.text("m.xml").contains("the group stands at the place, state and offsets"))
    #expect(try stage.text("m.html").contains("This moves it back: <code>orderstream replay --group analytics"))
    let metrics = try stage.text("m.prom").split(separator: "\n").filter {
      $0.hasPrefix("orderstream_replay_total_orders{")
    }
    #expect(metrics.count == 2 && metrics[1].contains("group=\"analytics\"") && metrics[1].hasSuffix(" 300"))
    #expect(undone["replay"]["total_orders"].int == 300 && undone["undo_file"].string == "replay-undo-analytics-2.csv")
    #expect(try stage.run("analytics").output == report)
    #expect(try stage.json("status")["groups"] == before)
    #expect(try stage.text("replay-undo-analytics-2.csv") == "order-events,0,10\norder-events,1,10\n")
  }

  @Test func anUndoFileIsNeverReplacedByOtherOffsets() throws {
    let stage = try stage()
    let old = "order-events,0,1\n"
    try stage.write("undo.csv", old)
    let line = ["replay", "-g", "analytics", "--from", "0=1", "--execute", "--undo-file", "undo.csv"]
    let refused = try stage.start(line).end()
    #expect(refused.code == 73 && refused.errors.contains("may be the undo of an earlier move"))
    #expect(try stage.text("undo.csv") == old)
    #expect(try stage.json("analytics", "--output", "-")["processed"].int == 0)
    try stage.run("replay", "-g", "analytics", "--from", "0=1", "--execute", "--undo-file", "other.csv", "-q")
    // A move that is read from the file that it would write.
    let same = ["replay", "-g", "analytics", "--offsets-file", "undo.csv", "--from"]
    #expect(try stage.start(same + ["0"]).end().code == 64)
    let itself = ["replay", "-g", "analytics", "--offsets-file", "other.csv", "--undo-file", "other.csv", "--execute"]
    #expect(try stage.start(itself).end().code == 73)
    #expect(
      try stage.start(["replay", "-g", "analytics", "--from", "0", "--execute", "--undo-file", "no/u.csv"]).end().code
        == 73)
  }

  @Test func whatCannotBeMovedIsRefused() throws {
    let stage = try stage()
    try stage.run("inventory", "-q")
    for execute in [[], ["--execute"]] {
      let outcome = try stage.start(["replay", "-g", "inventory", "--from", "-10"] + execute).end()
      #expect(outcome.code == 78 && outcome.errors.contains("would write them again"), "\(outcome)")
    }
    #expect(try stage.start(["replay", "-g", "analytics", "--from", "9999"]).end().code == 66)
    #expect(try stage.start(["replay", "-g", "analytics", "--from", "7=1"]).end().code == 66)
    #expect(try stage.start(["replay", "-g", "analytics", "--from", "1", "-t", "nothing"]).end().code == 66)
    let follower = try stage.start("analytics", "--follow", "-q")
    try follower.wait(for: "its place") {
      (try? stage.json("status")["groups"].elements.contains { !$0["members"].elements.isEmpty }) == true
    }
    let active = try stage.start(["replay", "-g", "analytics", "--from", "1", "--execute"]).end()
    #expect(active.code == 75, "\(active)")
    follower.send(SIGTERM)
    #expect(try follower.end().code == 0)
    try stage.run("delete", "-t", "order-events", "--before", "0=20", "--execute")
  }

  @Test func aReplayOverARange() throws {
    let stage = try stage()
    let document = try stage.json("replay", "--from", "+10", "--to", "0=25")
    #expect(document["match"].bool == true)
    let ends = try ends(stage)
    #expect(document["initial"]["total_orders"].int == 15 + ends[1] - 10)
    #expect(document["ranges"].elements.map { $0["from"].int } == [10, 10])
    #expect(document["ranges"].elements.map { $0["to"].int } == [25, ends[1]])
    #expect(
      try stage.run("replay", "--from", "0=5", "--to", "9").text.contains(
        "Range                      order-events[0]@5 to 8\n"))
    let outcome = try stage.run("replay", "--to", "earliest")
    #expect(outcome.text.contains("Orders, replay             0\n"))
    try stage.write("o.csv", "a,order-events,1,100\na,other,0,1\n")
    #expect(try stage.json("replay", "--offsets-file", "o.csv")["replay"]["total_orders"].int == ends[1] - 100)
    #expect(try stage.json("status")["groups"].elements.count == 1)
  }

  @Test func anAuditOfARange() throws {
    let stage = try stage()
    try stage.run("inventory", "--max-events", "200", "-q")
    try stage.run("audit", exits: 1)
    let ends = try ends(stage)
    let part = try stage.json("audit", "--from", "0=5", "--to", "0=25")
    #expect(part["orders"].int == 20 && part["ranges"].elements.map { $0["to"].int } == [25])
    #expect(part["outside"].int == (part["inventory_events"].int ?? 0) - (part["items"].int ?? 0))
    let text = try stage.run("audit", "--to", "0=25", "--to", "5").text
    #expect(text.contains("Range                      order-events[1]@0 to 4\n") && text.contains("Outside the range "))
    // The end of the log is what is not finished.
    #expect(try stage.json("audit", "--from", "-1", exits: 1)["pending"].int != 0)
    try stage.write("o.csv", "inventory,order-events,1,\(ends[1] - 3)\nother,order-events,0,5\n")
    #expect(try stage.json("audit", "--offsets-file", "o.csv", "-g", "inventory")["orders"].int == 3)
    #expect(try stage.start("audit", "--offsets-file", "o.csv").end().code == 65)
    #expect(try stage.start("audit", "--from", "7=5").end().code == 66)
  }

  @Test func filesOfOffsetsForTailAndAnalytics() throws {
    let stage = try stage()
    try stage.write("o.csv", "order-events,1,100\nother,0,1\norder-events,0,3\n")
    let ends = try ends(stage)
    let outcome = try stage.run("tail", "--offsets-file", "o.csv")
    #expect(outcome.lines.count == ends[0] - 3 + ends[1] - 100)
    #expect(outcome.errors.contains("o.csv has 1 line of other topics"))
    let report = try stage.json("analytics", "--offsets-file", "o.csv", "--output", "-")
    #expect(report["total_orders"].int == 103 && report["group"] == .null)
    try stage.write("one.csv", "order-events,1,100\n")
    #expect(try stage.run("tail", "--offsets-file", "one.csv", "--to", "1=101").lines.count == 1)
    #expect(
      try stage.run("tail", "--offsets-file", "-", "--to", "1=101", input: "order-events,1,100\n").lines.count == 1)
    #expect(try stage.start("analytics", "--offsets-file", "one.csv").end().code == 65)
    #expect(try stage.start("tail", "--offsets-file", "none.csv").end().code == 66)
  }
}
