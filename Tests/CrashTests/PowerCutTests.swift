import Foundation
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// The power goes at a moment of a recorded run, and the disk has kept what it must and some of the rest. Whatever it is,
/// the log opens, and has everything of which a process could have told anybody.
@Suite("Power cuts")
struct PowerCutTests {
  /// `ORDERSTREAM_TEST_POWER_CUTS` asks for more.
  private static let cuts = ProcessInfo.processInfo.environment["ORDERSTREAM_TEST_POWER_CUTS"].flatMap { Int($0) } ?? 60
  /// Every so many cuts the groups finish their work too, and it is audited.
  private static let auditEvery = cuts > 60 ? 4 : 15

  /// Runs that make a log and use it in every way that writes: small commits and large ones, more of them in one file, a
  /// group's outputs, the removal of a start and of a topic, files that are new and files that go.
  private static let runs: [(line: [String], environment: [String: String])] = [
    (["produce", "--events", "300", "--partitions", "2", "--seed", "1", "-q"], [:]),
    (["produce", "--events", "30", "--rate", "2000/s", "--seed", "2", "-q"], [:]),
    (["inventory", "-q"], ["ORDERSTREAM_COMMIT_BYTES": "40000"]),
    (["produce", "--events", "150", "--seed", "3", "-q"], [:]),
    (["analytics", "-q"], [:]),
    // Killed, so that the next writer finds something to cut off.
    (["produce", "--events", "150", "-q"], ["ORDERSTREAM_FAILPOINT": "segment/written"]),
    (["produce", "--events", "150", "--seed", "5", "-q"], [:]),
    (["inventory", "-q"], [:]),
    (["produce", "--events", "150", "-t", "other", "--partitions", "3", "-q"], [:]),
    (["delete", "-t", "other", "--execute", "-q"], [:]),
    (["delete", "-t", "order-events", "--before", "+50", "--execute", "-q"], [:]),
    (["produce", "--events", "150", "--seed", "4", "-q"], [:]),
    (["produce", "--events", "150", "-t", "other", "--partitions", "2", "-q"], [:]),
  ]

  /// Runs that find a log of version 1.
  private static let laterRuns: [(line: [String], environment: [String: String])] = [
    (["produce", "--events", "150", "--seed", "7", "-q"], [:]), (["inventory", "-q"], [:]),
  ]

  /// What is on a log that nobody works on.
  private struct State {
    /// By topic and partition.
    var ends: [String: [Watermarks]] = [:]
    /// Of the group `inventory`.
    var committed: [Int32: Offset] = [:]

    init() {}

    init(_ broker: any Broker) throws {
      let admin = try broker.admin()
      defer { admin.close() }
      for topic in try admin.topics(named: nil) { ends[topic.name] = try admin.watermarks(topic: topic.name) }
      for group in try admin.groups(named: "inventory") {
        for (place, offset) in group.committed { committed[place.partition] = offset }
      }
    }
  }

  private struct Place: Hashable {
    var topic: String
    var partition: Int32
    var offset: Offset
  }

  /// A recorded run, and what must be on the log at its moments.
  private final class Recording {
    let stage: Stage
    let log: String
    let runs: [(line: [String], environment: [String: String])]
    private(set) var trace: DiskTrace
    private(set) var states: [State] = []
    /// The last line of the trace of each run.
    private(set) var ends = [0]
    /// Everything that was ever there, and is the same whenever it is. Topics made anew are in it by their run.
    private(set) var records: [[Place: TestRecord]] = []

    /// - Parameter stage: Its log was there before.
    init(_ runs: [(line: [String], environment: [String: String])], on stage: Stage) throws {
      self.stage = stage
      self.runs = runs
      log = URL(fileURLWithPath: stage.log).resolvingSymlinksInPath().path
      let isThere = FileManager.default.fileExists(atPath: log)
      trace = try DiskTrace(after: isThere ? log : nil)
      if isThere {
        try look("before")
      } else {
        states.append(State())
        records.append([:])
      }
      for (number, run) in runs.enumerated() {
        let file = "\(stage.work)/trace-\(number)"
        let outcome = try stage.start(
          run.line, environment: run.environment, prelude: DiskTrace.prelude(into: file)
        ).end()
        let code = run.environment["ORDERSTREAM_FAILPOINT"] == nil ? 0 : 1000 + SIGKILL
        guard outcome.code == code else { throw HarnessError("\(outcome)") }
        try trace.add(file, below: log)
        ends.append(trace.lineCount)
        try look("\(number)")
      }
    }

