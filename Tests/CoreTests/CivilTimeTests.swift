import Foundation
import OrderStreamCore
import Testing

@Suite struct CivilTimeTests {
  private func parse(_ text: String) -> (epochSeconds: Int64, nanoseconds: Int32)? {
    Array(text.utf8).withUnsafeBytes(CivilTime.parse)
  }

  private func written(_ write: (ByteBuffer) -> Void) -> String {
    let buffer = ByteBuffer()
    write(buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00", 0, 0), ("2024-01-15T10:30:00", 1_705_314_600, 0),
    ("2024-01-15T10:30:00Z", 1_705_314_600, 0),
    ("2024-01-15T10:30:00+02:00", 1_705_307_400, 0), ("2024-01-15T10:30:00-00:30", 1_705_316_400, 0),
    ("2024-01-15T10:30:00.5", 1_705_314_600, 500_000_000), ("2024-01-15T10:30:00.000000001Z", 1_705_314_600, 1),
    ("1969-12-31T23:59:59.999999999", -1, 999_999_999), ("2000-02-29T00:00:00", 951_782_400, 0),
    ("2024-12-31T23:30:00-01:00", 1_735_691_400, 0), ("2024-01-01T00:30:00+01:00", 1_704_065_400, 0),
    ("0000-01-01T00:00:00", -62_167_219_200, 0), ("9999-12-31T23:59:59", 253_402_300_799, 0),
    ("9999-12-31T23:59:59.999999999+00:00", 253_402_300_799, 999_999_999), ("0000-02-29T00:00:00Z", -62_162_121_600, 0),
    ("0000-01-01T00:00:00-23:59", -62_167_132_860, 0), ("2024-01-15T10:30:00-00:00", 1_705_314_600, 0),
  ])
  func possibleTimesAreRead(text: String, seconds: Int64, nanoseconds: Int32) {
    let time = parse(text)
    #expect(time?.epochSeconds == seconds)
    #expect(time?.nanoseconds == nanoseconds)
    #expect(Decoded(OrderText.with(timestamp: text)).order?.timestamp == text)
  }

  @Test(arguments: [
    "", "2024", "2024-01-15", "2024-01-15T10:30", "2024-01-15 10:30:00", "2024-01-15t10:30:00", "2024-01-15T10:30:00z",
    "2024-1-15T10:30:00", "24-01-15T10:30:00", "+2024-01-15T10:30:00", "-024-01-15T10:30:00", "12024-01-15T10:30:00",
    "2024-00-15T10:30:00", "2024-13-15T10:30:00", "2024-01-00T10:30:00", "2024-01-32T10:30:00", "2024-04-31T10:30:00",
    "2023-02-29T10:30:00", "1900-02-29T10:30:00", "2100-02-29T10:30:00", "2024-02-30T10:30:00", "2024-01-15T24:00:00",
    "2024-01-15T10:60:00", "2024-01-15T10:30:60", "2016-12-31T23:59:60Z", "2024-01-15T10:30:00.",
    "2024-01-15T10:30:00.Z",
    "2024-01-15T10:30:00.1234567890", "2024-01-15T10:30:00,5", "2024-01-15T10:30:00+24:00", "2024-01-15T10:30:00+01:60",
    "2024-01-15T10:30:00+0100", "2024-01-15T10:30:00+01", "2024-01-15T10:30:00+01:00Z", "2024-01-15T10:30:00ZZ",
    "2024-01-15T10:30:00 ", " 2024-01-15T10:30:00", "2024-01-15T10:30:00Z ", "2024-01-15T10:30:00±01:00",
    "2024-01-15T1a:30:00", "2024-01-15T10:30:0/", "2024-01-15T10:30:0:", "202a-01-15T10:30:00", "2024/01/15T10:30:00",
    "2024-01-15T10.30.00", "２024-01-15T10:30:00", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    "2024-01-15T10:30:00-1:00", "2024-01-15T10:30:00.5+1:00",
  ])
  func impossibleTimesAreNot(text: String) {
    #expect(parse(text) == nil)
    #expect(Decoded(OrderText.with(timestamp: text)) == .poison(.timestamp))
  }

  @Test func minutesAreRoundedDownBefore1970() {
    #expect(Decoded(OrderText.with(timestamp: "1969-12-31T23:59:59.9")).order?.minute == -1)
    #expect(Decoded(OrderText.with(timestamp: "1969-12-31T23:58:59")).order?.minute == -2)
    #expect(
      Decoded(OrderText.with(timestamp: "9999-12-31T23:59:59")).order?.minute == CivilTime.minutesRange.upperBound)
    #expect(
      Decoded(OrderText.with(timestamp: "0000-01-01T00:00:00")).order?.minute == CivilTime.minutesRange.lowerBound)
  }

  @Test func everyDayOfTheCalendarComesBack() {
    var expected = (year: Int64(0), month: Int64(1), day: Int64(1))
    var isSame = true
    for day in -719_528...2_932_896 as ClosedRange<Int64> {
      let civil = CivilTime.civil(days: day)
      isSame =
        isSame && civil == expected && CivilTime.days(year: civil.year, month: civil.month, day: civil.day) == day
      let isLeap = expected.year % 4 == 0 && (expected.year % 100 != 0 || expected.year % 400 == 0)
      let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      expected.day += 1
      if expected.day > lengths[Int(expected.month) - 1] { expected = (expected.year, expected.month + 1, 1) }
      if expected.month > 12 { expected = (expected.year + 1, 1, 1) }
    }
    #expect(isSame)
    #expect(expected == (10_000, 1, 1))
  }

  @Test func writtenTimesAreReadBackAndAgreeWithFoundation() {
    let formatter = ISO8601DateFormatter()
    var random = SeededRandom(seed: 3)
    for _ in 0..<2000 {
      let seconds = CivilTime.secondsRange.lowerBound + Int64(random.below(315_569_520_000))
      let text = written { CivilTime.appendSeconds(seconds, to: $0) }
      #expect(parse(text)?.epochSeconds == seconds)
      let minute = CivilTime.minute(ofSecond: seconds)
      #expect(written { CivilTime.appendMinute(minute, separator: UInt8(ascii: "T"), to: $0) } == text.dropLast(3))
      // Foundation's calendar is Julian before 1582.
      if seconds > -12_000_000_000 {
        #expect(formatter.string(from: Date(timeIntervalSince1970: Double(seconds))) == text + "Z")
      }
    }
    #expect(written { CivilTime.appendMinute(28_421_910, separator: 0x20, to: $0) } == "2024-01-15 10:30")
    #expect(written { CivilTime.appendMinute(-1, separator: 0x20, to: $0) } == "1969-12-31 23:59")
  }
}
