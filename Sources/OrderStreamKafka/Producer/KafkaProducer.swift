import CRdKafka
import OrderStreamCore

/// Producer for one topic, idempotent unless `Acks` asks for less. Sent from one thread; `deliveries` may be read from any.
///
/// A fatal error of the idempotent producer (out-of-order sequence after a broker has bounced, librdkafka issue 4438) is survived: its
/// reports are drained, another client sends again what was not acknowledged, and what may be on the log already is
/// counted as possibly duplicated.
///
/// A broker refuses a batch as a whole when one record in it is too large or invalid. The records of such a batch are sent
/// again by a client that puts one record into a batch: those that are not to blame are acknowledged (perhaps behind later
/// ones of their partition), the others are told of by their sequence.
final class KafkaProducer: Producer {
  /// Clients that a producer uses up before it gives in.
  private static let linkLimit = 6
  private static let closeLimit = Duration.seconds(5)
  /// Records between two looks at the reports by the sender itself.
  private static let serveStride: Int64 = 500
  /// How long records in flight may still be acknowledged after a fatal error.
  private static let drainLimit = Duration.seconds(10)
  /// How long a sender that was asked to stop waits for room in the queue.
  private static let stopLimit = Duration.seconds(1)

  let partitionCount: Int32
  private let topic: String
  private let context: KafkaContext
  private let pace: ProducerPace
  private let profile: ClientProfile
  private let aloneProfile: ClientProfile
  private let ledger: DeliveryLedger
  private let stop: StopFlag?
  private var link: ProducerLink?
  /// Made for the first refused batch.
  private var singleLink: ProducerLink?
  private var linkCount = 1
  /// Records that are queued or have been.
  private var sent: Int64 = 0
  /// Calls of `send` so far.
  private var calls: Int64 = 0
  private var isClosed = false

  /// - Parameter stop: Once it is requested, a full queue is not waited for much longer.
  init(
    _ options: ProducerOptions, partitionCount: Int32, context: KafkaContext, stop: StopFlag?
  ) throws(BrokerError) {
    topic = options.topic
    self.partitionCount = partitionCount
    self.context = context
    self.stop = stop
    pace = options.pace
    profile = .producer(options.pace, options.acks)
    aloneProfile = .singleRecordProducer(options.acks)
    ledger = DeliveryLedger(
      partitionCount: partitionCount, acks: options.acks, tellsOfAll: options.reports == .all,
      latency: options.latency, observer: options.observer)
    link = try makeLink(profile)
  }

  deinit { close() }

  var deliveries: DeliveryCounts { ledger.counts }

  func takeReports() -> RecordReports {
    let found = ledger.takeReports()
    var reports = RecordReports()
    reports.acknowledged = found.acknowledged
    reports.failed = found.failed
    reports.refused = found.refused.map { refusal in
      RecordReports.Refusal(
        sequence: refusal.sequence,
        error: context.errors.map(
          refusal.error, "cannot append to \(topic)[\(refusal.partition)]", recovery: BrokerError.Recovery.none))
    }
    return reports
  }

  func send(_ record: OutgoingRecord) throws(BrokerError) {
    defer { calls += 1 }
    if ledger.hasRefused { try sendRefusedAlone() }
    if ledger.isStalled { throw stalled() }
    guard record.partition >= 0 && record.partition < partitionCount else {
      throw BrokerError(
        .unknownPartition, "cannot append to \(topic)[\(record.partition)]",
        why: "the topic has \(partitionCount) partitions", recovery: .none)
    }
    try send(record, RecordTag(sequence: calls))
    sent += 1
    if sent % Self.serveStride == 0 { link?.pump.serveReady() }
  }

  /// Sends the records of refused batches once more, a batch for each.
  private func sendRefusedAlone() throws(BrokerError) {
    for record in ledger.takeRefused() {
      let old = RecordTag(record.tag)
      let tag = RecordTag(sequence: old.sequence, mayBeSecond: old.mayBeSecond, isAlone: true, isDelayed: true)
      try sendAgain(record, tag)
    }
  }

  /// librdkafka does not tell the timestamp of a record that failed, and it is that of sending.
  private func sendAgain(_ record: UnacknowledgedRecord, _ tag: RecordTag) throws(BrokerError) {
    try record.withOutgoing { outgoing throws(BrokerError) in
      var outgoing = outgoing
      if outgoing.timestampMs < 0 { outgoing.timestampMs = context.time.wallMilliseconds }
      try send(outgoing, tag)
    }
  }

  /// Queues a record, waiting while the queue is full and changing the client after a fatal error.
  private func send(_ record: OutgoingRecord, _ first: RecordTag) throws(BrokerError) {
    var tag = first
    var sinceStop: Deadline?
    while true {
      let link = try openLink(alone: tag.isAlone)
      let code = link.client.produce(record, to: link.topic, tag: tag.bits)
      switch code {
      case RD_KAFKA_RESP_ERR_NO_ERROR: return
      case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        delay(&tag)
        link.pump.serve(.milliseconds(10))
        if ledger.isStalled { throw stalled() }
        if stop?.isRequested == true {
          let limit = sinceStop ?? Deadline(Self.stopLimit, context.time)
          sinceStop = limit
          if limit.hasPassed { throw stopped() }
        }
      case RD_KAFKA_RESP_ERR__FATAL:
        delay(&tag)
        try replaceLink(alone: tag.isAlone)
      default:
        throw context.errors.map(
          NativeError(code), "cannot append to \(topic)[\(record.partition)]", needs: right,
          recovery: BrokerError.Recovery.none)
      }
    }
  }

