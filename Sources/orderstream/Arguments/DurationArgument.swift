/// Durations on the command line: `500ms`, `10s`, `5m`, `1h30m`, `1.5s`, `0`. Units are d, h, m, s, ms and us, the
/// largest first, each at most once; only the last number may have decimals; a bare number is allowed for 0 alone.
enum DurationArgument {
  /// What fits into 64 bits of nanoseconds.
  static let longest = Duration.nanoseconds(Int64.max)

  private static let units: [(name: String, nanoseconds: Int64)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
    ("ms", 1_000_000), ("us", 1000),
  ]

  static func parse(_ text: String) throws(ValueError) -> Duration {
    if text == "0" { return .zero }
    var rest = Substring(text)
    var total: Int64 = 0
    var unitsLeft = units[...]
    var hadDecimals = false
    guard !rest.isEmpty else { throw malformed(text) }
    while !rest.isEmpty {
      let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
      rest = rest.dropFirst(number.count)
      let name = rest.prefix { !("0"..."9").contains($0) && $0 != "." }
      rest = rest.dropFirst(name.count)
      if !number.isEmpty, name.isEmpty {
        throw ValueError(why: "'\(text)' has no unit", remedy: "write \(text)s or \(text)ms")
      }
      guard !hadDecimals, let index = unitsLeft.firstIndex(where: { $0.name == name }) else { throw malformed(text) }
      unitsLeft = unitsLeft[(index + 1)...]
      hadDecimals = number.contains(".")
      guard let decimal = Decimal(number, maxDecimals: 9) else { throw malformed(text) }
      let part = Int128(decimal.digits) * Int128(units[index].nanoseconds) / Int128(decimal.scale)
      let sum = Int128(total) + part
      guard sum <= Int128(Int64.max) else {
        throw ValueError(why: "'\(text)' is too long", remedy: "the longest is 106751d")
      }
      total = Int64(sum)
    }
    return .nanoseconds(total)
  }

  private static func malformed(_ text: String) -> ValueError {
    ValueError(why: "'\(text)' is not a duration", remedy: "write it like 500ms, 10s, 5m, 1h30m or 0")
  }
}
