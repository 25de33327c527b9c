import CRdKafka
import Dispatch
import OrderStreamCore

/// Transactions of one consumer: a transactional producer whose identity outlives the process, outputs, the group's state
/// topic, and offsets that are fenced by the consumer's generation.
///
/// Used by one thread at a time. Beside a commit, which may run on another thread than the consumer's, the consumer may be
/// polled: what its polls do here (`closeOwn`, `settle`) is left out while a commit is under way (`turn`), and of the
/// membership a commit reads the generation and the partitions, which no poll changes until they were given back.
///
/// Everything that ends a client (a fatal error, being fenced, a call past its deadline: librdkafka issue 5423) is thrown
/// as `requiresAbort`; `abort` then makes another client, whose first act is to abort what the old one left open.
final class KafkaTransaction: Transaction {
  private static let abortLimit = Duration.seconds(5)
  private static let closeLimit = Duration.seconds(3)
  /// A pause in which a broker may have gone and come back without a sign.
  private static let lookAfterIdle = Duration.seconds(30)
  /// Clients that may fail without a single commit in between, for reasons that do not pass by themselves.
  private static let linkLimit = 5

  private enum Phase {
    case idle, open
    /// Only `abort` is left.
    case mustAbort(BrokerError)
    /// The client is of no more use; `abort` makes another one.
    case mustReplace(BrokerError)
  }

  private(set) var pendingBytes = 0
  private(set) var outputMark: RecordMark?
  /// A record of the first output in this transaction will be known by where it lies.
  private var hasMarked = false
  private let consumer: KafkaConsumer
  private let context: KafkaContext
  private let slot: IdentitySlot
  private let topic: String
  private let group: String
  private let topics: [String]
  private var limits: OutputLimits
  private let stateIndex: Int
  private var link: TransactionLink?
  private var phase = Phase.idle
  private var linksWithoutCommit = 1
  private var clock: CommitClock
  private let watch: TransactionGuard
  /// Whether transactions that are open elsewhere are looked at before the next one begins.
  var needsLook = true
  private var lastEnd: Int64
  /// The last transaction whose commit was started, or that was aborted.
  private var last: TransactionGuard.Last?
  private var written: WrittenPartitions
  private var state: StateRecordBuilder
  /// Taken by a commit, and by what the consumer's polls do here.
  private let turn = DispatchSemaphore(value: 1)

  init(for consumer: KafkaConsumer, outputs: [String], context: KafkaContext) throws(BrokerError) {
    guard let slot = consumer.membership.slot, let group = consumer.options.group else {
      preconditionFailure("a transaction needs a consumer with a group")
    }
    self.consumer = consumer
    self.context = context
    self.slot = slot
    self.group = group
    topic = consumer.options.topic
    for output in outputs { _ = try context.partitionCount(of: output) }
    topics = outputs + [try StateTopic.prepare(group: group, partitions: consumer.partitionCount, context)]
    state = StateRecordBuilder(source: topic, writer: slot.identity)
    limits = OutputLimits(of: outputs, context)
    stateIndex = outputs.count
    written = WrittenPartitions(topics)
    clock = CommitClock(identity: slot.identity)
    lastEnd = context.time.monotonicNanoseconds
    watch = TransactionGuard(
      group: group, identity: slot.identity, source: topic, topics: topics,
      deadMembers: consumer.membership.deadMembers, context)
    link = try makeLink()
    consumer.membership.transaction = self
    passEarlierMarks()
    do throws(BrokerError) { try settleNow() } catch {
      close()
      throw error
    }
  }

  /// Of earlier processes with this identity.
  private func passEarlierMarks() {
    for element in (try? context.committedOffsets(group: group, .seconds(2))) ?? [] {
      if let mark = CommitMark(element.metadata), mark.identity == slot.identity { clock.pass(mark) }
    }
  }

  /// Sees to it that no transaction hangs where the next one writes, and none keeps offsets or state back. Does nothing
  /// while a transaction of this producer is open or a commit is under way.
  /// - Throws: `busy` when one does not end.
  func settle() throws(BrokerError) {
    guard turn.wait(timeout: .now()) == .success else { return }
    defer { turn.signal() }
    try settleNow()
  }

  private func settleNow() throws(BrokerError) {
    guard case .idle = phase, let link else { return }
    do throws(BrokerError) { try watch.settle(link, last: last) } catch {
      if error.requiresAbort { phase = .mustReplace(error) }
      throw error
    }
    needsLook = false
  }

  /// Closes what an earlier transaction of this identity has left hanging, without waiting for anything else. To be called
  /// while nothing is to be written; looks only after something has happened to brokers.
  func closeOwn() throws(BrokerError) {
    guard turn.wait(timeout: .now()) == .success else { return }
    defer { turn.signal() }
    guard case .idle = phase, let link else { return }
    if link.takeDisruption() { needsLook = true }
    guard needsLook else { return }
    do throws(BrokerError) {
      if try watch.closeOwn(link, last: last) { needsLook = false }
    } catch {
      if error.requiresAbort { phase = .mustReplace(error) }
      throw error
    }
  }

