import OrderStreamCore

/// Looks whether a transaction is open on what this one is about to write, and makes sure that nothing is written behind
/// one that hangs (the reason is at `HangEvidence`): it waits for those of living members, ends those of dead ones, closes
/// what an earlier transaction of its own identity has left, then what other members of the group have left, and names the
/// rest. One thread.
final class TransactionGuard {
  /// How long a transaction may be open before dead members are looked for.
  private static let deadAfter = Duration.milliseconds(500)
  /// How long a transaction may be open before it hangs: living members commit every 100 ms.
  private static let hangsAfter = Duration.milliseconds(1500)

  /// How long a transaction may be open before those of dead members are closed for them, and how long where the death of
  /// a member cannot be seen because it was on another machine.
  private static let othersHangAfter = (here: Duration.seconds(3), elsewhere: Duration.seconds(30))

  /// One transaction may hang behind another.
  private static let closeAgainAfter = Duration.seconds(5)

  /// This identity's last transaction in this process.
  struct Last {
    var outcome = HangEvidence.Outcome.unknown
    var mark: CommitMark
    var offsets: [PartitionOffset]
    var partitions: Set<TopicPartition>
  }

  typealias Open = OpenTransactionFinder.Open

  private let group: String
  private let identity: String
  private let source: String
  /// Outputs by index, then the state topic.
  private let topics: [String]
  private let context: KafkaContext
  private let deadMembers: DeadMembers
  private let finder: OpenTransactionFinder
  /// What was open when `closeOwn` looked last, and when it looks again: after longer than a living member needs.
  private var seen: Open?
  private var nextLook: Deadline?
  private static let lookPause = hangsAfter

  init(
    group: String, identity: String, source: String, topics: [String], deadMembers: DeadMembers,
    _ context: KafkaContext
  ) {
    self.group = group
    self.identity = identity
    self.source = source
    self.topics = topics
    self.deadMembers = deadMembers
    self.context = context
    finder = OpenTransactionFinder(group: group, source: source, topics: topics, context)
  }

  private var stateTopic: String { topics[topics.count - 1] }

  /// Returns when no transaction that is open now can be in the way of the next one.
  /// - Parameters:
  ///   - link: Has no transaction open.
  ///   - last: `nil` before the first one of this process.
  /// - Throws: `busy` when one does not end.
  func settle(_ link: TransactionLink, last: Last?) throws(BrokerError) {
    var open = try finder.find()
    if open.isEmpty { return }
    let dead = Deadline(Self.deadAfter, context.time)
    let hanging = Deadline(Self.hangsAfter, context.time)
    var wait = OpenTransactionWait("cannot write transactions of the group \(group)", context)
    var hasEnded = false
    var nextClosing = hanging
    var nextClosingOthers = Deadline(Self.othersHangAfter.here, context.time)
    let elsewhere = Deadline(Self.othersHangAfter.elsewhere, context.time)
    var closed: String?
    while true {
      if !hasEnded && dead.hasPassed {
        deadMembers.end(siblings: true)
        hasEnded = true
      } else if nextClosing.hasPassed {
        closed = try close(open, as: identity, link, last, wait) ?? closed
        nextClosing = Deadline(Self.closeAgainAfter, context.time)
      } else if nextClosingOthers.hasPassed {
        closed = try closeOthers(open, wait, elsewhere: elsewhere.hasPassed) ?? closed
        nextClosingOthers = Deadline(Self.closeAgainAfter, context.time)
      }
      open = try finder.stillOpen(open)
      if open.isEmpty {
        if let closed { context.note(.warning, closed) }
        return
      }
      try wait.pause { finder.places(open) }
    }
  }

  /// Closes what this identity has left hanging, without waiting: a look that finds nothing new since the last one is made
  /// again later.
  /// - Returns: Whether nothing is open any more of what was open at the first look.
  func closeOwn(_ link: TransactionLink, last: Last?) throws(BrokerError) -> Bool {
    if let nextLook, !nextLook.hasPassed { return false }
    nextLook = Deadline(Self.lookPause, context.time)
    guard let before = seen else {
      let open = try finder.find()
      seen = open.isEmpty ? nil : open
      return open.isEmpty
    }
    let open = try finder.stillOpen(before)
    seen = open.isEmpty ? nil : open
    if open.isEmpty { return true }
    let wait = OpenTransactionWait("cannot write transactions of the group \(group)", context)
    do throws(BrokerError) {
      let closed = try close(open, as: identity, link, last, wait)
      if let closed, try finder.stillOpen(open).isEmpty { context.note(.warning, closed) }
    } catch {
      // Where nothing tells how it ended the next transaction waits, and says so.
      guard error.code == .busy else { throw error }
    }
    return false
  }

