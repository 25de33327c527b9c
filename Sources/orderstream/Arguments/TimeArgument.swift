import OrderStreamCore

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