  deinit { close() }

  /// Whether something is written that is neither committed nor aborted.
  var isOpen: Bool {
    switch phase {
    case .open, .mustAbort: true
    case .idle, .mustReplace: false
    }
  }

  func send(_ record: OutgoingRecord, to output: Int) throws(BrokerError) {
    precondition(output >= 0 && output < stateIndex, "an output is named by its index in `transaction(for:outputs:)`")
    if let refusal = limits.refusal(of: record, on: output, topic: topics[output], context) { throw refusal }
    try enqueue(record, output)
  }

  func takes(_ record: OutgoingRecord, on output: Int) -> Bool { limits.takes(record, on: output) }

  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    let record = state.record(
      partition: partition, timestampMs: context.time.wallMilliseconds, key: key, value: value)
    try enqueue(record, stateIndex)
  }

  private func enqueue(_ record: OutgoingRecord, _ index: Int) throws(BrokerError) {
    let link = try openTransaction()
    var record = record
    record.timestampMs = clock.stamp(record.timestampMs)
    // One of each transaction is enough.
    let isMarked = index == 0 && stateIndex > 0 && !hasMarked
    if isMarked { hasMarked = true }
    var code = link.send(record, to: index, marked: isMarked)
    // Most records go at once, and looking at the clock would cost as much as sending one.
    let deadline = code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : Deadline(TransactionCommit.limit, context.time)
    while true {
      guard let deadline, code != RD_KAFKA_RESP_ERR_NO_ERROR else {
        written.insert(index, record.partition)
        pendingBytes += (record.key?.count ?? 0) + (record.value?.count ?? 0) + record.headers.block.count
        return
      }
      let what = "cannot append to \(topics[index])[\(record.partition)]"
      switch code {
      case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        guard !deadline.hasPassed else { throw expired(what) }
        link.client.poll(.milliseconds(10))
      case RD_KAFKA_RESP_ERR__STATE, RD_KAFKA_RESP_ERR__FATAL:
        // The transaction has failed in the background; the reports say why.
        throw failed(link.client.fatalError ?? link.cause(NativeError(code)), what)
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION where index == stateIndex && !deadline.hasPassed:
        // The source has grown since; so must the state.
        _ = try StateTopic.prepare(group: group, partitions: record.partition + 1, context)
        _ = try? link.client.metadata(topics[index], .seconds(5))
      default: throw context.errors.map(NativeError(code), what, recovery: BrokerError.Recovery.none)
      }
      code = link.send(record, to: index, marked: isMarked)
    }
  }

  /// Where the open transaction has written, which is over then.
  private func takeWritten() -> Set<TopicPartition> {
    defer { lastEnd = context.time.monotonicNanoseconds }
    return written.take()
  }

  /// The link of the open transaction, which is begun when there is none.
  private func openTransaction() throws(BrokerError) -> TransactionLink {
    switch phase {
    case .open: return try openLink()
    case .mustAbort(let error), .mustReplace(let error): throw error
    case .idle: return try begin()
    }
  }

  private func begin() throws(BrokerError) -> TransactionLink {
    let link = try openLink()
    _ = link.client.events.takeFailedDelivery()
    _ = link.client.events.takeDeliveredMark()
    hasMarked = false
    let idle = context.time.monotonicNanoseconds - lastEnd
    if link.takeDisruption() || idle >= Self.lookAfterIdle.nanoseconds { needsLook = true }
    if needsLook { try settleNow() }
    clock.begin(wallMs: context.time.wallMilliseconds)
    state.begin(clock.begin)
    do { try link.client.beginTransaction() } catch { throw failed(error, "cannot begin a transaction") }
    phase = .open
    return link
  }

  func commit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    turn.wait()
    defer { turn.signal() }
    let link = try openTransaction()
    guard let metadata = consumer.membership.metadata, metadata.generation >= 0 || isSole else {
      throw remember(
        BrokerError(.fenced, commitWords, why: "the partitions belong to another member by now", recovery: .abort))
    }
    if let foreign = offsets.first(where: { !isSole && consumer.membership.owned?.contains($0.partition) != true }) {
      throw remember(
        BrokerError(
          .fenced, commitWords, why: "\(topic)[\(foreign.partition)] does not belong to this member",
          recovery: .abort))
    }
    let mark = clock.mark(wallMs: context.time.wallMilliseconds)
    last = TransactionGuard.Last(mark: mark, offsets: offsets, partitions: takeWritten())
    let commit = TransactionCommit(link.client, topic: topic, offsets, metadata, mark: mark, commitWords, context)
    let outcome: TransactionCommit.Outcome
    do throws(BrokerError) { outcome = try commit.outcome() } catch {
      // The thread that waits for an answer has the client.
      phase = .mustReplace(error)
      throw error
    }
    if case .failed(let error, let mayBeCommitted) = outcome {
      let failure = error.map { failed($0, commitWords) } ?? expired(commitWords)
      if !mayBeCommitted { last?.outcome = .aborted }
      guard mayBeCommitted, case .mustReplace = phase, try wasCommittedAfterAll(offsets) else { throw failure }
    }
    phase = .idle
    outputMark = self.link?.client.events.takeDeliveredMark() ?? outputMark
    last?.outcome = .committed
    lastEnd = context.time.monotonicNanoseconds
    pendingBytes = 0
    linksWithoutCommit = 0
    commit.tellAnswer()
  }

  private var commitWords: String { "cannot commit \(topic) for the group \(group)" }

  private var isSole: Bool { if case .sole = consumer.options.membership { true } else { false } }

  /// A commit without an answer: a new client with the same identity waits until the coordinator has finished the old
  /// transaction one way or the other; then the group's offsets tell which.
  private func wasCommittedAfterAll(_ offsets: [PartitionOffset]) throws(BrokerError) -> Bool {
    do throws(BrokerError) {
      try replaceLink()
      try settleNow()
      guard !offsets.isEmpty else { return false }
      let isCommitted = try TransactionCommit.areCommitted(offsets, of: topic, for: group, context)
      last?.outcome = isCommitted ? .committed : .aborted
      return isCommitted
    } catch {
      // The outputs and the state are gone with the old client, so the commit cannot be tried again.
      var failure = error
      if failure.isRetriable { failure.recovery = .abort }
      throw failure
    }
  }

  func abort() throws(BrokerError) {
    pendingBytes = 0
    switch phase {
    case .idle: return
    case .mustReplace: try replaceLink()
    case .open, .mustAbort:
      let link = try openLink()
      let deadline = Deadline(Self.abortLimit, context.time)
      do {
        try link.client.repeating(until: deadline, context.time) { () throws(NativeError) in
          try link.client.abortTransaction(Self.abortLimit)
        }
        _ = link.client.events.takeFailedDelivery()
        phase = .idle
        if last?.outcome == .unknown { last?.outcome = .aborted }
        noteAborted()
      } catch {
        _ = failed(error, "cannot abort a transaction on \(topic)")
        try replaceLink()
      }
    }
  }

  /// Nothing of what was written since the last commit is ever committed.
  private func noteAborted() {
    let partitions = takeWritten()
    guard !partitions.isEmpty else { return }
    let mark = clock.mark(wallMs: context.time.wallMilliseconds)
    last = TransactionGuard.Last(outcome: .aborted, mark: mark, offsets: [], partitions: partitions)
  }

  func close() {
    guard let link else { return }
    self.link = nil
    switch phase {
    case .open, .mustAbort: try? link.client.abortTransaction(Self.closeLimit)
    case .idle, .mustReplace: break
    }
    phase = .idle
    link.drop()
  }

  /// The process is gone: nothing is aborted. For tests.
  func die() { link = nil }

  private func openLink() throws(BrokerError) -> TransactionLink {
    if let link { return link }
    throw BrokerError(.internalError, "cannot write a transaction on \(topic)", why: "it is closed")
  }

  private func replaceLink() throws(BrokerError) {
    if case .mustReplace(var reason) = phase, !reason.isOutage {
      guard linksWithoutCommit < Self.linkLimit else {
        reason.why = "\(linksWithoutCommit) producers in a row have failed, the last one because: \(reason.why)"
        reason.recovery = .fatal
        throw reason
      }
      linksWithoutCommit += 1
    }
    link?.drop()
    link = nil
    link = try makeLink()
    phase = .idle
    needsLook = true
    // Taking the identity has aborted what was open.
    noteAborted()
  }

  private func makeLink() throws(BrokerError) -> TransactionLink {
    try TransactionLink.open(identity: slot.identity, group: group, topics: topics, limits: limits, context)
  }

  private func expired(_ what: String) -> BrokerError {
    let error = BrokerError(
      .timedOut, what, why: "the brokers did not finish it within \(TransactionCommit.limit.milliseconds) ms",
      remedy: "check the cluster's health", recovery: .abort)
    phase = .mustReplace(error)
    return error
  }

  /// What an error of a transaction means for it: abort, or abort with another client.
  private func failed(_ error: NativeError, _ what: String) -> BrokerError {
    guard let link else { return remember(context.errors.map(error, what, recovery: .abort)) }
    let error = error.isFatal ? error : link.reason(error)
    let mapped = link.meaning(of: error, what)
    if mapped.code == .unauthorized { return remember(mapped) }
    if mapped.code == .recordTooLarge { return refusedBatch(mapped, link) }
    guard link.client.isFatal || error.isFatal else { return remember(mapped) }
    context.note(.info, "the producer of \(slot.identity) failed: \(mapped.why)")
    phase = .mustReplace(mapped)
    return mapped
  }

  /// Another client aborts what this one has sent.
  private func refusedBatch(_ error: BrokerError, _ link: TransactionLink) -> BrokerError {
    let refused = link.client.events.oversizedTopics
    var error = error
    if let topic = refused.sorted().first { error.what = "cannot append to \(topic)" }
    if !limits.lower(refused, of: topics) { error.recovery = .fatal }
    phase = .mustReplace(error)
    return error
  }

  private func remember(_ error: BrokerError) -> BrokerError {
    phase = .mustAbort(error)
    return error
  }
}
