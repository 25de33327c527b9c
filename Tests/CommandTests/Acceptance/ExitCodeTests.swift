import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Codes 65 to 78, and what is said with them.
@Suite("Exit codes")
struct ExitCodeTests {
  @Test(arguments: TestBroker.all, ["analytics", "inventory", "replay", "tail", "audit"])
  func aBoundedRunOnAMissingTopicEndsWith66(broker: TestBroker, command: String) throws {
    let stage = try Stage(broker)
    let outcome = try stage.run(command, exits: 66)
    #expect(outcome.output.isEmpty && outcome.errorLines.count == 1, "\(outcome)")
    #expect(outcome.errors.contains(stage.topic))
    #expect(try stage.json("status", "-t", stage.topic)["topics"] == .array([]), "nothing was created")
  }

  @Test(arguments: TestBroker.all)
  func anAuditWithoutItsOutputTopicEndsWith66(broker: TestBroker) throws {
    let stage = try Stage(broker)
    try stage.run("produce", "--events", "3", "-q")
    let outcome = try stage.run("audit", exits: 66)
    #expect(outcome.errors.contains(stage.inventoryTopic) && outcome.output.isEmpty, "\(outcome)")
  }

  @Test(arguments: ["produce --input nowhere.jsonl", "produce --input .", "analytics -F nowhere.conf"])
  func aMissingFileEndsWith66(line: String) throws {
    let stage = try Stage()
    let outcome = try stage.start(line.split(separator: " ").map(String.init)).end()
    #expect(outcome.code == 66 && outcome.output.isEmpty && outcome.errorLines.count == 1, "\(outcome)")
    #expect(!stage.hasLog)
  }

