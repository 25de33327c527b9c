/// What holds a group, and what would clear it. A cause is named only with what was seen of it; with too little, `unknown`
/// says what would have to be seen.
public struct LagCause: Hashable, Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case none, unknown
    case slowHandler = "slow_handler"
    case hotPartition = "hot_partition"
    case tooFewMembers = "too_few_members"
    case deadMember = "dead_member"
    case rebalances
    case stalledCommits = "stalled_commits"
    case openTransaction = "open_transaction"
    case burst, rewind
  }

  public var kind: Kind
  public var sentence: String
  public var evidence: [String]
  /// `nil` where there is nothing to do.
  public var remedy: String?
  /// How many members more would do; `nil` where that is not the question.
  public var membersNeeded: Int?

  init(
    _ kind: Kind, _ sentence: String, evidence: [String] = [], remedy: String? = nil, membersNeeded: Int? = nil
  ) {
    self.kind = kind
    self.sentence = sentence
    self.evidence = evidence
    self.remedy = remedy
    self.membersNeeded = membersNeeded
  }

  /// - Parameters:
  ///   - whole: of all partitions together.
  ///   - readers: as `LagForecast.group` makes them.
  init(_ history: LagHistory, _ whole: LagForecast, _ readers: [LagForecast.Reader]) {
    self = LagCauseFinder(history: history, whole: whole, readers: readers).find()
  }
}

/// Tries one cause after the other, the most certain evidence first.
private struct LagCauseFinder {
  /// Of all changes between looks, the part that must have changed who is a member, and how often at least.
  private static let rebalancePart = 3
  private static let leastRebalances = 3
  /// A member that stands still for longer than any usual session is there and does not commit.
  private static let longestSession = 60.0
  /// So many times the usual gap between two commits is a standstill.
  private static let standstillGaps = 3.0

  let history: LagHistory
  let whole: LagForecast
  let readers: [LagForecast.Reader]

  private var places: [TopicPartition] { history.places }
  private var last: LagHistory.Look? { history.looks.last }

  func find() -> LagCause {
    guard last != nil, let lag = whole.lag else {
      return LagCause(.unknown, "What holds it cannot be told: \(whole.reason ?? "it was not looked at").")
    }
    if let cause = rewind() ?? openTransaction(beside: lag) { return cause }
    if lag == 0 { return LagCause(.none, "It has read all there is.", evidence: ["its lag is 0"]) }
    return rebalances() ?? deadMember() ?? standstill() ?? LagPace(history, whole, readers, lag: lag).cause()
  }

  private func seconds(since time: Int64) -> Double { Double((last?.time ?? time) - time) / 1e9 }

  private func ago(_ time: Int64) -> String { "\(LagWords.seconds(seconds(since: time))) ago" }

  // MARK: - What looks have seen to happen

  private func rewind() -> LagCause? {
    let rewinds = history.rewinds.sorted { $0.key < $1.key }
    guard let first = rewinds.first else { return nil }
    let records = rewinds.reduce(Int64(0)) { $0.saturatingAdd($1.value.from - $1.value.to) }
    return LagCause(
      .rewind,
      "It was set back by \(records) records in \(TextRows.count(rewinds.count, "partition")) and reads them again.",
      evidence: rewinds.prefix(LagPace.mostEvidence).map { place, rewind in
        "the committed offset of \(place) went from \(rewind.from) back to \(rewind.to) \(ago(rewind.time))"
      },
      remedy: "nothing if somebody reset it; else look for who committed \(first.value.to) in \(first.key)")
  }

  /// Partitions whose stable offset has stood below their end for long.
  private func openTransaction(beside lag: Int64) -> LagCause? {
    guard let last, LagState.missing(history) == nil else { return nil }
    let limit = Double(min(LagState.leastSpan, history.window).nanoseconds) / 1e9 - 0.5
    let stuck = places.indices.compactMap { index -> (index: Int, since: Int64)? in
      guard last.observations[index].hidden > 0, let stable = last.observations[index].watermarks?.stable else {
        return nil
      }
      let same = history.looks.reversed().prefix {
        $0.observations[index].watermarks?.stable == stable && $0.observations[index].hidden > 0
      }
      guard let first = same.last, same.count >= LagState.leastLooks, seconds(since: first.time) >= limit else {
        return nil
      }
      return (index, first.time)
    }
    let hidden = stuck.reduce(Int64(0)) { $0.saturatingAdd(last.observations[$1.index].hidden) }
    guard hidden > 0, hidden >= lag else { return nil }
    return LagCause(
      .openTransaction,
      "A transaction that does not end hides \(TextRows.count(hidden, "offset")) from it; nobody who reads what is committed "
        + "gets past it.",
      evidence: stuck.prefix(LagPace.mostEvidence).map { index, since in
        let marks = last.observations[index].watermarks
        return "the stable offset of \(places[index]) has been \(marks?.stable ?? 0) for at least "
          + "\(LagWords.seconds(seconds(since: since))), below its end at \(marks?.high ?? 0)"
      },
      remedy:
        "end the producer's transaction, or wait for its time-out; kafka-transactions.sh find-hanging names one that "
        + "nobody ends")
  }

