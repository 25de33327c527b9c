import CCRC32C
import Foundation
import GRDB
import OrderStreamCore

/// What is in the database, and how it is recognised.
///
/// - `batch`: up to 1000 records of one partition, as `RecordChunk` lays them out, in the row or in a segment (see
///   `StoredBatch`). The key is the partition's row id above 40 bits of base offset, so that a scan of a partition walks
///   one b-tree from left to right.
/// - `segment`: the files that hold most of the records, and how far each is committed: see `SegmentFiles`.
/// - `partition.number` is what users see; `partition.id` and `topic.id` are never used twice, so that nothing can take a
///   topic that was made again for the one that it knew.
/// - `assignment.target` is the member that shall have a partition, `owner` the one that has it.
/// - `log` has one row, which counts the changes: see `ChangeCounter`. `total` has the sum of all rows: see `LogTotal`.
///
/// Version 1 had no segments and no total. A new log is made as one of version 1 and then brought up to date like any
/// other, so that both have the same definitions.
enum LogSchema {
  /// `OSTR`.
  static let applicationID: Int64 = 0x4F53_5452
  static let version: Int64 = 2
  /// Of new logs. Those of version 1 have 16384.
  static let pageBytes = 4096

  /// Offsets are below 2⁴⁰, partitions' row ids below 2²³.
  static let offsetBits: Int64 = 40
  static let offsetLimit: Int64 = 1 << offsetBits
  static let partitionLimit: Int64 = 1 << 23

  static func batchID(partition: Int64, base: Offset) -> Int64 { partition << offsetBits | base }
  static func baseOffset(batchID: Int64) -> Offset { batchID & (offsetLimit - 1) }

  /// Version 1.
  private static let statements = """
    CREATE TABLE log (
      id INTEGER PRIMARY KEY, changes INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE topic (
      id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
      crc INTEGER NOT NULL) STRICT;
    CREATE TABLE partition (
      id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, number INTEGER NOT NULL, low INTEGER NOT NULL,
      high INTEGER NOT NULL, crc INTEGER NOT NULL, UNIQUE (topic, number)) STRICT;
    CREATE TABLE batch (
      id INTEGER PRIMARY KEY, count INTEGER NOT NULL, min_timestamp INTEGER NOT NULL, max_timestamp INTEGER NOT NULL,
      crc INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
    CREATE TABLE consumer_group (
      id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE generation (
      consumer_group INTEGER NOT NULL, topic INTEGER NOT NULL, number INTEGER NOT NULL, crc INTEGER NOT NULL,
      PRIMARY KEY (consumer_group, topic)) STRICT, WITHOUT ROWID;
    CREATE TABLE member (
      consumer_group INTEGER NOT NULL, topic INTEGER NOT NULL, id TEXT NOT NULL, host TEXT NOT NULL,
      generation INTEGER NOT NULL, crc INTEGER NOT NULL,
      PRIMARY KEY (consumer_group, topic, id)) STRICT, WITHOUT ROWID;
    CREATE TABLE assignment (
      consumer_group INTEGER NOT NULL, partition INTEGER NOT NULL, target TEXT, owner TEXT,
      generation INTEGER NOT NULL, crc INTEGER NOT NULL,
      PRIMARY KEY (consumer_group, partition)) STRICT, WITHOUT ROWID;
    CREATE TABLE committed (
      consumer_group INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, crc INTEGER NOT NULL,
      PRIMARY KEY (consumer_group, partition)) STRICT, WITHOUT ROWID;
    CREATE TABLE state (
      consumer_group INTEGER NOT NULL, partition INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
      crc INTEGER NOT NULL, PRIMARY KEY (consumer_group, partition, key)) STRICT, WITHOUT ROWID;
    """

  /// What makes a log of version 1 one of version 2. What is in its batches stays where it is.
  private static let upgrade = """
    ALTER TABLE batch ADD COLUMN segment INTEGER;
    ALTER TABLE batch ADD COLUMN position INTEGER;
    ALTER TABLE batch ADD COLUMN bytes INTEGER;
    CREATE TABLE segment (
      id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, length INTEGER NOT NULL, batches INTEGER NOT NULL,
      crc INTEGER NOT NULL) STRICT;
    CREATE INDEX segment_topic ON segment (topic);
    """

  /// The tables as SQLite keeps their definitions, and its own; a log of that version has these and nothing else.
  static func definitions(_ version: Int64) -> Set<String> { version == 1 ? definitions1 : definitions2 }

