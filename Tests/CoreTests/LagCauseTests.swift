import Testing

@testable import OrderStreamCore

@Suite struct LagCauseTests {
  private static func cause(
    partitions: Int = 6, members: Int = 1, seconds: Double = 20, every: Double = 1,
    _ change: (inout SimulatedGroup) -> Void = { _ in }, ends: (Int, Double) -> Double,
    positions: (Int, Double) -> Double
  ) -> LagCause {
    var group = SimulatedGroup(partitions: partitions, members: members)
    change(&group)
    group.run(seconds: seconds, every: every, ends: ends, positions: positions)
    return group.explanation.cause
  }

  @Test("With a member on every partition the handler is slow; with fewer, more members suffice, if they do")
  func slow() {
    let slow = Self.cause(members: 6, ends: { _, t in 50 * t }, positions: { _, t in 10 * t })
    #expect(slow.kind == .slowHandler && slow.membersNeeded == nil, "\(slow)")
    let few = Self.cause(members: 1, ends: { _, t in 50 * t }, positions: { _, t in 20 * t })
    #expect(few.kind == .tooFewMembers && few.membersNeeded == 2, "\(few)")
    #expect(few.sentence == "More arrives than it serves: 2 more members suffice, partitions allow 6.")
    let hopeless = Self.cause(members: 1, ends: { _, t in 50 * t }, positions: { _, t in 2 * t })
    #expect(hopeless.kind == .slowHandler, "\(hopeless)")
    let single = Self.cause(partitions: 1, ends: { _, t in 50 * t }, positions: { _, t in 20 * t })
    #expect(single.kind == .slowHandler, "\(single)")
  }

  @Test("One partition with most of the lag, because most arrives there: more members will not help")
  func hot() {
    let hot = Self.cause(
      members: 3, ends: { partition, t in (partition == 2 ? 400 : 20) * t },
      positions: { partition, t in partition == 2 ? 100 * t : 20 * t })
    #expect(hot.kind == .hotPartition, "\(hot)")
    #expect(hot.sentence == "One partition has 100 % of the lag: more members will not help.")
    // What is left at the end of a burst lies in one partition too.
    let tail = Self.cause(
      ends: { _, t in 300 * min(t, 5) }, positions: { partition, t in partition == 2 ? 50 * t : 200 * t })
    #expect(tail.kind == .burst, "\(tail)")
  }

  @Test("A member whose partitions stand while others move is dead, also when it has just gone")
  func dead() {
    func positions(_ partition: Int, _ t: Double) -> Double { partition < 3 ? 50 * min(t, 10) : 50 * t }
    let dying = Self.cause(
      members: 2, seconds: 14, every: 0.5, ends: { _, t in 10 + 50 * t }, positions: positions)
    #expect(dying.kind == .deadMember && dying.sentence.contains("m0"), "\(dying)")
    var group = SimulatedGroup(partitions: 6, members: 2)
    group.run(seconds: 14, every: 0.5, ends: { _, t in 10 + 50 * t }, positions: positions)
    group.members = ["m1"]
    group.run(seconds: 18, every: 0.5, ends: { _, t in 10 + 50 * t }) { partition, t in
      partition < 3 ? 500 + 80 * (t - 14) : 50 * t
    }
    #expect(group.explanation.cause.kind == .deadMember, "\(group.explanation.cause)")
    // Once most of what it left is read it holds nothing any more.
    group.run(seconds: 40, every: 0.5, ends: { _, t in 10 + 50 * t }) { _, t in 50 * t }
    #expect(group.explanation.cause.kind == .none, "\(group.explanation.cause)")
    // One that hangs for longer than any session is a member that does not commit.
    let hangs = Self.cause(members: 2, seconds: 80, ends: { _, t in 10 + 50 * t }, positions: positions)
    #expect(hangs.kind != .deadMember, "\(hangs)")
  }

