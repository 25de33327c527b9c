/// Makes a log of version 1, which had no segments, out of one whose batches are all in rows. For whoever drives SQLite.
package enum FirstVersion {
  /// Finds what goes first, by name.
  package static let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"

  /// - Parameter triggers: All that there are.
  package static func statements(dropping triggers: [String]) -> String {
    let dropped = triggers.map { "DROP TRIGGER \($0);" }.joined()
    let columns = ["segment", "position", "bytes"].map { "ALTER TABLE batch DROP COLUMN \($0);" }.joined()
    return dropped + "DROP TABLE total; DROP TABLE segment;" + columns + "PRAGMA user_version = 1"
  }

  /// Outside of a transaction: its pages were larger.
  package static let pages = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 16384; VACUUM; PRAGMA journal_mode = WAL"
}
