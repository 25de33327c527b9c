/// A decimal number as it was written, exactly: `digits / scale`.
struct Decimal: Hashable, Sendable {
  let digits: Int64
  /// A power of ten.
  let scale: Int64

  /// Digits with at most one point between them: `12`, `0.5`; not `.5`, `5.`, `1e3`, `+1`.
  init?(_ text: some StringProtocol, maxDecimals: Int) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
    let decimals = parts.count == 2 ? String(parts[1]) : ""
    guard decimals.count <= maxDecimals, maxDecimals <= 18, let digits = Int64(parts[0] + decimals) else { return nil }
    self.digits = digits
    scale = (0..<decimals.count).reduce(Int64(1)) { power, _ in power * 10 }
  }
}
