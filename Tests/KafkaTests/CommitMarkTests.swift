import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct CommitMarkTests {
  @Test("a mark says who committed, and when, and is read as it was written")
  func roundTrip() {
    let mark = CommitMark(identity: "inventory-00ff-0", timeMs: 1_700_000_000_000)
    #expect(mark.text == "orderstream/1 inventory-00ff-0 1700000000000")
    #expect(CommitMark(Array(mark.text.utf8)) == mark)
  }

  @Test(
    "what another program left beside an offset is no mark",
    arguments: [
      "", "hello", "orderstream/1", "orderstream/1 a", "orderstream/1  7", "orderstream/1 a b", "orderstream/1 a -7",
      "orderstream/1 a +7", "orderstream/1 a 07", "orderstream/1 a 7 ", "orderstream/2 a 7", " orderstream/1 a 7",
      "orderstream/1 a 9223372036854775808",
    ])
  func foreign(text: String) {
    #expect(CommitMark(Array(text.utf8)) == nil)
  }

  @Test("bytes that are no text are no mark")
  func bytes() {
    #expect(CommitMark([0xff, 0x20, 0x61, 0x20, 0x37]) == nil)
  }

  @Test("each mark of an identity is later than the one before, whatever the clock says")
  func monotone() {
    let first = CommitMark(identity: "a", after: nil, wallMs: 1000)
    let second = CommitMark(identity: "a", after: first, wallMs: 400)
    let third = CommitMark(identity: "a", after: second, wallMs: 5000)
    #expect([first, second, third].map(\.timeMs) == [1000, 1001, 5000])
  }
}
