import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// Full disks and disks that fail, for child processes.
@Suite("Disks")
struct DiskTests {
  @Test(
    "A full disk acknowledges nothing false, leaves the log readable, and the work goes on when there is room",
    .enabled(if: SmallDisk.isPossible, SmallDisk.impossible))
  func full() throws {
    let disk = try #require(SmallDisk(megabytes: 12))
    let stage = try Stage()
    let log = "embedded:\(disk.path)/log"
    let outcome = try stage.run(
      "produce", "--events", "1000000", "-b", log, "--json", "--receipt", "r", exits: 74)
    let acknowledged = try #require(try outcome.document["acknowledged"].int)
    #expect(try outcome.document["failed_deliveries"].int == 1_000_000 - acknowledged)
    #expect(acknowledged > 0 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(outcome.errors.contains("No space left") && outcome.errors.contains("make room"), "\(outcome)")
    #expect(try stage.run("tail", "--raw", "-b", log).lines.count == acknowledged)
    let receipt = try stage.receipts("r")[0]
    #expect(receipt.tail?.isComplete == true && receipt.acknowledged == acknowledged)
    #expect(receipt.tail?.failedOrders.last.map { $0.upperBound <= 1_000_000 } == true)
    #expect(try stage.json("status", "-b", log)["topics"].elements.count == 1)
    // What was written of the last commit was cut off again, and left some room.
    try disk.fill()
    for line in [["inventory"], ["analytics", "--output", "-"], ["produce", "--events", "9"]] {
      let outcome = try stage.start(line + ["-b", log, "-q"]).end()
      #expect(outcome.code == 74 && outcome.errorLines.count == 1, "\(outcome)")
    }
    try disk.grow(megabytes: 80)
    try stage.run("produce", "--events", "9", "-b", log, "-q")
    try stage.run("inventory", "-b", log, "-q")
    #expect(try stage.json("audit", "-b", log)["orders"].int == acknowledged + 9)
    #expect(try stage.json("analytics", "--output", "-", "-b", log)["total_orders"].int == acknowledged + 9)
  }

