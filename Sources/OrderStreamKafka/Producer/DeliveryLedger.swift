import CRdKafka
import OrderStreamCore
import Synchronization

/// Counts what became of a producer's records, over all clients that it has used. Any thread.
final class DeliveryLedger: Sendable {
  private struct Entries {
    var counts: DeliveryCounts
    /// Why the first record failed since the last `takeFailure`.
    var failure: NativeError?
    /// Given back by a client that had a fatal error, to be sent again.
    var unacknowledged: [UnacknowledgedRecord] = []
  }

  private let entries: Mutex<Entries>
  /// Set while records fail for want of time and none is acknowledged.
  private let stalled = Atomic<Bool>(false)

  init(partitionCount: Int32) {
    entries = Mutex(Entries(counts: DeliveryCounts(partitionCount: partitionCount)))
  }

  var counts: DeliveryCounts { entries.withLock { $0.counts } }

  /// Records with a final report.
  var finished: Int64 { entries.withLock { $0.counts.acknowledged + $0.counts.failed } }

  var isStalled: Bool { stalled.load(ordering: .relaxed) }

  /// Takes in a batch of reports.
  /// - Parameter isFatal: Whether the client had a fatal error before these reports were served: what failed then was
  ///   not the record's fault and is kept.
  func enter(_ event: borrowing NativeEvent, isFatal: Bool) {
    guard event.isDeliveryReport else { return }
    entries.withLock { entries in
      event.forEachReport { report in Self.enter(report, isFatal: isFatal, in: &entries, stalled) }
    }
  }

  private static func enter(
    _ report: borrowing DeliveryReport, isFatal: Bool, in entries: inout Entries, _ stalled: borrowing Atomic<Bool>
  ) {
    if report.error == RD_KAFKA_RESP_ERR_NO_ERROR {
      entries.counts.acknowledged += 1
      let partition = Int(report.partition)
      while entries.counts.acknowledgedByPartition.count <= partition {
        entries.counts.acknowledgedByPartition.append(0)
      }
      entries.counts.acknowledgedByPartition[partition] += 1
      if RecordTag(report.tag).mayBeSecond { entries.counts.possiblyDuplicated += 1 }
      stalled.store(false, ordering: .relaxed)
    } else if isFatal && !isOwnFault(report.error) {
      entries.unacknowledged.append(report.copy())
    } else {
      entries.counts.failed += 1
      entries.failure = entries.failure ?? NativeError(report.error)
      if report.error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT { stalled.store(true, ordering: .relaxed) }
    }
  }

  /// Errors that a record would meet again.
  private static func isOwnFault(_ error: rd_kafka_resp_err_t) -> Bool {
    [
      RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
      RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    ].contains(error)
  }

  /// Records that wait to be sent again, in the order in which they were sent first.
  func takeUnacknowledged() -> [UnacknowledgedRecord] {
    entries.withLock { entries in
      defer { entries.unacknowledged = [] }
      return entries.unacknowledged.sorted { $0.tag < $1.tag }
    }
  }

  /// Counts records that no report will come for.
  func fail(_ count: Int64, because error: NativeError) {
    guard count > 0 else { return }
    entries.withLock { entries in
      entries.counts.failed += count
      entries.failure = entries.failure ?? error
    }
  }

  func takeFailure() -> NativeError? {
    entries.withLock { entries in
      defer { entries.failure = nil }
      return entries.failure
    }
  }
}
