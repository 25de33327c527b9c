import OrderStreamCore

/// Why a text is not a value of its kind. Whoever knows where the text came from adds that.
struct ValueError: Error, Hashable, Sendable {
  var why: String
  var remedy: String
}

/// The kinds of value that options have, each from its text.
enum OptionValue {
  /// Whole numbers: decimal digits, no sign, no separators.
  static func integer<Number: FixedWidthInteger>(
    _ text: String, in range: ClosedRange<Number>
  ) throws(ValueError) -> Number {
    let remedy = "give a whole number from \(range.lowerBound) to \(range.upperBound)"
    guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      throw ValueError(why: "'\(text)' is not a whole number", remedy: remedy)
    }
    guard let number = Number(text), range.contains(number) else {
      throw ValueError(why: "\(text) is out of range", remedy: remedy)
    }
    return number
  }

  /// A share from 0 to 1, with up to nine decimals: `0`, `0.05`, `1`.
  static func fraction(_ text: String) throws(ValueError) -> Double {
    guard let decimal = Decimal(text, maxDecimals: 9) else {
      throw ValueError(why: "'\(text)' is not a share", remedy: "give a number from 0 to 1, like 0.05")
    }
    guard decimal.digits <= decimal.scale else {
      throw ValueError(why: "'\(text)' is out of range", remedy: "give a number from 0 to 1, like 0.05")
    }
    return Double(decimal.digits) / Double(decimal.scale)
  }

  /// Names of topics and groups, as `BrokerName` has them.
  static func name(_ text: String) throws(ValueError) -> String {
    let remedy = "use 1 to \(BrokerName.maxLength) letters, digits, '.', '_' and '-'"
    if text.isEmpty { throw ValueError(why: "the name is empty", remedy: remedy) }
    if BrokerName.isReserved(text) { throw ValueError(why: "'\(text)' is not a name", remedy: remedy) }
    if let wrong = text.unicodeScalars.first(where: { !BrokerName.isAllowed($0) }) {
      throw ValueError(why: "'\(text)' has the character '\(wrong)'", remedy: remedy)
    }
    if text.utf8.count > BrokerName.maxLength {
      throw ValueError(why: "the name has \(text.utf8.count) characters", remedy: remedy)
    }
    return text
  }

  /// A path; `-` is kept as it is.
  static func path(_ text: String) throws(ValueError) -> String {
    if text.isEmpty { throw ValueError(why: "the path is empty", remedy: "name a file") }
    return text
  }

  /// Units of durations, the largest first.
  private static let units: [(name: String, nanoseconds: Int64)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
    ("ms", 1_000_000), ("us", 1000),
  ]

  /// Durations up to 64 bits of nanoseconds: `500ms`, `10s`, `5m`, `1h30m`, `1.5s`, `0`. Units are d, h, m, s, ms and us,
  /// the largest first, each at most once; only the last number may have decimals; a bare number is allowed for 0 alone.
  static func duration(_ text: String) throws(ValueError) -> Duration {
    if text == "0" { return .zero }
    var rest = Substring(text)
    var total: Int64 = 0
    var unitsLeft = units[...]
    var hadDecimals = false
    guard !rest.isEmpty else { throw noDuration(text) }
    while !rest.isEmpty {
      let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
      rest = rest.dropFirst(number.count)
      let name = rest.prefix { !("0"..."9").contains($0) && $0 != "." }
      rest = rest.dropFirst(name.count)
      if !number.isEmpty, name.isEmpty {
        throw ValueError(why: "'\(text)' has no unit", remedy: "write \(text)s or \(text)ms")
      }
      guard !hadDecimals, let index = unitsLeft.firstIndex(where: { $0.name == name }) else { throw noDuration(text) }
      unitsLeft = unitsLeft[(index + 1)...]
      hadDecimals = number.contains(".")
      guard let decimal = Decimal(number, maxDecimals: 9) else { throw noDuration(text) }
      let part = Int128(decimal.digits) * Int128(units[index].nanoseconds) / Int128(decimal.scale)
      let sum = Int128(total) + part
      guard sum <= Int128(Int64.max) else {
        throw ValueError(why: "'\(text)' is too long", remedy: "the longest is 106751d")
      }
      total = Int64(sum)
    }
    return .nanoseconds(total)
  }

  private static func noDuration(_ text: String) -> ValueError {
    ValueError(why: "'\(text)' is not a duration", remedy: "write it like 500ms, 10s, 5m, 1h30m or 0")
  }
}

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