  @Test(
    "Over a full disk, the lines that are not on the log are in the file of --unacknowledged, each once",
    .enabled(if: SmallDisk.isPossible, SmallDisk.impossible))
  func unacknowledged() throws {
    let disk = try #require(SmallDisk(megabytes: 6))
    let stage = try Stage()
    let log = "embedded:\(disk.path)/log"
    let input = try stage.run("produce", "--dry-run", "--events", "60000", "--seed", "6").text
    try stage.write("in", input)
    let outcome = try stage.run(
      "produce", "--input", "in", "-b", log, "--unacknowledged", "rest", "--json", exits: 74)
    let acknowledged = try #require(try outcome.document["acknowledged"].int)
    #expect(acknowledged > 0 && !outcome.errors.contains("same command"), "\(outcome)")
    #expect(
      outcome.errors.contains("\(acknowledged) of 60000 lines are on the log, the others are in rest"), "\(outcome)")
    #expect(try stage.text("rest").split(separator: "\n").count == 60_000 - acknowledged)
    // Without the option it is named, and nobody is told to do everything again. On a disk of its own: a second run finds
    // some room in what the first one left.
    let other = try #require(SmallDisk(megabytes: 6))
    let plain = try stage.run("produce", "--input", "in", "-b", "embedded:\(other.path)/log", exits: 74)
    #expect(!plain.errors.contains("run the same command"), "\(plain)")
    try disk.grow(megabytes: 80)
    try stage.run("produce", "--input", "rest", "-b", log, "-q")
    let found = try stage.run("tail", "--raw", "-b", log).lines.sorted()
    #expect(found == input.split(separator: "\n").map(String.init).sorted())
  }

  @Test(
    "A full disk under the receipt stops the run, which says what is not in it; what is in it is on the log",
    .enabled(if: SmallDisk.isPossible, SmallDisk.impossible))
  func receipt() throws {
    let disk = try #require(SmallDisk(megabytes: 1))
    let stage = try Stage()
    let file = disk.path + "/r"
    let child = try stage.start("produce", "--rate", "5000/s", "--events", "1000000", "--receipt", file, "--json")
    try child.wait(for: "a chunk") { try (disk.names.contains("r") && disk.bytes("r") > 1000) }
    try disk.fill()
    let outcome = try child.end()
    let document = try outcome.document
    #expect(outcome.code == 74 && document["complete"].bool == false, "\(outcome)")
    let acknowledged = try #require(document["acknowledged"].int)
    let held = Int(try stage.receipts(file)[0].acknowledged)
    #expect(held < acknowledged && acknowledged < 1_000_000, "\(outcome)")
    #expect(outcome.errors.contains("cannot write \(file)") && outcome.errors.contains("make room"), "\(outcome)")
    let told = try #require(outcome.errors.firstMatch(of: /; up to (\d+) acknowledged records are not in it/))
    #expect(try acknowledged - held <= #require(Int(told.1)), "\(outcome)")
    try stage.expectOnLog(stage.receipts(file)[0])
    // Nothing is published that no receipt could tell of.
    let none = try stage.run("produce", "--events", "9", "-t", "other", "--receipt", disk.path + "/s", exits: 74)
    #expect(none.errors.contains("cannot write"), "\(none)")
    #expect(try stage.run("tail", "--raw", "-t", "other").lines.isEmpty)
    // The next run goes on behind the line that was cut off.
    try disk.empty()
    try stage.run("produce", "--events", "9", "--receipt", file, "-q")
    #expect(try stage.receipts(file).map { $0.tail == nil } == [true, false])
  }

  @Test(
    "On a read-only file system who looks sees everything, also what a killed writer left in the write-ahead log",
    .enabled(if: SmallDisk.isPossible, SmallDisk.impossible), arguments: [false, true])
  func readOnly(isKilled: Bool) throws {
    let disk = try #require(SmallDisk(megabytes: 12))
    let stage = try Stage()
    let log = "embedded:\(disk.path)/log"
    try stage.run("produce", "--events", "40", "-b", log, "-q")
    try stage.run("inventory", "-b", log, "-q")
    if isKilled {
      let writer = try stage.start("produce", "--rate", "10/s", "-b", log, "-q")
      try writer.wait(for: "its first order") { try stage.run("tail", "--raw", "-b", log).lines.count > 40 }
      try writer.destroy()
      #expect(try disk.bytes("log/orderstream.db-wal") > 0)
    }
    try disk.makeReadOnly()
    let count = try stage.run("tail", "--raw", "-b", log).lines.count
    #expect(isKilled ? count > 40 : count == 40)
    #expect(try stage.json("status", "-b", log)["topics"].elements.count == 3)
    #expect(try stage.json("audit", "--group", "inventory", "-b", log)["items"].int ?? 0 > 40)
    #expect(try stage.json("delete", "-t", "order-events", "-b", log)["records"].int == count)
    #expect(try stage.run("produce", "-b", log, exits: 73).errors.contains("Read-only"))
  }

  @Test(
    "Another user's log is looked at where it can be read, and is 77 in words where not",
    .enabled(if: OtherUser.isPossible, OtherUser.impossible))
  func otherUser() throws {
    let place = TemporaryDirectory()
    let stage = try Stage()
    let (path, log) = (place.path + "/log", "embedded:\(place.path)/log")
    try stage.run("produce", "--events", "40", "-b", log, "-q")
    let environment = ["HOME": "/", "XDG_DATA_HOME": "/nonexistent"]
    func look(_ words: String..., exits code: Int32 = 0) throws -> Outcome {
      let outcome = try stage.start(
        words + ["-b", log], environment: environment, directory: "/", prelude: OtherUser.prelude
      ).end()
      #expect(outcome.code == code, "\(outcome)")
      return outcome
    }
    #expect(chmod(place.path, 0o755) == 0)
    let closed = try look("status", exits: 77)
    #expect(closed.errorLines.count == 1 && closed.errors.contains("Permission denied"), "\(closed)")
    func permit(_ name: String, _ mode: mode_t) { #expect(chmod(path + name, mode) == 0) }
    permit("", 0o755)
    permit("/orderstream.db", 0o644)
    permit("/marks", 0o644)
    #expect(try look("tail", "--raw", exits: 77).errors.contains("/segments: Permission denied; its owner is root"))
    permit("/segments", 0o755)
    #expect(try look("tail", "--raw").lines.count == 40)
    #expect(try look("status", "--json").document["topics"].elements.count == 1)
    #expect(try look("produce", "--events", "1", exits: 73).errorLines.count == 1)
    try stage.run("produce", "--events", "400", "-b", log, "-q")
    #expect(
      try look("tail", "--raw", exits: 77).errors.contains("/segments/0000000001: Permission denied; its owner is root")
    )
    permit("/segments/0000000001", 0o644)
    #expect(try look("tail", "--raw").lines.count == 440)
    permit("/marks", 0o600)
    #expect(try look("audit", exits: 77).errors.contains("/marks: Permission denied; its owner is root"))
  }

  @Test(
    "A full disk under the report alone keeps the old report", .enabled(if: SmallDisk.isPossible, SmallDisk.impossible))
  func fullReport() throws {
    let disk = try #require(SmallDisk(megabytes: 1))
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    let report = disk.path + "/report.txt"
    let old = try stage.run("analytics", "--output", report).output
    try disk.fill()
    try stage.run("produce", "--events", "50", "-q")
    let outcome = try stage.run("analytics", "--output", report, exits: 74)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains(report), "\(outcome)")
    #expect(try disk.names == ["filler", "report.txt"])
    #expect(Array(try Data(contentsOf: URL(fileURLWithPath: report))) == old)
    try disk.empty()
    #expect(try stage.json("analytics", "--output", report)["total_orders"].int == 100)
  }

  @Test("A limit on the size of files is a clear error, and what was acknowledged is there")
  func limited() throws {
    let stage = try Stage()
    let outcome = try stage.run(
      "produce", "--events", "100000", "--json", "--junit", "cases.xml", exits: 74, prelude: "ulimit -f 4000")
    // What ended the run stands in its test cases too.
    let error = try #require(outcome.errorLines.first).dropFirst("error: ".count)
    let cases = try stage.text("cases.xml")
    #expect(cases.contains("<error message=\"\(error.prefix(30))"), "\(cases)")
    let acknowledged = try #require(try outcome.document["acknowledged"].int)
    #expect(acknowledged < 100_000 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(try stage.run("tail", "--raw").lines.count == acknowledged)
    try stage.run("produce", "--events", "10", "-q")
    #expect(try stage.json("analytics")["total_orders"].int == acknowledged + 10)
  }

  /// Calls that fail from the n-th on, and with what.
  static let faults: [SystemCallFault] = [("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO")].flatMap {
    call, error in [1, 4, 9, 15].map { SystemCallFault(call: call, error: error, from: $0) }
  }

  @Test(
    "A disk that fails at a write or an fsync stops with 74, and nothing is lost or doubled",
    .enabled(if: SystemCallFault.isPossible, SystemCallFault.impossible), arguments: faults)
  func failing(_ fault: SystemCallFault) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "300", "--partitions", "2", "-q")
    try stage.run("analytics", "-q")
    var known = 300
    let produce = try stage.start(
      ["produce", "--events", "200", "--rate", "2000/s", "--json"], prelude: fault.prelude
    ).end()
    #expect([0, 74].contains(produce.code) && (produce.code == 0 || produce.errorLines.count == 1), "\(produce)")
    let found = try SweepTests.values(stage)
    let acknowledged = produce.output.isEmpty ? 0 : try #require(try produce.document["acknowledged"].int)
    #expect(found.count >= known + acknowledged, "\(produce)")
    known = found.count
    for line in [["inventory", "-q"], ["analytics", "-q"]] {
      let outcome = try stage.start(line, prelude: fault.prelude).end()
      #expect([0, 74].contains(outcome.code) && (outcome.code == 0 || outcome.errorLines.count == 1), "\(outcome)")
    }
    try stage.run("inventory", "-q")
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == known && audit["items"] == audit["inventory_events"], "\(fault)")
    #expect(try stage.json("analytics")["total_orders"].int == known)
  }

  /// In large commits: of the write to a segment, of what makes it durable, and of the commit that names it. Calls are
  /// counted by thread.
  static let largeFaults =
    [
      ("pwritev", "ENOSPC", [1, 2]), ("fdatasync", "ENOSPC", [3]), ("fsync", "EIO", [1]),
      ("fdatasync", "EIO", [2, 4, 6]),
      ("pwrite64", "ENOSPC", [1, 12]),
    ]
    .flatMap { call, error, places in places.map { SystemCallFault(call: call, error: error, from: $0) } }

  @Test(
    "A disk that fails at a step of a large commit stops with 74, and nothing is lost or doubled",
    .enabled(if: SystemCallFault.isPossible, SystemCallFault.impossible), arguments: largeFaults)
  func failingLarge(_ fault: SystemCallFault) throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "300", "--partitions", "2", "-q")
    let produce = try stage.start(["produce", "--events", "1500", "--json"], prelude: fault.prelude).end()
    #expect([0, 74].contains(produce.code) && (produce.code == 0 || produce.errorLines.count == 1), "\(produce)")
    let acknowledged = produce.output.isEmpty ? 0 : try #require(try produce.document["acknowledged"].int)
    let known = try SweepTests.values(stage).count
    #expect(known >= 300 + acknowledged, "\(produce)")
    let inventory = try stage.start(["inventory", "-q"], prelude: fault.prelude).end()
    #expect(
      [0, 74].contains(inventory.code) && (inventory.code == 0 || inventory.errorLines.count == 1), "\(inventory)")
    try stage.run("produce", "--events", "200", "-q")
    try stage.run("inventory", "-q")
    let audit = try stage.json("audit")
    #expect(audit["orders"].int == known + 200 && audit["items"] == audit["inventory_events"], "\(fault)")
  }

  @Test(
    "Whatever room is left, a disk that fills up in a large commit keeps what it acknowledged, and goes on with more",
    .enabled(if: SmallDisk.isPossible, SmallDisk.impossible))
  func fullAtAnyStep() throws {
    let disk = try #require(SmallDisk(megabytes: 12))
    let stage = try Stage()
    let log = "embedded:\(disk.path)/log"
    try stage.run("produce", "--events", "100", "--partitions", "2", "-b", log, "-q")
    var known = 100
    var stopped = 0
    // From nothing at all to the segment and a part of the commit. The room that is left is taken in pages.
    for pages in [0, 1, 4, 9, 13, 30, 80, 110] {
      try disk.fill(leaving: pages * 4096)
      for line in [["produce", "--events", "1000"], ["inventory"]] {
        let outcome = try stage.start(line + ["-b", log, "--json"]).end()
        #expect(outcome.code == 0 || outcome.code == 74 && outcome.errorLines.count == 1, "\(pages): \(outcome)")
        stopped += outcome.code == 74 ? 1 : 0
        if line[0] == "produce", !outcome.output.isEmpty {
          known += try #require(try outcome.document["acknowledged"].int)
        }
      }
      try disk.empty()
      try stage.run("produce", "--events", "50", "-b", log, "-q")
      known += 50
      let found = try EmbeddedLog.open(disk.path + "/log").contents(of: "order-events").count
      #expect(found == known, "\(pages) pages")
    }
    #expect(stopped > 8)
    try stage.run("inventory", "-b", log, "-q")
    let audit = try stage.json("audit", "-b", log)
    #expect(audit["orders"].int == known && audit["items"] == audit["inventory_events"])
  }

  @Test(
    "A report that cannot be synchronised is an error, and the old report stays",
    .enabled(if: SystemCallFault.isPossible, SystemCallFault.impossible))
  func failingReport() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    try stage.run("analytics", "-q")
    let old = try stage.bytes("metrics_output.txt")
    try stage.run("produce", "--events", "50", "-q")
    let fault = SystemCallFault(call: "fsync", error: "EIO", from: 1)
    let outcome = try stage.run("analytics", exits: 74, prelude: fault.prelude)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("metrics_output.txt"), "\(outcome)")
    #expect(try stage.bytes("metrics_output.txt") == old && stage.files == ["metrics_output.txt"])
    #expect(try stage.json("analytics")["total_orders"].int == 100)
  }

  @Test(
    "Before its acknowledgement a commit is synchronised, and a report before and after its rename",
    .enabled(if: SystemCallFault.isPossible, SystemCallFault.impossible))
  func synchronised() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "20", "-q")
    let trace = stage.work + "/trace"
    let prelude = SystemCallFault.tracing(["fdatasync", "fsync", "rename", "write"], into: trace)
    // At this rate nearly every order is a commit of its own. Closing the log synchronises too, but once or twice.
    let line = ["produce", "--events", "40", "--rate", "100/s", "-q", "--json"]
    #expect(try stage.start(line, prelude: prelude).end().code == 0)
    let produced = try stage.text("trace").split(separator: "\n")
    let answer = try #require(produced.firstIndex { $0.contains("write(1, \"{") })
    #expect(produced[..<answer].count { $0.contains("fdatasync(") } >= 10, "\(produced)")
    try stage.write("trace", "")
    try stage.start(["analytics", "-q"], prelude: prelude).end()
    let calls = try stage.text("trace").split(separator: "\n")
    let rename = try #require(calls.firstIndex { $0.contains("rename(") })
    #expect(calls[..<rename].contains { $0.contains(" fsync(") }, "the bytes are on the disk first: \(calls)")
    #expect(calls[rename...].contains { $0.contains(" fsync(") }, "then the name is: \(calls)")
  }

  @Test(
    "A full device under stdout is an error of the disk",
    .enabled(if: access("/dev/full", W_OK) == 0, "there is no /dev/full here"),
    arguments: [["produce", "--events", "5"], ["analytics"], ["tail"], ["status"], ["inventory"], ["audit"], ["help"]])
  func fullOutput(line: [String]) throws {
    let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
    try #require(full >= 0)
    defer { close(full) }
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    try stage.run("inventory", "-q")
    let outcome = try stage.start(line, output: .descriptor(full)).end()
    #expect(outcome.code == 74 && outcome.errorLines.count == 1, "\(outcome)")
    #expect(outcome.errors.contains("stdout"), "\(outcome)")
    try stage.run("inventory", "-q")
    #expect(try stage.json("audit")["orders"].int == (line[0] == "produce" ? 55 : 50))
  }

  @Test("A report on a full device is an error of the disk, and stdout has it all the same")
  func fullReportDevice() throws {
    let stage = try Stage()
    try stage.run("produce", "--events", "50", "-q")
    let outcome = try stage.run("analytics", "--output", "/dev/full", exits: 74)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("/dev/full"), "\(outcome)")
    #expect(try stage.json("analytics")["total_orders"].int == 50)
  }
}
