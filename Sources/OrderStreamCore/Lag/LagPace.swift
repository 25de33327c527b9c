/// Finds the cause of a lag in what arrives and what is served: a burst, a slow handler, one hot partition, too few
/// members, or none.
struct LagPace {
  static let mostEvidence = 6
  /// A partition is hot with so much of the lag, and of what arrived.
  private static let hotLagShare = 0.6
  private static let hotArrivalShare = 0.5
  /// How much more than its even share, so that of two partitions none is hot by chance.
  private static let hotFactor = 1.5
  /// A lag that is served within so many seconds, or between three commits, is what is under way.
  private static let underWay = 5.0
  /// Members must be able to serve a little more than what arrives, or the lag would stay.
  private static let headroom = 1.05

  private let history: LagHistory
  private let whole: LagForecast
  private let readers: [LagForecast.Reader]
  private let lag: Int64
  private var places: [TopicPartition] { history.places }

  init(_ history: LagHistory, _ whole: LagForecast, _ readers: [LagForecast.Reader], lag: Int64) {
    self.history = history
    self.whole = whole
    self.readers = readers
    self.lag = lag
  }

  func cause() -> LagCause {
    guard let arrival = whole.arrival?.perSecond, let service = whole.service?.perSecond, let error = whole.trendError,
      error.isFinite
    else {
      return LagCause(
        .unknown,
        "What holds it cannot be told yet: it takes \(LagRate.least) looks at which its offsets have moved, and there "
          + "\(LagWords.looks(history)) so far (--watch, or --window for one report).", evidence: ["its lag is \(lag)"])
    }
    let growth = arrival - service
    let rates =
      "\(LagWords.rate(arrival)) arrive, \(LagWords.rate(service)) are served (± \(LagWords.rate(error)))"
    let isUnderWay = Double(lag) <= max(Self.underWay, 2 * history.usualGap(places.indices)) * service
    if growth.magnitude <= error {
      if isUnderWay {
        return LagCause(
          .none, "It keeps up: the lag of \(lag) is what is under way.",
          evidence: [rates, "\(lag) records are \(LagWords.seconds(Double(lag) / max(service, 1e-9))) of its work"])
      }
      if let hot = hotPartition(isGrowing: true) { return hot }
      return slow(
        arrival, service, [rates, "the lag of \(lag) neither falls nor grows"], "It serves just what arrives")
    }
    if growth > 0 {
      if isUnderWay, history.looks.suffix(LagState.leastLooks).contains(where: isClear) {
        return LagCause(.none, "It keeps up: its lag was 0 a moment ago.", evidence: [rates])
      }
      if let hot = hotPartition(isGrowing: true) { return hot }
      return slow(
        arrival, service, [rates, "the lag of \(lag) grows by \(LagWords.rate(growth))"], "More arrives than it serves")
    }
    if let hot = hotPartition(isGrowing: false) { return hot }
    let behind = readers.filter { !$0.keepsUp(beside: lag) }
    if let left = behind.first(where: { if case .never = $0.forecast.clear { true } else { false } }) {
      return oneReader(left, rates)
    }
    return burst(arrival, service, rates)
  }

  private func isClear(_ look: LagHistory.Look) -> Bool { look.observations.allSatisfy { $0.lag == 0 } }

  // MARK: - It catches up

  private func burst(_ arrival: Double, _ service: Double, _ rates: String) -> LagCause {
    let series = history.series(of: Array(places.indices))
    let lags = zip(series.ends, series.positions).map { $0 - $1 }
    var evidence = [rates]
    if let peak = lags.indices.max(by: { lags[$0] < lags[$1] }), lags[peak] > Double(lag) {
      evidence.append(
        "the lag has fallen from \(LagWords.number(lags[peak])) to \(lag) in \(LagWords.seconds(-series.times[peak]))")
    }
    var isSeen = false
    // What arrived before the pace changed.
    let now = -(whole.arrival?.seconds ?? 0)
    if let border = series.times.indices.last(where: { series.times[$0] <= now }), border > 0 {
      let time = series.times[border] - series.times[0]
      let before = (series.ends[border] - series.ends[0]) / time
      if before > max(arrival, service) {
        isSeen = true
        evidence.append("\(LagWords.rate(before)) arrived until \(LagWords.seconds(-series.times[border])) ago")
      }
    }
    return LagCause(
      .burst,
      isSeen
        ? "A burst is over, and it catches up." : "It catches up with what arrived before it was looked at first.",
      evidence: evidence, remedy: nil)
  }

  private func oneReader(_ reader: LagForecast.Reader, _ rates: String) -> LagCause {
    let forecast = reader.forecast
    let evidence = [
      "\(Self.names(reader.indices.map { places[$0] })) \(forecast.reason ?? ""), with a lag of \(forecast.lag ?? 0)",
      "in all \(rates)",
    ]
    return LagCause(
      .slowHandler, "It catches up, but for what \(reader.member.map { "member \($0)" } ?? "one reader") has.",
      evidence: evidence, remedy: "look at that member: it serves less than what arrives in its partitions")
  }

