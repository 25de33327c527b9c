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

  private init(seconds: Int64, nanoseconds: Int32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  private static func read(_ bytes: [UInt8]) -> TimeArgument? {
    // YYYY-MM-DDTHH:MM:SS
    guard bytes.count >= 19, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(bytes[10]),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
      let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
      year >= 1, (1...12).contains(month), (1...daysOfMonth(month, year)).contains(day),
      hour < 24, minute < 60, second < 60
    else { return nil }
    var position = 19
    var nanoseconds: Int64 = 0
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      let digits = bytes[(position + 1)...].prefix { (0x30...0x39).contains($0) }
      guard (1...9).contains(digits.count), let fraction = number(digits) else { return nil }
      nanoseconds = (digits.count..<9).reduce(fraction) { value, _ in value * 10 }
      position += 1 + digits.count
    }
    guard let offset = zone(bytes[position...]) else { return nil }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    return TimeArgument(seconds: seconds, nanoseconds: Int32(nanoseconds))
  }

  /// Seconds east of UTC.
  private static func zone(_ bytes: ArraySlice<UInt8>) -> Int64? {
    if bytes.isEmpty || bytes.elementsEqual("Z".utf8) || bytes.elementsEqual("z".utf8) { return 0 }
    let zone = Array(bytes)
    guard zone.count == 6, zone[3] == UInt8(ascii: ":"), let hours = number(zone[1..<3]),
      let minutes = number(zone[4..<6]),
      hours < 24, minutes < 60
    else { return nil }
    switch zone[0] {
    case UInt8(ascii: "+"): return hours * 3600 + minutes * 60
    case UInt8(ascii: "-"): return -(hours * 3600 + minutes * 60)
    default: return nil
    }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
    var value: Int64 = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      value = value * 10 + Int64(digit - 0x30)
    }
    return value
  }

  private static func daysOfMonth(_ month: Int64, _ year: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
  /// algorithms", `days_from_civil`).
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
}
