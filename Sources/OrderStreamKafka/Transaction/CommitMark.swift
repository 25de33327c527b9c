import OrderStreamCore

/// What stands beside each committed offset on the cluster: which member of this program committed it, and when.
/// As text: `orderstream/1 <identity> <milliseconds since 1970>`.
struct CommitMark: Hashable, Sendable {
  private static let word = "orderstream/1"

  /// The `transactional.id` of the committer. Has no space.
  var identity: String
  /// Wall clock of the commit, made to grow with every commit of an identity.
  var timeMs: Int64

  init(identity: String, timeMs: Int64) {
    self.identity = identity
    self.timeMs = timeMs
  }

  /// The mark of the next commit of an identity: later than `previous`, whatever the clock says.
  init(identity: String, after previous: CommitMark?, wallMs: Int64) {
    self.init(identity: identity, timeMs: max(wallMs, previous?.timeMs.saturatingAdd(1) ?? wallMs))
  }

  /// `nil` for what another program, or 0.1.0, has left beside an offset.
  init?(_ metadata: [UInt8]) {
    let parts = String(decoding: metadata, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == Self.word, !parts[1].isEmpty, let timeMs = Int64(parts[2]), timeMs >= 0,
      String(timeMs) == parts[2]
    else { return nil }
    self.init(identity: String(parts[1]), timeMs: timeMs)
  }

  var text: String { "\(Self.word) \(identity) \(timeMs)" }
}
