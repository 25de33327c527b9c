import OrderStreamCore

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
