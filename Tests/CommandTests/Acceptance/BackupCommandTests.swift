import Foundation
import OrderStreamTestSupport
import Testing

@Suite("backup")
struct BackupCommandTests {
  private func stage() throws -> Stage {
    let stage = try Stage()
    try stage.run("produce", "--events", "200", "--seed", "1", "-q")
    try stage.run("analytics", "-q", "--output", "-")
    return stage
  }

  @Test func theCopyIsALogWithGroupsAndState() throws {
    let stage = try stage()
    let document = try stage.json("backup", "copy", "--junit", "backup.xml")
    #expect(document["schema"].string == "orderstream.backup/1" && document["complete"].bool == true)
    #expect(document["source"].string == "embedded:\(stage.log)" && document["target"].string == "\(stage.work)/copy")
    #expect(document["records"].int == 200 && document["segments"].int == 1)
    #expect(document["topics"][0]["name"].string == "order-events" && document["topics"][0]["records"].int == 200)
    #expect(document["claims"][0]["holds"].bool == true)
    #expect(try stage.text("backup.xml").contains(#"tests="2" failures="0""#))
    try stage.run("produce", "--events", "50", "-q", "-b", "embedded:copy")
    let totals = try stage.json("analytics", "-b", "embedded:copy", "--output", "-")
    #expect(totals["total_orders"].int == 250 && totals["processed"].int == 50)
    #expect(try stage.run("tail", "--raw").lines.count == 200, "the log itself is as it was")
    let text = try stage.run("backup", "again")
    #expect(text.lines.first == "Backup of embedded:\(stage.log)" && text.text.contains("200 records were read"))
    #expect(text.errors.isEmpty, "\(text)")
  }

  @Test func anEmptyDirectoryStaysAsItIs() throws {
    let stage = try stage()
    try FileManager.default.createDirectory(
      atPath: stage.work + "/empty", withIntermediateDirectories: false, attributes: [.posixPermissions: 0o750])
    try FileManager.default.createSymbolicLink(atPath: stage.work + "/link", withDestinationPath: "empty")
    try stage.run("backup", "link/", "-q")
    #expect(try stage.mode("empty") == 0o750 && stage.files == ["empty", "link"])
    #expect(try stage.run("tail", "--raw", "-b", "embedded:empty").lines.count == 200)
  }

  @Test func aPlaceThatIsNoneIsRefusedAndNothingIsMade() throws {
    let stage = try stage()
    try stage.write("file", "x")
    try FileManager.default.createDirectory(atPath: stage.work + "/full/x", withIntermediateDirectories: true)
    for (target, why) in [
      ("file", "no directory"), ("full", "not empty (x)"), ("nothing/copy", "No such file"),
      ("file/copy", "ot a directory"),
      (stage.log, "not empty"), (stage.log + "/copy", "inside the log"),
      (stage.log + "/segments/copy", "inside the log"),
    ] {
      let outcome = try stage.run("backup", target, exits: 73)
      #expect(outcome.output.isEmpty && outcome.errorLines.count == 1 && outcome.errors.contains(why), "\(outcome)")
    }
    #expect(try stage.files == ["file", "full"])
    let names = try FileManager.default.contentsOfDirectory(atPath: stage.log)
    #expect(!names.contains { $0.hasPrefix(".") || $0 == "copy" }, "\(names)")
  }

  @Test func onlyAnEmbeddedLogThatIsThereIsCopied() throws {
    let stage = try Stage()
    #expect(try stage.run("backup", "copy", exits: 66).errors.contains("there is no log"))
    #expect(try stage.run("backup", "copy", "-b", "localhost:1", exits: 64).errors.contains("MirrorMaker"))
    #expect(try stage.run("backup", exits: 64).errors.contains("no directory is named"))
    try stage.run("backup", "-", exits: 64)
    try stage.run("backup", "a", "b", exits: 64)
    #expect(try stage.files == [] && !stage.hasLog)
  }
}
