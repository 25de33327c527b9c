import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// The places that are reached by name, because no plain run comes to them, and the proof that none is forgotten.
@Suite("Failpoints by name")
struct FailpointTests {
  private static let opening = [
    "log/before-marks-removed", "log/before-commit", "log/after-commit", "log/after-mark", "log/before-close",
    "log/closed", "directory/made",
  ]
  static let produce =
    opening + [
      "log/before-creation", "log/created", "topic/made", "marks/written", "producer/before-write",
      "producer/before-acknowledge", "producer/after-acknowledge", "publisher/before-flush", "publisher/after-flush",
      "segment/before-write", "segment/written", "segment/synchronized",
    ]
  private static let pipeline =
    opening + [
      "group/file-made", "group/entered", "pipeline/assigned", "pipeline/before-commit", "pipeline/after-commit",
      "pipeline/before-close", "group/before-leave", "group/left", "group/file-removed",
    ]
  static let inventory = pipeline + ["marks/written", "pipeline/between-parts"]
  static let analytics = pipeline + ["file/created", "file/written", "file/renamed", "file/synced"]
  static let reset = analytics + ["reset/before-commit", "reset/after-commit"]
  static let replay = reset
  static let move =
    opening + [
      "group/file-made", "group/entered", "group/before-leave", "group/left", "group/file-removed", "file/created",
      "file/written", "file/renamed", "file/synced", "move/undo-written", "reset/before-commit", "reset/after-commit",
      "move/before-close",
    ]

  static let backup =
    ["directory/made", "log/before-close", "log/closed"]
    + [
      "draft-made", "database-copied", "piece-copied", "segment-copied", "copied", "checked", "before-rename",
      "renamed",
    ].map { "backup/" + $0 }

  @Test("A run that removes a topic can be killed in the middle of it", arguments: removals)
  func removal(place: String) throws {
    let stage = try SweepTests.stage(orders: 10)
    let demo = ["lag-demo", "--events", "20", "--rate", "max", "--consumer-delay", "0", "-q"]
    #expect(try Sweep.kill(demo, at: place, stage) == place)
    #expect(try stage.start(demo).end().code == 0)
    #expect(try stage.json("analytics")["total_orders"].int == 10)
  }

  static let removals = ["marks/removed", "topic/before-orphans", "batches/before-slice"]

  @Test("A kill around a checkpoint loses nothing", arguments: checkpoints)
  func checkpoint(place: String) throws {
    let stage = try SweepTests.stage(orders: 10)
    // Many commits, each too small for a segment where the machine keeps up.
    let line = ["produce", "--events", "50000", "--rate", "1000/s", "-q"]
    #expect(try Sweep.kill(line, at: place, stage) == place)
    let values = try SweepTests.values(stage)
    #expect(values.count > 10 && values.count <= 50_010)
    #expect(try stage.json("analytics")["total_orders"].int == values.count)
  }

  static let checkpoints = ["log/before-checkpoint", "log/after-checkpoint"]

