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

  /// A path of a file besides stdout, which has the result.
  static func file(_ text: String) throws(ValueError) -> String {
    if text == "-" { throw ValueError(why: "stdout has the result", remedy: "name a file") }
    return try path(text)
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

  /// A duration above 0.
  static func someDuration(_ text: String) throws(ValueError) -> Duration {
    let duration = try duration(text)
    guard duration > .zero else {
      throw ValueError(why: "0 is no time at all", remedy: "write it like 500ms, 10s or 5m")
    }
    return duration
  }

  /// Converts durations that are no shorter than one of whole milliseconds.
  static func duration(atLeast least: Duration) -> (String) throws(ValueError) -> Duration {
    { text throws(ValueError) in
      let duration = try duration(text)
      guard duration >= least else {
        throw ValueError(why: "'\(text)' is too short", remedy: "give \(least.milliseconds)ms or more")
      }
      return duration
    }
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

/// Places in a topic on the command line: `earliest`, `latest` or `end`, `1047`, `+10` (after the start), `-10` (before
/// the end), an RFC 3339 time, `-1h` (before now), `@1705314600000` (milliseconds since 1970); `2=1047` for one partition.
enum PlaceArgument {
  private static let remedy = """
    give earliest, latest, an offset, +<n>, -<n>, a time like 2024-01-15T10:30:00Z, -<duration>, @<ms>, or one of these \
    for one partition like 2=1047
    """

  static func parse(_ text: String) throws(ValueError) -> Place {
    if let equals = text.firstIndex(of: "="), isNumber(text[..<equals]) {
      guard let partition = Int32(text[..<equals]) else {
        throw ValueError(why: "the partition \(text[..<equals]) is out of range", remedy: remedy)
      }
      return Place(try position(text[text.index(after: equals)...]), partition: partition)
    }
    return Place(try position(text[...]))
  }

  private static func position(_ text: Substring) throws(ValueError) -> Place.Position {
    if text == "earliest" { return .earliest }
    if text == "latest" || text == "end" { return .latest }
    if isNumber(text) { return .offset(try number(text)) }
    let rest = text.dropFirst()
    switch text.first {
    case "+" where isNumber(rest): return .afterStart(try number(rest))
    case "-" where isNumber(rest): return .beforeEnd(try number(rest))
    case "@" where isNumber(rest): return .time(milliseconds: try number(rest))
    case "-":
      if let duration = try? OptionValue.duration(String(rest)) { return .ago(duration) }
    default:
      if let time = try? TimeArgument(String(text)) { return .time(milliseconds: time.millisecondsRoundedUp) }
    }
    throw ValueError(why: "'\(text)' is not a place in a topic", remedy: remedy)
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func number(_ text: Substring) throws(ValueError) -> Int64 {
    guard let number = Int64(text) else { throw ValueError(why: "\(text) is out of range", remedy: remedy) }
    return number
  }
}

/// A point in time on the command line: RFC 3339 (`2024-01-15T10:30:00.5+01:00`), without a zone UTC. A lower-case `t`
/// or `z` and a blank between date and time are allowed, as RFC 3339 does; leap seconds are not, because POSIX time has
/// none.
struct TimeArgument: Hashable, Comparable, Sendable {
  /// Whole seconds since 1970 UTC, rounded down; below 0 before.
  let seconds: Int64
  /// 0 ..< 1 000 000 000.
  let nanoseconds: Int32

  /// The first and the last second that `YYYY-MM-DDTHH:MM:SS` can express.
  static let earliestSeconds: Int64 = -62_135_596_800
  static let latestSeconds: Int64 = 253_402_300_799

  /// Milliseconds since 1970 UTC, rounded up: the first that is not before this time.
  var millisecondsRoundedUp: Int64 { seconds * 1000 + (Int64(nanoseconds) + 999_999) / 1_000_000 }

  static func < (left: Self, right: Self) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }

  static func parse(_ text: String) throws(ValueError) -> TimeArgument { try TimeArgument(text) }

  init(_ text: String) throws(ValueError) {
    guard let time = Self.read(Array(text.utf8)) else {
      throw ValueError(
        why: "'\(text)' is not a time",
        remedy: "write it like 2024-01-15T10:30:00Z, 2024-01-15T10:30:00 (UTC) or with +01:00")
    }
    self = time
  }

  /// How the time is written that a number of this size most often stands for: milliseconds, or seconds, since 1970, of
  /// a year from 2001 to 9999. `nil` for a smaller number, or one that is larger than any such time.
  static func text(ofNumber number: Int64) -> String? {
    let (least, most) = (Int64(1_000_000_000), latestSeconds)
    guard number >= least else { return nil }
    let seconds = number < 100 * least ? number : number / 1000
    guard (least...most).contains(seconds) else { return nil }
    let text = ByteBuffer()
    CivilTime.appendSeconds(seconds, to: text)
    return String(decoding: text.bytes, as: UTF8.self) + "Z"
  }

  private init(seconds: Int64, nanoseconds: Int32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  /// The grammar and the calendar of event times; only the spelling is wider here.
  private static func read(_ text: [UInt8]) -> TimeArgument? {
    var bytes = text
    if bytes.count > 10, [UInt8(ascii: "t"), UInt8(ascii: " ")].contains(bytes[10]) { bytes[10] = UInt8(ascii: "T") }
    if bytes.last == UInt8(ascii: "z") { bytes[bytes.count - 1] = UInt8(ascii: "Z") }
    guard let time = bytes.withUnsafeBytes(CivilTime.parse), time.epochSeconds >= earliestSeconds else { return nil }
    return TimeArgument(seconds: time.epochSeconds, nanoseconds: time.nanoseconds)
  }
}
