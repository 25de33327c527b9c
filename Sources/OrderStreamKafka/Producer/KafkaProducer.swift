import CRdKafka
import OrderStreamCore

/// Idempotent producer for one topic. Sent from one thread; `deliveries` may be read from any.
///
/// A fatal error of the idempotent producer (out-of-order sequence after a broker has bounced, librdkafka issue 4438) is survived: its
/// reports are drained, another client sends again what was not acknowledged, and what may be on the log already is
/// counted as possibly duplicated.
final class KafkaProducer: Producer {
  /// Clients that a producer uses up before it gives in.
  private static let linkLimit = 6
  private static let closeLimit = Duration.seconds(5)
  /// Records between two looks at the reports by the sender itself.
  private static let serveStride: Int64 = 500
  /// How long records in flight may still be acknowledged after a fatal error.
  private static let drainLimit = Duration.seconds(10)

  let partitionCount: Int32
  private let topic: String
  private let context: KafkaContext
  private let profile: ClientProfile
  private let ledger: DeliveryLedger
  private var link: ProducerLink?
  private var linkCount = 1
  private var sent: Int64 = 0

  init(topic: String, partitionCount: Int32, pace: ProducerPace, context: KafkaContext) throws(BrokerError) {
    self.topic = topic
    self.partitionCount = partitionCount
    self.context = context
    profile = .producer(pace)
    ledger = DeliveryLedger(partitionCount: partitionCount)
    link = try makeLink()
  }

  deinit { close() }

  var deliveries: DeliveryCounts { ledger.counts }

  func send(_ record: OutgoingRecord) throws(BrokerError) {
    if ledger.isStalled { throw stalled() }
    guard record.partition >= 0 && record.partition < partitionCount else {
      throw BrokerError(
        .unknownPartition, "cannot append to \(topic)[\(record.partition)]",
        why: "the topic has \(partitionCount) partitions", recovery: .none)
    }
    try send(record, RecordTag(sequence: Int(sent), mayBeSecond: false))
    sent += 1
    if sent % Self.serveStride == 0 { link?.pump.serveReady() }
  }

  /// Queues a record, waiting while the queue is full and changing the client after a fatal error.
  private func send(_ record: OutgoingRecord, _ tag: RecordTag) throws(BrokerError) {
    while true {
      let link = try openLink()
      do {
        return try link.send(record, tag)
      } catch {
        switch error.code {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
          link.pump.serve(.milliseconds(10))
          if ledger.isStalled { throw stalled() }
        case RD_KAFKA_RESP_ERR__FATAL: try replaceLink()
        default:
          throw context.errors.map(
            error, "cannot append to \(topic)[\(record.partition)]", recovery: BrokerError.Recovery.none)
        }
      }
    }
  }

  func flush(timeout: Duration) throws(BrokerError) {
    let deadline = Deadline(timeout, context.time)
    while ledger.finished < sent {
      let link = try openLink()
      if link.client.isFatal {
        try replaceLink()
      } else {
        // Fails when its time is up; what counts is the ledger.
        try? link.client.flush(deadline.remaining(atMost: .milliseconds(100)))
        if ledger.finished < sent && !deadline.hasPassed { link.pump.serve(.milliseconds(1)) }
      }
      if deadline.hasPassed { break }
    }
    if let failure = ledger.takeFailure() {
      throw context.errors.map(
        failure, "cannot append to \(topic): \(ledger.counts.failed) records were not acknowledged", needs: right)
    }
  }

  func close() {
    guard let link else { return }
    self.link = nil
    link.client.purge()
    let deadline = Deadline(Self.closeLimit, context.time)
    while ledger.finished < sent && !deadline.hasPassed && link.client.outstanding > 0 {
      link.pump.serve(.milliseconds(10))
    }
    link.pump.stop()
    let gone = NativeError(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    ledger.fail(Int64(ledger.takeUnacknowledged().count), because: gone)
    ledger.fail(sent - ledger.finished, because: gone)
  }

  /// Ends the client as a broker's refusal would. For tests.
  func raiseFatalError() {
    link?.client.raiseFatalError(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, reason: "raised by a test")
  }

  /// An idempotent producer needs a right of the cluster's too, which this one implies.
  private var right: AccessRight { AccessRight(.write, .topic(topic)) }

  private func openLink() throws(BrokerError) -> ProducerLink {
    if let link { return link }
    throw BrokerError(.deliveryFailed, "cannot append to \(topic)", why: "the producer is closed")
  }

  private func makeLink() throws(BrokerError) -> ProducerLink {
    let client = try context.factory.client(profile)
    do { return try ProducerLink(client, topic: topic, ledger, context.time) } catch {
      throw context.errors.map(error, "cannot produce to \(topic)")
    }
  }

  /// After a fatal error: takes back what was not acknowledged and sends it again through another client.
  private func replaceLink() throws(BrokerError) {
    let old = try openLink()
    let reason = old.client.fatalError ?? NativeError(RD_KAFKA_RESP_ERR__FATAL)
    let refusal = context.errors.map(reason, "cannot append to \(topic)", needs: right)
    if refusal.code == .unauthorized {
      close()
      throw refusal
    }
    guard linkCount < Self.linkLimit else {
      close()
      throw context.errors.map(reason, "cannot append to \(topic) after \(linkCount) producers have failed")
    }
    linkCount += 1
    context.note(.warning, "the producer for \(topic) failed (\(reason.text)); another one takes over")
    let deadline = Deadline(Self.drainLimit, context.time)
    while old.client.outstanding > 0 && !deadline.hasPassed { old.pump.serve(.milliseconds(10)) }
    old.client.purge()
    while old.client.outstanding > 0 && !deadline.hasPassed { old.pump.serve(.milliseconds(10)) }
    old.pump.stop()
    link = nil
    link = try makeLink()
    for record in ledger.takeUnacknowledged() { try resend(record) }
  }

  private func resend(_ record: UnacknowledgedRecord) throws(BrokerError) {
    let old = RecordTag(record.tag)
    let tag = RecordTag(sequence: old.sequence, mayBeSecond: old.mayBeSecond || record.mayBePersisted)
    try record.withOutgoing { outgoing throws(BrokerError) in try send(outgoing, tag) }
  }

  private func stalled() -> BrokerError {
    BrokerError(
      .deliveryFailed, "cannot append to \(topic)",
      why: "no record was acknowledged within the time-out for records", remedy: "check the cluster's health")
  }
}
