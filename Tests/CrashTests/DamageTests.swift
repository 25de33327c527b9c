import Foundation
import GRDB
import OrderStreamCore
import OrderStreamTestSupport
import Testing

@testable import OrderStreamEmbedded

/// Files are spoiled at hundreds of seeded places; every command then gives exactly the right answer or stops in words.
@Suite("Damage")
struct DamageTests {
  private static let pageBytes = LogSchema.pageBytes

  /// How often each kind of damage is done.
  enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case anyBit, headerBit, cellBit, pageHeaderBit, truncatedDatabase
    case walBit, walHeaderBit, truncatedWal, shmBit, markBit, truncatedMarks
    case segmentBit, segmentHeaderBit, truncatedSegment, segmentRow

    var rounds: Int {
      switch self {
      case .anyBit, .headerBit, .cellBit, .pageHeaderBit: 40
      case .walBit, .markBit: 25
      case .truncatedDatabase, .truncatedWal, .walHeaderBit, .segmentBit, .segmentHeaderBit, .segmentRow: 20
      case .truncatedSegment: 15
      case .shmBit, .truncatedMarks: 6
      }
    }

    var testDescription: String { rawValue }

    var file: String {
      switch self {
      case .anyBit, .headerBit, .cellBit, .pageHeaderBit, .truncatedDatabase: "orderstream.db"
      case .walBit, .walHeaderBit, .truncatedWal: "orderstream.db-wal"
      case .shmBit: "orderstream.db-shm"
      case .markBit, .truncatedMarks: "marks"
      case .segmentBit, .segmentHeaderBit, .truncatedSegment: "segments/0000000001"
      case .segmentRow: ""
      }
    }

    /// Alters what the database says of segments, and says how.
    func applyToRows(_ log: String, _ random: inout SeededRandom) throws -> String {
      let by = 1 + Int(random.below(40_000))
      let batch = "WHERE id = (SELECT id FROM batch WHERE segment IS NOT NULL LIMIT 1 OFFSET \(random.below(10)))"
      let sql = [
        "UPDATE segment SET length = length + \(by)", "UPDATE segment SET length = length - \(by)",
        "UPDATE segment SET batches = batches - 1", "UPDATE segment SET topic = 2", "DELETE FROM segment",
        "UPDATE segment SET id = id + 7", "UPDATE batch SET position = position + \(by) \(batch)",
        "UPDATE batch SET position = -\(by) \(batch)", "UPDATE batch SET bytes = bytes - 1 \(batch)",
        "UPDATE batch SET bytes = \(by) << 40 \(batch)", "UPDATE batch SET segment = segment + 1 \(batch)",
        "UPDATE batch SET segment = NULL \(batch)", "UPDATE batch SET payload = x'00' \(batch)",
        "UPDATE total SET value = value + \(by)", "DELETE FROM total",
        "DROP TRIGGER segment_changed", "UPDATE sqlite_sequence SET seq = 0",
      ][Int(random.below(17))]
      try DamagedLog.edit(log, sql: sql)
      return sql
    }