    private func look(_ name: String) throws {
      // At a copy, so that nobody who is not recorded opens the log.
      let copy = "\(stage.work)/copy-\(name)"
      try FileManager.default.copyItem(atPath: log, toPath: copy)
      let broker = try EmbeddedLog.open(copy)
      states.append(try State(broker))
      records.append(try PowerCutTests.records(broker, states.last!))
    }

    /// The record at a place, seen before or after a run; a removed one only before it.
    func record(_ place: Place, run: Int) -> TestRecord? { records[run][place] ?? records[run + 1][place] }
  }

  private static func records(_ broker: any Broker, _ state: State) throws -> [Place: TestRecord] {
    var found: [Place: TestRecord] = [:]
    for topic in state.ends.keys {
      for record in try broker.contents(of: topic) {
        let place = Place(topic: topic, partition: record.partition, offset: record.offset)
        guard found.updateValue(record, forKey: place) == nil else { throw HarnessError("\(place) is there twice") }
      }
    }
    return found
  }

  @Test(
    "Whatever a power cut leaves, the log opens and has all that was told, once",
    .enabled(if: SystemCallFault.isPossible, SystemCallFault.impossible))
  func cut() throws {
    let recording = try Recording(Self.runs, on: Stage())
    #expect(recording.states.last!.ends["other"] != nil)
    try Self.cut(recording, Self.cuts, seed: 20_240_117)
  }

  @Test(
    "A power cut while a log of version 1 is carried over leaves it, or what it has become",
    .enabled(if: SystemCallFault.isPossible, SystemCallFault.impossible))
  func upgrade() throws {
    let stage = try SweepTests.stage(orders: 60)
    let small = ["ORDERSTREAM_COMMIT_BYTES": "9000"]
    #expect(try stage.start(["inventory", "--max-events", "40", "-q"], environment: small).end().code == 0)
    try DamagedLog.makeFirstVersion(stage.log)
    try Self.cut(try Recording(Self.laterRuns, on: stage), Self.cuts / 5, seed: 20_240_118)
  }

  private static func cut(_ recording: Recording, _ cuts: Int, seed: UInt64) throws {
    print("power cuts: \(cuts), seed \(seed)")
    let image = DiskImage(recording.trace)
    var random = SeededRandom(seed: seed)
    let calls = recording.trace.calls.filter { $0.end > 0 }
    let synchronized = calls.filter { if case .synchronize = $0.action { true } else { false } }
    #expect(calls.count > 100 && synchronized.count > 10)
    let modes = DiskImage.Mode.allCases
    for number in 0..<cuts {
      // First behind each run. Then right behind a call, so that quiet times take no cuts; as often as not one that
      // synchronises.
      let isBehindRun = number < recording.runs.count
      let candidates = number % 2 == 0 ? calls : synchronized
      let moment =
        isBehindRun
        ? recording.ends[number + 1]
        : candidates[Int(random.below(UInt64(candidates.count)))].end + Int(random.below(2))
      let run = min(recording.ends.lastIndex { $0 < moment } ?? 0, recording.runs.count - 1)
      // What is older than the run in progress.
      let writtenBack = isBehindRun || random.below(2) == 0 ? recording.ends[run] : 0
      let directory = "\(recording.stage.work)/cut"
      defer { try? FileManager.default.removeItem(atPath: directory) }
      let mode = isBehindRun ? DiskImage.Mode.none : number % 7 < 2 ? modes[number % 7] : nil
      // The mark outside is what a process could have told: with all of it, every commit that was followed by one is
      // checked against it.
      let hasMarks = !isBehindRun && random.below(2) == 0
      try image.write(cutAt: moment, writtenBack: writtenBack, of: recording.log, to: directory, &random) { path in
        if path.hasSuffix("/marks"), hasMarks { return .all }
        let name = path.dropFirst(recording.log.count)
        return mode ?? modes[Int(SeededRandom.hash(name, seed &+ UInt64(number)) % UInt64(modes.count))]
      }
      do {
        try check(directory, recording, run: run, isAudited: number % auditEvery == 0)
      } catch {
        let line = recording.runs[run].line.joined(separator: " ")
        Issue.record(
          "seed \(seed), cut \(number), line \(moment), in \(line), \(mode?.rawValue ?? "mixed"): \(error)")
      }
    }
  }

