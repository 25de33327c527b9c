import Foundation
import OrderStreamTestSupport
import Testing

/// Certificates and exact copies with the binary: from one log to another, and checked there.
@Suite("Certificates and exact copies")
struct CertificateCommandTests {
  private static let odd = """
    {"partition":1,"timestamp_ms":5,"key":null,"key_encoding":null,"value":null,"encoding":"tombstone","headers":[]}
    {"partition":0,"timestamp_ms":7,"key":"/w==","key_encoding":"base64","value":"a\\nb\\u0000\\u00e9","encoding":"text",\
    "headers":[["h","AP8=","base64"],["n",null,null],["t","","text"],["//8=","x","text","base64"]]}
    {"partition":5,"timestamp_ms":0,"key":"","key_encoding":"text","value":"","encoding":"text","headers":[]}

    """

  @Test("A log is copied to the byte, and its certificate holds for the copy", arguments: TestBroker.all)
  func copy(_ broker: TestBroker) throws {
    let stage = try Stage(broker)
    let copy = try Stage()
    try stage.run("produce", "-n", "2500", "--seed", "3", "--partitions", "6")
    let odd = try stage.run("produce", "--input", "-", "--exact", "--json", input: Self.odd).document
    #expect(odd["acknowledged"].int == 3 && odd["partitions"]["1"].int == 1 && odd["partitions"]["0"].int == 1)
    let made = try stage.json("replay", "--certificate", "orders.cert")
    #expect(made["match"].bool == true && made["certificate"]["records"].int == 2503)
    let lines = try stage.run("tail", "--exact").text
    let copied = try copy.run("produce", "--topic", "order-events", "--input", "-", "--exact", "--json", input: lines)
    #expect(try copied.document["acknowledged"].int == 2503)
    let there = try copy.run("tail", "--topic", "order-events", "--exact").text
    #expect(there == lines.replacing(stage.topic, with: "order-events"), "records, headers and timestamps are the same")
    try copy.write("orders.cert", try stage.bytes("orders.cert"))
    let same = try copy.json("replay", "--topic", "order-events", "--verify", "orders.cert")
    #expect(same["match"].bool == true && same["records_compared"].int == 2503)
    #expect(same["claims"].elements.allSatisfy { $0["holds"].bool == true })
    // More orders are no difference; another one in place of one is.
    try copy.run("produce", "--topic", "order-events", "-n", "10")
    #expect(try copy.json("replay", "--topic", "order-events", "--verify", "orders.cert")["match"].bool == true)
  }

  @Test("The first record that differs is named where the other log is at hand")
  func against() throws {
    let stage = try Stage()
    let other = try Stage()
    try stage.run("produce", "-n", "1500", "--seed", "3", "--partitions", "1")
    try stage.run("replay", "--certificate", "orders.cert")
    let lines = try stage.run("tail", "--exact").lines
    var changed = lines
    changed[1234] = changed[1234].replacing("user_", with: "usex_")
    changed.remove(at: 1400)
    let text = changed.joined(separator: "\n") + "\n"
    try other.run("produce", "--input", "-", "--exact", input: text)
    try other.write("orders.cert", try stage.bytes("orders.cert"))
    let verified = try other.json("replay", "--verify", "orders.cert", "--against", "embedded:\(stage.log)", exits: 1)
    #expect(verified["match"].bool == false && verified["first_difference"]["chunk"].int == 1)
    #expect(verified["first_record"]["number"].int == 1234 && verified["first_record"]["what"].string == "value")
    #expect(verified["first_record"]["here"].string == "order-events[0]@1234")
    #expect(verified["first_difference"]["missing"].int == 1)
    let report = try other.run("replay", "--verify", "orders.cert", exits: 1).text
    #expect(report.contains("Result                     DIFFERENT in 1 partition\n"))
    try other.run("replay", "--verify", "orders.cert", "--report", "page.html", exits: 1)
    let page = try other.text("page.html")
    #expect(page.contains("Differences from the certificate") && !page.contains("of the two reports"))
    // What is gone from the start is named.
    try stage.run("delete", "--topic", "order-events", "--before", "7", "--execute")
    let gone = try stage.json("replay", "--verify", "orders.cert", exits: 1)
    #expect(gone["records_gone"].elements == [.string("order-events[0]@0 to 6")])
  }

  private static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test("A script in another language agrees", .enabled(if: python != nil, "there is no python3"))
  func script() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "2500", "--seed", "3")
    try stage.run("produce", "--input", "-", "--exact", input: Self.odd)
    try stage.run("replay", "--certificate", "orders.cert")
    let lines = try stage.run("tail", "--exact").text
    let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let script = place.appending(path: "../../../docs/check-certificate.py").standardizedFileURL.path
    func check(_ text: String) throws -> (Int32, String) {
      try stage.write("lines", text)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: try #require(Self.python))
      process.arguments = [script, "\(stage.work)/orders.cert"]
      let output = Pipe()
      process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: "\(stage.work)/lines"))
      process.standardOutput = output
      process.standardError = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return (process.terminationStatus, text)
    }
    let same = try check(lines)
    #expect(same == (0, "same: 2503 records\n"))
    let different = try check(lines.replacing("order_000777", with: "order_000778"))
    #expect(different.0 == 1 && different.1.hasPrefix("different: partition "))
  }

  @Test("What cannot be copied to the byte is refused in words")
  func refusals() throws {
    let stage = try Stage()
    try stage.run("produce", "-n", "10", "--partitions", "3")
    let lines = try stage.run("tail", "--exact").text
    let fewer = try stage.run(
      "produce", "--topic", "other", "--partitions", "2", "--input", "-", "--exact", exits: 78, input: lines)
    #expect(fewer.errors.contains("the records are of a topic with 3 partitions and this one has 2"))
    let beyond = Self.odd + #"{"partition":1,"key":1}"# + "\n"
    let outcome = try stage.run("produce", "--input", "-", "--exact", "--json", exits: 65, input: beyond)
    #expect(try outcome.document["acknowledged"].int == 2 && outcome.document["rejected"].int == 2)
    #expect(outcome.errors.contains("line 3 of stdin: it is of partition 5, and the topic has 3"))
    #expect(outcome.errors.contains("line 4 of stdin: timestamp_ms is not a number"))
    try stage.run("produce", "--exact", exits: 64)
    try stage.run("produce", "--exact", "--input", "x", "--dry-run", exits: 64)
    try stage.run("tail", "--exact", "--raw", exits: 64)
    try stage.run("replay", "--verify", "x", "--certificate", "y", exits: 64)
    try stage.run("replay", "--group", "g", "--certificate", "y", exits: 64)
    try stage.run("replay", "--against", "embedded", exits: 64)
    try stage.run("replay", "--verify", "nosuch", exits: 66)
    try stage.write("wrong", "{}")
    try stage.run("replay", "--verify", "wrong", exits: 65)
  }
}
