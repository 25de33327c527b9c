import CRdKafka
import OrderStreamCore

/// Outputs and offsets of one consumer without a transaction: an idempotent producer, and offsets that are committed by the
/// consumer itself, in the generation that gave it its partitions. There is no transactional identity.
///
/// Used by one thread at a time. A commit may run beside polls of the consumer: of that and its membership it reads only
/// what no poll changes until the partitions were given back.
final class KafkaCommitSteps: CommitSteps {
  private static let limit = TransactionCommit.limit
  private static let slice = Duration.milliseconds(100)
  /// Records between two looks at the delivery reports.
  private static let reportStride = 1000

  private let consumer: KafkaConsumer
  private let context: KafkaContext
  private let topic: String
  private let group: String
  private let outputs: [String]
  private let mark: String
  private var limits: OutputLimits
  private var link: TransactionLink?
  /// Why the link is of no more use.
  private var failure: BrokerError?
  private var sinceReports = 0

  init(
    for consumer: KafkaConsumer, outputs: [String], _ guarantee: Guarantee, context: KafkaContext
  ) throws(BrokerError) {
    guard let slot = consumer.membership.slot, let group = consumer.options.group else {
      preconditionFailure("offsets are committed by a consumer with a group")
    }
    self.consumer = consumer
    self.context = context
    self.group = group
    self.outputs = outputs
    topic = consumer.options.topic
    mark = OffsetMark(identity: slot.identity, guarantee: guarantee).text
    for output in outputs { _ = try context.partitionCount(of: output) }
    limits = OutputLimits(of: outputs, context)
    link = try makeLink()
  }

  deinit { close() }

  private func makeLink() throws(BrokerError) -> TransactionLink {
    try TransactionLink.plain(group: group, topics: outputs, limits: limits, context)
  }

  private func openLink() throws(BrokerError) -> TransactionLink {
    if let failure { throw failure }
    if let link { return link }
    throw BrokerError(.internalError, "cannot write the outputs of \(group)", why: "it is closed")
  }

  // MARK: - Outputs

  func refusal(of record: OutgoingRecord, on output: Int) -> BrokerError? {
    limits.refusal(of: record, on: output, topic: outputs[output], context)
  }

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    let link = try openLink()
    // Of a record that has failed the next one need not be sent.
    sinceReports += 1
    if sinceReports >= Self.reportStride { try lookAtReports(link) }
    var code = link.send(record, to: output, marked: false)
    if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
    let what = "cannot append to \(outputs[output])[\(record.partition)]"
    let deadline = Deadline(Self.limit, context.time)
    while code == RD_KAFKA_RESP_ERR__QUEUE_FULL {
      guard !deadline.hasPassed else { throw expired(what) }
      link.client.poll(.milliseconds(10))
      try lookAtReports(link)
      code = link.send(record, to: output, marked: false)
    }
    switch code {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return
    case RD_KAFKA_RESP_ERR__FATAL: throw failed(link.client.fatalError ?? NativeError(code), what, link)
    default: throw context.errors.map(NativeError(code), what, recovery: BrokerError.Recovery.none)
    }
  }

  private func lookAtReports(_ link: TransactionLink) throws(BrokerError) {
    sinceReports = 0
    link.client.poll(.zero)
    guard let error = link.client.events.takeFailedDelivery() else { return }
    throw failed(error, "cannot append to \(outputs.joined(separator: " and "))", link)
  }

  func flush() throws(BrokerError) {
    let link = try openLink()
    let deadline = Deadline(Self.limit, context.time)
    while true {
      // Fails when its time is up; what counts is what is left.
      try? link.client.flush(deadline.remaining(atMost: Self.slice))
      try lookAtReports(link)
      if link.client.outstanding == 0 { return }
      guard !deadline.hasPassed else { throw expired("cannot append to \(outputs.joined(separator: " and "))") }
    }
  }

  private func expired(_ what: String) -> BrokerError {
    let error = BrokerError(
      .timedOut, what, why: "the brokers did not take it within \(Self.limit.milliseconds) ms",
      remedy: "check the cluster's health", recovery: .abort)
    failure = error
    return error
  }

  private func failed(_ error: NativeError, _ what: String, _ link: TransactionLink) -> BrokerError {
    var mapped = link.meaning(of: error, what)
    if mapped.code == .recordTooLarge, !limits.lower(link.client.events.oversizedTopics, of: outputs) {
      mapped.recovery = .fatal
    }
    failure = mapped
    return mapped
  }

  func drop() throws(BrokerError) {
    guard let link, failure != nil || link.client.outstanding > 0 else { return }
    link.drop()
    self.link = nil
    self.link = try makeLink()
    failure = nil
  }

  func close() {
    link?.drop()
    link = nil
  }

  // MARK: - Offsets

  private var commitWords: String { "cannot commit \(topic) for the group \(group)" }

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    try checkOwnership(of: offsets)
    let deadline = Deadline(Self.limit, context.time)
    // What takes longer than a healthy cluster is told as an outage.
    let wait = OutageWait(context.outages, atLeast: Self.limit)
    while true {
      do throws(NativeError) {
        try consumer.commit(offsets, mark: mark, deadline)
        return wait.answered()
      } catch {
        let right = AccessRight(.read, .group(group))
        var mapped = context.errors.map(error, commitWords, needs: right, recovery: .abort)
        if error.code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS { mapped.code = .fenced }
        if mapped.code == .unauthorized { mapped.recovery = .fatal }
        guard mapped.passesByItself, !deadline.hasPassed, wait.goesOn(because: mapped) else { throw mapped }
        try checkOwnership(of: offsets)
      }
    }
  }

  /// A coordinator takes offsets without a generation from anybody while the group is empty, so one that has lost its
  /// session must not ask.
  private func checkOwnership(of offsets: [PartitionOffset]) throws(BrokerError) {
    if case .sole = consumer.options.membership { return }
    guard consumer.isInItsGeneration else {
      throw BrokerError(
        .fenced, commitWords, why: "the partitions belong to another member by now", recovery: .abort)
    }
    if let foreign = offsets.first(where: { consumer.membership.owned?.contains($0.partition) != true }) {
      throw BrokerError(
        .fenced, commitWords, why: "\(topic)[\(foreign.partition)] does not belong to this member",
        recovery: .abort)
    }
  }
}

/// What stands beside an offset that was committed without a transaction: who did it, and with which guarantee. As text:
/// `orderstream/1 <identity> <guarantee>`. No `CommitMark`: there is no transaction of that identity to be looked for.
struct OffsetMark: Hashable, Sendable {
  private static let word = "orderstream/1"

  /// Has no space.
  var identity: String
  var guarantee: Guarantee

  init(identity: String, guarantee: Guarantee) {
    self.identity = identity
    self.guarantee = guarantee
  }

  /// `nil` for what a transaction, or another program, has left beside an offset.
  init?(_ metadata: [UInt8]) {
    let parts = String(decoding: metadata, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == Self.word, !parts[1].isEmpty,
      let guarantee = Guarantee(rawValue: String(parts[2]))
    else { return nil }
    self.init(identity: String(parts[1]), guarantee: guarantee)
  }

  var text: String { "\(Self.word) \(identity) \(guarantee.rawValue)" }
}
