import CRdKafka
import OrderStreamCore

/// Transactions of one consumer: a transactional producer whose identity outlives the process, outputs, the group's state
/// topic, and offsets that are fenced by the consumer's generation. Used on the consumer's thread; commits have their own.
///
/// Everything that ends a client (a fatal error, being fenced, a call past its deadline: librdkafka issue 5423) is thrown
/// as `requiresAbort`; `abort` then makes another client, whose first act is to abort what the old one left open.
final class KafkaTransaction: Transaction {
  /// How long a commit may take, repetitions included: a little longer than the coordinator lets a transaction live.
  private static let commitLimit = ClientProfile.transactionTimeout + .seconds(5)
  private static let abortLimit = Duration.seconds(5)
  /// A commit that takes longer is told.
  private static let slowCommit = Duration.seconds(5)
  private static let closeLimit = Duration.seconds(3)
  /// How long closing waits for a commit that is under way.
  private static let commitCloseLimit = Duration.seconds(1)
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
  private let consumer: KafkaConsumer
  private let context: KafkaContext
  private let slot: IdentitySlot
  private let topic: String
  private let group: String
  private let topics: [String]
  private let stateIndex: Int
  private var link: TransactionLink?
  private var phase = Phase.idle
  /// The one that is under way.
  private var commit: TransactionCommit?
  /// Once it takes long.
  private var commitWait: OutageWait?
  private var linksWithoutCommit = 1
  /// Of the last commit that was started.
  private var lastMark: CommitMark?
  private let stateKey = ByteBuffer(capacity: 256)
  private var stateKeyPrefixes: [Int32: [UInt8]] = [:]

  init(for consumer: KafkaConsumer, outputs: [String], context: KafkaContext) throws(BrokerError) {
    guard let slot = consumer.slot, let group = consumer.options.group else {
      preconditionFailure("a transaction needs a consumer with a group")
    }
    self.consumer = consumer
    self.context = context
    self.slot = slot
    self.group = group
    topic = consumer.options.topic
    for output in outputs { _ = try context.partitionCount(of: output) }
    let state = try StateTopic.prepare(group: group, partitions: consumer.partitionCount, context)
    topics = outputs + [state]
    stateIndex = outputs.count
    link = try makeLink()
    consumer.transaction = self
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
    try enqueue(record, output)
  }

  func putState(
    partition: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?
  ) throws(BrokerError) {
    let prefix = stateKeyPrefixes[partition] ?? KafkaWords.stateKeyPrefix(topic: topic, partition: partition)
    stateKeyPrefixes[partition] = prefix
    stateKey.removeAll()
    prefix.withUnsafeBytes { stateKey.append($0) }
    stateKey.append(key)
    let record = OutgoingRecord(
      partition: partition, timestampMs: context.time.wallMilliseconds, key: stateKey.bytes, value: value)
    try enqueue(record, stateIndex)
  }