  private func rebalances() -> LagCause? {
    let pairs = Array(zip(history.looks, history.looks.dropFirst()))
    func hasChanged(_ pair: (LagHistory.Look, LagHistory.Look)) -> Bool {
      guard let before = pair.0.members, let after = pair.1.members else { return false }
      return before != after || pair.0.owners != pair.1.owners || pair.0.isRebalancing != pair.1.isRebalancing
    }
    let changes = pairs.count { hasChanged($0) }
    let waits = history.looks.count { $0.isRebalancing }
    let isNow = pairs.suffix(max(1, pairs.count / 2)).contains { hasChanged($0) } || last?.isRebalancing == true
    let isOften = changes >= Self.leastRebalances && changes * Self.rebalancePart >= pairs.count
    let isLong = waits >= Self.leastRebalances && waits * 2 >= history.looks.count
    guard isNow, isOften || isLong else { return nil }
    var evidence = [
      "who reads what had changed at \(changes) of \(pairs.count) looks over \(LagWords.seconds(history.span))"
    ]
    if waits > 0 { evidence.append("the group was in a rebalance at \(waits) of \(history.looks.count) looks") }
    let counts = history.looks.compactMap { $0.members?.count }
    if let least = counts.min(), let most = counts.max(), least < most {
      evidence.append("it had \(least) to \(most) members")
    }
    return LagCause(
      .rebalances, "One rebalance follows the other, and while its members join nobody reads.", evidence: evidence,
      remedy:
        "find out why members come and go: restarts, polls beyond max.poll.interval.ms, sessions that are too short")
  }

  // MARK: - Who stands still

  private func deadMember() -> LagCause? {
    let dead = history.deaths.sorted { $0.key < $1.key }
    if let (place, death) = dead.first {
      return LagCause(
        .deadMember,
        "Member \(death.member) died: what it read stood still until its session was over, and is being caught up with.",
        evidence: [
          "\(place) stood still from \(ago(death.standsSince)) on, with a lag",
          "\(death.member) was a member until \(ago(death.time))",
        ], remedy: "nothing: others have its \(TextRows.count(dead.count, "partition")) now")
    }
    let standing = readers.compactMap { reader in stands(reader).map { (reader: reader, since: $0) } }
    guard let (reader, since) = standing.first, let member = reader.member else { return nil }
    let stood = seconds(since: since)
    let moving = places.indices.filter { index in !reader.indices.contains(index) && hasMoved(index, since: since) }
    let gap = max(history.usualGap(moving), history.usualGap(reader.indices))
    guard let witness = moving.first, stood <= Self.longestSession, stood >= Self.standstillGaps * gap else {
      return nil
    }
    return LagCause(
      .deadMember,
      "Member \(member) commits no more while others do: if it is dead, its session runs on, and until it ends nobody "
        + "reads what it has.",
      evidence: [
        "\(names(reader.indices)) \(reader.indices.count == 1 ? "has" : "have") stood still for "
          + "\(LagWords.seconds(stood)) with a lag of \(reader.forecast.lag ?? 0)",
        "\(places[witness]) of another member has moved meanwhile",
      ],
      remedy: "wait until its session ends, or restart it; a shorter session.timeout.ms or a stable group.instance.id "
        + "shortens this")
  }

  /// Since when everything that a reader has to read has stood still.
  private func stands(_ reader: LagForecast.Reader) -> Int64? {
    let behind = reader.indices.filter { last?.observations[$0].lag ?? 0 > 0 }
    let since = behind.map { history.standstill(of: $0) }
    guard !behind.isEmpty, !since.contains(nil), let latest = since.compactMap({ $0 }).max() else { return nil }
    // What it has read to the end stands too.
    guard !reader.indices.contains(where: { hasMoved($0, since: latest) }) else { return nil }
    return history.looks.count { $0.time >= latest } >= LagState.leastLooks ? latest : nil
  }

  private func hasMoved(_ index: Int, since time: Int64) -> Bool {
    let positions = history.looks.filter { $0.time >= time }.compactMap { $0.observations[index].position }
    return positions.first != positions.last
  }

  private func names(_ indices: [Int]) -> String { LagPace.names(indices.map { places[$0] }) }

  /// Nobody reads, or who should does not commit.
  private func standstill() -> LagCause? {
    guard let last else { return nil }
    let behind = readers.filter { $0.forecast.lag ?? 0 > 0 }
    let standing = behind.compactMap { reader in stands(reader).map { (reader: reader, since: $0) } }
    guard let latest = standing.map(\.since).max() else { return nil }
    let stood = seconds(since: latest)
    let indices = standing.flatMap(\.reader.indices)
    let least = Double(min(LagState.leastSpan, history.window).nanoseconds) / 1e9 - 0.5
    let limit = max(least, 2 * history.usualGap(indices))
    let lag = standing.reduce(Int64(0)) { $0.saturatingAdd($1.reader.forecast.lag ?? 0) }
    let evidence = [
      "the committed offsets of \(names(indices)) have not moved for "
        + "\(LagWords.seconds(stood)), with a lag of \(lag)",
      "\(last.members.map { TextRows.count($0.count, "member") } ?? "members unknown"), state \(last.state)",
    ]
    let isAll = standing.count == behind.count
    guard isAll ? stood >= limit : stood > Self.longestSession else {
      return isAll && latest <= history.looks.first?.time ?? 0 ? tooShort(evidence, least) : nil
    }
    if last.members?.isEmpty == true {
      return LagCause(
        .tooFewMembers, "Nobody reads: the group has no member.", evidence: evidence, remedy: "start a member",
        membersNeeded: 1)
    }
    let whose =
      if !isAll {
        "\(LagPace.members(standing)) is a member and commits nothing"
      } else {
        last.members == nil ? "Its members, if it has any, commit nothing" : "It has members, and none commits anything"
      }
    return LagCause(
      .stalledCommits, "\(whose), although there is more to read.", evidence: evidence,
      remedy: "look at what its handlers wait for: one record that fails again and again, a call that does not return, "
        + "offsets that are never committed")
  }

  private func tooShort(_ evidence: [String], _ limit: Double) -> LagCause {
    LagCause(
      .unknown,
      "It has committed nothing since it was looked at first; that must go on for \(LagWords.seconds(limit + 0.5)) to be "
        + "called a standstill.", evidence: evidence)
  }
}