  private static let definitions1 = parts(of: statements).union(["CREATE TABLE sqlite_sequence(name,seq)"])
  private static let definitions2 = Set(
    definitions1.map {
      // What adding a column makes of a definition.
      $0.hasPrefix("CREATE TABLE batch ")
        ? $0.replacing(") STRICT", with: ", segment INTEGER, position INTEGER, bytes INTEGER) STRICT") : $0
    }
  )
  .union(parts(of: upgrade).filter { $0.hasPrefix("CREATE") }).union(LogTotal.statements)

  private static func parts(of statements: String) -> Set<String> {
    Set(statements.split(separator: ";").map { String($0.drop(while: \.isWhitespace)) })
  }

  /// The columns of `batch` that `StoredBatch` reads.
  static func batchColumns(_ database: Database) throws -> String {
    try Query.integer(database, "PRAGMA user_version") == 1 ? columns1 : columns2
  }

  private static let (columns1, columns2) = (StoredBatch.columns(1), StoredBatch.columns(2))

  /// Indexes that SQLite makes by itself, for UNIQUE columns.
  static let indexCount = 3
  /// Every table that is read by key or by name, so that a row that is not found is taken for one that never was.
  static func tablesOfRows(_ version: Int64) -> [String] {
    [
      "log", "topic", "partition", "consumer_group", "generation", "member", "assignment", "committed", "state",
      "sqlite_sequence",
    ] + (version == 1 ? [] : ["segment", "total"])
  }

  /// What a database file turned out to be.
  enum Finding: Equatable {
    case empty
    case log(version: Int64)
  }

  /// Looks at a database without changing it.
  /// - Throws: `foreignLog` or `newerLog` in words, `DatabaseError` when it cannot be read.
  static func inspect(_ database: Database, path: String) throws -> Finding {
    let found = try Query.integer(database, "PRAGMA application_id") ?? 0
    let version = try Query.integer(database, "PRAGMA user_version") ?? 0
    if found == applicationID {
      if version > Self.version {
        throw BrokerError(
          .newerLog, "cannot open the log \(path)",
          why: "it has version \(version) and this program knows versions up to \(Self.version)",
          remedy: "use a newer orderstream")
      }
      guard version >= 1 else {
        throw StorageErrors.damaged("the log \(path)", why: "it has no version: the log was altered")
      }
      return .log(version: version)
    }
    if found == 0, try Query.integer(database, "SELECT count(*) FROM sqlite_schema") == 0 { return .empty }
    throw foreign(path, why: "it is a database of another program")
  }

  static func foreign(_ path: String, why: String) -> BrokerError {
    BrokerError(
      .foreignLog, "cannot open the log \(path)", why: why,
      remedy: "name another directory with --brokers embedded:<directory>")
  }

  /// Makes all tables and marks the file, in one transaction. The caller holds the write lock.
  static func create(_ database: Database) throws {
    try database.inTransaction(.immediate) {
      try database.execute(sql: "PRAGMA application_id = \(applicationID);" + statements)
      try ChangeCounter.create(database)
      try bringUpToDate(database)
      return .commit
    }
  }

  /// Makes a log of version 1 one of this version, in one transaction. The caller holds the write lock.
  /// - Throws: `damaged` when it is not what version 1 made.
  private static func carryOver(_ database: Database, _ directory: LogDirectory) throws {
    guard try hasDefinitions(database, version: 1) else { throw altered(directory) }
    Failpoint.reach("log/before-upgrade")
    try database.inTransaction(.immediate) {
      try bringUpToDate(database)
      return .commit
    }
    Failpoint.reach("log/upgraded")
  }

  private static func bringUpToDate(_ database: Database) throws {
    try database.execute(sql: upgrade + "PRAGMA user_version = \(version);")
    for statement in LogTotal.statements { try database.execute(sql: statement) }
    try LogTotal.create(database)
  }

  static func altered(_ directory: LogDirectory) -> BrokerError {
    StorageErrors.damaged("the log \(directory.path)", why: "its definitions were altered")
  }

  /// Whether the database has the tables of that version and nothing else.
  static func hasDefinitions(_ database: Database, version: Int64) throws -> Bool {
    var found: Set<String> = []
    var pages: Set<Int64> = []
    var (count, onPages) = (0, 0)
    try Query.run(database, "SELECT sql, rootpage FROM sqlite_schema") { query in
      if let definition = query.optionalText(0) { found.insert(definition) }
      // Triggers have none.
      if query.integer(1) != 0 {
        pages.insert(query.integer(1))
        onPages += 1
      }
      count += 1
    }
    let right = definitions(version)
    return found == right && pages.count == onPages && count == right.count + indexCount
  }

