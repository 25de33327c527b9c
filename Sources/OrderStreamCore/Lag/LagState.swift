/// How a group stands, by the rules that Burrow (github.com/linkedin/Burrow) has published: `core/internal/evaluator/
/// caching.go`. What differs, because looks are compared here and no commits, is a table in docs/lag.md.
public enum LagState: String, Sendable, CaseIterable {
  /// It keeps up, or has caught up within the window.
  case ok = "OK"
  /// It commits, and its lag has not become less anywhere in the window.
  case warn = "WARN"
  /// It is there and commits the same offset although there is more to read.
  case stall = "STALL"
  /// It has stopped to commit.
  case stop = "STOP"
  /// It has gone back and not come to where it was.
  case rewind = "REWIND"
  /// Of a group: a partition stalls, has stopped, or was rewound.
  case error = "ERR"

  /// A commit as the rules take it.
  struct Commit: Sendable {
    var offset: Offset
    var milliseconds: Int64
    /// `nil` when it is not known.
    var lag: Int64?
  }

  /// Burrow's `calculatePartitionStatus`.
  /// - Parameters:
  ///   - commits: Of one partition, oldest first; at least one.
  ///   - ends: Ends of the partition that were seen of late.
  ///   - now: Milliseconds, on the clock of the commits.
  static func burrow(
    _ commits: [Commit], ends: [Offset], lag: Int64, now: Int64, allowedLag: Int64 = 0
  ) -> LagState {
    guard lag > allowedLag else { return .ok }
    if hasStopped(commits, now: now) && !wasAtEnd(commits, ends) { return .stop }
    if let index = rewindIndex(commits), !hasRecovered(commits, from: index) { return .rewind }
    guard isAlwaysBehind(commits, allowedLag: allowedLag) else { return .ok }
    if isStalled(commits) { return .stall }
    return isNeverLess(commits) ? .warn : .ok
  }

  /// Rule 1: a lag that was 0 once is fine.
  static func isAlwaysBehind(_ commits: [Commit], allowedLag: Int64 = 0) -> Bool {
    !commits.contains { $0.lag.map { $0 <= allowedLag } ?? false }
  }

  /// Rule 2: the first commit below the one before it.
  static func rewindIndex(_ commits: [Commit]) -> Int? {
    commits.indices.dropFirst().first { commits[$0].offset < commits[$0 - 1].offset }
  }

  static func hasRecovered(_ commits: [Commit], from index: Int) -> Bool {
    commits[index...].contains { $0.offset >= commits[index - 1].offset }
  }

  /// Rule 3: nothing was committed for longer than the commits span.
  static func hasStopped(_ commits: [Commit], now: Int64) -> Bool {
    let (first, last) = (commits[0].milliseconds, commits[commits.count - 1].milliseconds)
    return now - last > last - first
  }

  /// Rule 4: the same offset again and again.
  static func isStalled(_ commits: [Commit]) -> Bool { commits.allSatisfy { $0.offset == commits[0].offset } }

  /// Rule 5: the lag has become less nowhere.
  static func isNeverLess(_ commits: [Commit]) -> Bool {
    let lags = commits.compactMap(\.lag)
    return zip(lags, lags.dropFirst()).allSatisfy { $1 >= $0 }
  }

  /// Whether the last commit lies at or beyond an end that was seen of late.
  static func wasAtEnd(_ commits: [Commit], _ ends: [Offset]) -> Bool {
    let last = commits[commits.count - 1].offset
    return ends.contains { $0 <= last }
  }
}

extension LagState {
  /// Looks that it takes to call a partition anything but fine or rewound.
  static let leastLooks = 3
  /// For how long, where the window is not shorter: consumers commit every five seconds by default.
  static let leastSpan = Duration.seconds(10)

  /// What is too short in this history; `nil` when it is enough.
  static func missing(_ history: LagHistory) -> String? {
    let span = min(leastSpan, history.window)
    // A look is rarely to the millisecond when it should be.
    guard history.count < leastLooks || history.span < span - .milliseconds(500) else { return nil }
    return "it takes \(leastLooks) looks over \(LagWords.seconds(span)), and there \(LagWords.looks(history)) so far"
  }

  /// Of a partition as looks have seen it; `nil` when that does not tell yet, or the lag is not known.
  static func partition(_ index: Int, _ history: LagHistory) -> LagState? {
    guard let last = history.looks.last, let lag = last.observations[index].lag else { return nil }
    if lag == 0 { return .ok }
    if history.rewinds[history.places[index]] != nil { return .rewind }
    if missing(history) != nil { return nil }
    var commits: [Commit] = []
    var ends: [Offset] = []
    for look in history.looks {
      let seen = look.observations[index]
      if let marks = seen.watermarks { ends.append(marks.stable) }
      guard let position = seen.position else { continue }
      // A member that is there may commit the same offset again, which nobody can see. Without members an offset that does
      // not move is no commit.
      if look.members?.isEmpty == true, commits.last?.offset == position { continue }
      commits.append(Commit(offset: position, milliseconds: look.time / 1_000_000, lag: seen.lag))
    }
    guard !commits.isEmpty else { return nil }
    return burrow(commits, ends: ends, lag: lag, now: last.time / 1_000_000)
  }

  /// Of a group: the worst of its partitions, `error` for what is worse than a warning; `nil` while one is not known and
  /// none is bad.
  static func group(_ partitions: [LagState?]) -> LagState? {
    let known = partitions.compactMap { $0 }
    if known.contains(where: { $0 != .ok && $0 != .warn }) { return .error }
    if known.count < partitions.count || known.isEmpty { return nil }
    return known.contains(.warn) ? .warn : .ok
  }
}