  private func enqueue(_ record: OutgoingRecord, _ index: Int) throws(BrokerError) {
    let link = try begin()
    var code = link.send(record, to: index)
    // Most records go at once, and looking at the clock would cost as much as sending one.
    let deadline = code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : Deadline(Self.commitLimit, context.time)
    while true {
      guard let deadline, code != RD_KAFKA_RESP_ERR_NO_ERROR else {
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
      code = link.send(record, to: index)
    }
  }

  private func begin() throws(BrokerError) -> TransactionLink {
    precondition(commit == nil, "nothing is added to a transaction whose commit is under way")
    switch phase {
    case .open: return try openLink()
    case .mustAbort(let error), .mustReplace(let error): throw error
    case .idle:
      let link = try openLink()
      _ = link.client.events.takeFailedDelivery()
      do { try link.client.beginTransaction() } catch {
        throw failed(error, "cannot begin a transaction")
      }
      phase = .open
      return link
    }
  }

  func startCommit(_ offsets: [PartitionOffset]) throws(BrokerError) {
    let link = try begin()
    guard let metadata = consumer.groupMetadata, metadata.generation >= 0 || isSole else {
      throw remember(
        BrokerError(.fenced, commitWords, why: "the partitions belong to another member by now", recovery: .abort))
    }
    if let foreign = offsets.first(where: { !isSole && consumer.owned?.contains($0.partition) != true }) {
      throw remember(
        BrokerError(
          .fenced, commitWords, why: "\(topic)[\(foreign.partition)] does not belong to this member",
          recovery: .abort))
    }
    lastMark = CommitMark(identity: slot.identity, after: lastMark, wallMs: context.time.wallMilliseconds)
    commit = TransactionCommit(
      link.client, topic: topic, offsets, metadata, mark: lastMark!, deadline: Deadline(Self.commitLimit, context.time),
      context.time)
  }

  func finishCommit(timeout: Duration) throws(BrokerError) -> Bool {
    guard let commit else { preconditionFailure("a commit is finished after it was started") }
    guard let outcome = commit.outcome(within: timeout) else {
      try checkAge(of: commit)
      return false
    }
    self.commit = nil
    let wait = commitWait
    commitWait = nil
    if case .failed(let error, let mayBeCommitted) = outcome {
      let failure = error.map { failed($0, commitWords) } ?? expired(commitWords)
      guard mayBeCommitted, case .mustReplace = phase, try wasCommittedAfterAll(commit.offsets) else { throw failure }
    }
    phase = .idle
    pendingBytes = 0
    linksWithoutCommit = 0
    if let wait { wait.answered() } else { context.outages.tellEnd() }
    return true
  }

  /// A commit that takes long is an outage like any other.
  private func checkAge(of commit: TransactionCommit) throws(BrokerError) {
    let age = Duration.nanoseconds(context.time.monotonicNanoseconds - commit.started)
    guard age >= Self.slowCommit else { return }
    let wait = commitWait ?? OutageWait(context.outages, atLeast: Self.commitLimit, noteAfter: .zero)
    commitWait = wait
    let why = BrokerError(
      .timedOut, commitWords, why: "the brokers have not finished it for \(age.milliseconds / 1000) s",
      remedy: "check the cluster's health", recovery: .fatal)
    // A request to stop has its own patience.
    guard wait.goesOn(because: why, pause: .zero) || context.outages.hasStopped else { throw why }
  }

  private var commitWords: String { "cannot commit \(topic) for the group \(group)" }

  private var isSole: Bool { if case .sole = consumer.options.membership { true } else { false } }

  /// A commit without an answer: a new client with the same identity waits until the coordinator has finished the old
  /// transaction one way or the other; then the group's offsets tell which.
  private func wasCommittedAfterAll(_ offsets: [PartitionOffset]) throws(BrokerError) -> Bool {
    do throws(BrokerError) {
      try replaceLink()
      guard !offsets.isEmpty else { return false }
      return try consumer.committedOffsets(offsets.map(\.partition)) == offsets.map(\.offset)
    } catch {
      // The outputs and the state are gone with the old client, so the commit cannot be tried again.
      var failure = error
      if failure.isRetriable { failure.recovery = .abort }
      throw failure
    }
  }

  func abort() throws(BrokerError) {
    precondition(commit == nil, "a transaction is aborted when its commit has ended")
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
      } catch {
        _ = failed(error, "cannot abort a transaction on \(topic)")
        try replaceLink()
      }
    }
  }

  func close() {
    guard let link else { return }
    self.link = nil
    if let commit {
      self.commit = nil
      // Without an answer the client is left to the thread that waits for one.
      guard let outcome = commit.outcome(within: Self.commitCloseLimit) else { return }
      if case .committed = outcome { phase = .idle }
    }
    switch phase {
    case .open, .mustAbort: try? link.client.abortTransaction(Self.closeLimit)
    case .idle, .mustReplace: break
    }
    phase = .idle
    link.drop()
  }

  /// The process is gone: nothing is aborted. For tests.
  func die() {
    link = nil
    commit = nil
  }

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
  }

  private func makeLink() throws(BrokerError) -> TransactionLink {
    try TransactionLink.open(identity: slot.identity, group: group, topics: topics, context)
  }

  private func expired(_ what: String) -> BrokerError {
    let error = BrokerError(
      .timedOut, what, why: "the brokers did not finish it within \(Self.commitLimit.milliseconds) ms",
      remedy: "check the cluster's health", recovery: .abort)
    phase = .mustReplace(error)
    return error
  }

  /// What an error of a transaction means for it: abort, or abort with another client.
  private func failed(_ error: NativeError, _ what: String) -> BrokerError {
    let error = error.isFatal ? error : link?.reason(error) ?? error
    let mapped = context.errors.map(error, what, recovery: .abort)
    // What is forbidden stays forbidden when it is tried again.
    if mapped.code == .unauthorized {
      let isTopic = error.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
      let refused = isTopic ? refusedTopics : []
      let append = "cannot append to \(refused.joined(separator: " and "))"
      return remember(context.errors.denied(missingRights(error), error, isTopic ? append : what))
    }
    guard link?.client.isFatal == true || error.isFatal else { return remember(mapped) }
    context.note(.info, "the producer of \(slot.identity) failed: \(mapped.why)")
    phase = .mustReplace(mapped)
    return mapped
  }

  /// The topics that brokers have refused to this producer; all of them when they did not say which.
  private var refusedTopics: [String] {
    let refused = link?.client.events.refusedTopics.filter(topics.contains) ?? []
    return refused.isEmpty ? topics : refused.sorted()
  }

  /// The rights of which one is missing.
  private func missingRights(_ error: NativeError) -> [AccessRight] {
    switch error.code {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return refusedTopics.map { AccessRight(.write, .topic($0)) }
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED: return [AccessRight(.read, .group(group))]
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return [AccessRight(.idempotentWrite, .cluster)]
    default: return [AccessRight(.write, .transactionalID(slot.identity))]
    }
  }

  private func remember(_ error: BrokerError) -> BrokerError {
    phase = .mustAbort(error)
    return error
  }
}
