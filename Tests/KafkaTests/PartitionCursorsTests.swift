import OrderStreamCore
import Testing

@testable import OrderStreamKafka

struct PartitionCursorsTests {
  private func cursors(_ positions: [(Int32, Offset)]) -> PartitionCursors {
    var cursors = PartitionCursors()
    cursors.assign(positions.map { PartitionOffset(partition: $0.0, offset: $0.1) })
    return cursors
  }

  @Test("records of other partitions and from before the position are dropped")
  func drops() {
    var cursors = cursors([(0, 5), (2, 0)])
    let accepted = [cursors.accept(1, 5), cursors.accept(0, 4), cursors.accept(9, 0), cursors.accept(0, 5)]
    #expect(accepted == [false, false, false, true])
    let twice = [cursors.accept(0, 5), cursors.accept(0, 9)]
    #expect(twice == [false, true])
  }

  @Test("a new assignment forgets the old one")
  func forgets() {
    var cursors = cursors([(0, 0), (1, 0)])
    cursors.assign([PartitionOffset(partition: 1, offset: 3)])
    let accepted = [cursors.accept(0, 0), cursors.accept(1, 2), cursors.accept(1, 3)]
    #expect(accepted == [false, false, true])
  }

  @Test("a partition is behind until its end is reached, and again when records come")
  func behind() {
    var cursors = cursors([(0, 0), (1, 0)])
    #expect(cursors.isAnyBehind)
    let ends = [cursors.acceptEnd(0, 0), cursors.acceptEnd(0, 0), cursors.acceptEnd(1, 7), cursors.acceptEnd(3, 0)]
    #expect(ends == [true, true, true, false])
    #expect(!cursors.isAnyBehind)
    let none = cursors.nextBehind()
    #expect(none == nil)
    let accepted = cursors.accept(1, 7)
    let next = cursors.nextBehind()
    #expect(accepted && next == 1)
  }

  @Test("partitions that are behind take turns")
  func turns() {
    var cursors = cursors([(0, 0), (1, 0), (2, 0)])
    _ = cursors.acceptEnd(1, 0)
    let turns = (0..<4).map { _ in cursors.nextBehind() }
    #expect(Set(turns.prefix(2)) == [0, 2] && turns[0] == turns[2] && turns[1] == turns[3])
  }
}
