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
}
