import Foundation
import OrderStreamTestSupport
import Testing

/// Commands whose log goes away while they run.
@Suite("A log that is removed while it is in use")
struct RemovedLogCommandTests {
  @Test func produceAcknowledgesNothingMoreAndEndsWith74() throws {
    let stage = try Stage()
    let child = try stage.start("produce", "--events", "3000", "--rate", "1000", "--json")
    try eventually("records") { try stage.start("tail", "--max-events", "1").end().lines.count == 1 }
    try FileManager.default.removeItem(atPath: stage.log)
    let outcome = try child.end()
    #expect(outcome.code == 74 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(outcome.errors.contains(stage.log) && outcome.errors.contains("removed or moved"), "\(outcome)")
    let document = try outcome.document
    #expect(document["acknowledged"].int! < 3000 && document["failed_deliveries"].int! > 0)
    #expect(!FileManager.default.fileExists(atPath: stage.log))
  }

  @Test(arguments: [["analytics", "--output", "-"], ["inventory"], ["tail"]])
  func aFollowerEndsWith74AndSaysSo(line: [String]) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "10", "-q")
    let child = try stage.start(line + ["--follow"])
    let isReady: () throws -> Bool = {
      if line == ["tail"] { return child.lines.count == 10 }
      let groups = try stage.json("status")["groups"].elements
      return groups.first?["partitions"].elements.contains { $0["committed"].int ?? 0 > 0 } == true
    }
    try child.wait(for: "its records", isReady)
    try FileManager.default.moveItem(atPath: stage.log, toPath: stage.log + "-old")
    let outcome = try child.end(within: .seconds(20))
    #expect(outcome.code == 74 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(outcome.errors.contains("\(stage.log) was removed or moved"), "\(outcome)")
    #expect(!FileManager.default.fileExists(atPath: stage.log))
  }
}
