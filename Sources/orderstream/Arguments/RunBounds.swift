/// When a consuming run ends.
struct RunBounds: Hashable, Sendable {
  /// Does not end at the end of the topic. `--idle-timeout` implies it.
  var follow: Bool
  /// Ends after this long without a record; `nil`: never for that reason.
  var idleTimeout: Duration?
  /// Ends when exactly this many records are committed; `nil`: no limit. Counts with and without `follow`.
  var maxEvents: Int64?
}