  // MARK: - Closing

  /// Closes what an earlier transaction of one identity has left open.
  /// - Parameters:
  ///   - link: Of that identity; has no transaction open.
  ///   - last: How the identity's last transaction in this process ended; `nil` when that is not known.
  /// - Returns: What to say when that was it; `nil` when nothing is that identity's.
  private func close(
    _ open: Open, as identity: String, _ link: TransactionLink, _ last: Last?, _ wait: OpenTransactionWait
  ) throws(BrokerError) -> String? {
    let committed = try finder.committed()
    var evidence = HangEvidence()
    evidence.outcome = last?.outcome ?? .unknown
    evidence.offsetsPend = !open.offsets.isEmpty
    evidence.mark = committed.compactMap { CommitMark($0.metadata) }.filter { $0.identity == identity }
      .max { $0.endMs < $1.endMs }
    var own: Set<TopicPartition> = []
    var hanging: [TopicPartition: Int64] = [:]
    if let last, last.outcome != .unknown {
      own = last.partitions.intersection(open.ends.keys)
      evidence.firstHangingMs = own.isEmpty ? nil : last.mark.beginMs
    } else {
      let first = try finder.firstHanging(open)
      // Of outputs nobody says whose they are; to close what is another's changes nothing there.
      hanging = first.filter { $0.key.topic != stateTopic || $0.value.writer == identity }.mapValues(\.timestampMs)
      own = Set(hanging.keys)
      evidence.stateHangs = own.contains { $0.topic == stateTopic }
      // Somebody else's in front of it would hide state of this identity.
      let hiding = open.ends.keys.contains { $0.topic == stateTopic && !own.contains($0) }
      if evidence.offsetsPend && hiding { return nil }
      if let mark = evidence.mark { hanging = hanging.filter { $0.value >= mark.beginMs } }
      evidence.firstHangingMs = hanging.values.min()
      if evidence.offsetsPend || evidence.stateHangs {
        let state = try finder.visibleState(of: identity)
        evidence.newestStateMs = state.newestMs
        let begins = Set(first.filter { $0.value.writer == identity }.compactMap(\.value.beginMs))
        evidence.isSeen =
          !begins.isDisjoint(with: state.begins) || evidence.mark.map { begins.contains($0.beginMs) } ?? false
      }
    }
    if evidence.verdict == .unknown {
      evidence.outcome = CoordinatorLog.outcome(
        of: identity, firstMs: evidence.firstHangingMs ?? .max, takenMs: link.takenMs, context)
    }
    let isCommit: Bool
    switch evidence.verdict {
    case .notOurs: return nil
    case .unknown: throw unknown(identity, open, wait)
    case .commit: isCommit = true
    case .abort: isCommit = false
    }
    if last == nil || last?.outcome == .unknown {
      // Nothing of this identity comes after what hangs.
      let known = max(evidence.mark?.endMs ?? .min, evidence.newestStateMs ?? .min)
      let end = isCommit && !evidence.isSeen && evidence.outcome == .unknown ? known : .max
      own = Set(hanging.filter { $0.value <= end }.keys)
    }
    var offsets: PositionList?
    if evidence.offsetsPend {
      offsets = neutralOffsets(committed, open, last, isCommit: isCommit)
      if offsets == nil { throw unknown(identity, open, wait) }
    }
    let named = finder.places(open).map(\.description).joined(separator: ", ")
    try link.close(
      own.map { ($0, topics.firstIndex(of: $0.topic)!, open.ends[$0]!) }, stateIndex: topics.count - 1,
      sourceHeader: stateTopic, timestampMs: evidence.firstHangingMs ?? evidence.mark?.endMs ?? 1, offsets: offsets,
      commit: isCommit)
    let whose = evidence.isOwn ? " of \(identity)" : ""
    return "a transaction\(whose) that the cluster had ended without closing it hung on \(named); "
      + (isCommit
        ? "it was committed, and has been closed as committed" : "it was aborted, and has been closed as aborted")
  }

