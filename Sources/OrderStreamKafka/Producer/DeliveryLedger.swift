import CRdKafka
import OrderStreamCore
import OrderStreamThreads
import Synchronization

/// Counts what became of a producer's records, over all clients that it has used. Any thread.
final class DeliveryLedger: Sendable {
  private struct Entries {
    var counts: DeliveryCounts
    /// Why the first record failed since the last `takeFailure`.
    var failure: NativeError?
    /// Given back by a client that had a fatal error, to be sent again.
    var unacknowledged: [UnacknowledgedRecord] = []
    /// Of batches that a broker refused, to be sent again one by one.
    var refused: [UnacknowledgedRecord] = []
    var reports = Reports()
    /// By partition, the highest sequence that was acknowledged.
    var highest: [Int64]
    /// By partition: records that were sent again alone and acknowledged before those that they may stand behind, until
    /// another client's report tells.
    var early: [[EarlyRecord]]
    var sendTimes = SendTimes()
    /// Whether a record before this one in the event in hand was acknowledged without an offset. librdkafka numbers the
    /// records of a batch from the offset that the broker tells, also from −1, so those behind it would seem to have one.
    var lacksOffsets = false
  }

  /// When records were sent, on the monotonic clock, as far as there is no schedule that tells.
  private struct SendTimes {
    /// So many reports of an event share a look at a record's age, which costs two clock readings.
    static let stride = 8

    /// Of the records that the event in hand acknowledges.
    var acknowledged = TimeRuns()
    /// Of records whose tag says that they came into the queue of their client later.
    var kept: [Int64: Int64] = [:]
    var last: Int64 = 0
    /// Reports that the last look still holds for.
    var left = 0

    /// The first time that is given is the one that counts.
    mutating func keep(_ sequence: Int64, _ nanoseconds: Int64) {
      if kept[sequence] == nil { kept[sequence] = nanoseconds }
    }
  }

  private struct EarlyRecord {
    var sequence: Int64
    var offset: Int64
  }

  /// `RecordReports` before its errors have words.
  struct Reports {
    var acknowledged: [Int64] = []
    var failed: [Int64] = []
    var refused: [(sequence: Int64, partition: Int32, error: NativeError)] = []
  }

  private let entries: Mutex<Entries>
  private let tellsOfAll: Bool
  /// Whether brokers send no answers: then a report says that a record has left.
  private let isUnanswered: Bool
  private let latency: AcknowledgementLatency?
  private let observer: (any DeliveryObserver)?
  /// Set while records of refused batches wait to be sent again.
  private let holdsRefused = Atomic<Bool>(false)
  /// Set while records fail for want of time and none is acknowledged.
  private let stalled = Atomic<Bool>(false)

  init(
    partitionCount: Int32, acks: Acks = .all, tellsOfAll: Bool, latency: AcknowledgementLatency?,
    observer: (any DeliveryObserver)? = nil
  ) {
    self.tellsOfAll = tellsOfAll
    self.observer = observer
    isUnanswered = acks == .none
    self.latency = isUnanswered ? nil : latency
    entries = Mutex(
      Entries(
        counts: DeliveryCounts(partitionCount: partitionCount),
        highest: Array(repeating: -1, count: Int(partitionCount)),
        early: Array(repeating: [], count: Int(partitionCount))))
  }

  var counts: DeliveryCounts { entries.withLock { $0.counts } }

  /// Records with a final report.
  var finished: Int64 { entries.withLock { $0.counts.settled } }

  var isStalled: Bool { stalled.load(ordering: .relaxed) }

  /// Takes in a batch of reports.
  /// - Parameter isFatal: Whether the client had a fatal error before these reports were served: what failed then was
  ///   not the record's fault and is kept.
  func enter(_ event: borrowing NativeEvent, isFatal: Bool) {
    guard event.isDeliveryReport else { return }
    let now = latency?.time.monotonicNanoseconds ?? 0
    entries.withLock { entries in
      entries.sendTimes.left = 0
      // An event has the records of one batch.
      entries.lacksOffsets = false
      if let observer {
        observer.together { enterAll(event, isFatal: isFatal, in: &entries) }
      } else {
        enterAll(event, isFatal: isFatal, in: &entries)
      }
      // Before anybody can count them as acknowledged.
      if let latency, !entries.sendTimes.acknowledged.isEmpty {
        latency.acknowledge(CollectionOfOne(entries.sendTimes.acknowledged), at: now)
        entries.sendTimes.acknowledged.removeAll()
      }
    }
  }

