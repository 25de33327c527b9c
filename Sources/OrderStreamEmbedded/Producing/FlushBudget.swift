/// How many bytes one transaction of a producer may hold so that the write lock is free again after 50 ms. Learnt from
/// what the last ones took, because disks differ by orders of magnitude.
struct FlushBudget {
  static let least = 256 << 10
  static let most = 4 << 20
  private static let longestMilliseconds = 40
  private static let shortMilliseconds = 20

  private(set) var bytes = most

  /// - Parameter nanoseconds: how long a transaction of `used` bytes held the write lock.
  mutating func learn(used: Int, nanoseconds: Int64) {
    let milliseconds = nanoseconds / 1_000_000
    if milliseconds > Self.longestMilliseconds {
      bytes = max(Self.least, bytes / 2)
    } else if milliseconds < Self.shortMilliseconds && used > bytes / 2 {
      bytes = min(Self.most, bytes * 2)
    }
  }
}
