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
