/// What a back end may do otherwise than the embedded log. A contract test that looks at one of these names it; every
/// other difference is a bug.
public enum Difference: Hashable, Sendable {
  /// Commits and aborts of transactions are records of their own, so offsets have gaps and ends lie behind the last
  /// record. Kafka's log format; `RecordBatch.ends` passes them.
  case controlRecords
  /// Records come as they were fetched: many of one partition before the next, and the end of a partition with a later
  /// poll than its last record. Sorting them again would cost a copy.
  case fetches
  /// A group gives up a silent member when its session ends (6 s, the least that brokers allow), and then also when
  /// nobody waits for its partitions. Only the coordinator can know, and it has no way to ask.
  case sessions
  /// A member that comes alone is given all partitions at once, and gives some back when the next one comes.
  case eagerFirstMember
  /// The timestamp 0 is written as 1, because librdkafka takes 0 for "now".
  case noTimeZero
}