  /// Closes what members have left open that are gone. One that lives closes its own, and must not be disturbed: fenced
  /// while it does so, what it is about to close as committed would be aborted.
  /// - Parameter elsewhere: Whether those count as gone that are no members any more and were on another machine.
  private func closeOthers(
    _ open: Open, _ wait: OpenTransactionWait, elsewhere: Bool
  ) throws(BrokerError) -> String? {
    var writers = Set(try finder.firstHanging(open).filter { $0.key.topic == stateTopic }.compactMap(\.value.writer))
    if !open.offsets.isEmpty { writers.formUnion(deadMembers.committers) }
    for writer in deadMembers.gone(writers, elsewhere: elsewhere) {
      if context.outages.hasStopped { return nil }
      guard let client = deadMembers.take(writer) else { continue }
      let link: TransactionLink
      do { link = try TransactionLink(client, identity: writer, group: group, topics: topics, context) } catch {
        throw context.errors.map(error, "cannot close a transaction of the group \(group)")
      }
      defer { link.drop() }
      let left = try finder.stillOpen(open)
      if left.isEmpty { return nil }
      do throws(BrokerError) {
        if let closed = try close(left, as: writer, link, nil, wait) { return closed }
      } catch {
        // The member itself may know better, and others may be at work on the same.
        guard error.code == .busy || error.requiresAbort else { throw error }
        context.note(.info, error.why)
      }
    }
    return nil
  }

  private func unknown(_ identity: String, _ open: Open, _ wait: OpenTransactionWait) -> BrokerError {
    let places = finder.places(open)
    let named = places.map(\.description).joined(separator: ", ")
    return wait.error(
      places,
      why: "a transaction of \(identity) hangs on \(named), and nothing tells whether it was committed")
  }

  /// Offsets whose commit changes nothing: what the hanging transaction itself has committed, where that is known, else
  /// one that is there already.
  private func neutralOffsets(
    _ committed: [PartitionList.Element], _ open: Open, _ last: Last?, isCommit: Bool
  ) -> PositionList? {
    if let last, last.outcome == .committed { return PositionList(topic: source, last.offsets, last.mark.text) }
    let there = committed.filter { $0.topicPartition.topic == source && $0.offset >= 0 }
    let neutral = there.first { !open.offsets.contains($0.topicPartition.partition) } ?? (isCommit ? nil : there.first)
    guard let neutral else {
      return isCommit ? nil : PositionList(topic: source, [PartitionOffset(partition: 0, offset: 0)], "")
    }
    return PositionList(
      topic: source, [PartitionOffset(partition: neutral.topicPartition.partition, offset: neutral.offset)],
      String(decoding: neutral.metadata, as: UTF8.self))
  }
}

/// A wait for transactions that others have left open: said aloud with the way to end them, and bounded.
struct OpenTransactionWait {
  /// How long offsets or state may be kept back by a transaction before it is seen to.
  static let settleAfter = Duration.milliseconds(500)
  /// Living members end theirs within a fraction of a second.
  private static let warnAfter = Duration.seconds(3)

  private let what: String
  private let context: KafkaContext
  /// `nil`: waits for ever.
  private let end: Deadline?
  private let warning: Deadline
  private var isSaid = false

  /// - Parameter what: What cannot be done meanwhile.
  init(_ what: String, _ context: KafkaContext) {
    self.what = what
    self.context = context
    end = context.outages.limit.duration.map { Deadline($0, context.time) }
    warning = Deadline(Self.warnAfter, context.time)
  }

  /// Returns when it is time to look again.
  /// - Parameter places: Where transactions are open, each with the first offset of the oldest one.
  /// - Throws: `busy` when they have been open for longer than the run waits, `timedOut` after a request to stop.
  mutating func pause(_ duration: Duration = .milliseconds(50), _ places: () -> [Coordinates]) throws(BrokerError) {
    if end?.hasPassed == true { throw error(places()) }
    if context.outages.hasStopped { throw context.stopped(what) }
    if warning.hasPassed && !isSaid {
      isSaid = true
      context.note(.warning, "\(what) yet: \(Self.why(places())); waiting; \(remedy(places()))")
    }
    if duration > .zero { context.time.sleep(duration) }
  }

  /// What a run says that does not wait any longer.
  func error(_ places: [Coordinates], why: String? = nil) -> BrokerError {
    BrokerError(.busy, what, why: why ?? Self.why(places), remedy: remedy(places), recovery: .fatal)
  }

  private static func why(_ places: [Coordinates]) -> String {
    let named = places.prefix(3).map(\.description).joined(separator: ", ")
    let more = places.count > 3 ? " and \(places.count - 3) more" : ""
    return "the transaction that is open on \(named)\(more) does not end"
  }

  private func remedy(_ places: [Coordinates]) -> String {
    guard let place = places.first else { return "try again" }
    let tool = "kafka-transactions.sh --bootstrap-server \(context.errors.brokers)"
    let partition = "--topic \(place.topicPartition.topic) --partition \(place.topicPartition.partition)"
    return "check whether its producer is still running (\(tool) describe-producers \(partition), or find-hanging), "
      + "and end it with \(tool) abort \(partition) --start-offset \(place.offset)"
  }
}
