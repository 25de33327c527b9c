import GRDB
import OrderStreamCore

/// One open write transaction, and what must follow once it is durable.
final class WriteScope {
  let database: Database
  /// Ends that this transaction moved; they go to the outside mark after the commit.
  var movedEnds: [TailMark] = []
  /// Partitions that this transaction removes; their marks go before the commit, because a mark without its partition
  /// would look like a lost one.
  var removedPartitions: [Int64] = []
  /// The number of this change; `nil` while nothing has changed.
  var change: Int64?

  init(_ database: Database) { self.database = database }

  func run(_ sql: String, _ values: [SQLValue] = [], _ body: (Query) throws -> Void = { _ in }) throws {
    try Query.run(database, sql, values, body)
  }
}
