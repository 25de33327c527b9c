/// Sends records to one topic, in the background, in order per partition. A record is acknowledged when it is durable.
public protocol Producer: AnyObject {
  /// Partitions of the topic when the producer was made.
  var partitionCount: Int32 { get }

  /// Queues one record; blocks while the queue is full. Returning is no acknowledgement: `deliveries` counts those.
  /// - Throws: when the producer can take no more records at all (fatal), or this one is too large for the broker.
  func send(_ record: OutgoingRecord) throws(BrokerError)

  /// Returns when every queued record is acknowledged or failed, or when `timeout` has passed.
  /// - Throws: the first reason for which records failed, if any failed since the last flush.
  func flush(timeout: Duration) throws(BrokerError)

  /// What became of the records so far. May be read from any thread.
  var deliveries: DeliveryCounts { get }

  /// Gives up what is still queued (counted as failed) and frees everything. Idempotent.
  func close()
}

/// `acknowledged + failed` grows towards the number of records sent; after `close` it equals it.
public struct DeliveryCounts: Hashable, Sendable {
  public var acknowledged: Int64 = 0
  /// Not acknowledged: may or may not be on the log.
  public var failed: Int64 = 0
  /// Acknowledged, but sent a second time after a failure of the producer, so the log may hold it twice.
  public var possiblyDuplicated: Int64 = 0
  /// Acknowledged records by partition; the count is the topic's partition count.
  public var acknowledgedByPartition: [Int64]

  public init(partitionCount: Int32) {
    acknowledgedByPartition = Array(repeating: 0, count: Int(partitionCount))
  }
}
