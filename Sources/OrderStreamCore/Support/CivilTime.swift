/// Days, minutes and seconds since 1970-01-01T00:00Z, to and from text, in the proleptic Gregorian calendar without leap
/// seconds. Years are 0000 … 9999. No locale, no clock, no allocation.
///
/// The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`
/// (howardhinnant.github.io/date_algorithms.html).
public enum CivilTime {
  /// 0000-01-01T00:00:00Z … 9999-12-31T23:59:59Z.
  public static let secondsRange: ClosedRange<Int64> = -62_167_219_200...253_402_300_799
  /// The minutes of `secondsRange`: more than 32 bits hold.
  public static let minutesRange: ClosedRange<Int64> = -1_036_120_320...4_223_371_679

  private static let secondsPerDay: Int64 = 86_400

  /// Days since 1970-01-01 of a date that exists.
  @inline(__always)
  public static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = floor(shifted, by: 400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The date of a day since 1970-01-01.
  public static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = floor(shifted, by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  /// The minute that a second lies in.
  @inline(__always)
  public static func minute(ofSecond epochSeconds: Int64) -> Int64 { floor(epochSeconds, by: 60) }

  /// Appends `2024-01-15 10:30`, with any separator.
  /// - Parameters:
  ///   - minute: whole minutes since 1970-01-01T00:00Z, in `minutesRange`.
  ///   - separator: the byte between date and time: a space or `T`.
  public static func appendMinute(_ minute: Int64, separator: UInt8, to buffer: ByteBuffer) {
    appendFields(minute * 60, separator: separator, length: 16, to: buffer)
  }

  /// Appends `2024-01-15T10:30:00`, the form of a generated order's `timestamp`.
  /// - Parameter epochSeconds: in `secondsRange`.
  @inline(__always)
  public static func appendSeconds(_ epochSeconds: Int64, to buffer: ByteBuffer) {
    appendFields(epochSeconds, separator: UInt8(ascii: "T"), length: 19, to: buffer)
  }

  /// `2024-01-15T10:30:00Z`, cut to the second.
  /// - Parameter milliseconds: Since 1970; a time out of `secondsRange` is the nearest in it.
  public static func text(ofMilliseconds milliseconds: Int64) -> String {
    let buffer = ByteBuffer(capacity: 64)
    appendSeconds(min(max(floor(milliseconds, by: 1000), secondsRange.lowerBound), secondsRange.upperBound), to: buffer)
    return String(decoding: buffer.bytes, as: UTF8.self) + "Z"
  }

  /// Writes the first `length` bytes of date, separator and time.
  private static func appendFields(_ epochSeconds: Int64, separator: UInt8, length: Int, to buffer: ByteBuffer) {
    precondition(secondsRange.contains(epochSeconds), "a time is written only for the years 0000 to 9999")
    let day = floor(epochSeconds, by: secondsPerDay)
    let second = epochSeconds - day * secondsPerDay
    let date = civil(days: day)
    buffer.append(upTo: 19) { bytes in
      put(date.year / 100, at: 0, in: bytes)
      put(date.year % 100, at: 2, in: bytes)
      put(date.month, at: 5, in: bytes)
      put(date.day, at: 8, in: bytes)
      put(second / 3600, at: 11, in: bytes)
      put(second / 60 % 60, at: 14, in: bytes)
      put(second % 60, at: 17, in: bytes)
      let dash = UInt8(ascii: "-")
      let colon = UInt8(ascii: ":")
      bytes.storeBytes(of: dash, toByteOffset: 4, as: UInt8.self)
      bytes.storeBytes(of: dash, toByteOffset: 7, as: UInt8.self)
      bytes.storeBytes(of: separator, toByteOffset: 10, as: UInt8.self)
      bytes.storeBytes(of: colon, toByteOffset: 13, as: UInt8.self)
      bytes.storeBytes(of: colon, toByteOffset: 16, as: UInt8.self)
      return length
    }
  }

  /// Two digits of 0 … 99.
  @inline(__always)
  private static func put(_ value: Int64, at position: Int, in bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: 48 &+ UInt8(truncatingIfNeeded: value / 10), toByteOffset: position, as: UInt8.self)
    bytes.storeBytes(of: 48 &+ UInt8(truncatingIfNeeded: value % 10), toByteOffset: position + 1, as: UInt8.self)
  }

  /// Division that rounds down, for times before 1970.
  @inline(__always)
  static func floor(_ value: Int64, by divisor: Int64) -> Int64 {
    (value >= 0 ? value : value - (divisor - 1)) / divisor
  }
}

extension CivilTime {
  /// Reads `YYYY-MM-DDTHH:MM:SS[.1–9 digits][Z|±hh:mm]`, exactly; without a zone the time is UTC.
  ///
  /// Impossible are: a day that the month does not have, hour 24, second 60 (there are no leap seconds here), a zone
  /// beyond ±23:59, lower-case `t` and `z`, and a time that is outside the years 0000 … 9999 once the zone is applied.
  /// - Returns: the second in UTC, rounded down, and the nanoseconds after it (0 … 999 999 999); `nil` for any other
  ///   text.
  public static func parse(_ text: UnsafeRawBufferPointer) -> (epochSeconds: Int64, nanoseconds: Int32)? {
    guard text.count >= 19, text[4] == dash, text[7] == dash, text[10] == UInt8(ascii: "T"),
      text[13] == colon, text[16] == colon
    else { return nil }
    // Values above 99 mean that one of the two bytes is no digit.
    let century = twoDigits(text, 0)
    let yearOfCentury = twoDigits(text, 2)
    let month = twoDigits(text, 5)
    let day = twoDigits(text, 8)
    let hour = twoDigits(text, 11)
    let minute = twoDigits(text, 14)
    let second = twoDigits(text, 17)
    let year = century * 100 + yearOfCentury
    guard century <= 99, yearOfCentury <= 99, month >= 1, month <= 12, day >= 1, day <= 31, hour <= 23, minute <= 59,
      second <= 59
    else { return nil }
    guard day <= 28 || day <= lastDay(ofMonth: month, year: year) else { return nil }
    var seconds = days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    if text.count == 19 { return (seconds, 0) }

    var position = 19
    guard let nanoseconds = fraction(text, &position), let offset = zone(text, position) else { return nil }
    seconds -= offset
    return secondsRange.contains(seconds) ? (seconds, nanoseconds) : nil
  }

