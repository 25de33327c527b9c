import GRDB
import OrderStreamCore

/// Looks for what no checksum of a row can show: rows that are not there any more.
extension LogConnection {
  /// Checks the definitions and every table but `batch`, when a log is opened. A flipped bit in a page's bookkeeping hides
  /// whole rows, and a group without its row starts anew and doubles its outputs. Batches need no such check: a reader
  /// misses a batch by its offsets.
  /// - Throws: `damaged`.
  func checkStructure() throws(BrokerError) {
    let path = directory.path
    try read("cannot check the log \(path)") { database in
      // Both would make SQLite take pages for what they are not.
      guard try Query.integer(database, "PRAGMA auto_vacuum") == 0, try hasDefinitions(database) else {
        throw StorageErrors.damaged("the log \(path)", why: "its definitions were altered")
      }
      for table in LogSchema.tablesOfRows {
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
    }
  }

  private func hasDefinitions(_ database: Database) throws -> Bool {
    var definitions: Set<String> = []
    var pages: Set<Int64> = []
    var count = 0
    try Query.run(database, "SELECT sql, rootpage FROM sqlite_schema") { query in
      if let definition = query.optionalText(0) { definitions.insert(definition) }
      pages.insert(query.integer(1))
      count += 1
    }
    return definitions == LogSchema.definitions && pages.count == count
      && count == definitions.count + LogSchema.indexCount
  }
}
