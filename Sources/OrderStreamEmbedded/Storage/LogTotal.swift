import GRDB
import OrderStreamCore

/// The sum of the checksums of all rows but the batches, kept by triggers in the transaction that changes a row. A copy
/// that was taken while the log was in use may have one page from before a commit and another from behind it; each row
/// fits its own checksum then, and so does what SQLite looks at, but the sum does not fit the rows.
///
/// The row ids that were given out (`sqlite_sequence`) are in it too: with older ones a topic that is made could get the id
/// of one that was removed, and be taken for it.
enum LogTotal {
  /// Those with a checksum in each row, and the columns of their key.
  private static let tables: [(name: String, key: [String])] = [
    ("log", ["id"]), ("topic", ["id"]), ("partition", ["id"]), ("segment", ["id"]), ("consumer_group", ["id"]),
    ("generation", ["consumer_group", "topic"]), ("member", ["consumer_group", "topic", "id"]),
    ("assignment", ["consumer_group", "partition"]), ("committed", ["consumer_group", "partition"]),
    ("state", ["consumer_group", "partition", "key"]),
  ]

  /// Whose row ids are never used twice: each new one is the last one and 1.
  private static let counted: Set<String> = ["topic", "partition", "segment", "consumer_group"]

  private static let sum =
    (tables.map { "(SELECT coalesce(sum(crc), 0) FROM \($0.name))" }
    + ["(SELECT coalesce(sum(seq), 0) FROM sqlite_sequence)"]).joined(separator: " + ")

  /// What makes the table and its triggers, in a log that has rows already too.
  static let statements: [String] =
    ["CREATE TABLE total (id INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT"]
    + tables.flatMap { table -> [String] in
      // INSERT OR REPLACE removes a row without the trigger of a removal, so it is taken out before.
      let replaced = table.key.map { "\($0) = NEW.\($0)" }.joined(separator: " AND ")
      return [
        """
        CREATE TRIGGER \(table.name)_replaced BEFORE INSERT ON \(table.name) BEGIN UPDATE total SET value = value - \
        coalesce((SELECT crc FROM \(table.name) WHERE \(replaced)), 0); END
        """,
        """
        CREATE TRIGGER \(table.name)_added AFTER INSERT ON \(table.name) BEGIN UPDATE total SET value = value + NEW.crc\
        \(counted.contains(table.name) ? " + 1" : ""); END
        """,
        """
        CREATE TRIGGER \(table.name)_changed AFTER UPDATE ON \(table.name) BEGIN UPDATE total SET value = value + NEW.crc \
        - OLD.crc; END
        """,
        """
        CREATE TRIGGER \(table.name)_removed AFTER DELETE ON \(table.name) BEGIN UPDATE total SET value = value - OLD.crc; END
        """,
      ]
    }

  /// Enters the sum of the rows that are there.
  static func create(_ database: Database) throws {
    try database.execute(sql: "INSERT INTO total (id, value) SELECT 1, \(sum)")
  }

  /// Whether the sum fits the rows.
  static func fits(_ database: Database) throws -> Bool {
    try Query.integer(database, "SELECT value = \(sum) FROM total WHERE id = 1") == 1
  }
}