  @Test func failNamesThePoisonRecordAndStopsBeforeIt() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "10", "--partitions", "1", "-q")
    let log = try EmbeddedLog.open(stage.log)
    try log.produce([TestRecord(key: "bad", value: "{")], to: "order-events")
    try stage.run("produce", "--events", "10", "-q")

    for command in ["analytics", "inventory"] {
      let outcome = try stage.run(command, "--on-error", "fail", "--json", exits: 65)
      #expect(outcome.errorLines.count == 1 && outcome.errors.contains("order-events[0]@10"), "\(outcome)")
      // What lies before it is done; the next run meets it at once, and one that skips it counts the rest.
      let done = command == "analytics" ? "processed" : "orders"
      #expect(try outcome.document[done].int == 10)
      #expect(try stage.json("status", "-g", command)["groups"][0]["lag"].int == 11)
      #expect(try stage.run(command, "--on-error", "fail", "--json", exits: 65).document[done].int == 0)
      let rest = try stage.json(command, "--on-error", "skip")
      #expect(rest[command == "analytics" ? "total_orders" : "orders"].int == (command == "analytics" ? 20 : 10))
      #expect(rest["rejected"].int == 1)
    }
  }

  @Test func theEndOfTheOrderNumbersIsToldAndNoTrap() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "10", "--partitions", "1", "-q")
    let log = try EmbeddedLog.open(stage.log)
    try log.produce([TestRecord(key: "order_\(Int64.max)", value: "{}")], to: "order-events")
    let outcome = try stage.run("produce", "--events", "1", exits: 65)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("--first-order"), "\(outcome)")
    try stage.run("produce", "--events", "2", "--first-order", "\(Int64.max)", exits: 64)
    try stage.run("produce", "--events", "1", "--first-order", "\(Int64.max)", "-q")
  }

  @Test(arguments: ["status", "tail", "audit", "analytics", "inventory"])
  func aLogThatCannotBeLookedAtIsNotTakenForAnEmptyOne(command: String) throws {
    let stage = try Stage()
    try stage.write("file", "x")
    let outcome = try stage.start(command, "-b", "embedded:file").end()
    #expect(outcome.code == 73 && outcome.output.isEmpty && outcome.errorLines.count == 1, "\(outcome)")
    #expect(outcome.errors.contains("Not a directory"), "\(outcome)")
  }

  @Test(arguments: ["/nowhere/at/all.txt", ".", "missing/metrics.txt", "file/", "file/below"])
  func anOutputThatCannotBeWrittenIsFoundBeforeTheBrokerIsOpened(path: String) throws {
    let stage = try Stage()
    try stage.write("file", "x")
    let outcome = try stage.run("analytics", "--output", path, exits: 73)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains(path) && outcome.output.isEmpty, "\(outcome)")
    #expect(!stage.hasLog, "no log directory appears")
    #expect(try stage.files == ["file"])
  }

  @Test func aDirectoryInPlaceOfAReportOfReplayIsFoundBeforeTheBrokerIsOpened() throws {
    let stage = try Stage()
    try FileManager.default.createDirectory(
      atPath: stage.work + "/metrics_after_replay.txt", withIntermediateDirectories: false)
    try stage.run("replay", exits: 73)
    #expect(!stage.hasLog)
  }

  @Test func aLogThatCannotBeCreatedEndsWith73() throws {
    let stage = try Stage()
    try stage.write("file", "x")
    let outcome = try stage.run("produce", "-b", "embedded:file/log", exits: 73)
    #expect(outcome.errorLines.count == 1 && outcome.output.isEmpty, "\(outcome)")
  }

  @Test func aForeignDatabaseAndAnyOtherFileEndWith78AndStayAsTheyAre() throws {
    let stage = try Stage()
    // The first page of an SQLite database of somebody else, and plain text.
    var database = Array("SQLite format 3\0".utf8) + [0x10, 0, 1, 1, 0, 64, 32, 32]
    database += [UInt8](repeating: 0, count: 4096 - database.count)
    database.replaceSubrange(28..<32, with: [0, 0, 0, 1])
    database.replaceSubrange(68..<72, with: Array("MINE".utf8))
    database[100] = 13
    for (name, bytes) in [("one", database), ("two", Array("not a database at all, but long enough".utf8))] {
      try FileManager.default.createDirectory(atPath: stage.work + "/" + name, withIntermediateDirectories: false)
      try stage.write("\(name)/orderstream.db", bytes)
      let outcome = try stage.run("produce", "-b", "embedded:\(name)", exits: 78)
      #expect(outcome.errorLines.count == 1 && outcome.output.isEmpty, "\(outcome)")
      #expect(try stage.bytes("\(name)/orderstream.db") == bytes)
    }
  }

  @Test func aNewerLogEndsWith78() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "1", "-b", "embedded:log", "-q")
    var bytes = try stage.bytes("log/orderstream.db")
    // The user version, big-endian, at byte 60 of the header of the database.
    bytes.replaceSubrange(60..<64, with: [0, 0, 0, 99])
    try stage.write("log/orderstream.db", bytes)
    let outcome = try stage.run("status", "-b", "embedded:log", exits: 78)
    #expect(outcome.errors.contains("99") && outcome.output.isEmpty, "\(outcome)")
  }

  /// Few orders lie in the database, more in a segment.
  @Test(arguments: [(60, "orderstream.db"), (200, "segments/0000000001")])
  func aDamagedRecordEndsWith74AndItsCoordinates(orders: Int, file: String) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "\(orders)", "--partitions", "1", "-b", "embedded:log", "-q")
    var bytes = try stage.bytes("log/\(file)")
    let place = try #require(bytes.firstRange(of: Array(#""order_id":"order_000050""#.utf8)))
    bytes[place.lowerBound + 14] ^= 1
    try stage.write("log/\(file)", bytes)
    for command in ["analytics", "inventory", "tail", "replay"] {
      let outcome = try stage.run(command, "-b", "embedded:log", exits: 74)
      #expect(outcome.errorLines.count == 1 && outcome.errors.contains("order-events[0]@"), "\(outcome)")
    }
  }

  @Test func aLogThatLostItsTailEndsWith74() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-b", "embedded:log", "-q")
    let old = try stage.bytes("log/orderstream.db")
    try stage.run("produce", "--events", "50", "-b", "embedded:log", "-q")
    try stage.write("log/orderstream.db", old)
    let outcome = try stage.run("analytics", "-b", "embedded:log", exits: 74)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("order-events["), "\(outcome)")
  }

  @Test func offsetsThatSomebodyMovedEndWith78AndNameTheRemedy() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "--partitions", "1", "-q")
    try stage.run("analytics", "-q")
    let log = try EmbeddedLog.open(stage.log)
    let other = try TestConsumer(log, topic: "order-events", group: "analytics")
    defer { other.close() }
    while other.assigned == nil { try other.step(timeout: .milliseconds(20)) }
    try other.transaction?.commit([PartitionOffset(partition: 0, offset: 40)])
    other.close()
    let outcome = try stage.run("analytics", exits: 78)
    #expect(outcome.errors.contains("--reset-offsets") && outcome.errors.contains("order-events[0]"), "\(outcome)")
    #expect(try stage.json("analytics", "--reset-offsets")["total_orders"].int == 100)
  }

  @Test func aResetWhileAnotherMemberIsActiveEndsWith75() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "100", "-q")
    let member = try stage.start("analytics", "--follow", "--output", "-")
    try member.wait(for: "its first report") { !member.lines.isEmpty }
    for line in [["analytics", "--reset-offsets"], ["replay", "--group", "analytics", "--execute"]] {
      let outcome = try stage.start(line).end()
      #expect(outcome.code == 75 && outcome.output.isEmpty && outcome.errorLines.count == 1, "\(outcome)")
      #expect(outcome.errors.contains("analytics"))
    }
    member.send(SIGTERM)
    #expect(try member.end().code == 0)
    #expect(try stage.json("analytics")["total_orders"].int == 100)
    try stage.run("replay", "--group", "analytics", "--execute")
  }
}