  @Test("A kill at a step of a large commit leaves nothing of it, and its bytes are cut off", arguments: segments)
  func segment(place: String) throws {
    let stage = try SweepTests.stage(orders: 10)
    // Each commit is large enough, on a busy machine too.
    let environment = ["ORDERSTREAM_SEGMENT_BYTES": "1"]
    func killed(_ line: [String]) throws {
      // Only behind a killed writer there is something to cut off.
      if place == "segment/before-cut" {
        #expect(
          try Sweep.kill(line, at: "segment/written", stage, environment: environment) == "segment/written")
      }
      #expect(try Sweep.kill(line, at: place, stage, environment: environment) == place)
    }
    try killed(["produce", "--events", "600", "-q"])
    #expect(try SweepTests.values(stage).count == 10)
    try stage.run("produce", "--events", "600", "-q")
    try killed(["inventory", "-q"])
    try stage.run("inventory", "-q")
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == 610 && audit["items"] == audit["inventory_events"])
    for (segment, length) in try DamagedLog.segments(of: stage.log) {
      #expect(try Data(contentsOf: URL(fileURLWithPath: segment)).count == length)
    }
  }

  static let segments = ["segment/before-write", "segment/written", "segment/synchronized", "segment/before-cut"]

  @Test(
    "A kill while files are removed leaves what is not removed, and the next removal takes the rest", arguments: files)
  func removedFiles(place: String) throws {
    let stage = try SweepTests.stage(orders: 600)
    try stage.run("inventory", "-q")
    #expect(try Sweep.kill(["delete", "-t", "inventory-events", "--execute", "-q"], at: place, stage) == place)
    // That of the dead letters too.
    #expect(try stage.json("status")["topics"].elements.count == 2)
    #expect(try stage.json("analytics")["total_orders"].int == 600)
    try stage.run("produce", "-t", "other", "--events", "1", "-q")
    try stage.run("delete", "-t", "other", "--execute", "-q")
    let left = try FileManager.default.contentsOfDirectory(atPath: stage.log + "/segments").map { "/" + $0 }
    let known = try DamagedLog.segments(of: stage.log).keys
    #expect(left.count == known.count && known.allSatisfy { name in left.contains { name.hasSuffix($0) } })
  }

  static let files = ["segment/before-removal", "segment/removed"]

  @Test("The heir of a dead member may die too, while it takes over")
  func reaping() throws {
    let stage = try SweepTests.stage(orders: 30)
    #expect(try Sweep.kill(["inventory", "-q"], at: "pipeline/before-commit", stage) == "pipeline/before-commit")
    #expect(try Sweep.kill(["inventory", "-q"], at: "group/reaped", stage) == "group/reaped")
    try stage.run("inventory", "-q")
    #expect(try stage.json("audit")["orders"].int == 30)
  }

  @Test("A member that dies while it gives partitions back doubles nothing", arguments: releases)
  func releasing(place: String) throws {
    let stage = try SweepTests.stage(orders: 30)
    let line = ["inventory", "--follow", "--json"]
    let first = try stage.start(line, environment: ["ORDERSTREAM_FAILPOINT": place])
    try first.wait(for: "its work") { first.lines.contains { (try? JSON($0)["orders"].int) == 30 } }
    try stage.run("produce", "--events", "20", "-q")
    try stage.run("inventory", "-q")
    #expect(try first.end().code == 1000 + SIGKILL)
    #expect(try stage.json("status", "-g", "inventory")["groups"][0]["lag"].int == 0)
    #expect(try stage.json("audit")["orders"].int == 50)
  }

  static let releases = ["pipeline/before-release", "group/before-release"]

  @Test(
    "A log of version 1 whose upgrade is killed is of one version or the other, with all that it had",
    arguments: upgrades)
  func upgrade(place: String) throws {
    let stage = try Self.firstVersion(orders: 30)
    let report = try stage.bytes("metrics_output.txt")
    #expect(try Sweep.kill(["status"], at: place, stage) == place)
    #expect(try DamagedLog.version(of: stage.log) == (place == "log/upgraded" ? 2 : 1))
    let again = try stage.run("analytics")
    #expect(again.output == report, "the group goes on where it was")
    try stage.run("inventory", "-q")
    try stage.run("produce", "--events", "20", "-q")
    try stage.run("inventory", "-q")
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == 50 && audit["items"] == audit["inventory_events"])
    #expect(try stage.json("analytics")["total_orders"].int == 50)
    #expect(try DamagedLog.version(of: stage.log) == 2)
  }

  static let upgrades = ["log/before-upgrade", "log/upgraded"]

  @Test("Processes that open a log of version 1 at once all work on it")
  func upgradeAtOnce() throws {
    let stage = try Self.firstVersion(orders: 30)
    let children = try (0..<4).map { _ in try stage.start("produce", "--events", "10", "-q") }
    for child in children { #expect(try child.end().code == 0) }
    #expect(try stage.json("analytics")["total_orders"].int == 70)
  }

  /// A log of version 1 with orders that the group `analytics` has counted.
  private static func firstVersion(orders: Int) throws -> Stage {
    let stage = try SweepTests.stage(orders: orders)
    try stage.run("analytics", "-q")
    try DamagedLog.makeFirstVersion(stage.log)
    return stage
  }

  @Test("Every failpoint in the sources is passed by a sweep or reached by name")
  func complete() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Sources")
    var inSources: Set<String> = []
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    for case let file as URL in files where file.pathExtension == "swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
      for part in text.components(separatedBy: "Failpoint.reach(\"").dropFirst() {
        inSources.insert(String(part.prefix { $0 != "\"" }))
      }
    }
    let covered =
      Self.produce + Self.inventory + Self.reset + Self.move + Self.backup + Self.removals + Self.checkpoints
      + Self.releases + Self.upgrades + Self.segments + Self.files
    #expect(inSources == Set(covered + ["group/reaped", GuaranteeKillTests.betweenSteps]))
  }
}