  /// - Parameter run: during which the power went.
  private static func check(_ directory: String, _ recording: Recording, run: Int, isAudited: Bool) throws {
    let (before, after) = (recording.states[run], recording.states[run + 1])
    guard FileManager.default.fileExists(atPath: directory) else {
      guard before.ends.isEmpty else { throw HarnessError("the log is gone") }
      return
    }
    let broker = try EmbeddedLog.open(directory)
    let found = try State(broker)
    for topic in Set(before.ends.keys).union(found.ends.keys) {
      guard let ends = found.ends[topic] else {
        guard after.ends[topic] == nil else { throw HarnessError("\(topic) is gone") }
        continue
      }
      guard let most = after.ends[topic] ?? before.ends[topic] else { throw HarnessError("\(topic) came from nowhere") }
      let least = before.ends[topic] ?? ends.map { _ in Watermarks(low: 0, high: 0, stable: 0) }
      for (partition, end) in ends.enumerated() {
        guard (least[partition].low...most[partition].low).contains(end.low),
          (least[partition].high...most[partition].high).contains(end.high)
        else {
          throw HarnessError("\(topic)[\(partition)]: \(end), not from \(least[partition]) to \(most[partition])")
        }
      }
    }
    let records = try records(broker, found)
    var count = 0
    for ends in found.ends.values { for end in ends { count += Int(end.high - end.low) } }
    guard records.count == count else { throw HarnessError("\(records.count) records of \(count)") }
    var outputs = 0
    for (place, record) in records {
      guard record == recording.record(place, run: run) else { throw HarnessError("\(place) is another record") }
      if place.topic == Answers.output {
        outputs += 1
        let source = try source(of: record)
        guard source.offset < found.committed[source.partition] ?? 0 else {
          throw HarnessError("\(place) is an output whose offset is not committed")
        }
      }
    }
    // Every output of what is committed is there.
    let expected = try recording.records[run + 1].filter { $0.key.topic == Answers.output }.count { _, record in
      let source = try source(of: record)
      return source.offset < found.committed[source.partition] ?? 0
    }
    guard outputs == expected else { throw HarnessError("\(outputs) outputs of \(expected)") }
    guard found.ends[Answers.source] != nil else { return }
    // What the next writer does with what lies behind the end.
    let large = String(repeating: "=", count: BatchAppender.leastInSegment)
    try broker.produce([TestRecord(value: large), TestRecord(partition: 1, value: "small")], to: Answers.source)
    guard try broker.contents(of: Answers.source).filter({ $0.text == large || $0.text == "small" }).count == 2 else {
      throw HarnessError("what was produced after the cut is not there")
    }
    if isAudited, found.ends[Answers.output] != nil, found.ends[Answers.source]!.allSatisfy({ $0.low == 0 }) {
      let audit = try Answers.finishInventory(broker)
      guard audit.hasSuffix(" true") else { throw HarnessError("the audit is not clean: \(audit)") }
    }
  }

  private static func source(of record: TestRecord) throws -> PartitionOffset {
    let header = record.headers.first { $0.name == Array("source".utf8) }
    let parts = String(decoding: header?.value ?? [], as: UTF8.self).split(separator: "/")
    guard parts.count == 4, let partition = Int32(parts[1]), let offset = Offset(parts[2]) else {
      throw HarnessError("an output without a source")
    }
    return PartitionOffset(partition: partition, offset: offset)
  }
}

extension SeededRandom {
  /// A number that depends on a text and a seed alone.
  fileprivate static func hash(_ text: Substring, _ seed: UInt64) -> UInt64 {
    var random = SeededRandom(seed: text.utf8.reduce(seed) { ($0 &* 31) &+ UInt64($1) })
    return random.next()
  }
}