  /// The record does not come into a queue now.
  private func delay(_ tag: inout RecordTag) {
    guard !tag.isDelayed else { return }
    ledger.keepSendTime(tag.sequence, context.time.monotonicNanoseconds)
    tag = RecordTag(sequence: tag.sequence, mayBeSecond: tag.mayBeSecond, isAlone: tag.isAlone, isDelayed: true)
  }

  func flush(timeout: Duration) throws(BrokerError) {
    let deadline = Deadline(timeout, context.time)
    while ledger.finished < sent {
      if ledger.hasRefused { try sendRefusedAlone() }
      try flush(alone: false, deadline)
      if singleLink != nil { try flush(alone: true, deadline) }
      if deadline.hasPassed { break }
    }
    if let failure = ledger.takeFailure() {
      throw context.errors.map(
        failure, "cannot append to \(topic): \(ledger.counts.failed) records were not acknowledged", needs: right)
    }
  }

  private func flush(alone: Bool, _ deadline: Deadline) throws(BrokerError) {
    let link = try openLink(alone: alone)
    if link.client.isFatal { return try replaceLink(alone: alone) }
    link.pump.leavesNone()
    // Fails when its time is up; what counts is the ledger.
    try? link.client.flush(deadline.remaining(atMost: .milliseconds(100)))
    if ledger.finished < sent && !deadline.hasPassed { link.pump.serve(.milliseconds(1)) }
  }

  func close() {
    if isClosed { return }
    isClosed = true
    let deadline = Deadline(Self.closeLimit, context.time)
    for link in [link, singleLink].compactMap(\.self) {
      link.client.purge()
      while ledger.finished < sent && !deadline.hasPassed && link.client.outstanding > 0 {
        link.pump.serve(.milliseconds(10))
      }
      link.pump.stop()
    }
    (link, singleLink) = (nil, nil)
    ledger.fail(sent - ledger.finished, because: NativeError(RD_KAFKA_RESP_ERR__PURGE_QUEUE))
  }

  /// Ends the client as a broker's refusal would. For tests.
  func raiseFatalError() {
    link?.client.raiseFatalError(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, reason: "raised by a test")
  }

  /// An idempotent producer needs a right of the cluster's too, which this one implies.
  private var right: AccessRight { AccessRight(.write, .topic(topic)) }

  /// - Parameter alone: the one for records that are a batch each; made when it is wanted first.
  private func openLink(alone: Bool) throws(BrokerError) -> ProducerLink {
    if isClosed { throw BrokerError(.deliveryFailed, "cannot append to \(topic)", why: "the producer is closed") }
    if let open = alone ? singleLink : link { return open }
    let made = try makeLink(alone ? aloneProfile : profile)
    if alone { singleLink = made } else { link = made }
    return made
  }

  private func makeLink(_ profile: ClientProfile) throws(BrokerError) -> ProducerLink {
    let client = try context.factory.client(profile)
    do { return try ProducerLink(client, topic: topic, ledger, pace, context.time) } catch {
      throw context.errors.map(error, "cannot produce to \(topic)")
    }
  }

  /// After a fatal error: takes back what was not acknowledged and sends it again through another client.
  private func replaceLink(alone: Bool) throws(BrokerError) {
    let old = try openLink(alone: alone)
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
    if alone { singleLink = nil } else { link = nil }
    _ = try openLink(alone: alone)
    for record in ledger.takeUnacknowledged() { try resend(record) }
  }

  private func resend(_ record: UnacknowledgedRecord) throws(BrokerError) {
    let old = RecordTag(record.tag)
    let tag = RecordTag(
      sequence: old.sequence, mayBeSecond: old.mayBeSecond || record.mayBePersisted, isAlone: old.isAlone,
      isDelayed: true)
    try sendAgain(record, tag)
  }

  private func stopped() -> BrokerError {
    BrokerError(
      .deliveryFailed, "cannot append to \(topic)", why: "the queue was still full when the run was asked to stop",
      remedy: "check the cluster's health")
  }

  private func stalled() -> BrokerError {
    BrokerError(
      .deliveryFailed, "cannot append to \(topic)",
      why: "no record was acknowledged within the time-out for records", remedy: "check the cluster's health")
  }
}

/// One client of a producer with its topic and the thread that counts reports. A fatal error ends the link; the producer
/// makes another one.
final class ProducerLink {
  let client: NativeClient
  let topic: NativeTopic
  let pump: ReportPump

  init(
    _ client: NativeClient, topic: String, _ ledger: DeliveryLedger, _ pace: ProducerPace, _ time: any TimeSource
  ) throws(NativeError) {
    self.client = client
    self.topic = try NativeTopic(client, topic)
    pump = ReportPump(client, ledger, pauses: pace == .bulk, time)
    // The first record on a topic that the client does not know waits for the next metadata request.
    _ = try? client.metadata(topic, .seconds(5))
    pump.start()
  }
}
