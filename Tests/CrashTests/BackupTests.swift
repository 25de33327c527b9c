import Foundation
import OrderStreamCore
import OrderStreamEmbedded
import OrderStreamTestSupport
import Testing

/// `backup`, killed, interrupted, out of room, and beside those who write.
@Suite("Backups")
struct BackupTests {
  private static func stage() throws -> Stage {
    let stage = try SweepTests.stage(orders: 300)
    try stage.run("inventory", "-q")
    return stage
  }

  private static func drafts(_ stage: Stage) throws -> [String] {
    try stage.files.filter { $0.hasPrefix(".orderstream-") }
  }

  @Test("Killed anywhere, a copy has its name and is whole, or there is none, and the log is as it was")
  func sweep() throws {
    let stage = try Self.stage()
    let all = try CopiedLog.contents(stage.log)
    try Sweep.run(["backup", "copy", "-q"], passing: FailpointTests.backup, stage: { _ in stage }) { stage, place in
      let path = stage.work + "/copy"
      let isThere = try stage.files.contains("copy")
      // The log is closed last.
      #expect(
        isThere == (place == nil || place == "backup/renamed" || place?.hasPrefix("log/") == true), "\(place ?? "")")
      if isThere {
        #expect(try CopiedLog.contents(path) == all, "killed at \(place ?? "none")")
        try FileManager.default.removeItem(atPath: path)
      }
      for draft in try Self.drafts(stage) { try FileManager.default.removeItem(atPath: stage.work + "/" + draft) }
      #expect(try CopiedLog.contents(stage.log) == all, "killed at \(place ?? "none")")
    }
  }

  @Test("A signal leaves no copy and no part of one", arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func interrupted(_ signal: Int32, _ code: Int32) throws {
    let stage = try Self.stage()
    let environment = ["ORDERSTREAM_FAILPOINT": "backup/segment-copied", "ORDERSTREAM_FAILPOINT_SIGNAL": "\(signal)"]
    let outcome = try stage.start(["backup", "copy", "--json"], environment: environment).end()
    #expect(outcome.code == code && outcome.errorLines.isEmpty, "\(outcome)")
    let document = try outcome.document
    #expect(document["complete"].bool == false && document["records"].int == 0)
    #expect(document["claims"][0]["holds"] == .null && document["cut_short"]["by"].string?.hasPrefix("SIG") == true)
    #expect(try stage.files == [])
    try stage.run("backup", "copy", "-q")
  }

  @Test("A full disk ends it in words, and takes nothing", .enabled(if: SmallDisk.isPossible, SmallDisk.impossible))
  func full() throws {
    let disk = try #require(SmallDisk(megabytes: 1))
    let stage = try Self.stage()
    try stage.run("produce", "--events", "5000", "-q")
    let outcome = try stage.run("backup", disk.path + "/copy", exits: 74)
    #expect(
      outcome.output.isEmpty && outcome.errorLines.count == 1 && outcome.errors.contains("make room"), "\(outcome)")
    #expect(try disk.names.isEmpty)
    #expect(try stage.run("backup", disk.path, exits: 73).errors.contains("a file system is mounted there"))
    try disk.grow(megabytes: 8)
    try stage.run("backup", disk.path + "/copy", "-q")
    try stage.run("status", "-b", "embedded:\(disk.path)/copy", "-q")
  }

  @Test("Beside producers, members and removals, each copy is the log at one moment")
  func underLoad() throws {
    let load = try LogUnderLoad()
    let place = TemporaryDirectory()
    let broker = try #require(try EmbeddedLog.open(load.log) as? EmbeddedBroker)
    var counts: [Int64] = []
    let copies = (0..<4).map { "\(place.path)/\($0)" }
    for copy in copies {
      let target = try BackupTarget(copy)
      defer { target.discard() }
      let copied = try #require(try broker.backup(to: target, stop: StopFlag()) { _ in })
      counts.append(copied.topics.first { $0.name == Answers.source }?.records ?? 0)
      // The next one has more.
      try eventually("more orders") {
        try broker.admin().watermarks(topic: Answers.source).map(\.high).reduce(0, +) > (counts.last ?? 0) + 200
      }
    }
    let all = try load.stop()
    for (copy, count) in zip(copies, counts) {
      let contents = try CopiedLog.use(copy)
      #expect(contents[Answers.source]?.count == Int(count) && CopiedLog.isPrefix(contents, of: all))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).sorted() == ["0", "1", "2", "3"])
  }
}