  private func enterAll(_ event: borrowing NativeEvent, isFatal: Bool, in entries: inout Entries) {
    event.forEachReport { report in
      if report.error == RD_KAFKA_RESP_ERR_NO_ERROR {
        enterAcknowledged(report, in: &entries)
      } else if Self.isRefusal(report.error) {
        enterRefused(report, in: &entries)
      } else if isFatal && !Self.isOwnFault(report.error) {
        entries.unacknowledged.append(report.copy())
        keepSendTime(report, in: &entries)
      } else {
        enterFailed(report, in: &entries)
      }
    }
  }

  // MARK: - Send times

  /// A record was to be sent at this moment, and has to wait for room in the queue or for another client. Its tag says so.
  func keepSendTime(_ sequence: Int64, _ nanoseconds: Int64) {
    guard let latency, latency.due(sequence) == nil else { return }
    entries.withLock { $0.sendTimes.keep(sequence, nanoseconds) }
  }

  /// Of a record that will be sent again by another client.
  private func keepSendTime(_ report: borrowing DeliveryReport, in entries: inout Entries) {
    let sequence = RecordTag(report.tag).sequence
    guard let latency, latency.due(sequence) == nil else { return }
    entries.sendTimes.keep(sequence, latency.time.monotonicNanoseconds - report.ageNanoseconds)
  }

  @inline(__always)
  private func noteAcknowledged(_ report: borrowing DeliveryReport, _ tag: RecordTag, in entries: inout Entries) {
    if entries.sendTimes.left == 0 || tag.isDelayed { lookUpSendTime(report, tag, in: &entries) }
    entries.sendTimes.left -= 1
    entries.sendTimes.acknowledged.append(entries.sendTimes.last)
  }

  private func lookUpSendTime(_ report: borrowing DeliveryReport, _ tag: RecordTag, in entries: inout Entries) {
    guard let latency else { return }
    entries.sendTimes.left = 1
    if let due = latency.due(tag.sequence) {
      entries.sendTimes.last = due
    } else if tag.isDelayed, let kept = entries.sendTimes.kept.removeValue(forKey: tag.sequence) {
      entries.sendTimes.last = kept
    } else {
      entries.sendTimes.last = latency.time.monotonicNanoseconds - report.ageNanoseconds
      entries.sendTimes.left = SendTimes.stride
    }
  }

  // MARK: - Reports

  private func enterAcknowledged(_ report: borrowing DeliveryReport, in entries: inout Entries) {
    let tag = RecordTag(report.tag)
    let partition = Int(report.partition)
    stalled.store(false, ordering: .relaxed)
    if tellsOfAll { entries.reports.acknowledged.append(tag.sequence) }
    if isUnanswered {
      entries.counts.unanswered += 1
      return
    }
    entries.counts.acknowledged += 1
    while entries.counts.acknowledgedByPartition.count <= partition {
      entries.counts.acknowledgedByPartition.append(0)
      entries.highest.append(-1)
      entries.early.append([])
    }
    entries.counts.acknowledgedByPartition[partition] += 1
    if tag.mayBeSecond { entries.counts.possiblyDuplicated += 1 }
    if !tag.isAlone, !entries.early[partition].isEmpty {
      settleEarly(before: tag.sequence, partition, report.offset, in: &entries)
    }
    if tag.sequence <= entries.highest[partition] {
      if tag.isAlone { entries.counts.reordered += 1 }
    } else {
      entries.highest[partition] = tag.sequence
      if tag.isAlone, let offset = report.offset {
        entries.early[partition].append(EarlyRecord(sequence: tag.sequence, offset: offset))
      }
    }
    if latency != nil { noteAcknowledged(report, tag, in: &entries) }
    if let observer {
      if report.offset == nil { entries.lacksOffsets = true }
      observer.acknowledged(
        AcknowledgedRecord(
          sequence: tag.sequence, partition: report.partition, offset: entries.lacksOffsets ? nil : report.offset,
          key: report.key, value: report.value))
    }
  }

  /// Another client's report has come first: the offsets tell which record is in front. Reports of one client come in the
  /// order of offsets, so the first one decides.
  private func settleEarly(before sequence: Int64, _ partition: Int, _ offset: Offset?, in entries: inout Entries) {
    guard let offset else { return }
    let settled = entries.early[partition].filter { $0.sequence < sequence }
    entries.counts.reordered += Int64(settled.count { $0.offset > offset })
    entries.early[partition].removeAll { $0.sequence < sequence }
  }