  private static let dash = UInt8(ascii: "-")
  private static let colon = UInt8(ascii: ":")

  /// The nanoseconds of an optional `.1–9 digits`, and `position` moved behind it.
  private static func fraction(_ text: UnsafeRawBufferPointer, _ position: inout Int) -> Int32? {
    guard text[position] == UInt8(ascii: ".") else { return 0 }
    position += 1
    let start = position
    var value: Int32 = 0
    while position < text.count, text[position] &- 48 <= 9 {
      if position - start == 9 { return nil }
      value = value * 10 + Int32(text[position] &- 48)
      position += 1
    }
    if position == start { return nil }
    for _ in (position - start)..<9 { value *= 10 }
    return value
  }

  /// The seconds by which the zone that fills the rest of the text is ahead of UTC.
  private static func zone(_ text: UnsafeRawBufferPointer, _ position: Int) -> Int64? {
    if position == text.count { return 0 }
    let sign = text[position]
    if sign == UInt8(ascii: "Z") { return position + 1 == text.count ? 0 : nil }
    guard sign == UInt8(ascii: "+") || sign == dash, text.count - position == 6, text[position + 3] == colon else {
      return nil
    }
    let hours = twoDigits(text, position + 1)
    let minutes = twoDigits(text, position + 4)
    guard hours <= 23, minutes <= 59 else { return nil }
    let offset = hours * 3600 + minutes * 60
    return sign == dash ? -offset : offset
  }

  /// Two digits as a number, or more than 99.
  @inline(__always)
  private static func twoDigits(_ text: UnsafeRawBufferPointer, _ position: Int) -> Int64 {
    let tens = text[position] &- 48
    let ones = text[position + 1] &- 48
    return tens <= 9 && ones <= 9 ? Int64(tens) * 10 + Int64(ones) : 1000
  }

  private static func lastDay(ofMonth month: Int64, year: Int64) -> Int64 {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
  }
}
