import Testing

@testable import OrderStreamCore

/// The cases of Burrow's `core/internal/evaluator/caching_test.go`, with its numbers.
@Suite struct LagStateTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var number: Int
    var offsets: [Offset]
    /// Milliseconds.
    var times: [Int64]
    var lags: [Int64?]
    var ends: [Offset]
    var lag: Int64
    /// Seconds, as Burrow has it.
    var now: Int64
    var allowed: Int64 = 0
    var isAlwaysBehind: Bool
    var rewind: Int?
    var hasStopped = false
    var isStalled = false
    var isNeverLess = true
    var wasAtEnd = false
    var state: LagState

    var testDescription: String { "case \(number)" }

    var commits: [LagState.Commit] {
      offsets.indices.map { LagState.Commit(offset: offsets[$0], milliseconds: times[$0], lag: lags[$0]) }
    }
  }

  private static let up: [Offset] = [1000, 2000, 3000, 4000, 5000]
  private static let same: [Offset] = [1000, 1000, 1000, 1000, 1000]
  private static let back: [Offset] = [1000, 2000, 3000, 2000, 4000]
  private static let times: [Int64] = [100_000, 200_000, 300_000, 400_000, 500_000]
  private static let fromZero: [Int64?] = [0, 50, 100, 150, 200]
  private static let fromFifty: [Int64?] = [50, 100, 150, 200, 250]
  private static let fromHundred: [Int64?] = [100, 150, 200, 250, 300]
  private static let rewound: [Int64?] = [100, 150, 200, 1250, 300]
  private static let many: [Offset] = Array(792_748_079...792_748_093)
  private static let manyTimes: [Int64] = [
    1_512_224_618_356, 1_512_224_619_362, 1_512_224_620_366, 1_512_224_621_367, 1_512_224_622_370, 1_512_224_623_373,
    1_512_224_624_378, 1_512_224_625_379, 1_512_224_626_383, 1_512_224_627_383, 1_512_224_628_383, 1_512_224_629_388,
    1_512_224_630_391, 1_512_224_631_394, 1_512_224_632_397,
  ]
  private static let noLags: [Int64?] = Array(repeating: 0, count: 15)

  static let cases: [Case] = [
    Case(
      number: 0, offsets: up, times: times, lags: fromZero, ends: [5200], lag: 200, now: 600, isAlwaysBehind: false,
      state: .ok),
    Case(
      number: 1, offsets: up, times: times, lags: fromZero, ends: [5200], lag: 200, now: 900, isAlwaysBehind: false,
      state: .ok),
    Case(
      number: 2, offsets: up, times: times, lags: fromZero, ends: [5200], lag: 200, now: 1000, isAlwaysBehind: false,
      hasStopped: true, state: .stop),
    Case(
      number: 3, offsets: up, times: times, lags: fromFifty, ends: [5250], lag: 250, now: 1000, isAlwaysBehind: true,
      hasStopped: true, state: .stop),
    Case(
      number: 4, offsets: same, times: times, lags: fromZero, ends: [1200], lag: 200, now: 600, isAlwaysBehind: false,
      isStalled: true, state: .ok),
    Case(
      number: 5, offsets: same, times: times, lags: fromHundred, ends: [1300], lag: 300, now: 600, isAlwaysBehind: true,
      isStalled: true, state: .stall),
    Case(
      number: 6, offsets: same, times: times, lags: [100, 100, 100, 100, 100], ends: [1100], lag: 100, now: 600,
      isAlwaysBehind: true, isStalled: true, state: .stall),
    Case(
      number: 7, offsets: back, times: times, lags: rewound, ends: [4300], lag: 300, now: 600, isAlwaysBehind: true,
      rewind: 3, isNeverLess: false, state: .ok),
    Case(
      number: 8, offsets: up, times: times, lags: fromFifty, ends: [5250], lag: 0, now: 1000, isAlwaysBehind: true,
      hasStopped: true, state: .ok),
    Case(
      number: 9, offsets: many, times: manyTimes, lags: noLags,
      ends: [792_749_024, 792_749_000, 792_748_800, 792_748_600, 792_748_500], lag: 931, now: 1_512_224_650,
      isAlwaysBehind: false, hasStopped: true, state: .stop),
    Case(
      number: 10, offsets: many, times: manyTimes, lags: noLags,
      ends: [792_748_094, 792_748_093, 792_748_093, 792_748_093], lag: 1, now: 1_512_224_650, isAlwaysBehind: false,
      hasStopped: true, wasAtEnd: true, state: .ok),
    Case(
      number: 11, offsets: [1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 5500],
      times: [100_000, 150_000, 200_000, 250_000, 300_000, 350_000, 400_000, 450_000, 500_000, 550_000],
      lags: [0, nil, 50, nil, 100, nil, 150, nil, 200, nil], ends: [5700], lag: 200, now: 600, isAlwaysBehind: false,
      state: .ok),
    Case(
      number: 12, offsets: [1000, 2000, 2000], times: [100_000, 200_000, 300_000], lags: [2, 1, 1], ends: [2001],
      lag: 1, now: 550, allowed: 1, isAlwaysBehind: false, hasStopped: true, isNeverLess: false, state: .ok),
    Case(
      number: 13, offsets: same, times: times, lags: fromHundred, ends: [1300], lag: 300, now: 600, allowed: 99,
      isAlwaysBehind: true, isStalled: true, state: .stall),
    Case(
      number: 14, offsets: back, times: times, lags: rewound, ends: [4300], lag: 300, now: 600, allowed: 99,
      isAlwaysBehind: true, rewind: 3, isNeverLess: false, state: .ok),
    Case(
      number: 15, offsets: [1000, 2000, 3000, 2000, 2500], times: times, lags: rewound, ends: [4300], lag: 300,
      now: 600, isAlwaysBehind: true, rewind: 3, isNeverLess: false, state: .rewind),
  ]

  @Test("Burrow's sixteen cases have Burrow's states, rule by rule", arguments: cases)
  func burrow(_ row: Case) {
    let commits = row.commits
    #expect(LagState.isAlwaysBehind(commits, allowedLag: row.allowed) == row.isAlwaysBehind)
    #expect(LagState.rewindIndex(commits) == row.rewind)
    #expect(LagState.hasStopped(commits, now: row.now * 1000) == row.hasStopped)
    #expect(LagState.isStalled(commits) == row.isStalled)
    #expect(LagState.isNeverLess(commits) == row.isNeverLess)
    #expect(LagState.wasAtEnd(commits, row.ends) == row.wasAtEnd)
    let state = LagState.burrow(
      commits, ends: row.ends, lag: row.lag, now: row.now * 1000, allowedLag: row.allowed)
    #expect(state == row.state)
  }

  @Test("all sixteen are there")
  func count() { #expect(Self.cases.map(\.number) == Array(0...15)) }

  @Test("A group is as bad as its worst partition, and unknown while one is")
  func group() {
    #expect(LagState.group([.ok, .ok]) == .ok && LagState.group([.ok, .warn]) == .warn)
    #expect(LagState.group([.ok, .stall]) == .error && LagState.group([nil, .rewind]) == .error)
    #expect(LagState.group([nil, .ok]) == nil && LagState.group([]) == nil)
  }

  @Test("Looks at partitions: a group that keeps up, is slow, stands, has gone, went back")
  func looks() {
    func state(_ position: (Double) -> Double, end: (Double) -> Double, members: Int = 1, seconds: Int = 20)
      -> LagState?
    {
      var group = SimulatedGroup(partitions: 1, members: members)
      group.run(seconds: Double(seconds), ends: { end($1) }, positions: { position($1) })
      return group.explanation.partitions[0].state
    }
    #expect(state({ 100 * $0 }, end: { 100 * $0 }) == .ok)
    #expect(state({ 100 * $0 }, end: { 50 + 200 * $0 }) == .warn)
    #expect(state({ _ in 100 }, end: { _ in 200 }) == .stall)
    #expect(state({ _ in 100 }, end: { _ in 200 }, members: 0) == .stop)
    #expect(state({ $0 < 10 ? 100 * $0 : 10 * $0 }, end: { 1 + 100 * $0 }) == .rewind)
    #expect(state({ _ in 100 }, end: { _ in 200 }, seconds: 5) == nil)
    #expect(state({ _ in 200 }, end: { _ in 200 }, seconds: 1) == .ok)
  }
}