  /// The first time it is its batch that was refused, which may be another record's fault.
  private func enterRefused(_ report: borrowing DeliveryReport, in entries: inout Entries) {
    let tag = RecordTag(report.tag)
    guard tag.isAlone else {
      entries.refused.append(report.copy())
      keepSendTime(report, in: &entries)
      holdsRefused.store(true, ordering: .relaxed)
      return
    }
    entries.counts.failed += 1
    entries.counts.refused += 1
    observer?.failed(tag.sequence, mayBeOnLog: false)
    entries.sendTimes.kept[tag.sequence] = nil
    guard tellsOfAll || entries.reports.refused.count < RecordReports.refusalLimit else { return }
    entries.reports.refused.append((tag.sequence, report.partition, NativeError(report.error)))
  }

  private func enterFailed(_ report: borrowing DeliveryReport, in entries: inout Entries) {
    entries.counts.failed += 1
    entries.sendTimes.kept[RecordTag(report.tag).sequence] = nil
    if report.mayBePersisted { entries.counts.uncertain += 1 }
    observer?.failed(RecordTag(report.tag).sequence, mayBeOnLog: report.mayBePersisted)
    entries.failure = entries.failure ?? NativeError(report.error)
    if tellsOfAll { entries.reports.failed.append(RecordTag(report.tag).sequence) }
    if report.error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT { stalled.store(true, ordering: .relaxed) }
  }

  /// Errors with which a broker refuses a whole batch because of one record in it.
  private static func isRefusal(_ error: rd_kafka_resp_err_t) -> Bool {
    [
      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
      RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, NativeError.anotherRecord,
    ].contains(error)
  }

  /// Errors that a record would meet again.
  private static func isOwnFault(_ error: rd_kafka_resp_err_t) -> Bool {
    [
      RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
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

  var hasRefused: Bool { holdsRefused.load(ordering: .relaxed) }

  /// Records of refused batches, in the order in which they were sent first.
  func takeRefused() -> [UnacknowledgedRecord] {
    entries.withLock { entries in
      defer { entries.refused = [] }
      holdsRefused.store(false, ordering: .relaxed)
      return entries.refused.sorted { $0.tag < $1.tag }
    }
  }

  func takeReports() -> Reports {
    entries.withLock { entries in
      defer { entries.reports = Reports() }
      return entries.reports
    }
  }

  /// Counts records that no report will come for.
  func fail(_ count: Int64, because error: NativeError) {
    guard count > 0 else { return }
    entries.withLock { entries in
      entries.counts.failed += count
      entries.counts.uncertain += count
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

/// Serves a client's delivery reports on a thread of its own, so that they are counted however slowly the sender sends.
///
/// A sender at full speed serves most of them itself (`serveReady`): what one thread allocates and another one frees
/// costs both of them more than the reports do. The thread therefore leaves reports lying for a moment, but not where
/// records are sent at a rate that somebody watches, nor once the sender waits for the last ones: their latency ends when
/// they are served.
final class ReportPump: Sendable {
  /// How long the thread sleeps at most when nothing comes.
  private static let pollInterval = Duration.milliseconds(100)
  /// How long it leaves the next reports to the sender.
  private static let pause = Duration.milliseconds(5)

  private let client: NativeClient
  private let queue: NativeQueue
  private let ledger: DeliveryLedger
  private let time: any TimeSource
  private let stopped = Atomic<Bool>(false)
  private let pauses: Atomic<Bool>
  private let thread = Mutex<BackgroundThread<Void>?>(nil)

  /// - Parameter pauses: whether the sender serves reports too.
  init(_ client: NativeClient, _ ledger: DeliveryLedger, pauses: Bool, _ time: any TimeSource) {
    self.pauses = Atomic(pauses)
    self.client = client
    self.ledger = ledger
    self.time = time
    queue = NativeQueue.main(of: client)
  }

  /// Without a thread of its own what the sender serves is all that is served.
  func start() {
    let started = try? BackgroundThread { [self] in
      while !stopped.load(ordering: .acquiring) {
        serve(Self.pollInterval)
        serveReady()
        if pauses.load(ordering: .relaxed) { time.sleep(Self.pause) }
      }
    }
    thread.withLock { $0 = started }
  }

  /// Waits up to `timeout` for reports and counts them. Any thread.
  func serve(_ timeout: Duration) {
    guard let event = queue.poll(timeout) else { return }
    // Asked after the event came: an error that ended the client was known before the reports that it caused.
    ledger.enter(event, isFatal: client.isFatal)
  }

  /// Counts the reports that are there. Any thread.
  func serveReady() {
    while let event = queue.poll(.zero) { ledger.enter(event, isFatal: client.isFatal) }
  }

  /// The sender serves nothing any more.
  func leavesNone() { pauses.store(false, ordering: .relaxed) }

  /// Ends the thread; reports that are still queued are served here.
  func stop() {
    stopped.store(true, ordering: .releasing)
    queue.wake()
    _ = thread.withLock { $0 }?.join(.seconds(5))
    serveReady()
  }
}
