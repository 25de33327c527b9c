import GRDB
import OrderStreamCore

/// Compares the log with its outside mark.
extension LogConnection {
  private static let attempts = 10

  /// Compares every partition with its mark, when a log is opened.
  /// - Throws: `damaged` with coordinates when the log ends before its mark, or does not hold what the mark saw.
  func checkAllTails() throws(BrokerError) {
    let found: (marks: [TailMark], altered: Int)
    do {
      found = try marks.all()
    } catch {
      throw StorageErrors.system(error, "cannot read the mark of the log \(directory.path)")
    }
    // In one snapshot, so that the rows of a topic are read once and not for each of its marks.
    let doubtful = try read("cannot check the log \(directory.path)") { database in
      var index = PartitionIndex(database)
      return try found.marks.filter { try Self.damage($0, &index) != nil }
    }
    for mark in doubtful { try check(mark) }
    try checkChanges()
    let holdsRecords = try holdsRecords()
    let isBlind = found.marks.isEmpty && found.altered == 0 && holdsRecords
    if found.altered > 0 || isBlind {
      log.log(
        .warning,
        "the mark of the log \(directory.path) is \(isBlind ? "gone" : "altered in \(found.altered) place(s)"): "
          + "a lost tail cannot be noticed until something is appended")
    }
  }

  /// Compares ends that a reader has just reached with their marks.
  /// - Parameter rows: of the topic's partitions, as they were read with the ends.
  func checkTails(_ ends: [PartitionOffset], of rows: [PartitionRow]) throws(BrokerError) {
    for end in ends where rows.indices.contains(Int(end.partition)) {
      guard let mark = try mark(of: rows[Int(end.partition)].id), mark.end > end.offset else { continue }
      try check(mark)
    }
  }

  private func holdsRecords() throws(BrokerError) -> Bool {
    try read("cannot check the log \(directory.path)") { try Query.integer($0, "SELECT id FROM batch LIMIT 1") } != nil
  }

  /// A mark is written after its commit and removed before its partition, so a fresh snapshot that disagrees is damage,
  /// unless the mark has changed meanwhile.
  private func check(_ mark: TailMark) throws(BrokerError) {
    var mark = mark
    for _ in 0..<Self.attempts {
      let damage = try read("cannot check the log \(directory.path)") { database in
        var index = PartitionIndex(database)
        return try Self.damage(mark, &index)
      }
      guard let damage else { return }
      guard let again = try self.mark(of: mark.partition) else { return }
      if again == mark { throw damage }
      mark = again
    }
  }

  /// The mark of the changes is written after each commit, so a fresh snapshot has seen at least as many.
  private func checkChanges() throws(BrokerError) {
    let marked: Int64?
    do {
      marked = try marks.changes()
    } catch {
      throw StorageErrors.system(error, "cannot read the mark of the log \(directory.path)")
    }
    guard let marked else { return }
    let found = try read("cannot check the log \(directory.path)") { try ChangeCounter.get($0) }
    if found < marked {
      throw StorageErrors.damaged(
        "the log \(directory.path)",
        why: "its last \(marked - found) change(s) are missing: the log lost its tail or an older copy was put back")
    }
  }

  private func mark(of partition: Int64) throws(BrokerError) -> TailMark? {
    do {
      return try marks.mark(of: partition)
    } catch {
      throw StorageErrors.system(error, "cannot read the mark of the log \(directory.path)")
    }
  }

  private static func damage(_ mark: TailMark, _ index: inout PartitionIndex) throws -> BrokerError? {
    guard let (topic, row) = try index.find(mark.partition) else {
      return StorageErrors.damaged(
        "the log", why: "a partition with \(mark.end) records is missing: the log was cut or an older copy put back")
    }
    if row.high < mark.end {
      return StorageErrors.damaged(
        "\(topic.name)[\(row.number)]@\(row.high)",
        why: "the records \(row.high) to \(mark.end - 1) were there and are missing: the log lost its tail")
    }
    // What retention has removed cannot be compared.
    if mark.end <= row.low { return nil }
    var fits = false
    try Query.stepping(
      index.database, "SELECT id, count, crc FROM batch WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
      [
        .integer(LogSchema.batchID(partition: row.id, base: 0)),
        .integer(LogSchema.batchID(partition: row.id, base: mark.end - 1)),
      ]
    ) { query in
      fits =
        LogSchema.baseOffset(batchID: query.integer(0)) + query.integer(1) == mark.end
        && query.integer(2) == Int64(mark.crc)
      return false
    }
    if fits { return nil }
    return StorageErrors.damaged(
      "\(topic.name)[\(row.number)]@\(mark.end - 1)",
      why: "the log holds another batch than the one that was written: the log was altered or an older copy put back")
  }
}

