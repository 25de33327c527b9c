import Testing

@testable import OrderStreamKafka

struct HangEvidenceTests {
  private let mark = CommitMark(identity: "a", beginMs: 100, endMs: 200)

  @Test("a process that knows how its transaction ended closes it so", arguments: [true, false], [true, false])
  func known(offsetsPend: Bool, stateHangs: Bool) {
    var evidence = HangEvidence(
      outcome: .committed, offsetsPend: offsetsPend, stateHangs: stateHangs, mark: mark, firstHangingMs: 150)
    #expect(evidence.verdict == .commit)
    evidence.outcome = .aborted
    #expect(evidence.verdict == .abort)
  }

  @Test("records within the newest commit of the identity belong to it")
  func withinMark() {
    for time: Int64 in [100, 150, 200] { #expect(HangEvidence(mark: mark, firstHangingMs: time).verdict == .commit) }
  }

  @Test("records after the newest commit of the identity were never committed, when no offsets wait")
  func afterMark() {
    #expect(HangEvidence(mark: mark, firstHangingMs: 201).verdict == .abort)
    #expect(HangEvidence(firstHangingMs: 201).verdict == .abort)
  }

  @Test("records from before the newest commit of the identity are another producer's")
  func beforeMark() {
    #expect(HangEvidence(mark: mark, firstHangingMs: 99).verdict == .notOurs)
  }

  @Test("where nothing of the identity hangs there is nothing to close")
  func nothing() {
    for outcome in [HangEvidence.Outcome.unknown, .committed, .aborted] {
      #expect(HangEvidence(outcome: outcome, mark: mark).verdict == .notOurs)
    }
  }

  @Test("offsets that wait were committed when state that is newer than the others can be seen")
  func newerState() {
    let evidence = HangEvidence(
      offsetsPend: true, stateHangs: true, mark: mark, newestStateMs: 201, firstHangingMs: 210)
    #expect(evidence.verdict == .commit)
    #expect(HangEvidence(offsetsPend: true, newestStateMs: 5).verdict == .commit)
  }

  @Test("offsets that wait were aborted when all state can be seen and none is newer")
  func olderState() {
    #expect(HangEvidence(offsetsPend: true, mark: mark, newestStateMs: 200).verdict == .abort)
    #expect(HangEvidence(offsetsPend: true, mark: mark).verdict == .abort)
  }

  @Test("where offsets and state hang together nothing tells, and nothing is guessed")
  func nothingTells() {
    let evidence = HangEvidence(
      offsetsPend: true, stateHangs: true, mark: mark, newestStateMs: 200, firstHangingMs: 250)
    #expect(evidence.verdict == .unknown)
  }

  @Test("what is committed in one partition is committed in all")
  func seen() {
    for offsetsPend in [true, false] {
      let evidence = HangEvidence(
        offsetsPend: offsetsPend, stateHangs: true, mark: mark, isSeen: true, newestStateMs: 205, firstHangingMs: 250)
      #expect(evidence.verdict == .commit)
    }
  }

  @Test("a group's offsets lie where Java's hash of its name puts them")
  func offsetsPartition() {
    // "inventory".hashCode() is -2020599460, "polygenelubricants".hashCode() is Integer.MIN_VALUE.
    #expect(CoordinatorLog.partition(of: "inventory", count: 50) == 2_020_599_460 % 50)
    #expect(CoordinatorLog.partition(of: "polygenelubricants", count: 50) == 0)
  }
}
