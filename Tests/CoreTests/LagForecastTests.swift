import Testing

@testable import OrderStreamCore

@Suite struct LagForecastTests {
  private static func seconds(_ forecast: LagForecast) -> (Double, Double)? {
    if case .after(let seconds, let error) = forecast.clear { (seconds, error) } else { nil }
  }

  @Test("A burst that is over is clear when the reader has read the rest", arguments: [10.0, 14, 20, 27])
  func burst(seconds: Double) throws {
    var group = SimulatedGroup(partitions: 6)
    group.run(
      seconds: seconds, every: 0.5, jitter: 0.02, ends: { _, t in 500 * min(t, 8) }, positions: { _, t in 100 * t })
    let forecast = group.explanation.forecast
    let (left, error) = try #require(Self.seconds(forecast), "\(forecast)")
    let truth = 40 - group.now + 0.5
    #expect(abs(left - truth) < 0.05 * truth && error < 0.1 * truth, "\(left) ± \(error), not \(truth)")
    #expect(group.explanation.cause.kind == .burst, "\(group.explanation.cause)")
  }

  @Test("A reader that drains one partition after the other is no group that never does")
  func oneAfterTheOther() throws {
    var group = SimulatedGroup(partitions: 4)
    group.run(
      seconds: 25, ends: { _, t in 1000 },
      positions: { partition, t in min(1000, max(0, 100 * t - 1000 * Double(partition))) })
    let (left, _) = try #require(Self.seconds(group.explanation.forecast))
    #expect(abs(left - 15) < 0.5, "\(left)")
  }

  @Test("The group is clear when its slowest member is")
  func slowestMember() throws {
    var group = SimulatedGroup(partitions: 4, members: 2)
    group.run(
      seconds: 10, ends: { _, t in 3000 }, positions: { partition, t in (partition < 2 ? 200 : 50) * t })
    let (left, _) = try #require(Self.seconds(group.explanation.forecast))
    #expect(abs(left - 50) < 1, "\(left)")
  }

  @Test("A member that keeps up has something under way, and makes no forecast of others unknown")
  func keepsUp() throws {
    var group = SimulatedGroup(partitions: 3, members: 3)
    group.run(
      seconds: 20, every: 0.4, jitter: 0.1, ends: { partition, t in partition == 1 ? 3000 : 30 * t },
      positions: { partition, t in
        partition == 1 ? 100 * t : 30 * (t - 0.3 - 0.2 * (t * 7).truncatingRemainder(dividingBy: 1))
      }
    )
    let explanation = group.explanation
    let (left, _) = try #require(Self.seconds(explanation.forecast), "\(explanation.forecast)")
    #expect(abs(left - 10) < 0.5, "\(left)")
    #expect(explanation.cause.kind == .burst, "\(explanation.cause)")
  }

  @Test("It never clears where more arrives than is served, and says by how much it grows")
  func never() {
    var group = SimulatedGroup(partitions: 2)
    group.run(seconds: 20, ends: { _, t in 506 * t }, positions: { _, t in 100 * t })
    let forecast = group.explanation.forecast
    #expect(forecast.clear == .never(growth: 812), "\(forecast)")
    #expect(forecast.reason == "it grows by 812/s: 1012/s arrive and 200/s are served")
  }

  @Test("A group that keeps up within the error is neither; and too few looks say what is missing")
  func unknown() throws {
    var group = SimulatedGroup(partitions: 1)
    group.run(
      seconds: 20, jitter: 0.3, ends: { _, t in 100 * t }, positions: { _, t in 100 * (t - 0.4).rounded(.down) })
    #expect(group.explanation.forecast.clear == .unknown, "\(group.explanation.forecast)")
    var young = SimulatedGroup(partitions: 1)
    young.run(seconds: 1, ends: { _, t in 100 * t + 50 }, positions: { _, t in 50 * t })
    let forecast = young.explanation.forecast
    #expect(forecast.clear == .unknown && forecast.arrival == nil)
    #expect(forecast.reason == "rates take 3 looks at which the offsets have moved, and there were 2 over 1 s so far")
    var done = SimulatedGroup(partitions: 1)
    done.run(seconds: 0, ends: { _, _ in 5 }, positions: { _, _ in 5 })
    #expect(done.explanation.forecast.clear == .clear && done.explanation.state == .ok)
  }

  @Test("History is bounded, and what is older than the window goes")
  func history() {
    var group = SimulatedGroup(partitions: 1)
    group.run(seconds: 50, every: 0.1, ends: { _, t in 100 * t }, positions: { _, t in 50 * t })
    #expect(group.history.count == LagHistory.limit)
    #expect(group.history.span > .seconds(49))
    let rate = group.explanation.forecast.arrival?.perSecond ?? 0
    #expect(abs(rate - 100) < 1, "\(rate)")
    group.run(seconds: 500, every: 10, ends: { _, t in 100 * t }, positions: { _, t in 50 * t })
    #expect(group.history.span > .seconds(55) && group.history.count <= 7)
    group.run(seconds: 2000, every: 100, ends: { _, t in 100 * t }, positions: { _, t in 50 * t })
    #expect(group.history.count == LagHistory.least && group.history.span > .seconds(190))
  }
}
