import CRdKafka
import OrderStreamCore

/// When the fetchers of a client are woken. One rests once it has found the local queue full, for up to a second or until
/// its broker is asked something; those that can be told to look more often (`ClientProfile.setsQueueBackoff`) are.
///
/// They are woken while half of the queue is still there, so that what they bring comes before it is empty, and the
/// question's answer is not waited for. What is missed so is woken by the reader, which waits for records that are there.
struct FetcherWakeUp {
  /// How long records may be missing before a reader that waits wakes them.
  static let after = Duration.milliseconds(3)
  /// How long such a reader waits for the answer, which does not matter.
  private static let limit = Duration.milliseconds(50)
  /// Of the queue. What its records weigh is estimated from those taken last.
  private static let (full, low) = (0.75, 0.5)
  /// Leaders of so many partitions are asked at a time: what follows each other usually lies on different brokers.
  private static let partitionsAsked = 16

  private let queueBytes: Double
  private let queueRecords: Double
  private var recordsSinceWake = 0
  private var bytesSinceWake = 0
  private var wasFull = false

  init(queueBytes: Int, queueRecords: Int) {
    self.queueBytes = Double(max(1, queueBytes))
    self.queueRecords = Double(max(1, queueRecords))
  }

  init(of client: NativeClient) {
    let kilobytes = client.setting("queued.max.messages.kbytes").flatMap { Int($0) } ?? 0
    let records = client.setting("queued.min.messages").flatMap { Int($0) } ?? 0
    self.init(queueBytes: kilobytes << 10, queueRecords: records)
  }

  /// Notes a record that was taken out of the queue.
  /// - Parameter bytes: of its value, which is what the queue counts.
  @inline(__always)
  mutating func noteRecord(bytes: Int) {
    recordsSinceWake += 1
    bytesSinceWake += bytes
  }

  /// Whether a fetcher may be resting: it has brought records since it was woken last.
  var mayRest: Bool { recordsSinceWake > 0 }

  /// Whether to wake them now. To be asked often enough to see the queue full.
  /// - Parameter queued: records that are in it.
  mutating func isDue(queued: Int) -> Bool {
    guard mayRest else { return false }
    let weight = Double(bytesSinceWake) / Double(recordsSinceWake)
    let share = max(Double(queued) * weight / queueBytes, Double(queued) / queueRecords)
    if share >= Self.full { wasFull = true }
    return wasFull && share < Self.low
  }

  /// Wakes the fetchers of partitions that are behind, all of them when nobody waits.
  mutating func wake(_ client: NativeClient, _ topic: String, _ cursors: inout PartitionCursors, waiting: Bool) {
    (recordsSinceWake, bytesSinceWake, wasFull) = (0, 0, false)
    let partitions = cursors.nextBehind(atMost: waiting ? 1 : Self.partitionsAsked)
    guard !partitions.isEmpty else { return }
    // Not rd_kafka_query_watermark_offsets: while the leader is down, 2.0.2 waits in it without end.
    let question = PartitionList(topic: topic, partitions: partitions, offset: Offset(RD_KAFKA_OFFSET_END))
    try? client.offsetsForTimes(question, waiting ? Self.limit : .zero)
  }
}