  @Test("Members that are there and do not commit; and nobody who could")
  func stalled() {
    let stalled = Self.cause(members: 2, seconds: 30, ends: { _, t in 50 * t }, positions: { _, t in 40 * min(t, 5) })
    #expect(stalled.kind == .stalledCommits && stalled.evidence.count == 2, "\(stalled)")
    let nobody = Self.cause(members: 0, ends: { _, t in 10 }, positions: { _, t in 0 })
    #expect(nobody.kind == .tooFewMembers && nobody.membersNeeded == 1, "\(nobody)")
    let soon = Self.cause(seconds: 4, ends: { _, t in 10 }, positions: { _, t in 0 })
    #expect(soon.kind == .unknown && soon.sentence.contains("for 10 s"), "\(soon)")
    // Commits every eight seconds are none.
    let rare = Self.cause(
      seconds: 60, every: 2, ends: { _, t in 100 + 50 * t }, positions: { _, t in 50 * 8 * (t / 8).rounded(.down) })
    #expect(rare.kind == .none, "\(rare)")
  }

  @Test("Members that come and go at most looks")
  func rebalances() {
    var group = SimulatedGroup(partitions: 6, members: 2)
    for second in 1...15 {
      group.members = second % 2 == 0 ? ["m0", "m1"] : ["m0", "x\(second)"]
      group.run(seconds: Double(second), ends: { _, t in 50 * t }, positions: { _, t in 10 * t })
    }
    #expect(group.explanation.cause.kind == .rebalances, "\(group.explanation.cause)")
    var once = SimulatedGroup(partitions: 6, members: 1)
    once.run(seconds: 10, ends: { _, t in 50 * t }, positions: { _, t in 20 * t })
    once.members.append("m1")
    once.run(seconds: 20, ends: { _, t in 50 * t }, positions: { _, t in 200 + 35 * (t - 10) })
    #expect(once.explanation.cause.kind == .tooFewMembers, "\(once.explanation.cause)")
  }

  @Test("An open transaction hides what nobody can read, and is never cleared by the group")
  func transaction() {
    var group = SimulatedGroup(partitions: 2)
    group.hidden = { partition, t in partition == 0 ? 50 * max(0, t - 5) : 0 }
    group.run(
      seconds: 20, ends: { partition, t in partition == 0 ? 50 * min(t, 5) : 50 * t }, positions: { _, t in 50 * t })
    let explanation = group.explanation
    #expect(explanation.cause.kind == .openTransaction, "\(explanation.cause)")
    #expect(explanation.forecast.clear == .never(growth: 0) && explanation.forecast.lag == 0)
    // A transaction after the other is none.
    var busy = SimulatedGroup(partitions: 1)
    busy.hidden = { _, _ in 10 }
    busy.run(seconds: 20, ends: { _, t in 50 * t }, positions: { _, t in 50 * t })
    #expect(busy.explanation.cause.kind == .none)
  }

  @Test("A group that was set back, until it is where it was")
  func rewind() {
    func cause(_ seconds: Double) -> LagCause {
      Self.cause(
        partitions: 1, seconds: seconds, ends: { _, t in 1000 + 10 * t },
        positions: { _, t in t < 5 ? 1000 + 10 * t : 100 * (t - 5) })
    }
    #expect(cause(4).kind == .none && cause(8).kind == .rewind, "\(cause(8))")
    #expect(cause(8).evidence == ["the committed offset of t[0] went from 1040 back to 0 3 s ago"])
    #expect(cause(17).kind != .rewind, "\(cause(17))")
    // A topic that was made anew has no offset to go back to.
    let anew = Self.cause(
      partitions: 1, ends: { _, t in t < 5 ? 1000 : 20 * t }, positions: { _, t in t < 5 ? 1000 : 10 * (t - 5) })
    #expect(anew.kind != .rewind, "\(anew)")
  }

  @Test("A cause that is not seen is not named: unknown says what would have to be seen")
  func unknown() {
    let young = Self.cause(seconds: 1, ends: { _, t in 100 + 50 * t }, positions: { _, t in 10 * t })
    #expect(young.kind == .unknown && young.sentence.contains("3 looks"), "\(young)")
    let none = Self.cause(ends: { _, t in 50 * t }, positions: { _, t in 50 * t })
    #expect(none.kind == .none && none.evidence == ["its lag is 0"])
    let up = Self.cause(ends: { _, t in 500 * t + 20 }, positions: { _, t in 500 * t })
    #expect(up.kind == .none, "\(up)")
    #expect(
      LagCause(LagHistory(window: .seconds(1)), LagForecast(of: [], LagHistory(window: .seconds(1))), []).kind
        == .unknown)
  }
}
