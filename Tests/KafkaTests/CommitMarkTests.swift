import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct CommitMarkTests {
  @Test("a mark says who committed, and when, and is read as it was written")
  func roundTrip() {
    let mark = CommitMark(identity: "inventory-00ff-0", beginMs: 1_700_000_000_000, endMs: 1_700_000_000_100)
    #expect(mark.text == "orderstream/1 inventory-00ff-0 1700000000000 1700000000100")
    #expect(CommitMark(Array(mark.text.utf8)) == mark)
  }

  @Test(
    "what another program left beside an offset is no mark",
    arguments: [
      "", "hello", "orderstream/1", "orderstream/1 a", "orderstream/1 a 7", "orderstream/1  7 8",
      "orderstream/1 a b 8", "orderstream/1 a -7 8", "orderstream/1 a +7 8", "orderstream/1 a 07 8",
      "orderstream/1 a 7 8 ", "orderstream/2 a 7 8", " orderstream/1 a 7 8", "orderstream/1 a 8 7",
      "orderstream/1 a 7 9223372036854775808",
    ])
  func foreign(text: String) {
    #expect(CommitMark(Array(text.utf8)) == nil)
  }

  @Test("offsets that were committed without a transaction have a mark that no transaction is looked for by")
  func withoutTransaction() {
    let mark = OffsetMark(identity: "inventory-00ff-0", guarantee: .atMostOnce)
    #expect(mark.text == "orderstream/1 inventory-00ff-0 at-most-once")
    #expect(OffsetMark(Array(mark.text.utf8)) == mark && CommitMark(Array(mark.text.utf8)) == nil)
    for text in [
      "", "orderstream/1 a", "orderstream/1 a exactly", "orderstream/1  at-most-once", "orderstream/1 a 7 8",
    ] {
      #expect(OffsetMark(Array(text.utf8)) == nil)
    }
  }

  @Test("bytes that are no text are no mark")
  func bytes() {
    #expect(CommitMark([0xff, 0x20, 0x61, 0x20, 0x37, 0x20, 0x38]) == nil)
  }

  @Test("each transaction of an identity is later than the one before, whatever the clock says")
  func monotone() {
    var clock = CommitClock(identity: "a")
    clock.begin(wallMs: 1000)
    #expect([clock.stamp(900), clock.stamp(1005)] == [1000, 1005])
    #expect(clock.mark(wallMs: 1003) == CommitMark(identity: "a", beginMs: 1000, endMs: 1005))
    clock.begin(wallMs: 400)
    #expect(clock.stamp(401) == 1006)
    #expect(clock.mark(wallMs: 402) == CommitMark(identity: "a", beginMs: 1006, endMs: 1006))
    clock.pass(CommitMark(identity: "a", beginMs: 1, endMs: 5000))
    clock.begin(wallMs: 2000)
    #expect(clock.mark(wallMs: 2000).beginMs == 5001)
  }
}
