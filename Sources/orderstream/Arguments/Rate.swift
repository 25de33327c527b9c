/// `--rate`: how many events a second.
enum Rate: Hashable, Sendable {
  /// As fast as the broker takes them.
  case max
  /// Exactly `events` in every `seconds`: 500/s is 500 in 1, 0.5/s is 5 in 10.
  case limited(events: Int64, seconds: Int64)

  static let highestPerSecond: Int64 = 1_000_000_000

  static func parse(_ text: String) throws(ValueError) -> Rate {
    if text == "max" { return .max }
    let number = text.hasSuffix("/s") ? text.dropLast(2) : Substring(text)
    guard let decimal = Decimal(number, maxDecimals: 6) else {
      throw ValueError(why: "'\(text)' is not a rate", remedy: "write it like 500, 500/s, 0.5/s or max")
    }
    guard decimal.digits > 0 else {
      throw ValueError(why: "'\(text)' would never send anything", remedy: "give more than 0, or max")
    }
    guard decimal.digits / decimal.scale < highestPerSecond else {
      throw ValueError(why: "'\(text)' is out of range", remedy: "give less than \(highestPerSecond)/s, or max")
    }
    return .limited(events: decimal.digits, seconds: decimal.scale)
  }

  /// When event `index` (0-based) is due after the start, in nanoseconds, rounded down; 0 without a limit.
  func nanoseconds(ofEvent index: Int64) -> Int64 {
    guard case .limited(let events, let seconds) = self else { return 0 }
    return Int64(clamping: Int128(index) * Int128(seconds) * 1_000_000_000 / Int128(events))
  }
}