  /// Sets up a connection that may write, and makes what is in the database where there is none.
  static func prepare(
    _ database: Database, _ directory: LogDirectory, _ lock: WriteLock, _ marks: TailMarks
  ) throws {
    // The two last ones matter on macOS alone, where fsync leaves the bytes in the drive's cache.
    try database.execute(
      sql: """
        PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1
        """)
    guard try Query.integer(database, "PRAGMA synchronous") == 2 else {
      throw BrokerError(
        .internalError, "cannot open the log \(directory.path)", why: "SQLite refuses synchronous = FULL")
    }
    if try inspect(database, directory) != .log(version: version) || journalMode(database) != "wal" {
      try lock.acquire(within: LogConnection.lockLimit)
      defer { lock.release() }
      // Once more under the lock: another process may have made it meanwhile.
      switch try inspect(database, directory) {
      case .empty:
        if marks.holdsAnything {
          throw StorageErrors.damaged("the log \(directory.path)", why: "it is empty, but its mark names records")
        }
        try database.execute(sql: "PRAGMA page_size = \(pageBytes)")
        Failpoint.reach("log/before-creation")
        try create(database)
        // The files beside it get the mode of this one.
        chmod(directory.database, 0o600)
        Failpoint.reach("log/created")
      case .log(version: 1): try carryOver(database, directory)
      case .log: break
      }
      try database.execute(sql: "PRAGMA journal_mode = WAL")
    }
    // Only a connection that has read is counted as a user of the write-ahead log, which goes with its last user.
    _ = try Query.integer(database, "SELECT id FROM topic LIMIT 1")
  }

  private static func inspect(_ database: Database, _ directory: LogDirectory) throws -> Finding {
    var finding = Finding.empty
    try database.inTransaction(.deferred) {
      finding = try inspect(database, path: directory.path)
      return .commit
    }
    return finding
  }

  private static func journalMode(_ database: Database) throws -> String {
    try String.fetchOne(database, sql: "PRAGMA journal_mode") ?? ""
  }
}

/// The checksum of a row: CRC32C over its table's tag and the columns that matter, integers little-endian, texts and
/// bytes with their length before them. A row that was altered, or moved to another key, does not match its checksum.
struct RowChecksum {
  enum Table: UInt8 {
    case topic = 1
    case partition, batch, group, generation, member, assignment, committed, state, log, segment
  }

  private(set) var value: UInt32 = 0

  init(_ table: Table) { add(Int64(table.rawValue)) }

  mutating func add(_ number: Int64) {
    withUnsafeBytes(of: number.littleEndian) { add(raw: $0) }
  }

  mutating func add(_ text: String?) {
    guard var text else {
      add(-1)
      return
    }
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    add(Int64(bytes.count))
    add(raw: bytes)
  }

  private mutating func add(raw bytes: UnsafeRawBufferPointer) {
    value = crc32c_extend(value, bytes.baseAddress, bytes.count)
  }

  /// As it is stored and bound.
  var sql: SQLValue { .integer(Int64(value)) }

  /// - Throws: `damaged` when the stored checksum is another one; `coordinates` names the row.
  func check(_ stored: Int64, _ coordinates: @autoclosure () -> String) throws(BrokerError) {
    if stored != Int64(value) {
      throw StorageErrors.damaged(coordinates(), why: "its checksum does not match: the log was altered")
    }
  }
}

/// The place and the range of a batch: its checksum covers these and the payload, so a batch that was altered,
/// moved or given another range does not match.
struct BatchChecksum {
  var topic: Int64
  /// Number of the partition, as users see it.
  var partition: Int32
  var base: Offset
  var count: Int32
  var minTimestamp: Int64
  var maxTimestamp: Int64

  func crc(of payload: UnsafeRawBufferPointer) -> UInt32 {
    var checksum = RowChecksum(.batch)
    checksum.add(topic)
    checksum.add(Int64(partition))
    checksum.add(base)
    checksum.add(Int64(count))
    checksum.add(minTimestamp)
    checksum.add(maxTimestamp)
    checksum.add(payload)
    return checksum.value
  }
}
