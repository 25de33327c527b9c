import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// `produce --receipt`: what the file says after every kind of end.
@Suite("produce --receipt")
struct ReceiptCommandTests {
  @Test("runs stand behind each other, of generated orders, of lines and of exact records, and each is on the log")
  func runs() throws {
    let stage = try Stage()
    let document = try stage.json("produce", "--events", "3500", "--seed", "7", "--receipt", "r")
    #expect(document["receipt"].string == "r")
    try stage.write("in", Orders.order(number: 1) + "\n\nno order\n" + Orders.order(number: 2) + "\n")
    let lines = try stage.start("produce", "--input", "in", "-t", "lines", "--receipt", "r", "-q").end()
    #expect(lines.code == 65, "\(lines)")
    try stage.write("exact", try stage.run("tail", "--exact", "-t", "lines").text)
    try stage.run("produce", "--input", "exact", "--exact", "-t", "copy", "--receipt", "r", "-q")
    let receipts = try stage.receipts("r")
    try #require(receipts.count == 3)
    for receipt in receipts {
      try stage.expectOnLog(receipt)
      let tail = try #require(receipt.tail)
      #expect(tail.isComplete && tail.failed == 0 && tail.unknown == 0 && tail.withoutOffset == 0)
    }
    #expect(receipts.map(\.acknowledged) == [3500, 2, 2] && Set(receipts.map(\.head.run)).count == 3)
    let orders = try #require(receipts[0].head.orders)
    #expect(orders == .init(seed: 7, count: 3500) && receipts[0].head.topicID != receipts[1].head.topicID)
    for chunk in receipts[0].partitions.flatMap(\.chunks) { try expectMadeAgain(chunk, orders, stage) }
    #expect(receipts[1].head.source == .input(name: "in", isExact: false))
    #expect(receipts[2].head.source == .input(name: "exact", isExact: true))
    #expect(receipts.map { $0.tail?.inputLines } == [nil, 4, 2])
    for (index, name) in [(1, "in"), (2, "exact")] {
      #expect(receipts[index].tail?.inputDigest == (try stage.bytes(name).withUnsafeBytes { Digest(of: $0) }))
    }
    #expect(try stage.mode("r") & 0o600 == 0o600)
  }

  /// The k-th offset of a chunk has the k-th order of its partition.
  private func expectMadeAgain(_ chunk: Receipt.Chunk, _ options: OrderGenerator.Options, _ stage: Stage) throws {
    let numbers = try #require(chunk.orders)
    let keys = numbers.filter { number in
      var key = OrderNumber.id(number)
      return key.withUTF8 { Partitioner.partition(key: UnsafeRawBufferPointer($0), count: 6) } == chunk.partition
    }
    #expect(keys.count == chunk.records && keys.first == numbers.lowerBound && keys.last == numbers.upperBound)
  }

  @Test("after Ctrl-C it is complete", arguments: [SIGINT, SIGTERM])
  func interrupted(signal: Int32) throws {
    let stage = try Stage()
    let child = try stage.start("produce", "--rate", "2000/s", "--events", "100000", "--receipt", "r", "--json")
    try child.wait(for: "a chunk") { try stage.files.contains("r") && stage.bytes("r").count > 1000 }
    child.send(signal)
    let outcome = try child.end(within: .seconds(5))
    #expect(outcome.code == 128 + signal, "\(outcome)")
    let receipt = try stage.receipts("r")[0]
    #expect(receipt.tail?.isComplete == true)
    #expect(try Int(receipt.acknowledged) == outcome.document["acknowledged"].int)
    try stage.expectOnLog(receipt)
    #expect(try stage.records(of: "order-events").count == receipt.acknowledged)
  }

  @Test("after SIGKILL what was acknowledged up to the last second is in it, and another run goes on behind")
  func killed() throws {
    let stage = try Stage()
    let rate = 2000
    let child = try stage.start("produce", "--rate", "\(rate)/s", "--events", "100000", "--receipt", "r", "-q")
    try child.wait(for: "three seconds of chunks") {
      try stage.files.contains("r") && stage.receipts("r").first.map { $0.acknowledged > 2 * rate } == true
    }
    try child.destroy()
    let receipt = try stage.receipts("r")[0]
    let count = try stage.records(of: "order-events").count
    // A second, and what a busy machine takes to write.
    #expect(receipt.tail == nil && Int(receipt.acknowledged) <= count && count - Int(receipt.acknowledged) < 2 * rate)
    try stage.expectOnLog(receipt)
    // As if the last write had been cut in the middle of a line.
    try stage.write("r", try stage.text("r") + #"{"partition":0,"chunk":1,"off"#)
    try stage.run("produce", "--events", "20", "--receipt", "r", "-q")
    let receipts = try stage.receipts("r")
    #expect(receipts.count == 2 && receipts[0] == receipt && receipts[1].acknowledged == 20)
    #expect(receipts[1].tail?.isComplete == true)
  }

  @Test("the file is looked at before a broker is opened: it is new, empty or has receipts, and one run writes it")
  func file() throws {
    let stage = try Stage()
    func expect(_ code: Int32, _ words: String, _ line: [String], _ location: SourceLocation = #_sourceLocation) throws
    {
      let outcome = try stage.start(["produce", "--events", "1"] + line).end()
      #expect(outcome.code == code && outcome.errors.contains(words), "\(outcome)", sourceLocation: location)
      #expect(!stage.hasLog, sourceLocation: location)
    }
    try stage.write("orders", Orders.order(number: 1) + "\n")
    try stage.write("certificate", #"{"schema":"orderstream.certificate/1","broker":"b"}"# + "\n")
    try expect(73, "it holds something else", ["--receipt", "orders"])
    try expect(73, "it holds something else", ["--receipt", "certificate"])
    try expect(73, "Is a directory", ["--receipt", "."])
    try expect(73, "No such file", ["--receipt", "no/dir"])
    try expect(73, "it is no file", ["--receipt", "/dev/null"])
    try expect(64, "name a file", ["--receipt", "-"])
    try expect(64, "a dry run", ["--dry-run", "--receipt", "r"])
    try expect(64, "is the file of --receipt too", ["--receipt", "r", "--csv", "./r"])
    #expect(try stage.text("orders") == Orders.order(number: 1) + "\n")
    try stage.write("locked", "")
    let descriptor = open(stage.work + "/locked", O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    #expect(flock(descriptor, LOCK_EX) == 0)
    try expect(75, "another run", ["--receipt", "locked"])
    // What was made for a run that never began goes again.
    try expect(78, "cannot make a log", ["-b", "embedded:.", "--receipt", "r"])
    #expect(try stage.files == ["certificate", "locked", "orders"])
  }
}
