import OrderStreamTestSupport
import Testing

@testable import OrderStreamCore

/// Partitions that are read at once and visited one after the other.
@Suite struct RangeGroupTests {
  private static func group(_ ranges: (Int32, Range<Offset>)...) -> RangeGroup {
    RangeGroup(ranges.map { PartitionRange(partition: $0.0, offsets: $0.1) })
  }

  /// Takes records, given as partition and offset; what is kept is named by its place among them.
  private static func take(_ records: [(Int32, Offset)], _ group: inout RangeGroup) -> [RangeGroup.Verdict] {
    let batch = RecordBatch()
    for (partition, offset) in records {
      batch.append(partition: partition, offset: offset, timestampMs: 0, key: nil, value: nil)
    }
    return records.indices.map { group.take(batch[$0], keptAs: $0) }
  }

  @Test("Records of the partition in hand are visited, others are kept until their turn")
  func turns() {
    var group = Self.group((1, 0..<2), (4, 5..<6), (7, 0..<1))
    #expect(Self.take([(4, 5), (1, 0), (7, 0)], &group) == [.keep, .visit, .keep])
    #expect(group.nextTurn() == nil && group.head == 0)
    #expect(Self.take([(1, 1)], &group) == [.visit])
    #expect(group.nextTurn() == [0] && group.head == 1)
    #expect(group.nextTurn() == [2] && group.head == 2)
    #expect(group.nextTurn() == nil && group.isDone && group.left == nil)
  }

  @Test("What lies before, beyond or beside a range is left, and beyond it the range is done")
  func borders() {
    var group = Self.group((0, 3..<5), (2, 1..<9))
    #expect(Self.take([(0, 2), (1, 3), (0, 3), (0, 7), (2, 1)], &group) == [.leave, .leave, .visit, .leave, .keep])
    #expect(group.nextTurn() == [4])
    #expect(group.left == PartitionRange(partition: 2, offsets: 2..<9))
    // What was seen before a seek comes again.
    #expect(Self.take([(2, 1)], &group) == [.leave])
  }

  @Test("An end below the bound hides the rest until it moves; an end at the bound finishes")
  func ends() {
    var group = Self.group((0, 0..<4), (1, 0..<2))
    group.reachEnd(PartitionOffset(partition: 0, offset: 2))
    group.reachEnd(PartitionOffset(partition: 1, offset: 2))
    #expect(group.hidden == [PartitionOffset(partition: 0, offset: 2)] && group.nextTurn() == nil)
    #expect(Self.take([(0, 2)], &group) == [.visit])
    #expect(group.hidden.isEmpty)
    group.reachEnd(PartitionOffset(partition: 0, offset: 4))
    #expect(group.nextTurn() == [] && group.nextTurn() == nil && group.isDone)
  }
}
