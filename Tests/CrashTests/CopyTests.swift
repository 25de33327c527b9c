import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

/// A log that two producers and two members of `inventory` write to, while topics come and go.
final class LogUnderLoad {
  private let stage: Stage
  private var children: [Child] = []
  private let removal: Thread
  private let end = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)

  init() throws {
    stage = try Stage()
    try stage.run("produce", "--events", "200", "--partitions", "2", "-q")
    try stage.run("inventory", "-q")
    for first in [1_000_000, 2_000_000] {
      children.append(
        try stage.start("produce", "-n", "1000000", "--rate", "1000", "--first-order", "\(first)", "-q"))
    }
    for _ in 0..<2 { children.append(try stage.start("inventory", "--follow", "-q")) }
    let log = stage.log
    removal = Thread { [end, ended] in
      let value = String(repeating: "x", count: 1000)
      do {
        let broker = try EmbeddedLog.open(log)
        while end.wait(timeout: .now()) == .timedOut {
          try broker.createTopic("side", partitions: 2)
          try broker.produce(80, to: "side", partitions: 2, prefix: value)
          try broker.change(.deleteRecords(TopicPartition(topic: "side", partition: 1), before: 20))
          try broker.change(.deleteTopic("side"))
        }
      } catch {
        Issue.record(error)
      }
      ended.signal()
    }
    removal.start()
    let broker = try EmbeddedLog.open(log)
    try eventually("work") { try broker.admin().watermarks(topic: "inventory-events").map(\.high).reduce(0, +) > 2000 }
  }

  var log: String { stage.log }

  /// Stops everybody, and returns what is on the log then.
  func stop() throws -> [String: [TestRecord]] {
    end.signal()
    ended.wait()
    for child in children { child.send(SIGINT) }
    for child in children {
      let outcome = try child.end()
      #expect([0, 130].contains(outcome.code), "\(outcome)")
    }
    return try CopiedLog.contents(log)
  }
}

/// A copy of a log of orders and inventory events.
enum CopiedLog {
  static func contents(_ log: String) throws -> [String: [TestRecord]] {
    let broker = try EmbeddedLog.open(log)
    var contents: [String: [TestRecord]] = [:]
    for topic in [Answers.source, Answers.output] {
      contents[topic] = try broker.contents(of: topic).sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }
    return contents
  }

  /// Works with a copy as anybody would: all its records are those of the log, what was committed has its one event, and so
  /// has the rest once `inventory` has run.
  /// - Returns: what it had.
  /// - Throws: what its damage is named with.
  static func use(_ copy: String) throws -> [String: [TestRecord]] {
    let contents = try contents(copy)
    let broker = try EmbeddedLog.open(copy)
    let before = try Answers.findings(broker, Answers.output, group: "inventory")
    #expect(before.isClean, "\(before)")
    try Answers.inventory(broker, group: "inventory", into: Answers.output)
    let after = try Answers.findings(broker, Answers.output, group: "inventory")
    #expect(after.isClean && after.pending == 0 && after.items == after.inventoryEvents, "\(after)")
    #expect(after.orders == before.orders)
    let group = try broker.admin().groups(named: "inventory")
    #expect(group.first?.members.isEmpty == true, "nobody lives in a copy")
    try broker.produce(20, to: Answers.source, partitions: 2)
    return contents
  }

  /// Whether each partition has the first records of the log's.
  static func isPrefix(_ copy: [String: [TestRecord]], of log: [String: [TestRecord]]) -> Bool {
    copy.allSatisfy { topic, records in
      (0..<2).allSatisfy { partition in
        let all = (log[topic] ?? []).filter { $0.partition == partition }
        return all.starts(with: records.filter { $0.partition == partition })
      }
    }
  }
}

/// A directory that is copied while the log is in use: what a backup program does that knows nothing of logs.
@Suite("Copies of a log in use")
struct CopyTests {
  @Test("Copied file by file in any order, it is right, or is named as damaged")
  func anyMoment() throws {
    let seed = UInt64.random(in: 0...999_999)
    print("copies of a log in use, seed \(seed)")
    var random = SeededRandom(seed: seed)
    let load = try LogUnderLoad()
    let place = TemporaryDirectory()
    var copies: [String] = []
    for number in 0..<6 {
      copies.append("\(place.path)/\(number)")
      try Self.copy(load.log, to: copies[number], &random)
    }
    let all = try load.stop()
    var (right, named) = (0, 0)
    for copy in copies {
      do {
        let contents = try CopiedLog.use(copy)
        #expect(CopiedLog.isPrefix(contents, of: all), "\(copy), seed \(seed)")
        right += 1
      } catch {
        var code = (error as? BrokerError)?.code
        if case .broker(let inner)? = error as? PipelineError { code = inner.code }
        #expect(code == .damaged, "\(error), seed \(seed)")
        named += 1
      }
    }
    print("copies of a log in use: \(right) right, \(named) named as damaged")
  }

  /// Reads and writes in pieces, with pauses between some of them.
  private static func copy(_ log: String, to target: String, _ random: inout SeededRandom) throws {
    let files = FileManager.default
    for directory in ["members", "segments"] {
      try files.createDirectory(atPath: "\(target)/\(directory)", withIntermediateDirectories: true)
    }
    var names = try files.subpathsOfDirectory(atPath: log).filter { $0 != "members" && $0 != "segments" }.sorted()
    for index in names.indices { names.swapAt(index, Int(random.below(UInt64(names.count)))) }
    for name in names {
      // One that has gone since is left out, as by `cp`.
      guard let from = FileHandle(forReadingAtPath: "\(log)/\(name)") else { continue }
      _ = files.createFile(atPath: "\(target)/\(name)", contents: nil)
      let to = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(target)/\(name)"))
      while let piece = try from.read(upToCount: 1 << (12 + Int(random.below(9)))), !piece.isEmpty {
        try to.write(contentsOf: piece)
        if random.below(8) == 0 { usleep(UInt32(random.below(5000))) }
      }
      try from.close()
      try to.close()
    }
  }
}
