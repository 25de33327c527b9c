import Foundation
import OrderStreamTestSupport
import Testing

/// No result takes the place of a file of a log.
@Suite("Files of a log")
struct LogFileTests {
  @Test(
    arguments: [
      "log/orderstream.db", "./log/../log/orderstream.db", "link/orderstream.db", "alias", "log/orderstream.db-wal",
      "log/marks", "log/write.lock", "log/turn.lock", "log/members/x",
    ])
  func noOutputReplacesThem(path: String) throws {
    let stage = try Stage()
    try stage.run("produce", "-b", "embedded:log", "--events", "50", "-q")
    try FileManager.default.createSymbolicLink(atPath: stage.work + "/link", withDestinationPath: "log")
    try FileManager.default.createSymbolicLink(atPath: stage.work + "/alias", withDestinationPath: "log/orderstream.db")
    try stage.write("in", Orders.order(number: 1))
    for line in [
      ["analytics", "-b", "embedded:log", "--output", path], ["analytics", "-b", "embedded:other", "--output", path],
      ["produce", "-b", "embedded:log", "--input", "in", "--unacknowledged", path],
      ["produce", "-b", "embedded:log", "--events", "1", "--receipt", path],
    ] {
      let outcome = try stage.start(line).end()
      #expect(outcome.code == 73 && outcome.errors.contains("a file of an embedded log"), "\(outcome)")
    }
    #expect(try stage.json("status", "-b", "embedded:log")["topics"][0]["partitions"].elements.count == 6)
  }

  @Test func aLogThatIsNotThereYetHasItsNamesToo() throws {
    let stage = try Stage()
    try FileManager.default.createDirectory(atPath: stage.work + "/new", withIntermediateDirectories: false)
    try stage.write("in", Orders.order(number: 1))
    let line = ["produce", "-b", "embedded:new", "--input", "in", "--unacknowledged"]
    #expect(try stage.start(line + ["new/orderstream.db"]).end().code == 73)
    #expect(try stage.start(line + ["new/rest"]).end().code == 0)
  }
}
