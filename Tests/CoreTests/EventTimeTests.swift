import OrderStreamCore
import Testing

@Suite struct EventTimeTests {
  private func times(_ eventTime: EventTime, count: Int64, wall: Int64 = 0) -> [String] {
    let options = OrderGenerator.Options(seed: 1, count: count, eventTime: eventTime)
    return OrderGeneratorTests.orders(options, wall: wall).map { String($0.suffix(21).dropLast(2)) }
  }

  @Test func aSpanIsSharedEvenly() {
    #expect(
      times(.span(startSeconds: 0, spanNanoseconds: 10_000_000_000), count: 4) == [
        "1970-01-01T00:00:00", "1970-01-01T00:00:02", "1970-01-01T00:00:05", "1970-01-01T00:00:07",
      ])
    #expect(
      times(.span(startSeconds: -1, startNanoseconds: 600_000_000, spanNanoseconds: 1_000_000_000), count: 2) == [
        "1969-12-31T23:59:59", "1970-01-01T00:00:00",
      ])
    #expect(Set(times(.span(startSeconds: 5, spanNanoseconds: 0), count: 9)) == ["1970-01-01T00:00:05"])
  }

  @Test func aSpanOfCenturiesDoesNotOverflow() {
    let last = times(.span(startSeconds: 0, spanNanoseconds: .max), count: 1000).last
    // ⌊999 · (2⁶³ − 1) / 1000⌋ ns
    #expect(last == "2261-12-26T05:44:24")
  }

  @Test func stepsFollowTheRate() {
    #expect(
      times(.stepped(startSeconds: 0, perSecond: 1000), count: 2001).suffix(2) == [
        "1970-01-01T00:00:01", "1970-01-01T00:00:02",
      ])
    #expect(times(.stepped(startSeconds: 0, perSecond: 0.5), count: 3).last == "1970-01-01T00:00:04")
    #expect(
      times(.stepped(startSeconds: 0, perSecond: 3), count: 7).suffix(2) == [
        "1970-01-01T00:00:01", "1970-01-01T00:00:02",
      ])
    #expect(
      times(.stepped(startSeconds: 0, startNanoseconds: 500_000_000, perSecond: 2), count: 2) == [
        "1970-01-01T00:00:00", "1970-01-01T00:00:01",
      ])
  }

  @Test func theWallClockIsCutToTheSecond() {
    #expect(times(.wallClock, count: 1, wall: 1999) == ["1970-01-01T00:00:01"])
    #expect(times(.wallClock, count: 1, wall: -1) == ["1969-12-31T23:59:59"])
  }
}