    /// Damages the bytes at one place and says where.
    func apply(_ bytes: inout Data, _ random: inout SeededRandom) -> String {
      func below(_ bound: Int) -> Int { Int(random.below(UInt64(max(1, bound)))) }
      func flip(_ place: Int) -> String {
        let bit = below(8)
        bytes[place] ^= 1 << UInt8(bit)
        return "byte \(place), bit \(bit)"
      }
      let pages = bytes.count / pageBytes
      switch self {
      case .anyBit, .walBit, .shmBit, .markBit, .segmentBit: return flip(below(bytes.count))
      // The file has no header. A batch begins with the one of a record.
      case .segmentHeaderBit: return flip(below(RecordChunk.headerBytes))
      case .segmentRow: preconditionFailure("not in bytes")
      case .headerBit: return flip(below(108))
      case .pageHeaderBit: return flip(below(pages) * pageBytes + below(40))
      case .walHeaderBit:
        return flip(Bool.random(using: &random) ? below(32) : 32 + below(pages) * (pageBytes + 24) + below(24))
      case .cellBit:
        // Cells fill a page from its end; a page that holds few rows has them all there.
        return flip((1 + below(pages)) * pageBytes - 1 - below(600))
      case .truncatedDatabase, .truncatedWal, .truncatedMarks, .truncatedSegment:
        let length = Bool.random(using: &random) ? below(bytes.count) : below(pages + 1) * pageBytes
        bytes = bytes.prefix(min(length, max(0, bytes.count - 1)))
        return "cut to \(bytes.count)"
      }
    }
  }

  private static let log = Result { try DamagedLog() }

  /// Asks every question of the log at `path` and compares each answer with the one of the log before the damage.
  static func check(_ path: String, against right: [String], _ what: String) {
    for ((question, answer), right) in zip(zip(Answers.questions, Answers.ask(path)), right) {
      switch answer {
      case .success(let text):
        if text != right { Issue.record("\(what): \(question.name) gave another answer: \(text.prefix(2000))") }
      case .failure(let error):
        #expect(Self.stopsInWords(error, path), "\(what): \(question.name): \(error)")
      }
    }
  }

  /// Exit 74 or 78, with coordinates.
  private static func stopsInWords(_ error: any Error, _ path: String) -> Bool {
    let words = "\(error)"
    let isNamed = [path, Answers.source, Answers.output, "analytics", "inventory", "the log's changes", "the segment"]
      .contains {
        words.contains($0)
      }
    switch error {
    case let error as BrokerError: return isNamed && [.damaged, .io, .foreignLog, .newerLog].contains(error.code)
    case PipelineError.broker(let error):
      return isNamed && [.damaged, .io, .foreignLog, .newerLog].contains(error.code)
    case PipelineError.offsetsMoved, PipelineError.foreignState: return isNamed
    default: return false
    }
  }

  static func right(_ log: DamagedLog, _ path: String) throws -> [String] {
    let copy = try log.copy(of: path)
    defer { try? FileManager.default.removeItem(atPath: copy) }
    return try Answers.ask(copy).map { try $0.get() }
  }

  @Test("A spoiled file gives the right answer or a stop in words, never another answer", arguments: Kind.allCases)
  func seeded(_ kind: Kind) throws {
    let log = try Self.log.get()
    let seed = UInt64(20_240_115 + kind.rounds)
    print("damage \(kind): \(kind.rounds) places, seed \(seed)")
    var random = SeededRandom(seed: seed)
    let master = kind.file.contains("db-") ? log.killed : log.closed
    let right = try Self.right(log, master)
    for round in 0..<kind.rounds {
      let copy = try log.copy(of: master)
      defer { try? FileManager.default.removeItem(atPath: copy) }
      var place = ""
      if kind == .segmentRow {
        place = try kind.applyToRows(copy, &random)
      } else {
        try DamagedLog.edit("\(copy)/\(kind.file)") { place = kind.apply(&$0, &random) }
      }
      Self.check(copy, against: right, "\(kind), seed \(seed), round \(round), \(place)")
    }
  }

  @Test("Files that are missing, or of another time, are noticed or do no harm")
  func wholeFiles() throws {
    let log = try Self.log.get()
    let right = (try Self.right(log, log.closed), try Self.right(log, log.killed), try Self.right(log, log.older))
    func spoiled(_ what: String, _ master: String, _ right: [String], _ change: (String) throws -> Void) throws {
      let copy = try log.copy(of: master)
      defer { try? FileManager.default.removeItem(atPath: copy) }
      try change(copy)
      Self.check(copy, against: right, what)
    }
    let files = FileManager.default
    func put(_ name: String, from master: String, to copy: String) throws {
      try? files.removeItem(atPath: "\(copy)/\(name)")
      try files.copyItem(atPath: "\(master)/\(name)", toPath: "\(copy)/\(name)")
    }
    for names in [["-wal"], ["-shm"], ["-wal", "-shm"]] {
      try spoiled("deleted \(names)", log.killed, right.1) { copy in
        for name in names { try files.removeItem(atPath: "\(copy)/orderstream.db\(name)") }
      }
    }
    try spoiled("deleted marks", log.closed, right.0) { try files.removeItem(atPath: $0 + "/marks") }
    try spoiled("older marks", log.closed, right.0) { try put("marks", from: log.older, to: $0) }
    try spoiled("older database", log.closed, right.0) { try put("orderstream.db", from: log.older, to: $0) }
    // A whole older log is a log: there is nothing that it contradicts.
    try spoiled("older database and marks", log.closed, right.2) { copy in
      for name in ["orderstream.db", "marks"] { try put(name, from: log.older, to: copy) }
    }
    let segment = "segments/0000000001"
    for (name, master, right) in [("closed", log.closed, right.0), ("killed", log.killed, right.1)] {
      try spoiled("deleted segment, \(name)", master, right) { try files.removeItem(atPath: "\($0)/\(segment)") }
      try spoiled("deleted segments, \(name)", master, right) { try files.removeItem(atPath: "\($0)/segments") }
      try spoiled("older segment, \(name)", master, right) { try put(segment, from: log.older, to: $0) }
    }
    try spoiled("newer segment", log.closed, right.0) { try put(segment, from: log.killed, to: $0) }
    try spoiled("older database under its write-ahead log", log.killed, right.1) { copy in
      try put("orderstream.db", from: log.older, to: copy)
    }
  }

  @Test("An older copy of the database is noticed, also when only a group's work is missing")
  func olderGroups() throws {
    let log = try Self.log.get()
    let copy = try log.copy(of: log.closed)
    defer { try? FileManager.default.removeItem(atPath: copy) }
    try Answers.work(try EmbeddedLog.open(copy), upTo: 10, onlyAnalytics: true)
    try FileManager.default.removeItem(atPath: copy + "/orderstream.db")
    try FileManager.default.copyItem(atPath: log.closed + "/orderstream.db", toPath: copy + "/orderstream.db")
    let error = #expect(throws: BrokerError.self) { try EmbeddedLog.open(copy) }
    #expect(error?.code == .damaged, "\(String(describing: error))")
  }

  @Test("What is no log of this version is refused with 74 or 78, and left as it is")
  func foreign() throws {
    let log = try Self.log.get()
    let database = "orderstream.db"
    func refused(_ what: String, codes: Set<Int32>, keepsMarks: Bool = true, _ change: (String) throws -> Void) throws {
      let copy = try log.copy(of: log.closed)
      defer { try? FileManager.default.removeItem(atPath: copy) }
      if !keepsMarks { try FileManager.default.removeItem(atPath: copy + "/marks") }
      try change("\(copy)/\(database)")
      let before = try? Data(contentsOf: URL(fileURLWithPath: "\(copy)/\(database)"))
      let isThere = FileManager.default.fileExists(atPath: "\(copy)/\(database)")
      let stage = try Stage()
      for line in [
        ["status"], ["tail"], ["analytics", "--output", "-"], ["inventory"], ["audit"], ["produce", "--events", "1"],
        ["replay"], ["lag-demo", "--events", "1"],
      ] {
        let outcome = try stage.start(line + ["-b", "embedded:\(copy)"]).end()
        #expect(codes.contains(outcome.code) && outcome.errorLines.count == 1, "\(what): \(outcome)")
        #expect(outcome.output.isEmpty && outcome.errors.contains(copy), "\(what): \(outcome)")
      }
      let after = try? Data(contentsOf: URL(fileURLWithPath: "\(copy)/\(database)"))
      #expect(isThere ? after == before : after?.isEmpty != false, "\(what)")
    }
    func put(_ bytes: Data) -> (String) throws -> Void {
      { try bytes.write(to: URL(fileURLWithPath: $0)) }
    }
    let other = try Self.otherDatabase()
    try refused("another program's database", codes: [78], put(other))
    try refused("another program's database, no marks", codes: [78], keepsMarks: false, put(other))
    try refused("text", codes: [74, 78], put(Data(String(repeating: "no database\n", count: 900).utf8)))
    try refused("text, no marks", codes: [78], keepsMarks: false, put(Data("no database, and a short file".utf8)))
    try refused("an empty file", codes: [74], put(Data()))
    try refused("no file", codes: [74]) { try FileManager.default.removeItem(atPath: $0) }
    try refused("a directory", codes: [74]) { path in
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
    // `user_version` stands at byte 60, big-endian.
    try refused("a newer version", codes: [78]) { path in try DamagedLog.edit(path) { $0[63] = 9 } }
  }

  /// A database of another program: the application id of a Fossil checkout, and tables of its own.
  private static func otherDatabase() throws -> Data {
    let place = TemporaryDirectory()
    let path = place.path + "/other.db"
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "PRAGMA application_id = 252006674; CREATE TABLE topic (id, name)") }
    try queue.close()
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }
}
