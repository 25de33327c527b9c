import Testing

@testable import OrderStreamCore

@Suite struct LagRateTests {
  private static func rate(_ count: Int, every interval: Double, _ value: (Double) -> Double) -> LagRate? {
    let times = (0..<count).map { Double($0) * interval }
    return LagRate(times, times.map { value($0).rounded(.down) })
  }

  @Test("A steady pace is found, with an error of what looks cannot tell")
  func steady() throws {
    let rate = try #require(Self.rate(20, every: 1) { 812 * $0 })
    #expect(rate.perSecond == 812 && rate.error > 0 && rate.error < 0.1 && rate.looks == 20)
    let still = try #require(Self.rate(5, every: 1) { _ in 7 })
    #expect(still.perSecond == 0 && still.error == 0)
    #expect(Self.rate(2, every: 1) { 5 * $0 } == nil && LagRate([], []) == nil)
  }

  @Test("Commits every five seconds, looked at every two, are a pace and no standstill")
  func stairs() throws {
    for start in [0.0, 0.7, 1.9, 3.3, 4.9] {
      let rate = try #require(Self.rate(31, every: 2) { 500 * 5 * (($0 + start) / 5).rounded(.down) })
      #expect(abs(rate.perSecond - 500) < 15, "\(start): \(rate)")
      #expect(abs(rate.perSecond - 500) <= rate.error, "\(start): \(rate)")
    }
  }

  @Test("The pace is that since it has changed last")
  func change() throws {
    let burst = try #require(Self.rate(40, every: 0.5) { 1000 * min($0, 15) })
    #expect(burst.perSecond == 0 && burst.error == 0, "\(burst)")
    let slower = try #require(Self.rate(40, every: 0.5) { 1000 * min($0, 10) + 100 * max(0, $0 - 10) })
    #expect(abs(slower.perSecond - 100) < 2, "\(slower)")
    let begun = try #require(Self.rate(40, every: 0.5) { 300 * max(0, $0 - 12) })
    #expect(abs(begun.perSecond - 300) < 5, "\(begun)")
  }

  @Test("A jump between two paces is no pace, also when it has changed before")
  func jump() throws {
    for looks in [31, 36, 50] {
      let rate = try #require(
        Self.rate(looks, every: 0.5) { $0 < 5 ? 300 * $0 : $0 < 13 ? 1500 + 153 * ($0 - 5) : 300 * $0 })
      #expect(abs(rate.perSecond - 300) < 10, "\(looks): \(rate)")
    }
  }

  @Test("The true pace lies within the error about as often as it should")
  func error() throws {
    var random = SeededRandom(seed: 7)
    func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
    var (hits, worst) = (0, 0.0)
    for _ in 0..<400 {
      let pace = 50 + 1000 * uniform()
      let times = (0..<30).map { Double($0) + 0.05 * uniform() }
      // Each look sees a commit that is up to 0.1 s old.
      let rate = try #require(LagRate(times, times.map { (pace * ($0 - 0.1 * uniform())).rounded(.down) }))
      if abs(rate.perSecond - pace) <= rate.error { hits += 1 }
      worst = max(worst, abs(rate.perSecond - pace) / pace)
    }
    #expect(hits >= 360, "\(hits) of 400")
    #expect(worst < 0.03, "\(worst)")
  }

  @Test("Records that come at random are no change of pace, and their error counts that they add up")
  func random() throws {
    var random = SeededRandom(seed: 11)
    func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
    var (hits, wide) = (0, 0)
    for _ in 0..<200 {
      // 3000 records in 10 s, each in one of six partitions.
      var count = 0.0
      var (times, values): ([Double], [Double]) = ([], [])
      for look in 0..<50 {
        for _ in 0..<60 where uniform() < 1.0 / 6 { count += 1 }
        times.append(Double(look) * 0.2)
        values.append(count)
      }
      let rate = try #require(LagRate(times, values))
      if abs(rate.perSecond - 50) <= rate.error { hits += 1 }
      if rate.seconds > 5 { wide += 1 }
    }
    #expect(hits >= 160, "\(hits) of 200")
    #expect(wide >= 160, "\(wide) of 200")
  }
}