/// Looks for what no checksum of a row can show: rows that are not there any more.
extension LogConnection {
  /// Checks the definitions and every table but `batch`, when a log is opened. A flipped bit in a page's bookkeeping hides
  /// whole rows, and a group without its row starts again from the beginning and doubles its outputs. Batches need no such check: a reader
  /// misses a batch by its offsets, but for one behind the end. And that the rows belong together, and the segments are there
  /// in full length.
  /// - Throws: `damaged`.
  func checkStructure() throws(BrokerError) {
    let path = directory.path
    try read("cannot check the log \(path)") { database in
      let version = try Query.integer(database, "PRAGMA user_version") ?? 0
      // Both would make SQLite take pages for what they are not.
      guard try Query.integer(database, "PRAGMA auto_vacuum") == 0,
        try LogSchema.hasDefinitions(database, version: version)
      else { throw LogSchema.altered(directory) }
      for table in LogSchema.tablesOfRows(version) {
        var finding = ""
        try Query.stepping(database, "PRAGMA integrity_check(\(table))", []) { query in
          finding = query.text(0)
          return false
        }
        if finding != "ok" {
          let words = finding.split(separator: "\n").last.map(String.init) ?? "no reason given"
          throw StorageErrors.damaged("the log \(path)", why: "its table \(table) is damaged: \(words)")
        }
      }
      if version == 1 { return }
      guard try LogTotal.fits(database) else {
        throw StorageErrors.damaged(
          "the log \(path)",
          why: "its rows are not of one moment: it was altered, or it is a copy that was taken while the log was in use"
        )
      }
      try Self.checkEnds(database)
      for segment in try SegmentRow.all(database) { try segments.check(segment) }
    }
  }

  /// Looks at all batches of a log that is a copy: at most once in its life, before its first change.
  /// - Throws: `damaged`.
  func checkCopy() throws(BrokerError) {
    let mayBeCopy: Bool
    do {
      mayBeCopy = try marks.areOfAnotherFile()
    } catch {
      throw StorageErrors.system(error, "cannot read the mark of the log \(directory.path)")
    }
    if mayBeCopy { try checkBatches() }
  }

  /// Whether the rows of all batches follow each other. In pages of several moments some may be there twice, or out of their
  /// order, where no reader finds them until new ones are put beside them.
  /// - Throws: `damaged`.
  func checkBatches() throws(BrokerError) {
    try read("cannot check the log \(directory.path)") { database in
      var next: Int64 = 0
      try Query.run(database, "SELECT id, count FROM batch ORDER BY id") { query in
        let id = query.integer(0)
        if id < next {
          throw StorageErrors.damaged(
            "the log \(directory.path)",
            why:
              "its batches are not of one moment: it is a copy that was taken while the log was in use, or was altered")
        }
        next = id + query.integer(1)
      }
    }
  }

  /// Whether each partition ends with its last batch. The sum of the rows says nothing of batches, and one behind the end,
  /// in a copy of several moments, would stand where the next one is put.
  private static func checkEnds(_ database: Database) throws {
    try Query.run(
      database,
      """
      SELECT topic.name, partition.number, low, high, batch.id, batch.count
      FROM partition JOIN topic ON topic.id = partition.topic LEFT JOIN batch ON batch.id = (
        SELECT max(last.id) FROM batch AS last
        WHERE last.id BETWEEN partition.id << ?1 AND (partition.id + 1 << ?1) - 1)
      """, [.integer(LogSchema.offsetBits)]
    ) { query in
      let (low, high) = (query.integer(2), query.integer(3))
      let end = query.isNull(4) ? nil : LogSchema.baseOffset(batchID: query.integer(4)) + query.integer(5)
      let place = "\(query.text(0))[\(query.integer(1))]"
      let cause = "the log was altered, or it is a copy that was taken while it was in use"
      if let end, end > high {
        throw StorageErrors.damaged("\(place)@\(high)", why: "there are records behind the end: \(cause)")
      }
      // Where all records were removed there may be no batch, or an older one.
      let found = max(end ?? low, low)
      if found < high {
        throw StorageErrors.damaged(
          "\(place)@\(found)", why: "the records \(found) to \(high - 1) are missing: \(cause)")
      }
    }
  }
}