  // MARK: - It does not

  /// One partition, which only one member can read, has most of the lag, because most arrives there.
  private func hotPartition(isGrowing: Bool) -> LagCause? {
    guard places.count > 1, let last = history.looks.last else { return nil }
    let lags = places.indices.map { Double(last.observations[$0].lag ?? 0) }
    guard let hot = lags.indices.max(by: { lags[$0] < lags[$1] }), lags[hot] >= Self.hotLagShare * Double(lag) else {
      return nil
    }
    let arrived = places.indices.map { index -> Double in
      let ends = history.looks.compactMap { $0.observations[index].watermarks?.stable }
      return Double((ends.last ?? 0) - (ends.first ?? 0))
    }
    let all = arrived.reduce(0, +)
    let least = max(Self.hotArrivalShare, Self.hotFactor / Double(places.count))
    guard all > 0, arrived[hot] >= least * all else { return nil }
    // A member that could serve it alone is held by what else it has.
    let owner = readers.first { $0.indices.contains(hot) }
    let alone = LagForecast(of: [hot], history)
    if isGrowing, let service = owner?.forecast.service?.perSecond, let arrives = alone.arrival?.perSecond,
      arrives < service / Self.headroom
    {
      return nil
    }
    let percent = { (share: Double) in "\(Int((100 * share).rounded())) %" }
    let share = percent(lags[hot] / Double(lag))
    return LagCause(
      .hotPartition, "One partition has \(share) of the lag: more members will not help.",
      evidence: [
        "\(places[hot]) has \(last.observations[hot].lag ?? 0) of the \(lag) records",
        "\(percent(arrived[hot] / all)) of what arrived went there, of \(places.count) partitions",
        alone.reason ?? "it alone: \(LagWords.rate(alone.arrival?.perSecond ?? 0)) arrive, "
          + "\(LagWords.rate(alone.service?.perSecond ?? 0)) are served",
      ],
      remedy: "spread the keys over more partitions, or make the handler faster; only one member can read a partition")
  }

  private func slow(_ arrival: Double, _ service: Double, _ evidence: [String], _ what: String) -> LagCause {
    var evidence = evidence
    let partitions = places.count
    // Those who have nothing unread could serve more than they do.
    let busy = readers.filter { $0.forecast.lag ?? 0 > 0 }
    let served = busy.compactMap { $0.forecast.service?.perSecond }.reduce(0, +)
    let pace = served / Double(max(1, busy.count))
    if let members = history.looks.last?.members, !members.isEmpty {
      evidence.append(
        "\(TextRows.count(members.count, "member")) for \(TextRows.count(partitions, "partition")), each of them busy serves "
          + LagWords.rate(pace))
      if members.count < partitions, pace > 0, let needed = membersNeeded(arrival, pace, beyond: members.count) {
        let more = needed - members.count
        return LagCause(
          .tooFewMembers,
          "\(what): \(more) more member\(more == 1 ? " suffices" : "s suffice"), partitions allow \(partitions).",
          evidence: evidence, remedy: "start \(TextRows.count(more, "member")) more", membersNeeded: more)
      }
    }
    guard pace > 0 else {
      return LagCause(.unknown, "\(what), and nothing was served since it was looked at first.", evidence: evidence)
    }
    let factor = LagWords.number(max(Self.headroom, arrival * Self.headroom / max(service, 1e-9)))
    let remedy = "make the handler \(factor) times as fast"
    guard let members = history.looks.last?.members, !members.isEmpty else {
      evidence.append("no member is seen: who commits reads without one, or members are not known")
      return LagCause(.slowHandler, "\(what): what reads it is too slow.", evidence: evidence, remedy: remedy)
    }
    return LagCause(
      .slowHandler,
      "\(what): its handlers are too slow, and more members on \(TextRows.count(partitions, "partition")) would not do.",
      evidence: evidence, remedy: "\(remedy), or add partitions and then members")
  }

  /// How many members would serve what arrives, when each gets as many partitions as any other or one less.
  private func membersNeeded(_ arrival: Double, _ pace: Double, beyond members: Int) -> Int? {
    let partitions = places.count
    return (members + 1..<partitions + 1).first { count in
      let most = (partitions + count - 1) / count
      return arrival * Double(most) / Double(partitions) * Self.headroom <= pace
    }
  }

  // MARK: - Words

  /// `orders[0] orders[1] orders[2] and 3 more`
  static func names(_ places: [TopicPartition]) -> String {
    let shown = places.prefix(3).map(\.description).joined(separator: " ")
    return places.count > 3 ? "\(shown) and \(places.count - 3) more" : shown
  }

  static func members(_ standing: [(reader: LagForecast.Reader, since: Int64)]) -> String {
    standing.map { $0.reader.member ?? "one reader" }.joined(separator: ", ")
  }
}
